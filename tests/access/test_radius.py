"""The blast radius: its arithmetic, and thieves with all the time in the world."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.store.contract import MARK, T0
from vault.access import Access
from vault.access.radius import Most, Radius, above, radii, why_uncounted
from vault.config import DAY, HOUR, Operation, Settings, read
from vault.store.base import Charge
from vault.store.sqlite import SqliteStore

TRANSFORMATIONS = """
[transformations.fr-nir]
format = "fr-nir"
[transformations.birth-date]
format = "birth-date"
person = "context:fr-nir"
[transformations.files]
format = "digits"
person = "context"
"""

Limits = Mapping[str, int]
Grants = tuple[str, ...]


def settings(grants: Grants, limits: Limits, more: str = "") -> Settings:
    """One client, `thief`; a grant is ``OPERATION:TRANSFORMATION``."""
    lines = [f"limits.{name} = {ceiling}" for name, ceiling in limits.items()]
    tables = ", ".join(
        f'{{ operation = "{operation}", transformation = "{name}", purposes = ["p"] }}'
        for operation, name in (grant.split(":") for grant in grants)
    )
    text = f"{TRANSFORMATIONS}{more}\n[clients.thief]\ngrants = [{tables}]\n" + "\n".join(lines)
    return read(text, Path("/nowhere"), {})


def radius(grants: Grants, limits: Limits, more: str = "") -> Radius:
    return radii(settings(grants, limits, more))["thief"]


REVEAL, MASK, MATCH = "detokenise:fr-nir", "mask:fr-nir", "match:fr-nir"
FILES, GUESS_FILES = "detokenise:files", "match:files"


@pytest.mark.parametrize(
    ("grants", "limits", "hour", "day", "held_by"),
    [
        ((REVEAL,), {}, 500, 500, ["people.day"]),
        ((REVEAL,), {"people.day": 2_000}, 1_000, 2_000, ["people.day"]),
        ((REVEAL,), {"people.day": 2_000, "people.hour": 60}, 60, 1_440, ["people.hour"]),
        ((MATCH,), {"match.hour": 40, "match.day": 100}, 40, 100, ["match.day"]),
        ((MASK, MATCH), {"people.day": 10**6}, 2_000, 10_000, ["reveal.day", "match.day"]),
        (
            (MASK, MATCH),
            {"people.day": 10**6, "reveal.hour": 10},
            1_010,
            5_240,
            ["reveal.hour", "match.day"],
        ),
        ((MASK, REVEAL), {"people.day": 10**6}, 1_000, 5_000, ["reveal.day"]),
        ((REVEAL,), {"reveal.hour": 90, "reveal.day": 30}, 30, 30, ["reveal.day"]),
        (("tokenise:fr-nir",), {}, 0, 0, []),
        ((), {}, 0, 0, []),
        ((REVEAL,), {"end_user.people.day": 3, "end_user.reveal.day": 3}, 500, 500, ["people.day"]),
        # One context may be everybody's: values are counted where persons are contexts.
        ((FILES,), {"people.day": 5}, 1_000, 5_000, ["reveal.day"]),
        ((REVEAL, GUESS_FILES), {"people.day": 5}, 1_005, 5_005, ["match.day", "people.day"]),
        ((REVEAL, FILES), {"people.day": 5}, 1_000, 5_000, ["reveal.day"]),
        ((FILES, GUESS_FILES), {"people.day": 5}, 2_000, 10_000, ["reveal.day", "match.day"]),
        (("detokenise:birth-date", REVEAL), {"people.day": 5}, 5, 5, ["people.day"]),
    ],
)
def test_people(grants: Grants, limits: Limits, hour: int, day: int, held_by: list[str]) -> None:
    found = radius(grants, limits)
    assert found.people == (hour, day)
    assert list(found.held_by) == held_by


def test_values_and_guesses() -> None:
    found = radius((REVEAL, MASK, MATCH, "tokenise:fr-nir"), {"reveal.day": 900, "match.hour": 7})
    assert found.reveals == Most(900, 900)
    assert found.matches == Most(7, 168)
    assert found.tokenised == Most(1_000_000, 5_000_000)
    assert [grant.operation for grant in found.through] == ["detokenise", "mask", "match"]
    idle = radius(("tokenise:fr-nir",), {})
    assert (idle.reveals, idle.matches) == (Most(0, 0), Most(0, 0))


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ('format = "fr-nir"', None),
        ('format = "digits"', None),
        ('format = "digits"\nperson = "context"', "a context may stand for many people"),
        ('format = "birth-date"', "a date is many people's"),
        ('format = "birth-date-6"\nperson = "value"', "a date is many people's"),
        ('format = "birth-date"\nperson = "context"', "a context may stand for many people"),
        ('format = "birth-date"\nperson = "context:fr-nir"', None),
        ('format = "birth-date"\ncontext = "required"\nperson = "context:fr-nir"', None),
        (
            'format = "birth-date"\ncontext = "optional"\nperson = "context:fr-nir"',
            "a date is many people's",
        ),
        ('format = "digits"\nperson = "context:days"', "a date of days is many people's"),
        ('format = "digits"\nperson = "context:fr-nir"', None),
    ],
)
def test_where_several_people_count_as_one(table: str, words: str | None) -> None:
    days = '[transformations.days]\nformat = "birth-date"\ncontext = "optional"\n'
    known = settings((), {}, f"{days}[transformations.one]\n{table}").transformations
    why = why_uncounted("one", known)
    assert why == (None if words is None else f"{words}, who then count as one")


def test_what_a_match_opens_behind_a_mask() -> None:
    (mask, match) = radius((MASK, MATCH), {}).left
    assert [(one.operation, one.transformation) for one in (mask, match)] == [
        ("mask", "fr-nir"),
        ("match", "fr-nir"),
    ]
    assert mask.behind is not None
    assert match.guesses == pytest.approx((mask.behind.candidates + 1) / 2)
    assert match.opened == pytest.approx(5_000 / match.guesses)
    (alone,) = radius((MATCH,), {}).left
    assert alone.guesses > 100 * match.guesses
    dates = radius(("mask:birth-date", "match:birth-date"), {}).left[1]
    assert 26 < dates.opened < 29


def test_texts_too_long_to_count() -> None:
    long = '[transformations.long]\nformat = "alphanumeric"\nmin_length = 256\nkeep_last = 0\n'
    left = radius(("mask:long", "match:long", "tokenise:long"), {}, long)
    assert left.left[0].behind is not None
    assert left.left[0].behind.bits == pytest.approx(1_323, abs=1)
    assert 0 < left.left[1].opened < 1e-200
    assert left.listed[0].transformation == "long"
    assert left.listed[0].seconds > 10**300


def test_how_long_guesses_take() -> None:
    limits = {"tokenise.hour": 1_000_000, "tokenise.day": 5_000_000}
    listed = radius(("tokenise:fr-nir", "tokenise:birth-date"), limits).listed
    took = {one.table.of: (one.seconds, one.seconds_alike // DAY) for one in listed}
    assert took == {
        "a month of births in a department": (0, 0),
        "a department": (HOUR, 479),
        "everybody": (29 * DAY + 4 * HOUR, 48_431),
        "birth dates under one context": (0, 0),
    }


NAMES = [f"{b}.{w}" for b in ("reveal", "match", "people", "tokenise") for w in ("hour", "day")]
LIMITS = st.dictionaries(st.sampled_from(NAMES), st.integers(1, 10**5), max_size=8)
GRANTS = st.sets(st.sampled_from([REVEAL, MATCH, FILES, GUESS_FILES])).map(
    lambda chosen: tuple(sorted(chosen))
)


@given(grants=GRANTS, limits=LIMITS, name=st.sampled_from(NAMES), more=st.integers(1, 10**5))
def test_larger_limits_and_more_grants_never_shrink_it(
    grants: Grants, limits: dict[str, int], name: str, more: int
) -> None:
    limits.setdefault(name, 1)
    before = radius(grants, limits)
    raised = radius(grants, limits | {name: limits[name] + more})
    granted = radius((*grants, "match:birth-date"), limits)
    for after in (raised, granted):
        for window in (0, 1):
            assert after.people[window] >= before.people[window]
            assert after.reveals[window] >= before.reveals[window]
            assert after.matches[window] >= before.matches[window]


@given(grants=GRANTS, limits=LIMITS)
def test_its_parts_agree(grants: Grants, limits: dict[str, int]) -> None:
    found = radius(grants, limits)
    for most in (found.people, found.reveals, found.matches, found.tokenised):
        assert most.hour <= most.day <= 24 * max(most.hour, 1)
    assert found.people.hour <= found.reveals.hour + found.matches.hour
    assert found.people.day <= found.reveals.day + found.matches.day
    assert bool(found.held_by) == bool(found.people.day)
    assert set(found.uncounted) == {"files"} & {grant.transformation for grant in found.through}


@given(grants=GRANTS, limits=LIMITS, gate=st.integers(0, 10**5))
def test_the_gate_names_those_above(grants: Grants, limits: dict[str, int], gate: int) -> None:
    found = radii(settings(grants, limits))
    people = found["thief"].people.day
    assert above(found, gate) == ({"thief": people} if people > gate else {})
    assert above(found, people) == {}


PATIENT = [
    ((REVEAL,), {"reveal.hour": 3, "reveal.day": 1_000, "people.day": 1_000}),
    ((REVEAL, MATCH), {"reveal.hour": 2, "match.hour": 1, "people.day": 1_000}),
    ((REVEAL, MATCH), {"reveal.hour": 2, "match.hour": 2, "people.day": 30}),
    ((REVEAL,), {"reveal.hour": 5, "reveal.day": 40, "people.day": 1_000}),
    ((REVEAL,), {"reveal.hour": 9, "people.hour": 2, "people.day": 1_000}),
    ((FILES,), {"reveal.hour": 4, "reveal.day": 50, "people.day": 1}),
    ((REVEAL,), {"people.day": 20, "end_user.people.day": 3, "reveal.hour": 50}),
]


@pytest.mark.parametrize(("grants", "limits"), PATIENT)
async def test_a_patient_thief_gets_all_of_it_and_not_one_more(
    grants: Grants, limits: Limits, tmp_path: Path
) -> None:
    """Two and a half days against the store that serves, always a new end user."""
    configured = settings(grants, limits)
    access, most = Access(configured), radii(configured)["thief"]
    store = SqliteStore.open(tmp_path / "jeton.db")
    learned: list[tuple[float, str]] = []
    fresh = 0
    try:
        now = T0
        while now < T0 + 2.5 * DAY:
            for grant in grants:
                operation, name = grant.split(":")
                while True:
                    fresh += 1
                    charge = charged(access, operation, name, fresh)  # type: ignore[arg-type]
                    (verdict,) = await store.commit([charge], MARK, now)
                    if verdict.code is not None:
                        break
                    learned.append((now, operation))
            now += HOUR + 60  # the first bucket that the last spend is out of the window
    finally:
        await store.close()
    assert busiest(learned, DAY) == most.people.day
    assert busiest(learned, HOUR) == most.people.hour


def charged(access: Access, operation: Operation, name: str, fresh: int) -> Charge:
    """One value of somebody new; where contexts are persons, under the one that all share."""
    allowance = access.authorise("thief", operation, name, "p", f"invented-{fresh}")
    person = b"one for all" if name == "files" else b"%d" % fresh
    return Charge(
        principal="thief",
        end_user=f"invented-{fresh}",
        items=1,
        limits=allowance.limits,
        persons=frozenset({person}),
        people=allowance.people,
    )


def busiest(learned: list[tuple[float, str]], window: int) -> int:
    """The most that was learned in any interval of this length."""
    times = [at for at, _ in learned]
    return max(sum(at <= other < at + window for other in times) for at in set(times))
