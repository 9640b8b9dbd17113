"""Credentials: what they look like, when they are good, and that all refusals are one."""

import hashlib
import re
import time
from datetime import UTC, date, datetime, timedelta, timezone
from random import Random
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.timing.credentials import CLIENT, GOOD, REFUSED, cast
from vault.access import Identities, checksum_fits, identity, mint
from vault.access.identity import DETAIL
from vault.config import Client, Credential, Settings
from vault.errors import Refusal, SetUpError

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
HERE = "192.0.2.7"
names = st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}", fullmatch=True)


def identities(**credentials: Credential) -> Identities:
    return Identities(
        Settings(clients={name: Client(credentials=(kept,)) for name, kept in credentials.items()})
    )


def refusal(known: Identities, header: str | None, source: str = HERE, at: datetime = NOW) -> str:
    with pytest.raises(Refusal) as caught:
        known.authenticate(header, source, at)
    assert caught.value.code == "unauthenticated"
    return caught.value.detail


class TestMint:
    @given(names)
    def test_the_form_is_one_that_scanners_find(self, client: str) -> None:
        text, digest = mint(client)
        assert re.fullmatch(rf"jeton_{client}_[0-9A-Za-z]{{43}}_[0-9A-Za-z]{{6}}", text)
        assert digest == hashlib.sha256(text.encode()).hexdigest()
        assert checksum_fits(text)

    def test_no_two_are_alike(self) -> None:
        assert len({mint("portal")[0] for _ in range(100)}) == 100

    @pytest.mark.parametrize("client", ["", "Portal", "a_b", "-a", "a" * 64, "a b", "é"])
    def test_a_name_that_no_client_can_have_is_refused(self, client: str) -> None:
        with pytest.raises(SetUpError, match="name"):
            mint(client)

    @given(st.data())
    def test_one_changed_character_shows(self, data: st.DataObject) -> None:
        text, _ = mint("portal")
        at = data.draw(st.integers(0, len(text) - 1))
        other = data.draw(st.characters(codec="ascii").filter(lambda c: c != text[at]))
        assert not checksum_fits(text[:at] + other + text[at + 1 :])

    @given(st.text())
    def test_any_text_may_be_asked_about(self, text: str) -> None:
        assert not checksum_fits(text + "_nosuch")
        assert not checksum_fits("\udcff" + text)


