"""Credentials that were stolen and do not work: too late, from elsewhere, revoked, made up."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from tests.support.service import Reply, Service, jeton
from tests.support.thief import House, add_client

pytestmark = [pytest.mark.breach, pytest.mark.system]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    service = Service.create(tmp_path_factory.mktemp("house"))
    for name, *options in (
        ("expired", "--expires", "2020-01-31"),
        ("elsewhere", "--network", "10.0.0.0/8", "--network", "2001:db8::/32"),
        ("here", "--network", "127.0.0.0/8"),
        ("revoked",),
        ("spent", "--limit", "people.day=2"),
    ):
        grants = ["detokenise:fr-nir:care"]
        service.credentials[name] = add_client(service.config, name, grants, {}, *options)
    opened = House(service)
    try:
        service.start()
        opened.fill(3)
        yield opened
    finally:
        service.kill()


def _reveal(house: House, client: str, *headers: tuple[str, str]) -> Reply:
    body = {"tokens": house.tokens}
    reply = house.thief(client, "care").ask("detokenise", body, headers=headers)
    assert (reply.status == 200) == (house.leaks(reply) != [])
    return reply


def test_one_from_the_right_place_works(house: House) -> None:
    assert _reveal(house, "here").body["values"] == house.nirs


def test_all_that_do_not_work_are_told_the_same(house: House) -> None:
    good = house.service.credentials["here"]
    house.service.credentials |= {
        "unknown": f"{good[:-8]}00000000",
        "cut": good[:-1],
        "renamed": good.replace("here", "reimbursement"),
        "empty": "",
        "hash": "0" * 64,
    }
    replies = [
        _reveal(house, name)
        for name in ("expired", "elsewhere", "unknown", "cut", "renamed", "empty", "hash")
    ]
    replies.append(
        house.service.post("detokenise/fr-nir", {"tokens": house.tokens}, None, "care"),
    )
    assert {reply.status for reply in replies} == {401}
    assert len({json.dumps(reply.body) for reply in replies}) == 1
    assert all("WWW-Authenticate" in reply.headers for reply in replies)


@pytest.mark.parametrize(
    "header",
    [
        ("X-Forwarded-For", "10.1.2.3"),
        ("Forwarded", "for=10.1.2.3"),
        ("X-Real-IP", "10.1.2.3"),
        ("Jeton-Source", "10.1.2.3"),
    ],
)
def test_a_header_moves_nobody_into_a_network(house: House, header: tuple[str, str]) -> None:
    assert _reveal(house, "elsewhere", header).status == 401


def test_whoever_is_unauthenticated_cannot_fill_the_disk(house: House) -> None:
    """They are counted in the metrics, and not one of them stands on the record."""
    audit = house.service.folder / "audit"

    def size() -> int:
        return sum(path.stat().st_size for path in audit.rglob("*.jsonl"))

    _reveal(house, "here")
    before = size()
    for _ in range(300):
        assert _reveal(house, "expired").status == 401
    _reveal(house, "here")
    assert size() - before < 5_000


def test_a_revoked_one_is_dead_without_a_restart(house: House) -> None:
    """And what was spent stays spent over the reload, for a second credential too."""
    config = ("--config", str(house.service.config))
    assert house.thief("spent", "care").walk("detokenise", house.tokens)[0] == 2
    assert _reveal(house, "revoked").status == 200
    jeton("clients", "revoke", "revoked", *config)
    rotated = jeton("clients", "rotate", "spent", *config, "--json")
    house.service.credentials["second"] = json.loads(rotated)["credential"]
    assert _reveal(house, "second").status == 401, "not in force yet"
    assert house.service.process is not None
    os.kill(house.service.process.pid, signal.SIGHUP)
    _until(lambda: _reveal(house, "revoked").status == 401)
    assert _reveal(house, "here").status == 200
    for client in ("spent", "second"):
        reply = _reveal(house, client)
        assert (reply.status, reply.body["code"]) == (429, "budget_exhausted")


def _until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
