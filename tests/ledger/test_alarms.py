"""Alarms: kept before anybody hears of them, delivered in order, again until they arrive."""

import asyncio
import hashlib
import hmac
import json
import re
import socket
import ssl
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.certificates import Authority
from tests.support.receiver import Receiver
from vault.audit.locking import FileLock
from vault.ledger import alarms as alarms_module
from vault.ledger.alarms import Alarms, signature

KEY = bytes(range(32))
AT = 1_800_000_000.25

Told = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as made:
        made.willing.set()
        yield made


@pytest.fixture
def told() -> Told:
    return []


@pytest.fixture
def made(tmp_path: Path, told: Told) -> Callable[[str | None], Alarms]:
    def make(url: str | None) -> Alarms:
        tell = lambda name, facts: told.append((name, dict(facts)))  # noqa: E731
        return Alarms(tmp_path / "alarms", url, KEY, tell)

    return make


def kept(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "alarms").glob("*.json"))


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - a folder tells nobody
            await asyncio.sleep(0.005)


async def test_an_alarm_arrives_signed_and_is_gone(
    tmp_path: Path, receiver: Receiver, made: Callable[[str | None], Alarms], told: Told
) -> None:
    alarms = made(receiver.url)
    await alarms.put({"principal": "thief", "locked": 1}, AT)
    (file,) = kept(tmp_path)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    began = int(time.time())
    alarms.start()
    await until(lambda: bool(receiver.taken) and not kept(tmp_path))
    await alarms.close()
    assert alarms._task is not None
    assert alarms._task.done()
    ((signed, body),) = receiver.taken
    assert (receiver.paths, receiver.kinds) == (["/alarms?of=jeton"], ["application/json"])
    said = json.loads(body)
    assert said.pop("id") == file.stem
    assert re.fullmatch(r"00001800000000250000-[0-9a-f]{16}", file.stem)
    assert said == {"event": "honeytoken", "at": 1_800_000_000, "principal": "thief", "locked": 1}
    at = int(signed.removeprefix("t=").partition(",")[0])
    assert began <= at <= time.time()
    mac = hmac.new(KEY, str(at).encode() + b"." + body, hashlib.sha256).hexdigest()
    assert signed == signature(KEY, body, at) == f"t={at},v1={mac}"
    assert not told


async def test_without_a_receiver_nothing_is_kept(
    tmp_path: Path, made: Callable[[str | None], Alarms]
) -> None:
    alarms = made(None)
    await alarms.put({}, AT)
    assert not (tmp_path / "alarms").exists()
    await alarms.close()


