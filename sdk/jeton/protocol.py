"""The HTTP contract without any I/O: requests are built and answers read here.

A `Call` carries all a transport needs to send, and reads the `Answer` that comes back; a
`Question` is what single calls and batches have in common, and makes calls of them. Whatever
the transport is, it sends the same bytes and understands the same answers.
"""

import json
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from jeton.errors import (
    ITEM_ERRORS,
    ItemError,
    JetonError,
    NoAnswer,
    UsageError,
    service_error,
)
from jeton.results import Items, Sensitive, Token, Transformation

T = TypeVar("T")
R = TypeVar("R")
T_co = TypeVar("T_co", covariant=True)
Text = str | Sequence[str]
"""One text, or one for each item of a batch."""

OK = 200
_encoded = json.JSONEncoder(separators=(",", ":")).encode
LONGEST_DETAIL = 1_000
_NAME = re.compile(r"(?=.*[a-z])[a-z0-9][a-z0-9-]{0,62}")
"""A name has a letter: a NIR or a date passed in the wrong place must not get into a URL."""
_PURPOSE = re.compile(r"[a-z0-9-]{1,64}")
_VISIBLE = re.compile(r"[!-~]{1,8192}")
_HEADER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_HEADER_VALUE = re.compile(r"[ -~]{1,8192}")
_CODE = re.compile(r"[a-z_]{1,64}")
_WORD_WITH_DIGIT = re.compile(r"\b(?=[^ ]*[0-9])[0-9A-Za-z/^*-]{4,}")


@dataclass(frozen=True, slots=True)
class Operation(Generic[T_co]):
    """One of the four: its name in the URL, the members it sends and gets, each as the single
    and the batch form, and how one result is read (None: not what was promised)."""

    name: str
    sends: tuple[tuple[str, str], ...]
    gets: tuple[str, str]
    read: Callable[[object], T_co | None]


def _token(raw: object) -> Token | None:
    return Token(raw) if isinstance(raw, str) else None


def _sensitive(raw: object) -> Sensitive | None:
    return Sensitive(raw) if isinstance(raw, str) else None


def _text(raw: object) -> str | None:
    return raw if isinstance(raw, str) else None


def _match(raw: object) -> bool | None:
    return raw if isinstance(raw, bool) else None


TOKENISE = Operation("tokenise", (("value", "values"),), ("token", "tokens"), _token)
DETOKENISE = Operation("detokenise", (("token", "tokens"),), ("value", "values"), _sensitive)
REVEAL = Operation(DETOKENISE.name, DETOKENISE.sends, DETOKENISE.gets, _text)
"""As detokenise, where the caller asked for plain `str`."""
MASK = Operation("mask", (("token", "tokens"),), ("masked", "masked"), _text)
MATCH = Operation(
    "match", (("token", "tokens"), ("candidate", "candidates")), ("match", "matches"), _match
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: `headers` under lower-case names. The body shows itself nowhere."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A request ready to be sent, as often as it takes: its id stays the same."""

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)
    request_id: str
    _read: Callable[["Call[Any]", Answer], T] = field(repr=False)
    """Makes the result of an answer whose status is 200, whatever its media type."""

    def read(self, answer: Answer) -> T:
        """The result; raises ServiceError, ItemError (single calls) or NoAnswer."""
        answered = answer.headers.get("jeton-request-id")
        if answered not in (self.request_id, None):
            raise self.unexpected("the answer is that of another request", answer.status)
        if answer.status != OK:
            raise _refusal(self, answer)
        if answered is None:  # the contract promises it: this may be anybody's answer
            raise self.unexpected("the answer names no request", answer.status)
        return self._read(self, answer)

    def unexpected(self, what: str, status: int | None = None) -> NoAnswer:
        return NoAnswer(what, status=status, request_id=self.request_id)


