"""What lies behind `with_raw_response`: a call's answers are kept for who asks for them."""

import contextvars
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from jeton.errors import UsageError
from jeton.protocol import Answer
from jeton.results import RawResponse

T = TypeVar("T")

KEPT: contextvars.ContextVar[list[Answer] | None] = contextvars.ContextVar("kept", default=None)
"""Where answers are put; None: nobody asks. A call that is asked for travels alone."""


@contextmanager
def keeping() -> Iterator[list[Answer]]:
    answers: list[Answer] = []
    token = KEPT.set(answers)
    try:
        yield answers
    finally:
        KEPT.reset(token)


def keep(answer: Any) -> None:
    answers = KEPT.get()
    if answers is not None and isinstance(answer, Answer):
        answers.append(answer)


def response(result: T, answers: list[Answer]) -> RawResponse[T]:
    if not answers:
        raise UsageError("an iterable's results have no one response: pass a list")
    return RawResponse(answers[-1].status, answers[-1].headers, result)
