"""Users of the service, each through HTTP and through the Python client.

    export JETON_URL=http://127.0.0.1:8200
    export JETON_CREDENTIAL=...         # granted tokenise:fr-nir
    export JETON_REVEAL_CREDENTIAL=...  # granted detokenise:fr-nir for JETON_PURPOSE
    locust -f benchmarks/locust/locustfile.py --headless --users 64 --spawn-rate 64 -t 30s Claims

The names at the end choose among them; without, all are there in equal parts. Limits apply to
load as to anybody: give the two clients what the run will spend. `python -m
benchmarks.locust.short` does all of this against a service of its own. `--arrivals` is calls a
second of each user; shapes.py has loads that change; thresholds.py ends a run with exit code 1.
"""

import random
from argparse import ArgumentParser
from itertools import accumulate

from locust import events, task

import benchmarks.locust.thresholds  # noqa: F401 (adds its options and listens)
from benchmarks.locust.callers import BATCH, PEOPLE, Caller, OverHttp, OverSdk, token

ZIPF = list(accumulate(1 / rank for rank in range(1, len(PEOPLE) + 1)))
"""Few people have many claims: the n-th most frequent has a n-th of those of the first."""


def add_options(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--arrivals",
        type=float,
        default=0.0,
        help="calls a second that each user is due to make, however late the answers are",
    )


events.init_command_line_parser.add_listener(add_options)  # type: ignore[no-untyped-call]


def anybody() -> int:
    return random.randrange(len(PEOPLE))


def somebody_with_a_claim() -> int:
    return random.choices(range(len(PEOPLE)), cum_weights=ZIPF)[0]


class _Single(Caller):
    abstract = True

    @task
    def one(self) -> None:
        self.tokenise(PEOPLE[anybody()])


class _Reveal(Caller):
    abstract = True
    reveals = True

    @task
    def one(self) -> None:
        self.detokenise(token(anybody()))


class _Batches(Caller):
    abstract = True

    @task
    def many(self) -> None:
        first = random.randrange(0, len(PEOPLE), BATCH)
        self.tokenise_batch(PEOPLE[first : first + BATCH])


class _Processor(Caller):
    """Claims come in, and some of them are paid: 95 % tokenise, 5 % reveal, a few people have
    many. `--shape day` of shapes.py gives it the peaks of a day."""

    abstract = True
    reveals = True

    @task(95)
    def take_in(self) -> None:
        self.tokenise(PEOPLE[somebody_with_a_claim()])

    @task(5)
    def pay(self) -> None:
        self.detokenise(token(somebody_with_a_claim()))


class Tokenise(_Single, OverHttp):
    """Values become tokens, one by one."""


class Detokenise(_Reveal, OverHttp):
    """Tokens become values, one by one, for a purpose, on the record."""


class Batches(_Batches, OverHttp):
    """Values become tokens, a thousand at a time."""


class Claims(_Processor, OverHttp):
    """A claims processor's mixture."""


class SdkTokenise(_Single, OverSdk):
    """As `Tokenise`, by the Python client."""


class SdkDetokenise(_Reveal, OverSdk):
    """As `Detokenise`, by the Python client."""


class SdkBatches(_Batches, OverSdk):
    """As `Batches`, by the Python client."""


class SdkClaims(_Processor, OverSdk):
    """As `Claims`, by the Python client."""
