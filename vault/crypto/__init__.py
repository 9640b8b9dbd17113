"""Keys and ciphers: FF1 over numerals, keysets wrapped under a KEK, AES-GCM. Nothing else.

Every choice here cites the standard that makes it safe, and nothing here knows what a NIR, a
caller or a configuration is. Key material travels as `secret.Secret` and is read only with a
`secret.KeyAccess`; the one exception is `ff1.FF1`, which takes bytes so that anybody's test
vectors can be tried on it.
"""