@dataclass(frozen=True, slots=True)
class Question(Generic[T]):
    """What is asked of which transformation, for what and whom; of one item or of many.

    Raises UsageError, before anything is sent, for what no service could accept."""

    operation: Operation[T]
    transformation: str
    purpose: str | None = None
    on_behalf_of: str | None = field(default=None, repr=False)  # it may be a token of theirs

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.transformation):
            raise UsageError("a transformation's name has lower-case letters, digits and hyphens")
        if self.purpose is not None and not _PURPOSE.fullmatch(self.purpose):
            raise UsageError("a purpose has 1 to 64 lower-case letters, digits and hyphens")
        if self.on_behalf_of is not None:
            visible(self.on_behalf_of, "on_behalf_of")

    def single(self, given: Sequence[str], context: str | None) -> Call[T]:
        """One item: a text for each member that the operation sends."""
        body: dict[str, Text] = {}
        for (name, _), text in zip(self.operation.sends, given, strict=True):
            body[name] = _one(text, name)
        if context is not None:
            body["context"] = _one(context, "context")
        return self._call(body, _single_reader(self.operation))

    def batch(
        self, given: Sequence[Sequence[str]], context: Text | None, offset: int = 0
    ) -> Call[Items[T]]:
        """Many items: as many texts for each member; `offset` is the place of the first."""
        size = len(given[0])
        body: dict[str, Text] = {}
        for (_, name), texts in zip(self.operation.sends, given, strict=True):
            body[name] = _many(texts, name, size)
        if isinstance(context, str):
            body["context"] = context
        elif context is not None:
            body["contexts"] = _many(context, "context", size)
        return self._call(body, _batch_reader(self.operation, size, offset))

    @property
    def path(self) -> str:
        return f"/v1/{self.operation.name}/{self.transformation}"

    @property
    def headers(self) -> dict[str, str]:
        """Those of the purpose and the end user."""
        headers = {}
        if self.purpose is not None:
            headers["Jeton-Purpose"] = self.purpose
        if self.on_behalf_of is not None:
            headers["Jeton-On-Behalf-Of"] = self.on_behalf_of
        return headers

    def _call(self, body: Mapping[str, Text], read: Callable[[Call[Any], Answer], R]) -> Call[R]:
        headers = {"Content-Type": "application/json", **self.headers}
        content = _encoded(body).encode("ascii")
        return _new_call("POST", self.path, headers, content, read)


def ask_transformations() -> Call[list[Transformation]]:
    """`GET /v1/transformations`: what this client may do."""
    return new_call("GET", "/v1/transformations", {}, None, _read_transformations)


def visible(text: str, name: str) -> str:
    """`text` if it can stand in a header; the libraries below would show it in their error."""
    if not isinstance(text, str) or not _VISIBLE.fullmatch(text):
        raise UsageError(f"{name} must be visible ASCII characters without spaces")
    return text


def header(name: str, value: str) -> None:
    """Raise UsageError for what cannot stand in a request's head, without repeating it."""
    if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
        raise UsageError("a header has a name of letters and hyphens, and visible ASCII text")


def new_call(
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes | None,
    read: Callable[[Call[Any], Answer], T],
) -> Call[T]:
    """A call under a request id of its own; `read` gets every answer whose status is 200."""
    visible(path, "a path")
    for name, value in headers.items():
        header(name, value)
    return _new_call(method, path, headers, body, read)


def _new_call(
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes | None,
    read: Callable[[Call[Any], Answer], T],
) -> Call[T]:
    request_id = str(uuid.uuid4())
    sent = {"Accept": "application/json", **headers, "Jeton-Request-Id": request_id}
    return Call(method, path, sent, body, request_id, read)


def _one(text: Text, name: str) -> str:
    if not isinstance(text, str):
        raise UsageError(f"{name} must be one str, as the first argument is")
    return text


def _many(texts: Text, name: str, size: int) -> list[str]:
    if isinstance(texts, str) or len(texts) != size:
        raise UsageError(f"{name} must have as many items as the first argument")
    if not all(isinstance(text, str) for text in texts):
        raise UsageError(f"every item of {name} must be a str")
    return list(texts)