class TestAuthenticate:
    def test_a_credential_names_its_client(self) -> None:
        text, digest = mint("portal")
        other, kept = mint("intake")
        known = identities(portal=Credential(digest.upper()), intake=Credential(kept))
        principal = known.authenticate(f"Bearer {text}", HERE, NOW)
        assert (principal.name, principal.credential) == ("portal", digest[:8])
        assert known.authenticate(f"Bearer {other}", HERE, NOW).name == "intake"

    def test_two_are_good_at_once_while_one_replaces_the_other(self) -> None:
        (old, old_hash), (new, new_hash) = mint("portal"), mint("portal")
        client = Client(credentials=(Credential(old_hash), Credential(new_hash)))
        known = Identities(Settings(clients={"portal": client}))
        assert {
            known.authenticate(f"Bearer {text}", HERE, NOW).credential for text in (old, new)
        } == {old_hash[:8], new_hash[:8]}

    @pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
    @pytest.mark.parametrize("space", [" ", "   "])
    def test_the_scheme_has_no_case(self, scheme: str, space: str) -> None:
        text, digest = mint("portal")
        known = identities(portal=Credential(digest))
        assert known.authenticate(f"{scheme}{space}{text}", HERE, NOW).name == "portal"

    def test_it_is_good_to_the_end_of_its_day_in_utc(self) -> None:
        text, digest = mint("portal")
        known = identities(portal=Credential(digest, expires=date(2026, 11, 24)))
        last = datetime(2026, 11, 24, 23, 59, 59, 999_999, tzinfo=UTC)
        east = timezone(timedelta(hours=14))
        known.authenticate(f"Bearer {text}", HERE, last)
        known.authenticate(f"Bearer {text}", HERE, last.astimezone(east))
        refusal(known, f"Bearer {text}", at=last + timedelta(microseconds=1))

    @pytest.mark.parametrize("zone", ["Etc/GMT+12", "Etc/GMT-14"])
    def test_its_day_is_that_of_utc_whatever_the_machine_thinks(
        self, zone: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        text, digest = mint("portal")
        known = identities(portal=Credential(digest, expires=date(2026, 11, 24)))
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        try:
            known.authenticate(f"Bearer {text}", HERE, datetime(2026, 11, 24, 23, 59, tzinfo=UTC))
            refusal(known, f"Bearer {text}", at=datetime(2026, 11, 25, tzinfo=UTC))
        finally:
            monkeypatch.undo()
            time.tzset()

    def test_the_last_day_of_the_calendar_is_a_day_too(self) -> None:
        text, digest = mint("portal")
        known = identities(portal=Credential(digest, expires=date.max))
        assert known.authenticate(f"Bearer {text}", HERE, NOW).name == "portal"

    @pytest.mark.parametrize(
        ("source", "good"),
        [
            ("10.1.2.3", True),
            ("::ffff:10.1.2.3", True),
            ("2001:db8::1", True),
            ("10.2.0.0", False),
            ("2001:db9::1", False),
            ("::ffff:10.2.0.0", False),
            ("", False),
            ("unix", False),
            ("10.1.2.3 ", False),
        ],
    )
    def test_networks_bind_it(self, source: str, good: bool) -> None:
        text, digest = mint("portal")
        bound = Credential(digest, networks=("10.1.0.0/16", "2001:db8::/32"))
        known = identities(portal=bound)
        if good:
            assert known.authenticate(f"Bearer {text}", source, NOW).name == "portal"
        else:
            refusal(known, f"Bearer {text}", source)

    def test_without_networks_it_may_come_from_anywhere(self) -> None:
        text, digest = mint("portal")
        assert identities(portal=Credential(digest)).authenticate(f"Bearer {text}", "", NOW)

    def test_every_cause_has_one_answer(self) -> None:
        text, digest = mint("portal")
        gone, gone_hash = mint("intake")
        far, far_hash = mint("far")
        known = identities(
            portal=Credential(digest),
            intake=Credential(gone_hash, expires=date(2020, 1, 1)),
            far=Credential(far_hash, networks=("10.0.0.0/8",)),
        )
        headers = [
            None,
            "",
            "Bearer",
            "Bearer ",
            text,
            f"Basic {text}",
            f"Bearer{text}",
            f"Bearer {text[:-1]}",
            f"Bearer {text} {text}",
            f"Bearer {digest}",
            f"Bearer {mint('portal')[0]}",
            f"Bearer {mint('nobody')[0]}",
            f"Bearer {gone}",
            f"Bearer {far}",
            "Bearer \udcff\udc80",
        ]
        assert {refusal(known, header) for header in headers} == {DETAIL}

    def test_every_refusal_takes_the_same_steps(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """`tests.timing.credentials` measures that they take the same time."""
        steps: list[tuple[str, int, bool]] = []

        def compare(one: bytes, other: bytes) -> bool:
            equal = one == other
            steps.append(("compare", len(one) - len(other), equal))
            return equal

        def sha256(text: bytes) -> "hashlib._Hash":
            steps.append(("hash", len(text), True))
            return hashlib.sha256(text)

        monkeypatch.setattr(identity, "compare_digest", compare)
        monkeypatch.setattr(identity, "hashlib", SimpleNamespace(sha256=sha256))
        fresh = cast(Random(1))
        client = Client(credentials=tuple(fresh.kept))
        known = Identities(Settings(clients={CLIENT: client}))
        taken: dict[str, set[tuple[tuple[str, int, bool], ...]]] = {}
        for kind, texts in fresh.texts.items():
            for text in texts:
                steps.clear()
                found = known.find(f"Bearer {text}", HERE, NOW)
                assert (found is not None) == (kind == GOOD)
                taken.setdefault(kind, set()).add(tuple(steps))
        assert all(taken[kind] == taken["unknown"] for kind in REFUSED)
        [refused] = taken["unknown"]
        assert len(refused) > 1
        assert all(not equal for step, _, equal in refused if step == "compare")
        assert {len(good) for good in taken[GOOD]} == {len(refused)}

    @given(st.text(max_size=100))
    def test_nothing_else_is_ever_let_in(self, header: str) -> None:
        _, digest = mint("portal")
        refusal(identities(portal=Credential(digest)), header)

    def test_with_nobody_configured_nobody_is_known(self) -> None:
        refusal(identities(), f"Bearer {mint('portal')[0]}")
