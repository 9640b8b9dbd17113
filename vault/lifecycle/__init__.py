"""Random tokens outside requests, for operators: what `jeton vault` does.

The other caller, beside the service, of engine and store.
"""
