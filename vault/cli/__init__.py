"""`jeton ...`: one file a verb, each imported only when it is asked for."""

from vault.cli.root import main

__all__ = ["main"]