async def test_they_come_in_order_though_the_receiver_was_unwilling(
    tmp_path: Path,
    receiver: Receiver,
    made: Callable[[str | None], Alarms],
    told: Told,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(alarms_module, "LOOK_SECONDS", 0.02)
    receiver.willing.clear()
    alarms = made(receiver.url)
    for number in (3, 1, 2):
        await alarms.put({"number": number}, AT + number)
    alarms.start()
    await until(lambda: len(told) > 1)
    assert not receiver.taken
    assert len(kept(tmp_path)) == 3
    receiver.willing.set()
    await until(lambda: not kept(tmp_path))
    assert [json.loads(body)["number"] for _, body in receiver.taken] == [1, 2, 3]
    assert told == [("alarm_failed", {"error": "HTTP503"})] * len(told)
    await alarms.put({"number": 4}, AT)
    await until(lambda: len(receiver.taken) == 4)
    await alarms.close()


@pytest.mark.parametrize(("status", "arrives"), [(200, True), (299, True), (300, False)])
async def test_only_2xx_is_an_arrival(
    tmp_path: Path,
    receiver: Receiver,
    made: Callable[[str | None], Alarms],
    told: Told,
    status: int,
    arrives: bool,
) -> None:
    receiver.status = status
    alarms = made(receiver.url.removesuffix("/alarms?of=jeton"))
    await alarms.put({}, AT)
    assert alarms._deliver(alarms._url or "") == arrives
    assert bool(kept(tmp_path)) != arrives
    assert receiver.paths == ["/"]
    assert told == ([] if arrives else [("alarm_failed", {"error": f"HTTP{status}"})])


async def test_one_worker_posts_at_a_time(
    tmp_path: Path, receiver: Receiver, made: Callable[[str | None], Alarms]
) -> None:
    alarms = made(receiver.url)
    assert alarms._deliver(receiver.url), "nothing to do is done"
    await alarms.put({}, AT)
    other = FileLock.take(tmp_path / "alarms" / "lock")
    assert other is not None
    assert alarms._deliver(receiver.url)
    assert not receiver.taken
    other.release()
    for _ in range(2):
        assert alarms._deliver(receiver.url)
    assert len(receiver.taken) == 1


async def test_a_folder_that_is_none_is_told(
    tmp_path: Path, receiver: Receiver, made: Callable[[str | None], Alarms], told: Told
) -> None:
    (tmp_path / "alarms").write_text("in the way")
    await made(receiver.url).put({}, AT)
    assert told == [("alarm_failed", {"error": "FileExistsError"})]


async def test_what_is_in_the_way_is_not_written_into(
    tmp_path: Path,
    receiver: Receiver,
    made: Callable[[str | None], Alarms],
    told: Told,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Such as a link that leads out of the folder."""
    monkeypatch.setattr("vault.ledger.alarms.secrets.token_hex", lambda _: "known")
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "alarms"
    elsewhere.touch()
    folder.mkdir()
    (folder / ".00001800000000250000-known").symlink_to(elsewhere)
    await made(receiver.url).put({}, AT)
    assert told == [("alarm_failed", {"error": "FileExistsError"})]
    assert elsewhere.read_bytes() == b""


async def test_a_receiver_that_comes_with_a_reload(
    tmp_path: Path, receiver: Receiver, made: Callable[[str | None], Alarms]
) -> None:
    alarms = made(receiver.url)
    await alarms.put({}, AT)
    alarms.renew(None)
    alarms.start()
    await asyncio.sleep(0)
    await alarms.put({}, AT)  # nothing more is kept
    assert len(kept(tmp_path)) == 1
    alarms.renew(receiver.url)
    await alarms.put({}, AT)
    await until(lambda: len(receiver.taken) == 2)
    await alarms.close()


@pytest.mark.parametrize("there", [True, False])
async def test_a_receiver_that_fails_is_left_alone_ever_longer(
    receiver: Receiver,
    made: Callable[[str | None], Alarms],
    monkeypatch: pytest.MonkeyPatch,
    there: bool,
) -> None:
    waits: list[float] = []

    async def noted(waited: Any, seconds: float) -> None:
        waited.close()
        waits.append(seconds)
        if len(waits) == 10:
            receiver.willing.set()
            alarms.renew(receiver.url)
        await asyncio.sleep(0)
        raise TimeoutError

    monkeypatch.setattr("vault.ledger.alarms.asyncio.wait_for", noted)
    receiver.willing.clear()
    alarms = made(receiver.url if there else "http://127.0.0.1:1/")
    await alarms.put({}, AT)
    alarms.start()
    await until(lambda: len(waits) >= 12)
    await alarms.close()
    assert waits[:12] == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 1, 1]


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_receiver_that_says_nothing_is_not_waited_for(
    made: Callable[[str | None], Alarms], monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setattr(alarms_module, "TIMEOUT_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        alarms = made(f"{scheme}://127.0.0.1:{silent.getsockname()[1]}")
        await alarms.put({}, AT)
        with pytest.raises(TimeoutError):
            alarms._deliver(alarms._url or "")


async def test_tls_is_verified(
    tmp_path: Path,
    made: Callable[[str | None], Alarms],
    told: Told,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    authority = Authority.create(tmp_path)
    certificate, key = tmp_path / "receiver.pem", tmp_path / "receiver.key"
    authority.issue("receiver").put(certificate, key)
    encryption = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    encryption.load_cert_chain(certificate, key)
    with Receiver(encryption) as receiver:
        receiver.willing.set()
        url = receiver.url.replace("http://", "https://")
        alarms = made(url)
        await alarms.put({}, AT)
        alarms.start()
        await until(lambda: bool(told))
        assert told == [("alarm_failed", {"error": "SSLCertVerificationError"})]
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.path))
        await alarms.put({}, AT)
        await until(lambda: len(receiver.taken) == 2)
        await alarms.close()
