"""What is granted, in which order refusals are judged, and which limits come with a grant."""

from itertools import product
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.access import Access, Allowance
from vault.config import (
    DAY,
    HOUR,
    Client,
    EndUserLimits,
    Grant,
    Limits,
    Operation,
    Settings,
    Window,
)
from vault.errors import Refusal
from vault.store.base import Limit

OPERATIONS: tuple[Operation, ...] = get_args(Operation)

SETTINGS = Settings(
    clients={
        "intake": Client(grants=(Grant("tokenise", "fr-nir"), Grant("tokenise", "digits"))),
        "reimbursement": Client(
            grants=(
                Grant("detokenise", "fr-nir", ("reimbursement", "appeal")),
                Grant("detokenise", "birth-date", ("reimbursement",)),
            ),
            limits=Limits(reveal=Window(hour=10_000), people=Window(hour=300, day=2_000)),
        ),
        "portal": Client(
            grants=(
                Grant("mask", "fr-nir", ("display",)),
                Grant("match", "fr-nir"),
                Grant("match", "digits", ("check",)),
                Grant("tokenise", "fr-nir"),
            ),
            limits=Limits(
                end_user=EndUserLimits(
                    people=Window(day=200), reveal=Window(hour=20), match=Window(day=7)
                )
            ),
        ),
        "nobody": Client(),
    }
)


def access() -> Access:
    return Access(SETTINGS)


def code(*wish: str | None) -> str | None:
    try:
        access().authorise(*wish)  # type: ignore[arg-type]
    except Refusal as refusal:
        return refusal.code if refusal.detail else "no words"
    return None


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        # The grant comes first, whatever else is wrong or right.
        (("nobody", "mask", "fr-nir", None, None), "not_allowed"),
        (("stranger", "mask", "fr-nir", "display", "u"), "not_allowed"),
        (("intake", "detokenise", "fr-nir", None, None), "not_allowed"),
        (("intake", "detokenise", "fr-nir", "reimbursement", "u"), "not_allowed"),
        (("reimbursement", "mask", "fr-nir", "reimbursement", None), "not_allowed"),
        (("reimbursement", "detokenise", "digits", "reimbursement", None), "not_allowed"),
        (("portal", "detokenise", "fr-nir", None, None), "not_allowed"),
        # Then the purpose: an undeclared one is not allowed, a missing one is asked for.
        (("reimbursement", "detokenise", "fr-nir", "marketing", None), "not_allowed"),
        (("reimbursement", "detokenise", "birth-date", "appeal", None), "not_allowed"),
        (("reimbursement", "detokenise", "fr-nir", "", None), "not_allowed"),
        (("reimbursement", "detokenise", "fr-nir", None, None), "purpose_required"),
        (("portal", "mask", "fr-nir", "marketing", None), "not_allowed"),
        (("portal", "mask", "fr-nir", None, None), "purpose_required"),
        (("portal", "match", "digits", None, None), "purpose_required"),
        (("portal", "match", "fr-nir", "display", "u"), "not_allowed"),
        # Then the end user.
        (("portal", "mask", "fr-nir", "display", None), "end_user_required"),
        (("portal", "mask", "fr-nir", "display", ""), "end_user_required"),
        (("portal", "match", "fr-nir", None, None), "end_user_required"),
        (("portal", "tokenise", "fr-nir", None, None), "end_user_required"),
        # And what is allowed.
        (("intake", "tokenise", "fr-nir", None, None), None),
        (("intake", "tokenise", "fr-nir", None, "u"), None),
        (("reimbursement", "detokenise", "fr-nir", "appeal", None), None),
        (("reimbursement", "detokenise", "birth-date", "reimbursement", "u"), None),
        (("portal", "mask", "fr-nir", "display", "u"), None),
        (("portal", "match", "fr-nir", None, "u"), None),
        (("portal", "match", "digits", "check", "u"), None),
    ],
)
def test_refusals_are_judged_in_the_contracts_order(
    wish: tuple[str | None, ...], expected: str | None
) -> None:
    assert code(*wish) == expected


def limits_of(allowance: Allowance) -> dict[str, int]:
    return {limit.name: limit.ceiling for limit in allowance.limits + allowance.people}


