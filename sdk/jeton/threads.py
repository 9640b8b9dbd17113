"""Coalescing for threads: who opens a batch leads it, and sends it for the others.

There is no clerk in the background. Whoever leaves takes nobody along: a leader that is
interrupted hands the batch, request id and all, to the next.
"""

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from jeton.coalescing import (
    ALONE,
    COMPANY_SECONDS,
    MOST_CALLS,
    Outcome,
    Single,
    outcomes,
    refused,
    together,
)
from jeton.errors import JetonError, NoAnswer
from jeton.protocol import Call, Question
from jeton.results import Items

T = TypeVar("T")

GRACE_SECONDS = 0.05
"""How much longer than its own deadline a caller waits for its leader, whose deadline comes no
later, to hand out what it got."""


def _held() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass(slots=True, eq=False)
class _Caller:
    """A thread in a batch. `woken` is released when it has an outcome, or has to lead."""

    single: Single = field(repr=False)
    leads: bool
    gone: bool = False
    outcome: Outcome = field(default=None, repr=False)
    woken: threading.Lock = field(default_factory=_held)

    def wake(self) -> None:
        """Whoever hands out may have been interrupted before or after: twice does no harm."""
        if self.woken.locked():
            self.woken.release()


@dataclass(slots=True, eq=False)
class _Group:
    """A batch that waits for company, and then, with its call, is on its way."""

    key: Hashable
    callers: list[_Caller] = field(default_factory=list)
    departs: threading.Lock = field(default_factory=_held)
    call: Call[Items[Any]] | None = None

    def go(self) -> None:
        """Nobody else is waited for. Under the lock: it may have been said already."""
        if self.departs.locked():
            self.departs.release()


class Coalescing:
    """Brings the calls of threads together. `send` sends a call by a deadline."""

    def __init__(self, send: Callable[[Call[Any], float], Any]) -> None:
        self._send = send
        self._lock = threading.Lock()
        self._open: dict[Hashable, _Group] = {}
        self._flying: dict[Hashable, int] = {}

    def ask(self, question: Question[T], single: Single, deadline: float) -> T:
        """The result of one call, which may travel with others; raises as it would alone."""
        key = single.key(question)
        if key is None:
            return self._alone(question, single, deadline)
        with self._lock:
            if key not in self._open and not self._flying.get(key):
                self._flying[key] = 1
                joined = None
            else:
                joined = self._join(key, single)
        if joined is None:
            try:
                return self._alone(question, single, deadline)
            finally:
                self._landed(key)
        outcome = self._travel(*joined, question, deadline)
        if outcome is ALONE:
            return self._alone(question, single, deadline)
        if isinstance(outcome, JetonError):
            raise outcome
        return cast("T", outcome)

    def close(self) -> None:
        """Nothing to end: all threads are the callers' own."""

    def _alone(self, question: Question[T], single: Single, deadline: float) -> T:
        result: T = self._send(question.single(single.given, single.context), deadline)
        return result

    def _join(self, key: Hashable, single: Single) -> tuple[_Group, _Caller]:
        """A place in the batch that is open, or in a new one. Under the lock."""
        group = self._open.setdefault(key, _Group(key))
        caller = _Caller(single, leads=not group.callers)
        group.callers.append(caller)
        if len(group.callers) == MOST_CALLS:
            del self._open[key]
            group.go()
        return group, caller

    def _travel(
        self, group: _Group, caller: _Caller, question: Question[Any], deadline: float
    ) -> Outcome:
        """What comes of the batch for one of its callers, who leads it or is led."""
        try:
            if not caller.leads:
                patience = max(deadline - time.monotonic(), 0.0) + GRACE_SECONDS
                if not caller.woken.acquire(timeout=patience):
                    self._leave(group, caller)
                    return NoAnswer("the batch that this call travelled in did not come back")
            if caller.leads:
                self._lead(group, question, deadline)
        except BaseException:
            self._leave(group, caller)
            raise
        return caller.outcome

    def _lead(self, group: _Group, question: Question[Any], deadline: float) -> None:
        if group.call is None:
            group.departs.acquire(timeout=COMPANY_SECONDS)
            self._depart(group, question)
        assert group.call is not None
        try:
            got = outcomes(self._send(group.call, deadline))
        except JetonError as error:
            got = refused(error, len(group.callers))
        for one, outcome in zip(group.callers, got, strict=True):
            one.outcome = outcome
            one.wake()
        self._landed(group.key)

    def _depart(self, group: _Group, question: Question[Any]) -> None:
        """From now on nobody joins."""
        with self._lock:
            if self._open.get(group.key) is group:
                del self._open[group.key]
            group.callers = [one for one in group.callers if not one.gone]
        call = together(question, [one.single for one in group.callers])
        with self._lock:
            self._flying[group.key] = self._flying.get(group.key, 0) + 1
            group.call = call

    def _landed(self, key: Hashable) -> None:
        with self._lock:
            self._flying[key] -= 1
            if not self._flying[key]:
                del self._flying[key]
            waiting = self._open.get(key)
            if waiting is not None:
                waiting.go()

    def _leave(self, group: _Group, caller: _Caller) -> None:
        """This caller is interrupted; if it led, the next one leads."""
        with self._lock:
            caller.gone = True
            if not caller.leads:
                return
            for one in group.callers:
                if one.gone:
                    continue
                one.leads = one.outcome is None
                one.wake()
                if one.leads:
                    return
            if self._open.get(group.key) is group:
                del self._open[group.key]
        if group.call is not None:
            self._landed(group.key)
