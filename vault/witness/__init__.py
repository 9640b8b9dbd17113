"""The witness: keeps every checkpoint of a record elsewhere, and signs that it did.

`logs` is what a witness has on its disk, `server` how it is asked, `client` who asks it,
`cosignature` what it signs. It knows no key of the service's but the checkpoints' public one.
"""
