"""Versions, states and slots; and the derivation against HKDF written out with hmac."""

import hashlib
import hmac
import pickle
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.crypto.keyset import Keyset, KeyState, KeyVersion, new_keyset
from vault.crypto.secret import KeyAccess, Secret
from vault.errors import SetUpError

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def states(keyset: Keyset) -> list[str]:
    return [str(version.state) for version in keyset.versions]


def bare(secret: Secret | None) -> bytes:
    assert secret is not None
    return secret.reveal(KeyAccess())


def test_a_new_one_has_one_primary_version() -> None:
    keyset = new_keyset(NOW.astimezone(timezone(timedelta(hours=2))))
    assert states(keyset) == ["primary"]
    assert (keyset.generation, keyset.slots, keyset.primary.version) == (1, 2, 1)
    assert keyset.primary.created == "2026-11-24T12:00:00+00:00"
    assert len(bare(keyset.primary.secret)) == len(bare(keyset.root)) == 32
    assert not keyset.root.matches(bare(keyset.primary.secret))
    assert not keyset.root.matches(new_keyset(NOW).root)


@pytest.mark.parametrize("zone", ["Etc/GMT+12", "Etc/GMT-14"])
def test_its_dates_are_utc_whatever_the_machine_thinks(
    zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert new_keyset(NOW).primary.created == "2026-11-24T12:00:00+00:00"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_the_life_of_versions_in_two_slots() -> None:
    first = new_keyset(NOW)
    second = first.rotate(NOW)
    assert states(second) == ["enabled", "primary"]
    assert [second.in_slot(s).version for s in (0, 1)] == [1, 2]  # type: ignore[union-attr]
    with pytest.raises(SetUpError, match="jeton keys destroy 1"):
        second.rotate(NOW)
    with pytest.raises(SetUpError, match="jeton keys destroy 1"):
        second.disable(1).rotate(NOW)
    gone = second.disable(1).destroy(1)
    assert states(gone) == ["destroyed", "primary"]
    assert gone.versions[0].secret is None
    assert gone.in_slot(0) is None
    third = gone.rotate(NOW)
    assert states(third) == ["destroyed", "enabled", "primary"]
    assert third.in_slot(0) is third.primary
    assert third.in_slot(1) is third.versions[1]
    assert third.generation == 5
    assert third.root is first.root
    assert third.versions[1].secret is second.primary.secret
    assert states(first) == ["primary"]


def test_a_disabled_version_stays_disabled_over_a_rotation() -> None:
    keyset = replace(new_keyset(NOW), slots=3).rotate(NOW).disable(1).rotate(NOW)
    assert states(keyset) == ["disabled", "enabled", "primary"]
    assert states(keyset.enable(1)) == ["enabled", "enabled", "primary"]
    assert keyset.in_slot(0) is keyset.versions[0]


def test_one_slot_never_rotates() -> None:
    with pytest.raises(SetUpError, match="slot of version 1"):
        new_keyset(NOW, slots=1).rotate(NOW)


@pytest.mark.parametrize("change", ["disable", "enable", "destroy"])
def test_the_primary_version_is_left_alone(change: str) -> None:
    with pytest.raises(SetUpError, match="rotate first"):
        getattr(new_keyset(NOW), change)(1)


def test_changes_that_make_no_sense_are_refused() -> None:
    keyset = new_keyset(NOW).rotate(NOW)
    with pytest.raises(SetUpError, match="version 1 is enabled"):
        keyset.enable(1)
    with pytest.raises(SetUpError, match="version 1 is disabled"):
        keyset.disable(1).disable(1)
    gone = keyset.destroy(1)
    for change in (gone.enable, gone.disable, gone.destroy):
        with pytest.raises(SetUpError, match="version 1 is destroyed"):
            change(1)
    for number in (-1, 0, 3):
        with pytest.raises(SetUpError, match="no key version"):
            keyset.disable(number)
        with pytest.raises(SetUpError, match="no key version"):
            keyset.derive(number, "default", "fr-nir")


def test_only_usable_versions_derive() -> None:
    keyset = new_keyset(NOW).rotate(NOW)
    assert keyset.usable(1).version == 1
    assert bare(keyset.derive(1, "default", "x")) != bare(keyset.derive(2, "default", "x"))
    for changed in (keyset.disable(1), keyset.destroy(1)):
        with pytest.raises(SetUpError, match="key version 1 is d"):
            changed.derive(1, "default", "x")
    assert (
        keyset.disable(1)
        .enable(1)
        .derive(1, "default", "x")
        .matches(keyset.derive(1, "default", "x"))
    )


def hkdf(secret: bytes, *parts: str) -> bytes:
    """RFC 5869 with SHA-256, no salt, 32 bytes: one block of expansion."""
    info = b""
    for part in parts:
        text = part.encode()
        info += len(text).to_bytes(4, "big") + text
    prk = hmac.new(bytes(32), secret, hashlib.sha256).digest()
    return hmac.new(prk, info + b"\x01", hashlib.sha256).digest()


@given(st.text(max_size=20), st.text(max_size=20))
def test_derivation_against_hmac(tenant: str, key_id: str) -> None:
    keyset = new_keyset(NOW).rotate(NOW)
    for version in keyset.versions:
        expected = hkdf(bare(version.secret), tenant, key_id, str(version.version))
        assert bare(keyset.derive(version.version, tenant, key_id)) == expected
    assert bare(keyset.derive_root(key_id)) == hkdf(bare(keyset.root), key_id)


def test_a_derived_key_that_was_worked_out_once() -> None:
    secret = Secret(bytes(range(32)))
    keyset = Keyset((KeyVersion(1, KeyState.PRIMARY, "", secret),), 1, 2, secret)
    expected = hkdf(bytes(range(32)), "default", "fr-nir", "1")
    assert bare(keyset.derive(1, "default", "fr-nir")) == expected


def test_lengths_in_the_info_keep_names_apart() -> None:
    keyset = new_keyset(NOW)
    assert bare(keyset.derive(1, "ab", "c")) != bare(keyset.derive(1, "a", "bc"))


def test_an_older_generation_is_refused() -> None:
    keyset = new_keyset(NOW).rotate(NOW)
    keyset.refuse_older_than(0)
    keyset.refuse_older_than(2)
    with pytest.raises(SetUpError, match=r"generation 2.*generation 3.*put back"):
        keyset.refuse_older_than(3)
    assert keyset.renewed().generation == 3
    assert keyset.renewed().versions is keyset.versions


SOME = Secret(bytes(32))
PRIMARY = KeyVersion(1, KeyState.PRIMARY, "", SOME)


@pytest.mark.parametrize(
    "versions",
    [
        (),
        (KeyVersion(2, KeyState.PRIMARY, "", SOME),),
        (KeyVersion(1, KeyState.ENABLED, "", SOME),),
        (KeyVersion(1, KeyState.PRIMARY, "", None),),
        (PRIMARY, KeyVersion(2, KeyState.PRIMARY, "", SOME)),
        (PRIMARY, KeyVersion(2, KeyState.DESTROYED, "", SOME)),
        (PRIMARY, PRIMARY),
    ],
)
def test_inconsistent_versions_are_refused(versions: tuple[KeyVersion, ...]) -> None:
    with pytest.raises(SetUpError, match="not consistent"):
        Keyset(versions, 1, 2, SOME)


@pytest.mark.parametrize(("generation", "slots"), [(0, 2), (1, 0), (-1, -1)])
def test_generations_and_slots_begin_at_one(generation: int, slots: int) -> None:
    with pytest.raises(SetUpError, match="at least one slot"):
        Keyset((PRIMARY,), generation, slots, SOME)


def test_does_not_show_its_keys() -> None:
    keyset = new_keyset(NOW)
    for secret in (keyset.root, keyset.primary.secret):
        assert bare(secret).hex() not in repr(keyset)
        assert repr(bare(secret))[2:-1] not in repr(keyset)
    with pytest.raises(TypeError):
        pickle.dumps(keyset)
