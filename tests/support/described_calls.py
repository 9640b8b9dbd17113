"""Schemathesis' hooks: what it cannot know of the running service, so that it gets further in.

Named by ``SCHEMATHESIS_HOOKS``. Of what is generated as the description asks for, three in four
have a transformation's real name, real values and tokens in their bodies, and a purpose that is
granted; the rest, and all that is generated against the description, stays as it is.
``JETON_SAMPLES`` names a file:
``{"purpose": "...", "texts": {"fr-nir": {"values": [...], "tokens": [...]}, ...}}``.
"""

import json
import os
from hashlib import sha256
from pathlib import Path
from typing import Any
from unicodedata import normalize

import schemathesis
from hypothesis import strategies as st
from schemathesis.core.parameters import ParameterLocation
from schemathesis.openapi.checks import RejectedPositiveData

from tests.support.arrow import MEDIA_TYPE, answered, rows, streams
from vault.web.body import MAX_CONTEXT

KNOWN = json.loads(Path(os.environ["JETON_SAMPLES"]).read_text())
PURPOSE: str = KNOWN["purpose"]
SAMPLES: dict[str, dict[str, list[str]]] = KNOWN["texts"]
NAMES = sorted(SAMPLES)
REQUEST_IDS = [f"6f0e8a52-0000-4000-8000-{number:012x}" for number in range(4)]
"""So few that other requests come under them too."""


@schemathesis.hook
def map_case(context: Any, case: Any) -> Any:
    """Only parts that are generated as described: a broken one has to stay broken."""
    if not case.path.endswith("{transformation}") or case.meta is None:
        return case
    described = {place for place, made in case.meta.components.items() if made.mode.is_positive}
    name = _chosen(NAMES, case.path_parameters)
    if ParameterLocation.PATH in described and _mostly(case.path_parameters):
        case.path_parameters = {"transformation": name}
    if ParameterLocation.HEADER in described or not case.headers:
        _give_headers(case)
    if ParameterLocation.BODY in described and isinstance(case.body, dict):
        body = _evened(case.body)
        if _mostly(body):
            body = {member: _real(member, sent, name) for member, sent in body.items()}
        case.body = body
    return case


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """The description cannot say which bytes are an Arrow stream: it may well be refused."""
    return not (
        isinstance(failure, RejectedPositiveData)
        and case.media_type == MEDIA_TYPE
        and response.status_code == 400
    )


def _evened(body: dict[str, Any]) -> dict[str, Any]:
    """As the contract has it where JSON Schema cannot say so: lists of one length, contexts in
    Unicode's normal form C and of at most so many bytes."""
    most = min((len(sent) for sent in body.values() if isinstance(sent, list)), default=0)
    even = {name: sent[:most] if isinstance(sent, list) else sent for name, sent in body.items()}
    for name in even.keys() & {"context", "contexts"}:
        sent = even[name]
        even[name] = [_context(one) for one in sent] if name == "contexts" else _context(sent)
    return even


def _context(sent: str) -> str:
    text = normalize("NFC", sent)
    while len(text.encode()) > MAX_CONTEXT:
        text = text[: len(text) // 2]
    return text


def _give_headers(case: Any) -> None:
    """A purpose that is granted; and of requests with an id, half under few ids."""
    headers = dict(case.headers)
    if _mostly(headers):
        headers["Jeton-Purpose"] = PURPOSE
    if "Jeton-Request-Id" in headers and _number(headers) % 2:
        headers["Jeton-Request-Id"] = _chosen(REQUEST_IDS, headers)
    case.headers.clear()
    case.headers.update(headers)


def _real(member: str, sent: Any, name: str) -> Any:
    if isinstance(sent, list):
        return [_real(member.removesuffix("s"), each, name) for each in sent]
    known = SAMPLES[name]["tokens" if member in {"token", "context"} else "values"]
    if member == "context" and not _mostly(sent):
        return sent
    return _chosen(known, sent)


def _number(sent: Any) -> int:
    return int.from_bytes(sha256(repr(sent).encode("utf-8", "surrogatepass")).digest()[:4], "big")


def _chosen(known: list[str], sent: Any) -> str:
    return known[_number([sent]) % len(known)]


def _mostly(sent: Any) -> bool:
    return _number(["mostly", sent]) % 4 > 0


_TEXTS = st.none() | st.sampled_from(
    [text for known in SAMPLES.values() for texts in known.values() for text in texts]
)


@st.composite
def _bodies(draw: st.DrawFn) -> bytes:
    """Streams of any call's columns, or bytes that are none."""
    count = draw(st.integers(0, 20))
    item = draw(st.sampled_from(["value", "token"]))
    others = draw(st.sets(st.sampled_from(["candidate", "context"])))
    columns = {
        name: draw(st.lists(_TEXTS, min_size=count, max_size=count)) for name in (item, *others)
    }
    body: bytes = draw(streams(columns))
    return body if draw(st.booleans()) else body[: draw(st.integers(0, len(body)))]


schemathesis.openapi.media_type(MEDIA_TYPE, _bodies())


@schemathesis.deserializer(MEDIA_TYPE)
def read(context: Any, response: Any) -> Any:
    """Raises where the answer is no valid stream."""
    return rows(answered(response.content))
