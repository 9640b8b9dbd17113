"""Why the record cannot be written: in words that stand in the record themselves, later on."""

import os


class RecordError(OSError):
    """Says what is wrong with the record's files in words of this package's own."""


def words_of(error: OSError) -> str:
    """The system's words for its number, or ours. Whatever else an exception says may quote
    what it choked on."""
    if isinstance(error, RecordError):
        return str(error)
    return os.strerror(error.errno) if error.errno else "input or output failed"
