"""A receipt for sequence 0, which nothing has, was said to be found; and one with spaces within
its hash, or another writer than any there can be, was taken for a receipt."""

import pytest

from vault.audit.entry import Receipt

DIGEST = "ab" * 32


@pytest.mark.parametrize(
    "text",
    [
        f"w0.0.{DIGEST}",
        f"w0.01.{DIGEST}",
        f"w0.1.{DIGEST[:32]}\f{DIGEST[32:]}",
        f"w0.1.{DIGEST[:32]} {DIGEST[32:]}",
        f"w0.\u0661.{DIGEST}",
        f"x.1.{DIGEST}",
        f"w.1.{DIGEST}",
        f"w0\x1b[2J.1.{DIGEST}",
        f".1.{DIGEST}",
    ],
)
def test_is_no_receipt(text: str) -> None:
    with pytest.raises(ValueError, match="reads <writer>"):
        Receipt.parse(text)


def test_its_hash_is_read_in_either_case() -> None:
    assert Receipt.parse(f"w0.1.{DIGEST.upper()}") == Receipt("w0", 1, DIGEST)
