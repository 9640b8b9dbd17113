"""Arrow at the application's door: media types, limits, whatever is malformed."""

import asyncio
import importlib.util
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.arrow import MEDIA_TYPE, answered, batch, rows, stream
from tests.support.asgi import Reply, ask
from tests.support.door import CREDENTIAL, SmallDoor
from vault.config import Server
from vault.web import Application, Holder

WHO = ("Authorization", f"Bearer {CREDENTIAL}")
HEADERS = [WHO, ("Content-Type", MEDIA_TYPE)]
LIMITS = Server(arrow_max_items=10, arrow_max_body=20_000)
BODY = stream(batch(value=["12", None, "9", "345"]))


async def post(app: Application, operation: str, body: bytes, *more: tuple[str, str]) -> Reply:
    reply = await ask(app, "POST", f"/v1/{operation}/digits", [*HEADERS, *more], body)
    assert reply is not None
    return reply


@pytest.fixture
def door() -> SmallDoor:
    return SmallDoor()


@pytest.fixture
def app(door: SmallDoor) -> Application:
    return Application(Holder(door), LIMITS)


async def test_every_operation(app: Application, door: SmallDoor) -> None:
    reply = await post(app, "tokenise", BODY)
    assert (reply.status, reply["content-type"]) == (200, MEDIA_TYPE)
    expected = [("987", None), (None, None), (None, "invalid_value"), ("9654", None)]
    assert rows(answered(reply.body)) == expected
    assert door.observed == [("tokenise", "digits", "ok", 3, 1)]
    tokens = stream(batch(token=["987", "1", None]))
    reply = await post(app, "detokenise", tokens)
    assert rows(answered(reply.body)) == [("12", None), (None, "not_a_token"), (None, None)]
    assert reply["jeton-receipt"] == "w0.7.abc123"
    assert reply["cache-control"] == "no-store"
    reply = await post(app, "mask", tokens)
    assert rows(answered(reply.body)) == [("1*", None), (None, "not_a_token"), (None, None)]
    pairs = stream(batch(token=["987", "987", "1", None], candidate=["12", "13", "1", "1"]))
    reply = await post(app, "match", pairs)
    assert [match for match, _ in rows(answered(reply.body))] == [True, False, None, None]
    pairs = stream(batch(token=["987", "987"], candidate=["12", None]))
    reply = await post(app, "match", pairs)
    assert [match for match, _ in rows(answered(reply.body))] == [True, None]
    assert door.observed[-1][3] == 1


async def test_a_single_failed_row_is_a_batch(app: Application) -> None:
    reply = await post(app, "tokenise", stream(batch(value=["9"])))
    assert reply.status == 200
    assert rows(answered(reply.body)) == [(None, "invalid_value")]


async def test_limits_of_its_own(app: Application) -> None:
    assert (await post(app, "tokenise", stream(batch(value=["1"] * 10)))).status == 200
    assert (await post(app, "tokenise", stream(batch(value=["1"] * 11)))).code == "too_large"
    assert (await post(app, "tokenise", stream(batch(value=["1" * 20_000])))).code == "too_large"
    length = ("Content-Length", "20001")
    assert (await post(app, "tokenise", b"", length)).code == "too_large"


async def test_a_request_id_covers_the_stream(app: Application, door: SmallDoor) -> None:
    name = ("Jeton-Request-Id", "6f1c2f7e-7c0e-4d3f-9b1a-1f2e3d4c5b6a")
    for body in (BODY, BODY, stream(batch(value=["1"]))):
        await post(app, "tokenise", body, name)
    first, second, third = (call.fingerprint for call in door.calls)
    assert first == second != third


async def test_the_loop_goes_on_meanwhile(app: Application, door: SmallDoor) -> None:
    """Bodies are read in the door's thread: one that waits there holds up nobody else."""
    with ThreadPoolExecutor(1) as pool:
        door.pool = pool
        busy = threading.Event()
        pool.submit(busy.wait)
        large = asyncio.create_task(post(app, "tokenise", BODY))
        small = await ask(
            app,
            "POST",
            "/v1/tokenise/digits",
            [WHO, ("Content-Type", "application/json")],
            b'{"value":"12"}',
        )
        assert small is not None
        assert small.status == 200
        assert not large.done()
        busy.set()
        assert (await large).status == 200


async def test_without_pyarrow_it_is_a_media_type_like_any_other(
    monkeypatch: pytest.MonkeyPatch, door: SmallDoor
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "vault.web.codecs.find_spec", lambda name: None if name == "pyarrow" else found(name)
    )
    reply = await post(Application(Holder(door), LIMITS), "tokenise", BODY)
    assert (reply.status, reply.code) == (415, "unsupported_media_type")
    assert MEDIA_TYPE not in reply.json["detail"]


def test_pyarrow_is_not_imported_before_it_is_needed() -> None:
    program = "import sys, vault.app, vault.web; print('pyarrow' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert out.stdout == b"False\n"


@given(st.data())
async def test_no_malformed_stream_is_a_fault(data: st.DataObject) -> None:
    door = SmallDoor()
    app = Application(Holder(door), LIMITS)
    kind = data.draw(
        st.sampled_from([pa.utf8(), pa.string_view(), pa.dictionary(pa.int8(), "utf8")])
    )
    values = pa.array(["12", None, "3" * 20], pa.utf8())
    column = values.dictionary_encode() if pa.types.is_dictionary(kind) else values.cast(kind)
    body = bytearray(stream(batch(value=column, context=["a", "b", None])))
    for bit in data.draw(st.lists(st.integers(0, 8 * len(body) - 1), max_size=4)):
        body[bit // 8] ^= 1 << bit % 8
    cut = data.draw(st.none() | st.integers(0, len(body)))
    reply = await post(app, "tokenise", bytes(body[:cut]))
    assert reply.status in {200, 400, 413}
    assert not door.faults
    if reply.status == 200:
        answered(reply.body)
