"""A KEK's file was read to 4,097 bytes and taken by what they held: anything behind a key and many
blanks was ignored, where the text has to be the key and nothing else."""

import base64
from pathlib import Path

import pytest

from vault.crypto.kek import MAX_TEXT, open_kek
from vault.errors import SetUpError

TEXT = base64.b64encode(bytes(range(32))).decode()


@pytest.mark.parametrize("more", [0, 1, 1_000])
def test_what_stands_behind_the_blanks_counts(tmp_path: Path, more: int) -> None:
    path = tmp_path / "kek.key"
    path.write_text(TEXT.ljust(MAX_TEXT + more) + "!")
    path.chmod(0o600)
    with pytest.raises(SetUpError, match="not the base64 text"):
        open_kek("file:kek.key", tmp_path)
    path.write_text(TEXT.ljust(MAX_TEXT))
    assert open_kek("file:kek.key", tmp_path).name == "file"
