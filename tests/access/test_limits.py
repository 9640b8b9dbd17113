"""Scopes: an end user is counted under a digest of whatever id it came with."""

import re

import pytest

from vault.access.limits import end_user_scope


@pytest.mark.parametrize("end_user", ["u-17", "é", "\udcff", "\x00", "u" * 10_000])
def test_any_id_has_a_scope(end_user: str) -> None:
    """Headers are read as Latin-1 or with surrogates: no id may be too odd to be counted."""
    assert re.fullmatch("portal/[0-9a-f]{32}", end_user_scope("portal", end_user))


def test_odd_ids_are_not_counted_as_one() -> None:
    scopes = {end_user_scope("portal", odd) for odd in ("\udcff", "\udcfe", "?", "")}
    assert len(scopes) == 4
