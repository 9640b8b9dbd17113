"""What an exception said of itself was written into the record, once the record could be written
again: any OSError's message, whatever it quoted."""

from pathlib import Path
from unittest.mock import patch

import pytest

from tests.support.records import NOW, disclosure
from vault.audit.segment import OpenSegment
from vault.audit.trouble import RecordError, words_of
from vault.audit.writer import AuditUnavailable, RecordWriter

QUOTED = "284057512345672"


@pytest.mark.parametrize(
    "error", [OSError(QUOTED), OSError(5, QUOTED, QUOTED), PermissionError(13, QUOTED), OSError()]
)
def test_only_the_systems_words_are_kept(tmp_path: Path, error: OSError) -> None:
    writer = RecordWriter.claim(tmp_path)
    with patch.object(OpenSegment, "append", side_effect=error), pytest.raises(AuditUnavailable):
        writer.append([disclosure()], NOW)
    assert writer.trouble
    assert QUOTED not in writer.trouble
    writer.close()


def test_our_own_words_are() -> None:
    assert words_of(RecordError("there is not room enough yet")) == "there is not room enough yet"
    assert words_of(OSError(28, QUOTED)) == "No space left on device"