def _json(answer: Answer) -> Any:
    """The JSON body, or None where there is none: what a stranger wrote is not looked at."""
    media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in ("application/json", "application/problem+json"):
        return None
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        return None


def _refusal(call: Call[Any], answer: Answer) -> JetonError:
    """What an answer other than 200 means; only a problem of the contract is quoted."""
    content = _json(answer)
    raw = content.get("code") if isinstance(content, dict) else None
    code = raw if isinstance(raw, str) and _CODE.fullmatch(raw) else None
    raw = content.get("detail") if code is not None else None
    detail = (
        _harmless(call, raw) if isinstance(raw, str) else f"the answer has status {answer.status}"
    )
    if code in ITEM_ERRORS:
        return ITEM_ERRORS[code](
            detail, code=code, status=answer.status, request_id=call.request_id
        )
    return service_error(answer.status, code)(
        detail,
        code=code,
        status=answer.status,
        request_id=call.request_id,
        retry_after=_seconds(answer.headers.get("retry-after")),
    )


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and re.fullmatch(r"[0-9]{1,9}", text) else None


def _single_reader(operation: Operation[T]) -> Callable[[Call[Any], Answer], T]:
    def read(call: Call[Any], answer: Answer) -> T:
        content = _json(answer)
        raw = content.get(operation.gets[0]) if isinstance(content, dict) else None
        result = operation.read(raw)
        if result is None:
            raise call.unexpected("the answer is not one of Jeton's", answer.status)
        return result

    return read


def _batch_reader(
    operation: Operation[T], size: int, offset: int
) -> Callable[[Call[Any], Answer], Items[T]]:
    def read(call: Call[Any], answer: Answer) -> Items[T]:
        content = _json(answer)
        raw = content.get(operation.gets[1]) if isinstance(content, dict) else None
        if not isinstance(raw, list) or len(raw) != size:
            raise call.unexpected("the answer has not as many items as were sent", answer.status)
        failed = _item_errors(call, content.get("errors"), offset)
        results: list[T | ItemError] = []
        for index, item in enumerate(raw):
            result = failed.get(index) if item is None else operation.read(item)
            if result is None:
                raise call.unexpected("an item has neither result nor error", answer.status)
            results.append(result)
        return Items(results, call.request_id, answer.headers.get("jeton-receipt"))

    return read


def _item_errors(call: Call[Any], raw: object, offset: int) -> dict[int, ItemError]:
    """The well-formed entries of `errors`, by index."""
    found: dict[int, ItemError] = {}
    for entry in raw if isinstance(raw, list) else []:
        match entry:
            case {"index": int(index), "code": str(code), "detail": str(detail)}:
                kind = ITEM_ERRORS.get(code, ItemError)
                found[index] = kind(
                    _harmless(call, detail),
                    index=offset + index,
                    code=code if _CODE.fullmatch(code) else None,
                    request_id=call.request_id,
                )
    return found


def _harmless(call: Call[Any], detail: str) -> str:
    """`detail`, unless it repeats what was sent: a service never does, a stranger might."""
    words = _WORD_WITH_DIGIT.findall(detail)
    if len(detail) > LONGEST_DETAIL or any(word.encode() in (call.body or b"") for word in words):
        return "the answer's words are withheld: they repeat what was sent"
    return detail


def _read_transformations(call: Call[Any], answer: Answer) -> list[Transformation]:
    content = _json(answer)
    listed = content.get("transformations") if isinstance(content, dict) else None
    if not isinstance(listed, list):
        raise call.unexpected("the answer is not one of Jeton's", answer.status)
    try:
        return [
            Transformation(
                name=str(entry["name"]),
                format=str(entry["format"]),
                method=str(entry["method"]),
                context=str(entry["context"]),
                operations=tuple(map(str, entry["operations"])),
                purposes=tuple(map(str, entry["purposes"])),
                token_recognisable=bool(entry["token_recognisable"]),
            )
            for entry in listed
        ]
    except (KeyError, TypeError):
        pass
    raise call.unexpected("a transformation lacks what the contract says", answer.status)
