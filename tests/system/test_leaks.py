"""Nothing that is sent to the service is found again in what it leaves behind.

Values of all shapes go in at every place of a request, sound or broken, and through every
refusal and fault. Then each is looked for, raw and in disguise, in all of the service's files,
in its log and in its answers. Services that leak are caught, too: the search can fail.
"""

import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from tests.support.arrow import batch, stream
from tests.support.careless import BUGS, CHANNELS, PLACES, plantable
from tests.support.leaks import Search, disguises, distinctive_values
from tests.support.service import JETON, Service
from tests.support.watched import Watched
from tests.support.whole_story import Story, fresh_values, furnish

pytestmark = pytest.mark.system

CARELESS = (sys.executable, "-m", "tests.support.careless")
DEBUGGING = {"PYTHONASYNCIODEBUG": "1", "PYTHONDEVMODE": "1"}
LEVELS = [
    ("debug", "json"),
    ("debug", "console"),
    ("info", "console"),
    ("warning", "json"),
    ("error", "console"),
    ("critical", "json"),
]
ROOT = Path(__file__).parents[2]
DIGITS = [value for value in distinctive_values(5_000) if value.isdigit()]
"""Those that every disguise suits."""


def _started(folder: Path, program: tuple[str, ...], *, debugging: bool, workers: int) -> Watched:
    service = Service.create(folder)
    furnish(service)
    service.program = program
    service.environment = {"PYTHONPATH": str(ROOT), **(DEBUGGING if debugging else {})}
    return Watched(service.start(workers))


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Watched]]:
    made: list[Watched] = []

    def started(*program: str, debugging: bool = False, workers: int = 1) -> Watched:
        made.append(_started(tmp_path, program or JETON, debugging=debugging, workers=workers))
        return made[-1]

    yield started
    for watched in made:
        watched.service.kill()


def _all_bugs(watched: Watched, values: Iterator[str]) -> None:
    """Every careless line that is known, with values of its own."""
    digits = (value for value in values if value.isdigit())
    for name in [*BUGS, *CHANNELS]:
        given = [next(digits if name.startswith("number-") else values) for _ in range(2)]
        watched.sends(name, *given)
        watched.call("detokenise", {"tokens": given}, "desk", "digits", purpose=f"bug-{name}")
        if name == "page":
            watched.visit("desk")
    columns = {name: pa.array([next(digits)]) for name in ("token", "candidate", "context")}
    watched.sends("reprs of Arrow", *(column[0].as_py() for column in columns.values()))
    watched.stream("match", stream(batch(**columns)), "desk", purpose="bug-reprs")


@pytest.fixture(scope="module")
def talkative(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A service in every debug mode there is, after it has been through everything, and through
    every careless line at every level of its log."""
    program = (*CARELESS, *LEVELS[0])
    folder = tmp_path_factory.mktemp("talkative")
    watched, values = _started(folder, program, debugging=True, workers=1), fresh_values()
    try:
        Story(watched, values).tell()
        answered = watched.asks(values, "desk")
        assert answered >= len(watched.sent) * 2 // 3, "hardly anybody was answered"
        for level, form in LEVELS:
            body = {"token": "1234567890"}
            watched.call("mask", body, "desk", "digits", purpose=f"level-{level}-{form}")
            _all_bugs(watched, values)
        watched.visit("desk")
        watched.end()
        yield watched
    finally:
        watched.service.kill()


def test_nothing_leaks(talkative: Watched) -> None:
    left = talkative.left()
    assert talkative.leaks(left) == []
    assert len(talkative.sent) > 1_000
    assert left.keys() >= {"log", "answers", "record", "jeton.db", "jeton.db-wal", "store's rows"}
    assert left.keys() >= {"jeton.tokens.db", "jeton.tokens.db-wal", "tokens' rows"}
    assert b"INSERT INTO" in left["tokens' rows"]
    alarms = [data for place, data in left.items() if place.endswith(".json")]
    assert any(b'"event":"honeytoken"' in data for data in alarms)
    for event in (b"request-failed", b"task-failed", b"uncaught-exception", b"foreign", b"warning"):
        assert event in left["log"], "the log tells of what went wrong"
    for trouble in (b"jeton_requests_total", b'"internal"', b"store_unavailable", b"audit_unav"):
        assert trouble in left["answers"]


def test_nothing_leaks_from_the_service_as_shipped(start: Callable[..., Watched]) -> None:
    """And while its record and its store are away, broken, and back."""
    watched, values = start(workers=2), fresh_values()
    story, service = Story(watched, values), watched.service
    story.tell()
    watched.asks(values, "desk", share=4)
    record, store = service.folder / "audit", service.folder / "jeton.db"
    ask = {"tokens": story.tokens, "contexts": story.contexts}
    record.rename(service.folder / "away")
    assert watched.call("detokenise", ask, "desk").status == 503
    (service.folder / "away").rename(record)
    assert watched.call("detokenise", ask, "desk").status == 200
    watched.visit("desk")
    store.write_bytes(b"no database" * 1_000)
    for _ in range(3):
        watched.call("detokenise", ask, "desk")
        watched.call("tokenise", {"values": story.nirs}, "desk")
    watched.visit("desk")
    watched.end()
    assert watched.leaks() == []
    service.launch()
    assert service.process is not None
    assert service.process.wait(60) == 2, "it does not start over a store that is none"
    assert watched.leaks({"log": service.log.read_bytes()}) == []


def test_a_leak_is_found_wherever_it_is_planted(talkative: Watched) -> None:
    """In copies of all that is left: each way to write each disguise, with a value of its own."""
    fresh = iter(DIGITS)
    planted = {
        (value, disguise): needle
        for place in range(len(disguises(DIGITS[0])))
        for value in [next(fresh)]
        for disguise, needle in [disguises(value)[place % len(disguises(value))]]
    }
    search = Search(value for value, _ in planted)
    chance = random.Random(7)
    for place, data in talkative.left().items():
        cuts = sorted(chance.randrange(len(data) + 1) for _ in planted)
        pieces = [
            data[a:b] + needle
            for a, b, needle in zip([0, *cuts], cuts, planted.values(), strict=False)
        ]
        missed = planted.keys() - search.found(b"".join([*pieces, data[cuts[-1] :]]))
        assert [disguise for _, disguise in missed] == [], f"in {place}"


WHERE = {
    "log": "log",
    "stdout": "log",
    "metrics": "answers",
    "record": "record",
    "store": "store's rows",
    "body": "answers",
    "header": "answers",
}
TOLD = {*CHANNELS, "raise", "group", "task", "callback", "slow", "page"}
"""Of these bugs a log without care tells the value; the others are caught elsewhere."""


def test_a_service_that_leaks_is_caught(start: Callable[..., Watched]) -> None:
    watched, fresh = start(*CARELESS, "leaky", "-", debugging=True), iter(DIGITS)
    expected = set()
    for place in PLACES:
        for number in range(len(plantable(DIGITS[0]))):
            value = next(fresh)
            disguise, _ = plantable(value)[number]
            watched.sends(f"{place} {number}", value)
            body = {"token": "1234567890", "context": value}
            watched.call("detokenise", body, "desk", "digits", purpose=f"leak-{place}-{number}")
            expected.add(f"{place} {number}: in {WHERE[place]}, as {disguise}")
    _all_bugs(watched, fresh)
    watched.visit("desk")
    watched.end()
    leaks = watched.leaks()
    assert sorted(expected - set(leaks)) == []
    told = {leak.split(":")[0] for leak in leaks if ": in log, as " in leak}
    assert sorted(TOLD - told) == []
