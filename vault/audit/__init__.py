"""The record as files: typed entries in sealed groups, one chain a writer, signed checkpoints.

`writer` adds to it, `verify` holds it to what is known elsewhere, `reading` shows it,
`retention` drops what is too old. Nothing here knows a store or an event loop.
"""
