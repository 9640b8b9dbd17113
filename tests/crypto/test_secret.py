"""Secrets do not show, travel or compare by accident."""

import copy
import pickle
import traceback

import pytest

from vault.crypto.secret import KeyAccess, Secret

VALUE = b"0123456789abcdef0123456789abcdef"


def test_only_the_capability_reads_it() -> None:
    secret = Secret(VALUE)
    assert secret.reveal(KeyAccess()) == VALUE
    for wrong in (None, KeyAccess, True, "access"):
        with pytest.raises(TypeError, match="KeyAccess"):
            secret.reveal(wrong)  # type: ignore[arg-type]


def test_shows_its_length_only() -> None:
    secret = Secret(VALUE)
    assert repr(secret) == str(secret) == f"{secret}" == "Secret(32 bytes)"
    assert repr([secret, {"key": secret}]) == "[Secret(32 bytes), {'key': Secret(32 bytes)}]"
    assert len(secret) == 32
    assert not hasattr(secret, "__dict__")


def test_is_neither_pickled_nor_copied() -> None:
    secret = Secret(VALUE)
    for copying in (pickle.dumps, copy.copy, copy.deepcopy, lambda s: s.__getstate__()):
        with pytest.raises(TypeError, match="neither pickled nor copied"):
            copying(secret)


def test_a_traceback_with_variables_does_not_show_it() -> None:
    def fails(secret: Secret) -> None:
        raise RuntimeError("broken")

    try:
        fails(Secret(VALUE))
    except RuntimeError as error:
        shown = traceback.TracebackException.from_exception(error, capture_locals=True)
        text = "".join(shown.format())
    assert "Secret(32 bytes)" in text
    # The source line names VALUE; its contents must not be there.
    assert "56789abcdef" not in text.replace(f"VALUE = {VALUE!r}", "")


def test_matches_and_is_not_equal() -> None:
    secret = Secret(VALUE)
    assert secret.matches(VALUE)
    assert secret.matches(Secret(VALUE))
    assert not secret.matches(VALUE[:-1] + b"!")
    assert not secret.matches(VALUE[:-1])
    assert secret != Secret(VALUE)
    assert secret != VALUE


def test_random_ones_differ() -> None:
    one, other = Secret.random(), Secret.random()
    assert len(one) == len(other) == 32
    assert not one.matches(other)