class TestLimits:
    def test_where_nothing_is_said_the_shipped_ones_apply(self) -> None:
        assert limits_of(access().authorise("intake", "tokenise", "fr-nir")) == {
            "tokenise.hour": 1_000_000,
            "tokenise.day": 5_000_000,
        }

    def test_what_is_said_replaces_only_what_it_says(self) -> None:
        allowance = access().authorise("reimbursement", "detokenise", "fr-nir", "appeal")
        assert limits_of(allowance) == {
            "reveal.hour": 10_000,
            "reveal.day": 5_000,
            "people.hour": 300,
            "people.day": 2_000,
        }

    def test_windows_are_in_seconds_and_the_scope_is_the_client(self) -> None:
        allowance = access().authorise("reimbursement", "detokenise", "fr-nir", "appeal")
        assert allowance.limits == (
            Limit("reimbursement", "reveal.hour", HOUR, 10_000),
            Limit("reimbursement", "reveal.day", DAY, 5_000),
        )

    def test_an_end_users_own_come_on_top(self) -> None:
        mask = access().authorise("portal", "mask", "fr-nir", "display", "u-17")
        assert limits_of(mask) == {
            "reveal.hour": 1_000,
            "reveal.day": 5_000,
            "end_user.reveal.hour": 20,
            "people.day": 500,
            "end_user.people.day": 200,
        }
        match = access().authorise("portal", "match", "fr-nir", None, "u-17")
        assert limits_of(match)["end_user.match.day"] == 7
        assert "end_user.reveal.hour" not in limits_of(match)

    def test_one_end_user_of_two_clients_is_counted_for_each(self) -> None:
        narrow = Client(
            grants=(Grant("mask", "t", ("p",)),),
            limits=Limits(end_user=EndUserLimits(reveal=Window(day=5), people=Window(day=5))),
        )
        known = Access(Settings(clients={"portal": narrow, "desk": narrow}))
        scopes = [
            {limit.scope for limit in allowance.limits + allowance.people}
            for allowance in (
                known.authorise(client, "mask", "t", "p", "u-17") for client in ("portal", "desk")
            )
        ]
        assert [len(scope) for scope in scopes] == [2, 2]
        assert not scopes[0] & scopes[1]

    def test_tokenising_counts_no_people(self) -> None:
        allowance = access().authorise("portal", "tokenise", "fr-nir", None, "u-17")
        assert allowance.people == ()
        assert set(limits_of(allowance)) == {"tokenise.hour", "tokenise.day"}

    def test_an_end_user_of_a_client_without_such_limits_changes_nothing(self) -> None:
        known = access()
        with_one = known.authorise("intake", "tokenise", "fr-nir", None, "u-17")
        assert with_one is known.authorise("intake", "tokenise", "fr-nir")

    @given(st.text(min_size=1, max_size=60), st.text(min_size=1, max_size=60))
    def test_no_end_user_is_counted_as_a_client_or_as_another(self, one: str, two: str) -> None:
        scopes = [
            {limit.scope for limit in allowance.people}
            for allowance in (
                access().authorise("portal", "mask", "fr-nir", "display", user)
                for user in (one, two)
            )
        ]
        assert scopes[0] & scopes[1] == ({"portal"} if one != two else scopes[0])
        assert not (scopes[0] | scopes[1]) & {"intake", "reimbursement", one, two} - {"portal"}

    @given(
        st.sampled_from(OPERATIONS),
        st.text(max_size=30).filter(bool),
        st.builds(
            EndUserLimits,
            *[
                st.none() | st.builds(Window, *[st.none() | st.integers(1, 10**12)] * 2)
                for _ in range(4)
            ],
        ),
    )
    def test_an_end_user_never_widens_an_allowance(
        self, operation: Operation, user: str, said: EndUserLimits
    ) -> None:
        grants = (Grant(operation, "t", ("p",)),)
        without = Access(Settings(clients={"c": Client(grants=grants)}))
        access = Access(
            Settings(clients={"c": Client(grants=grants, limits=Limits(end_user=said))})
        )
        plain = without.authorise("c", operation, "t", "p")
        narrowed = access.authorise("c", operation, "t", "p", user)
        assert narrowed.limits[: len(plain.limits)] == plain.limits
        assert narrowed.people[: len(plain.people)] == plain.people


class TestGrants:
    def test_a_second_grant_adds_its_purposes(self) -> None:
        access = Access(
            Settings(
                clients={
                    "c": Client(
                        grants=(
                            Grant("detokenise", "t", ("a",)),
                            Grant("detokenise", "t", ("b",)),
                            Grant("match", "t", ("a",)),
                            Grant("match", "t"),
                        )
                    )
                }
            )
        )
        assert access.authorise("c", "detokenise", "t", "a").purposes == {"a", "b"}
        assert access.authorise("c", "match", "t").purpose_optional
        assert access.authorise("c", "match", "t", "a").purposes == {"a"}
        with pytest.raises(Refusal, match="purpose_required"):
            access.authorise("c", "detokenise", "t")

    def test_a_caller_is_told_its_own(self) -> None:
        granted = {granted.transformation: granted for granted in access().grants_of("portal")}
        assert list(granted) == ["fr-nir", "digits"]
        assert granted["fr-nir"].operations == ("mask", "match", "tokenise")
        assert granted["fr-nir"].purposes == ("display",)
        assert granted["digits"].purposes == ("check",)

    def test_whoever_has_none_is_told_none(self) -> None:
        assert access().grants_of("nobody") == ()
        assert access().grants_of("stranger") == ()

    def test_what_is_told_is_what_is_allowed(self) -> None:
        names = ("fr-nir", "birth-date", "digits")
        for client, operation, name in product(
            ("intake", "reimbursement", "portal", "nobody"), OPERATIONS, names
        ):
            told = any(
                granted.transformation == name and operation in granted.operations
                for granted in access().grants_of(client)
            )
            purposes = ("reimbursement", "display", "check", None)
            allowed = any(
                code(client, operation, name, purpose, "u") is None for purpose in purposes
            )
            assert told == allowed


def test_limits_are_known_without_a_grant() -> None:
    """What was charged under a grant that is gone still counts."""
    allowance = access().authorise("portal", "mask", "fr-nir", "display", "agent-7")
    assert access().limits_of("portal", "mask", "agent-7") == (allowance.limits, allowance.people)
    assert access().limits_of("portal", "detokenise", "agent-7") == (
        allowance.limits,
        allowance.people,
    )
    limits, people = access().limits_of("nobody", "match", None) or ((), ())
    assert {limit.name for limit in limits + people} == {"match.hour", "match.day", "people.day"}
    assert access().limits_of("stranger", "match", None) is None
