"""What an error may say of what was sent: nothing."""

import re

_RUNS = re.compile(r"[0-9A-Z]{6,}")


def assert_tells_nothing(message: object, sent: str) -> None:
    """No run of six digits and capitals of what was sent is repeated: that is how values, tokens
    and credentials look, and no message of ours has one of its own."""
    said = str(message)
    told = [index for index, run in enumerate(_RUNS.findall(sent)) if run in said]
    assert not told, f"the error repeats run {told[0]} of what was sent"
