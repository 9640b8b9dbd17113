"""A certificate that a listed proxy passed on, with an extension twice or of a version that there
is not, was answered with 500 and stood in no record: the parser raises more than ValueError."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.callers import caller, der
from tests.support.certificates import Authority
from vault.access.certificates import Authorities
from vault.access.rejected import Rejected

VERSION = bytes.fromhex("a003020102")
USAGE, NAMES = bytes.fromhex("0603551d25"), bytes.fromhex("0603551d11")
COMMON_NAME = bytes.fromhex("06035504030c")


@pytest.mark.parametrize(
    ("there", "instead"),
    [
        (VERSION, bytes.fromhex("a003020153")),
        (USAGE, NAMES),
        (COMMON_NAME, bytes.fromhex("060355040303")),
    ],
    ids=["version", "twice", "bits"],
)
def test_they_are_malformed(tmp_path: Path, there: bytes, instead: bytes) -> None:
    authority = Authority.create(tmp_path)
    leaf = der(caller(authority, "billing", ["spiffe://example/billing"]))
    assert there in leaf
    authorities = Authorities(authority.path.read_bytes())
    with pytest.raises(Rejected, match="certificate_malformed"):
        authorities.judge(leaf.replace(there, instead), (), datetime.now(UTC))
