"""The running service against its own /openapi.json, by schemathesis: no 5xx, and no answer that
is not described, whoever asks and whatever for.

Every check that schemathesis has is on (`tests/support/schemathesis.toml` says what each expects
where HTTP leaves a choice); `make long` asks a thousand times an operation.
"""

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import settings

from benchmarks.population import nirs
from tests.support.service import Service

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[2]
LONG = settings.default.max_examples > 1_000
EXAMPLES = 1_000 if LONG else 8
SECONDS = 1_800 if LONG else 120
HOOKS = "tests.support.described_calls"
PURPOSE = "fuzzing"
OPERATIONS = ("tokenise", "detokenise", "mask", "match")
VALUES = {
    "fr-nir": list(nirs(8, seed=3)),
    "birth-date": ["1984-02-03", "19990101", "12/11/1950"],
    "digits": ["123456", "98765432109"],
}
SPENT = ("tokenise.hour", "tokenise.day", "reveal.hour", "reveal.day", "match.hour", "match.day")
MUCH = dict.fromkeys([*SPENT, "people.day"], 10**9)
GRANTS = [
    f"{operation}:{name}" + f":{PURPOSE}" * (operation in {"detokenise", "mask"})
    for name in VALUES
    for operation in OPERATIONS
]

CODES = {
    "everything": {"ok", "malformed_request", "unknown_transformation", "unauthenticated"},
    "little": {"not_allowed"},
    "poor": {"budget_exhausted"},
    "nobody": {"unauthenticated"},
}
"""What each kind of client has to meet, or it has tested nothing. `little` has one grant, `poor`
has all of them and may spend one of everything, and `nobody` has no credential."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    service = Service.create(tmp_path_factory.mktemp("service"))
    service.add_client("everything", GRANTS, MUCH)
    service.add_client("little", ["tokenise:digits"], MUCH)
    service.add_client("poor", GRANTS, dict.fromkeys(MUCH, 1))
    service.start()
    yield service
    service.stop()


@pytest.fixture(scope="module")
def samples(service: Service) -> Path:
    """Values and their tokens, for the hooks."""
    made = {}
    for name, values in VALUES.items():
        body = {"values": values, "context": "one"}
        reply = service.post(f"tokenise/{name}", body, service.credentials["everything"])
        assert (reply.status, reply.body["errors"]) == (200, [])
        made[name] = {"values": values, "tokens": reply.body["tokens"]}
    _spend_all(service, made)
    path = service.folder / "samples.json"
    path.write_text(json.dumps({"purpose": PURPOSE, "texts": made}))
    return path


def _spend_all(service: Service, made: Mapping[str, Mapping[str, list[str]]]) -> None:
    """All that `poor` may: whatever it asks for from then on is too much."""
    values, tokens = made["fr-nir"]["values"], made["fr-nir"]["tokens"]
    bodies = {
        "tokenise": {"value": values[0]},
        "detokenise": {"token": tokens[0]},
        "match": {"token": tokens[0], "candidate": values[0]},
    }
    for operation, body in bodies.items():
        for _ in range(2):
            asked = (f"{operation}/fr-nir", body | {"context": "one"}, service.credentials["poor"])
            reply = service.post(*asked, None if operation in {"tokenise", "match"} else PURPOSE)
        assert (reply.status, reply.body["code"]) == (429, "budget_exhausted")


@pytest.mark.timeout(SECONDS + 60)
@pytest.mark.parametrize("kind", CODES)
def test_answers_as_it_says(service: Service, samples: Path, kind: str) -> None:
    before = met(service)
    said = schemathesis(service, samples, kind)
    assert said.returncode == 0, said.stdout[-20_000:] + said.stderr[-2_000:]
    codes = {code for code, count in met(service).items() if count > before.get(code, 0)}
    assert CODES[kind] <= codes


def schemathesis(service: Service, samples: Path, kind: str) -> "subprocess.CompletedProcess[str]":
    """All phases for whoever may do all; the others need not be told again how to be malformed."""
    command = [sys.executable, "-m", "schemathesis.cli"]
    command += ["--config-file", str(ROOT / "tests" / "support" / "schemathesis.toml")]
    command += ["run", f"{service.url}/openapi.json", "--checks", "all", "--no-color"]
    whole = kind == "everything" or LONG
    command += ["--phases", "coverage,fuzzing" if whole else "fuzzing"]
    command += ["--max-examples", str(EXAMPLES if whole else EXAMPLES // 2)]
    command += ["--generation-database", "none"]
    if kind in service.credentials:
        command += ["--header", f"Authorization: Bearer {service.credentials[kind]}"]
    return subprocess.run(
        command,
        check=False,
        cwd=ROOT,
        env=os.environ | {"SCHEMATHESIS_HOOKS": HOOKS, "JETON_SAMPLES": str(samples)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )


def met(service: Service) -> dict[str, float]:
    """How often each code was answered, as the service itself counts."""
    counted: dict[str, float] = {}
    with urllib.request.urlopen(f"{service.url}/metrics", timeout=30) as page:
        lines = page.read().decode().splitlines()
    for line in lines:
        found = re.match(r'jeton_requests_total\{code="(\w+)".*\} (\S+)', line)
        if found:
            counted[found[1]] = counted.get(found[1], 0) + float(found[2])
    return counted
