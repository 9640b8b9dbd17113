"""The synchronous client.

`sdk/unasync.py` made this of `async_client.py`: change that one.
"""
# fmt: off
# ruff: noqa: I001, RUF100, UP028

import os
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar, cast

from jeton import raw
from jeton.methods import Methods, RawMethods
from jeton.transport import Transport
from jeton.attempts import Attempts, Got, Wait
from jeton.batches import Texts, batches, iterables, one_batch
from jeton.coalescing import Single
from jeton.errors import JetonError, UsageError
from jeton.protocol import TOKENISE, Call, Operation, Question, header
from jeton.results import Items
from jeton.settings import settings
from jeton.threads import Coalescing

T = TypeVar("T")

OF_THE_TRANSPORT = {
    "authorization",
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "transfer-encoding",
}
"""Headers that no hook sets: they say who asks, and where a request ends."""


class Client(Methods):
    """Calls a Jeton service. Close it, or use it as a context manager; safe to share.

    Where an argument is left out, the environment is asked:

    - `url` (``JETON_URL``): ``http://host:port``, ``https://host:port`` or ``unix:/path``;
      several, parted by commas or spaces, are the addresses of one service in order of
      preference.
    - `credential` (``JETON_CREDENTIAL``), or `credential_file` (``JETON_CREDENTIAL_FILE``),
      which is read again when it changes.
    - `purpose` (``JETON_PURPOSE``): that of every call that states none of its own.
    - `timeout` (``JETON_TIMEOUT``): seconds for a call, all tries and waits included; 10. For
      an iterable, that of each batch.
    - `ca_file`, `client_certificate`, `client_key` (``JETON_CA_FILE``,
      ``JETON_CLIENT_CERTIFICATE``, ``JETON_CLIENT_KEY``): files in PEM; or an `ssl_context`.

    `tries` is how often a call is sent at most. `coalesce` lets single calls in flight at the
    same moment travel as one batch. `headers` is called for each request, in the context of
    its (first) caller, for headers to add, such as ``traceparent``. No proxy is used.
    """

    def __init__(
        self,
        url: str | None = None,
        credential: str | None = None,
        *,
        credential_file: str | os.PathLike[str] | None = None,
        purpose: str | None = None,
        timeout: float | None = None,
        tries: int = 5,
        coalesce: bool = True,
        ca_file: str | os.PathLike[str] | None = None,
        client_certificate: str | os.PathLike[str] | None = None,
        client_key: str | os.PathLike[str] | None = None,
        ssl_context: ssl.SSLContext | None = None,
        headers: Callable[[], Mapping[str, str]] | None = None,
    ) -> None:
        self._settings = settings(
            url,
            credential,
            credential_file=credential_file,
            purpose=purpose,
            timeout=timeout,
            tries=tries,
            coalesce=coalesce,
            ca_file=ca_file,
            client_certificate=client_certificate,
            client_key=client_key,
            ssl_context=ssl_context,
        )
        self._headers = headers
        self._running = self._start()
        self._before_forks: list[_Running] = []
        self._closed = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._settings.shown})"

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        if not self._closed:
            running = self._here()
            self._closed = True
            running.coalescing.close()
            running.transport.close()

    @property
    def purpose(self) -> str | None:
        """That of every call but `tokenise` that states none of its own."""
        return self._settings.purpose

    @property
    def with_raw_response(self) -> RawMethods:
        """The same methods, whose results come with the HTTP answer's status and headers."""
        return RawMethods(self)

    def send(self, call: Call[T]) -> T:
        return self._send_by(call, self._deadline())

    def _ask(
        self,
        operation: Operation[Any],
        transformation: str,
        given: Sequence[Texts],
        context: Texts | None,
        purpose: str | None,
        on_behalf_of: str | None,
    ) -> Any:
        if purpose is None and operation is not TOKENISE:
            purpose = self.purpose
        question = Question(operation, transformation, purpose, on_behalf_of)
        texts = cast("Sequence[Any]", given)
        if isinstance(given[0], str):
            return self._one(question, Single(texts, cast("str | None", context)))
        columns = (*given, "" if context is None else context)
        iterables(columns)
        if all(isinstance(column, Sequence) for column in columns):
            return self._list(question, texts, cast("Sequence[str] | None", context))
        return self._stream(question, given, context)

    def _one(self, question: Question[T], single: Single) -> T:
        running = self._here()
        if self._settings.coalesce and raw.KEPT.get() is None:
            return running.coalescing.ask(question, single, self._deadline())
        return self.send(question.single(single.given, single.context))

    def _list(
        self,
        question: Question[T],
        given: Sequence[Sequence[str]],
        context: Sequence[str] | None,
    ) -> Items[T]:
        deadline = self._deadline()
        if one_batch(given, context):
            return self._send_by(question.batch(given, context), deadline)
        parts: list[Items[T]] = []
        try:
            for batch in batches(given, context):
                call = question.batch(batch.given, batch.context, batch.offset)
                parts.append(self._send_by(call, deadline))
        except JetonError as error:
            error.answered = Items.joined(parts) if parts else None
            raise
        return Items.joined(parts)

    def _stream(
        self, question: Question[T], given: Sequence[Texts], context: Texts | None
    ) -> Iterator[Any]:
        for batch in batches(given, context):
            call = question.batch(batch.given, batch.context, batch.offset)
            for result in self.send(call):
                yield result

    def _send_by(self, call: Call[T], deadline: float) -> T:
        """The result of a call: does what `Attempts` says, and tells it what came of it."""
        running = self._here()
        headers = self._added(call)
        steps = running.attempts.of(call, deadline)
        got: Got = None
        try:
            while True:
                step = steps.send(got)
                if isinstance(step, Wait):
                    time.sleep(step.seconds)
                    got = None
                    continue
                if self._closed:
                    raise call.unexpected("the client was closed while the call was on its way")
                if bearer := self._settings.credential.header():
                    headers["Authorization"] = bearer
                got = running.transport.exchange(call, step, headers)
                raw.keep(got)
        except StopIteration as done:
            result: T = done.value
        return result

    def _added(self, call: Call[Any]) -> dict[str, str]:
        """The call's headers, and those that the hook adds; they replace none."""
        if self._headers is None:
            return dict(call.headers)
        added = dict(self._headers())
        for name, value in added.items():
            header(name, value)
        own = {name.lower() for name in call.headers} | OF_THE_TRANSPORT
        kept = {name: value for name, value in added.items() if name.lower() not in own}
        return {**call.headers, **kept}

    def _deadline(self) -> float:
        return time.monotonic() + self._settings.timeout

    def _start(self) -> "_Running":
        return _Running(
            os.getpid(),
            Attempts(self._settings.endpoints, self._settings.tries),
            Transport(self._settings.tls),
            Coalescing(self._send_by),
        )

    def _here(self) -> "_Running":
        """What runs in this process: after a fork, connections and locks are the parent's."""
        if self._closed:
            raise UsageError("the client is closed")
        if self._running.process != os.getpid():
            self._before_forks.append(self._running)
            self._running = self._start()
        return self._running


@dataclass(frozen=True, slots=True)
class _Running:
    process: int
    attempts: Attempts
    transport: Transport
    coalescing: Coalescing
