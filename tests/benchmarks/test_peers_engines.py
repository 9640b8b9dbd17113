"""FF1 of other libraries: only what gives FF1's answers is compared, and what is not is named."""

from contextlib import ExitStack
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.engine_peers import engine_peers
from benchmarks.pace import Pace
from benchmarks.peers.bouncy_castle import BouncyCastle
from benchmarks.peers.engines import (
    DIGITS,
    KEY,
    OURS,
    TWEAK,
    Unusable,
    checked,
    engines,
    scalar,
    versions,
)
from tests.support.components import missing, need_module
from vault.crypto.ff1 import FF1

pytestmark = pytest.mark.system

OTHERS = {"fastfpe", "Bouncy Castle", "libffx", "dealcode", "ubiq-security-fpe"}


@pytest.fixture(scope="module")
def found():
    for module in ("fastfpe", "ffx", "dealcode"):
        need_module(module)
    if (why := BouncyCastle.missing()) is not None:
        missing(why)
    with ExitStack() as stack:
        yield engines(stack)


def test_each_engine_is_compared_or_named_with_the_reason(found):
    usable, unusable = found
    names = {engine.name for engine in usable if not engine.name.startswith(OURS)}
    assert names | set(unusable) == OTHERS
    assert not names & set(unusable)
    assert {"fastfpe", "Bouncy Castle", "libffx", "dealcode"} <= names  # ubiq has to be built
    assert all(unusable.values())
    assert set(versions()) == OTHERS


@given(st.integers(0, 10**DIGITS - 1))
@settings(max_examples=20)
def test_all_engines_give_one_answer(found, value):
    answer = FF1(KEY, 10).encrypt_int(value, DIGITS, TWEAK)
    text = f"{value:0{DIGITS}d}"
    for engine in found[0]:
        assert int(engine.seal(text)) == answer, engine.name


def test_what_gives_another_answer_is_not_compared():
    assert checked(scalar())
    with pytest.raises(Unusable, match="another answer"):
        checked(replace(scalar(), seal=lambda value: value))


def test_a_jvm_that_cannot_start_is_no_engine(monkeypatch, tmp_path, found):
    monkeypatch.setattr("benchmarks.peers.bouncy_castle.JAR", tmp_path)
    with ExitStack() as stack:
        assert "java ended" in engines(stack)[1]["Bouncy Castle"]


def test_many_values_by_a_jvm_are_as_many_rounds(found):
    value, ff1 = 295109912611193, FF1(KEY, 10)
    with BouncyCastle(KEY, TWEAK) as java:
        sealed, seconds = java.encrypted(str(value), 100)
    for _ in range(100):
        value = ff1.encrypt_int(value, DIGITS, TWEAK)
    assert int(sealed) == value
    assert seconds > 0


def test_each_engine_has_a_row_with_its_version(found):
    rows = list(engine_peers(Pace(1, 1)))
    for engine in found[0]:
        if not engine.name.startswith(OURS):
            assert any(one.name.endswith(f"beside {engine.name} {engine.version}") for one in rows)
    assert all(one.value > 0 and one.ratio > 0 for one in rows)
    assert [one.target for one in rows].count("ratio >= 45") == 1
