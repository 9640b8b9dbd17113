"""An export whose header is not UTF-8 ended `jeton vault import` with a traceback."""

import io

import pytest

from tests.support.tokens import keyset
from vault.errors import SetUpError
from vault.lifecycle import archive


def test_a_header_that_is_no_text_is_no_export() -> None:
    head = b'{"jeton_vault_export":1,"key_id":"\xff","made":"","id":""}\n'
    key = keyset().derive_root("vault export")
    with pytest.raises(SetUpError, match="no export"):
        archive.check(io.BytesIO(head), key, "t")
