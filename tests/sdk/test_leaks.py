"""Values, contexts and credentials go in through every door of the client and come back from a
server that repeats them wherever HTTP has room; then they are looked for in all that the client
lets out: errors and their chains, their pickles, results that hide, logs at the lowest level.
"""

import asyncio
import copy
import io
import json
import logging
import pickle
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

import jeton
from tests.support.leaks import Search, distinctive_values
from tests.support.stub import (
    KINDS,
    Respond,
    client_of,
    dead_url,
    drip_body,
    hang_up,
    send,
    serving,
)

VALUE, CANDIDATE, CONTEXT, CREDENTIAL, MORE = distinctive_values()[:5]
SECRETS = Search([VALUE, CANDIDATE, CONTEXT, CREDENTIAL, MORE])
ECHO = f"{VALUE} {CANDIDATE} {CONTEXT} {CREDENTIAL} {MORE}"


def line(text: str) -> Respond:
    def respond(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(text.encode("latin-1", "replace"))
        handler.close_connection = True

    return respond


def problem(status: int, **members: object) -> Respond:
    return send({"code": "not_allowed", **members}, status, "application/problem+json")


OK = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
RESPONDS: dict[str, Respond] = {
    "hangs up": hang_up,
    "never ends": drip_body,
    "status line": line(f"{ECHO}\r\n\r\n"),
    "reason": line(f"HTTP/1.1 599 {ECHO}\r\nContent-Length: 0\r\n\r\n"),
    "status code": line(f"HTTP/1.1 {VALUE} OK\r\n\r\n"),
    "header": line(f"{OK}{ECHO}\r\n\r\n"),
    "header value": line(f"{OK}Jeton-Request-Id: {ECHO}\r\nContent-Length: 2\r\n\r\n{{}}"),
    "length": line(f"{OK}Content-Length: {VALUE}\r\n\r\n{ECHO}"),
    "coding": line(f"{OK}Transfer-Encoding: {ECHO}\r\n\r\n{ECHO}"),
    "chunk": line(f"{OK}Transfer-Encoding: chunked\r\n\r\n{ECHO}\r\n"),
    "redirect": line(f"HTTP/1.1 307 X\r\nLocation: /{VALUE}\r\nContent-Length: 0\r\n\r\n"),
    "cookie": line(f"HTTP/1.1 500 X\r\nSet-Cookie: {VALUE}=1; x\r\nContent-Length: 0\r\n\r\n"),
    "compressed": line(f"{OK}Content-Encoding: gzip\r\nContent-Length: 300\r\n\r\n{ECHO:300}"),
    "body": send(ECHO),
    "members": send({VALUE: ECHO, "token": {CONTEXT: VALUE}}),
    "cut": send({"value": ECHO}, cut=2),
    "not JSON": send(ECHO, media_type="text/html"),
    "code": problem(403, code=VALUE, detail=ECHO),
    "detail": problem(403, detail=ECHO),
    "wait": send({"code": "overloaded"}, 503, "application/problem+json", Retry_After=VALUE),
    "item": problem(422, code="invalid_value", detail=f"{VALUE} is none"),
    "gateway": send(ECHO, 502, "text/html"),
    "items": send(
        {
            "tokens": [None, None],
            "values": [None, None],
            "masked": [None, None],
            "matches": [None, None],
            "errors": [
                {"index": 0, "code": "invalid_value", "detail": f"{VALUE} is none"},
                {"index": 1, "code": VALUE, "detail": ECHO},
            ],
        }
    ),
    "results": send({"value": VALUE, "values": [VALUE, VALUE], "errors": []}),
}

ASKS: list[Callable[[Any], Any]] = [
    lambda client: client.tokenise("fr-nir", VALUE, context=CONTEXT),
    lambda client: client.tokenise("fr-nir", [VALUE, MORE], context=[CONTEXT, CONTEXT]),
    lambda client: list(client.tokenise("fr-nir", iter([VALUE, MORE]), context=CONTEXT)),
    lambda client: client.detokenise("fr-nir", VALUE, purpose="test"),
    lambda client: client.detokenise("fr-nir", [VALUE, MORE], purpose="test"),
    lambda client: client.mask("fr-nir", VALUE, context=CONTEXT, purpose="test"),
    lambda client: client.match("fr-nir", [VALUE, MORE], [CANDIDATE, MORE], context=CONTEXT),
    # Passed in the wrong place, or of the wrong kind.
    lambda client: client.tokenise(VALUE, VALUE),
    lambda client: client.tokenise(f"{VALUE} {CONTEXT}", VALUE),
    lambda client: client.tokenise("fr-nir", VALUE.encode()),
    lambda client: list(client.tokenise("fr-nir", {VALUE: 1}, context=[CONTEXT, CONTEXT])),
    lambda client: client.tokenise("fr-nir", [VALUE, 7], context=CONTEXT),
    lambda client: client.detokenise("fr-nir", VALUE, purpose=f"{VALUE} {CONTEXT}"),
    lambda client: client.detokenise("fr-nir", VALUE, on_behalf_of=f"{VALUE} {CONTEXT}"),
    lambda client: client.match("fr-nir", VALUE, [CANDIDATE]),
    lambda client: client.match("fr-nir", [VALUE, VALUE], [CANDIDATE]),
]


@contextmanager
def all_that_is_logged() -> Iterator[io.StringIO]:
    """Everything at every level, asyncio in its debug mode, warnings too."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(logging.Formatter("%(message)s %(args)s"))
    root, before = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.NOTSET)
    logging.captureWarnings(True)
    named = [logging.getLogger(name) for name in ("asyncio", "aiohttp", "aiohttp.client", "jeton")]
    levels = [logger.level for logger in named]
    for logger in named:
        logger.setLevel(logging.DEBUG)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            yield written
    finally:
        logging.captureWarnings(False)
        root.removeHandler(handler)
        root.setLevel(before)
        for logger, level in zip(named, levels, strict=True):
            logger.setLevel(level)


def let_out(error: BaseException) -> str:
    """All that somebody may print of an error, and of those behind it."""
    told = "".join(traceback.format_exception(error))
    seen: BaseException | None = error
    while seen is not None:
        told += f"{seen!s} {seen!r} {seen.args!r} {vars(seen)!r} {pickle.dumps(seen)!r}"
        told += f"{copy.copy(seen)!r} {getattr(seen, '__notes__', '')}"
        seen = seen.__cause__ or seen.__context__
    return told


def shown(result: Any) -> str:
    """All that somebody may print of a result without revealing it."""
    record = logging.LogRecord("a", 10, "b", 1, "got %s %r", (result, result), None)
    told = f"{result} {result!r} {result!s:>40} {record.getMessage()} {[result]} {vars(record)}"
    told += json.dumps({"result": result}, default=str)
    many = result if isinstance(result, list | jeton.Items) else [result]
    for one in many:
        told += f"{one} {one!r} {json.dumps(one, default=str)}"
        told += let_out(one) if isinstance(one, jeton.JetonError) else f"{pickle.dumps(one)!r}"
    return told


def outcome(ask: Callable[[Any], Any], client: Any) -> str:
    try:
        result = ask(client)
    except jeton.JetonError as error:
        return let_out(error)
    return shown(result)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("respond", RESPONDS)
def test_nothing_that_is_sent_is_let_out(
    kind: str, respond: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONASYNCIODEBUG", "1")
    with all_that_is_logged() as log, serving(RESPONDS[respond]) as stub:
        for ask in ASKS:
            with client_of(kind, stub.url, CREDENTIAL, tries=2, timeout=0.4) as client:
                told = outcome(ask, client) + repr(client) + repr(getattr(client, "client", ""))
            assert SECRETS.found(told) == set()
    assert SECRETS.found(log.getvalue()) == set()


@pytest.mark.parametrize("kind", KINDS)
def test_nor_where_nobody_answers_or_the_settings_are_wrong(kind: str) -> None:
    with all_that_is_logged() as log:
        for url in (dead_url(), "unix:/nowhere/jeton.sock", dead_url().replace("http", "https")):
            for ask in ASKS:
                with client_of(kind, url, CREDENTIAL, tries=2, timeout=0.4) as client:
                    assert SECRETS.found(outcome(ask, client)) == set()
        for wrong in (
            {"url": f"http://{CREDENTIAL}@h"},
            {"url": f"{VALUE}://{CREDENTIAL}"},
            {"url": "http://h", "credential": f"{CREDENTIAL}\n{VALUE} é"},
            {"url": "http://h", "purpose": f"{VALUE} {CONTEXT}"},
            {"url": "http://h", "credential": CREDENTIAL, "headers": lambda: {"x": f"{VALUE}\n"}},
        ):
            named: dict[str, Any] = {"credential": CREDENTIAL} | wrong
            with pytest.raises(jeton.UsageError) as caught, client_of(kind, **named) as client:
                client.detokenise("fr-nir", VALUE)
            assert SECRETS.found(let_out(caught.value)) == set()
    assert SECRETS.found(log.getvalue()) == set()


async def test_nor_by_calls_that_travel_together() -> None:
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    for name in ("items", "detail", "hangs up", "members"):
        with all_that_is_logged() as log, serving(RESPONDS[name]) as stub:
            async with jeton.AsyncClient(stub.url, CREDENTIAL, tries=1, timeout=2) as client:
                calls = [client.tokenise("fr-nir", VALUE, context=CONTEXT) for _ in range(3)]
                got = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(one, jeton.JetonError) for one in got)
        told = "".join(let_out(one) for one in got if isinstance(one, BaseException))
        assert SECRETS.found(told + log.getvalue()) == set()


def test_the_search_can_fail() -> None:
    with all_that_is_logged() as log:
        logging.getLogger("aiohttp.client").debug("sent %s", VALUE)
    assert SECRETS.found(log.getvalue())
    assert SECRETS.found(let_out(ValueError(CONTEXT)))
    assert SECRETS.found(let_out(jeton.UsageError(CREDENTIAL)))
    assert SECRETS.found(shown(jeton.Token(VALUE)))
    assert jeton.Sensitive(VALUE).reveal() == VALUE
    assert SECRETS.found(shown(jeton.Sensitive(VALUE))) == set()
