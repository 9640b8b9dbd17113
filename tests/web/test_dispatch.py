"""Pages beside the calls, and the lifespan."""

import re
from typing import Any

from tests.support.asgi import ask
from tests.support.door import SmallDoor
from tests.support.small_calls import JSON, LIMITS, SECRET, TOKENISE, WHO, post
from vault.config import Server
from vault.errors import Refusal
from vault.web import Application, Holder

# The rest -----------------------------------------------------------------------------------


async def test_transformations(app: Application) -> None:
    reply = await post(app, "/v1/transformations", headers=[WHO], method="GET")
    assert reply.status == 200
    assert reply["content-type"] == "application/json"
    assert [entry["name"] for entry in reply.json["transformations"]] == ["digits"]


async def test_probes_need_no_credential(app: Application, door: SmallDoor) -> None:
    for path in ("/livez", "/readyz", "/metrics", "/openapi.json"):
        assert (await post(app, path, headers=[], method="GET")).status == 200
        # The server drops a HEAD's body.
        assert (await post(app, path, headers=[], method="HEAD")).status == 200
    assert not door.sources


async def test_readiness_is_the_doors(app: Application, door: SmallDoor) -> None:
    door.unready = Refusal("audit_unavailable", "the record cannot be written", 5)
    reply = await post(app, "/readyz", method="GET")
    assert (reply.status, reply.code, reply["retry-after"]) == (503, "audit_unavailable", "5")
    assert reply.json["operations"] == {
        "tokenise": True,
        "detokenise": False,
        "mask": False,
        "match": False,
    }
    assert (await post(app, "/livez", method="GET")).status == 200
    door.unready = None
    ready = (await post(app, "/readyz", method="GET")).json
    assert (ready["status"], all(ready["operations"].values())) == ("ready", True)


async def test_a_fault_of_a_page_says_nothing(app: Application, door: SmallDoor) -> None:
    door.unready = ValueError(SECRET.decode())  # type: ignore[assignment]
    reply = await post(app, "/readyz", method="GET")
    assert (reply.status, reply.code) == (500, "internal")
    assert SECRET not in reply.body
    assert door.faults == [door.unready]


async def test_metrics_at_an_address_of_its_own(door: SmallDoor) -> None:
    app = Application(Holder(door), Server(metrics_port=9_100))
    assert (await post(app, "/metrics", method="GET")).status == 404
    beside = await ask(app.metrics_only, "GET", "/metrics")
    assert beside is not None
    assert (beside.status, beside.body) == (200, b"jeton_up 1\n")
    for path in (TOKENISE, "/readyz", "/v1/transformations"):
        other = await ask(app.metrics_only, "POST", path, [WHO, JSON], b'{"value":"1"}')
        assert other is not None
        assert (other.status, other.code) == (404, "not_found")


async def test_no_problem_repeats_what_was_sent(app: Application) -> None:
    """Each part of a request in turn holds a value, in a request that is refused for it."""
    value = SECRET.decode()
    attempts: list[dict[str, Any]] = [
        {"path": f"/v1/tokenise/{value}"},
        {"path": f"/v1/{value}/digits"},
        {"path": f"/{value}"},
        {"method": value},
        {"headers": [("Authorization", f"Bearer {value}")]},
        {"headers": [WHO, ("Content-Type", f"text/{value}")]},
        {"headers": [WHO, JSON, ("Content-Encoding", value)]},
        {"headers": [WHO, JSON, ("Jeton-Request-Id", value)]},
        {"headers": [WHO, JSON, ("Jeton-Purpose", value + "X")]},
        {"body": SECRET},
        {"body": b'{"' + SECRET + b'":"1"}'},
        {"body": b'{"value":' + SECRET + b"}"},
        {"body": b'{"value":"' + SECRET + b'","value":"' + SECRET + b'"}'},
        {"body": b'{"value":"x' + SECRET + b'"}'},
        {"body": b'{"value":"\xff' + SECRET + b'"}'},
        {"body": b'{"values":[["' + SECRET + b'"]]}'},
    ]
    for attempt in attempts:
        reply = await post(app, **attempt)
        assert reply.code is not None
        said = b"\n".join(value for _, value in reply.headers) + reply.body
        assert SECRET not in said
        assert not re.search(SECRET, said)


# The lifespan -------------------------------------------------------------------------------


async def test_a_start_that_fails_is_told_to_whoever_started(door: SmallDoor) -> None:
    class Failing:
        async def __aenter__(self) -> None:
            raise ValueError(SECRET.decode())

        async def __aexit__(self, *_: object) -> None: ...

    app = Application(Holder(door), LIMITS, Failing)
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    await app({"type": "lifespan"}, receive, send)
    assert sent == [{"type": "lifespan.startup.failed", "message": "ValueError"}]
    assert str(app.failure) == SECRET.decode()
