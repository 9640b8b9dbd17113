"""FF1 of other libraries and ours, each in the form that it takes: AES-256, radix 10, 15 digits.

An engine is used only if it gives the answer that all implementations of the standard give. What
is not installed is no error here: each library is imported where its engine is made.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np

from benchmarks.peers.bouncy_castle import BouncyCastle
from benchmarks.population import nirs
from vault.crypto.ff1 import FF1
from vault.crypto.ff1_columns import Ints

KEY = bytes.fromhex("2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F7F036D6F04FC6A94")
"""That of NIST's samples with AES-256."""
TWEAK = bytes.fromhex("0102030405060708")
VALUE, ANSWER = "295109912611193", "387447163442986"
DIGITS = len(VALUE)
BATCH = 4_096
VALUES = [nir for nir in nirs(BATCH * 2, seed=17) if nir.isdecimal()][:BATCH]
OURS = "Jeton"


class Unusable(Exception):
    """The engine cannot be compared; the words say why."""


@dataclass(frozen=True)
class Engine:
    """`seal` one value as text; `seconds` that so many values take in the form it likes best."""

    name: str
    version: str
    compiled: bool
    seal: Callable[[str], str]
    seconds: Callable[[int], float]


Found = tuple[list[Engine], dict[str, str]]
"""Engines to compare, and of the others the name and why not."""


def engines(stack: ExitStack) -> Found:
    """Those that are installed and give the known answer; `stack` ends what they start."""
    makers: dict[str, Callable[[], Engine]] = {
        f"{OURS}, vector": vector,
        f"{OURS}, vector, from text to text": texts,
        f"{OURS}, scalar": scalar,
        "fastfpe": fastfpe,
        "Bouncy Castle": partial(bouncy_castle, stack),
        "libffx": libffx,
        "dealcode": dealcode,
        "ubiq-security-fpe": ubiq,
    }
    found: list[Engine] = []
    missing: dict[str, str] = {}
    for name, make in makers.items():
        try:
            found.append(checked(make()))
        except (ImportError, OSError, Unusable) as why:
            missing[name] = str(why)
    return found, missing


def checked(engine: Engine) -> Engine:
    """The engine itself. Raises Unusable if it is no FF1."""
    if engine.seal(VALUE) != ANSWER:
        raise Unusable("gives another answer than FF1 of NIST SP 800-38G")
    return engine


def timed(seal: Callable[[Any], object], values: Sequence[Any], count: int) -> float:
    """Seconds for `count` of these values, over and over."""
    start = time.perf_counter()
    for at in range(0, count, len(values)):
        for value in values[: count - at]:
            seal(value)
    return time.perf_counter() - start


def by_batches(work: Callable[[], object]) -> Callable[[int], float]:
    """The seconds of an engine that takes 4,096 values at a time."""

    def seconds(count: int) -> float:
        batches = -(-count // BATCH)
        start = time.perf_counter()
        for _ in range(batches):
            work()
        return (time.perf_counter() - start) * count / (batches * BATCH)

    return seconds


def vector() -> Engine:
    """Of integers."""
    seal = partial(FF1(KEY, 10).encrypt_ints, length=DIGITS, tweaks=TWEAK)

    def column(values: list[str]) -> Ints:
        return np.array([int(value) for value in values], np.uint64)

    def one(value: str) -> str:
        return str(seal(column([value] * BATCH))[-1])

    take = by_batches(partial(seal, column(VALUES)))
    return Engine(f"{OURS}, vector", version("jeton"), False, one, take)


def texts() -> Engine:
    """Of a list of strings to a list of strings."""
    ff1 = FF1(KEY, 10)

    def seal(values: list[str]) -> list[str]:
        cells = np.frombuffer("".join(values).encode(), np.uint8).reshape(-1, DIGITS) - ord("0")
        sealed = ff1.encrypt_many(cells, TWEAK).astype(np.uint8) + ord("0")
        text = sealed.tobytes().decode()
        return [text[at : at + DIGITS] for at in range(0, len(text), DIGITS)]

    name = f"{OURS}, vector, from text to text"
    take = by_batches(partial(seal, VALUES))
    return Engine(name, version("jeton"), False, lambda value: seal([value] * BATCH)[-1], take)


def scalar() -> Engine:
    seal = partial(FF1(KEY, 10).encrypt_int, length=DIGITS, tweak=TWEAK)
    take = partial(timed, seal, [int(value) for value in VALUES])
    name = f"{OURS}, scalar"
    return Engine(name, version("jeton"), False, lambda value: str(seal(int(value))), take)


def fastfpe() -> Engine:
    from fastfpe import ff1  # noqa: PLC0415

    key, tweak = KEY.hex(), TWEAK.hex()

    def seal(value: str) -> str:
        sealed: str = ff1.encrypt(key, tweak, "0123456789", value)
        return sealed

    return Engine("fastfpe", version("fastfpe"), True, seal, partial(timed, seal, VALUES))


def libffx() -> Engine:
    from ffx import FF1 as Theirs  # noqa: N811, PLC0415

    seal = partial(Theirs(KEY, radix=10).encrypt, tweak=TWEAK)
    return Engine("libffx", version("libffx"), False, seal, partial(timed, seal, VALUES))


def dealcode() -> Engine:
    from dealcode import FF1 as Theirs  # noqa: N811, PLC0415

    seal = partial(Theirs(KEY, 10).encrypt, TWEAK)
    take = partial(timed, seal, [[int(digit) for digit in value] for value in VALUES])

    def text(value: str) -> str:
        return "".join(map(str, seal([int(digit) for digit in value])))

    return Engine("dealcode", version("dealcode"), False, text, take)


def ubiq() -> Engine:
    from ubiq_security_fpe.ff1 import Context  # noqa: PLC0415

    seal = Context(KEY, TWEAK, 0, 0, 10).Encrypt
    name = "ubiq-security-fpe"
    return Engine(name, version(name), False, seal, partial(timed, seal, VALUES))


def bouncy_castle(stack: ExitStack) -> Engine:
    if (why := BouncyCastle.missing()) is not None:
        raise Unusable(why)
    java = stack.enter_context(BouncyCastle(KEY, TWEAK))

    def seconds(count: int) -> float:
        return java.encrypted(VALUE, count)[1]

    return Engine(
        "Bouncy Castle", java.version, True, lambda value: java.encrypted(value, 1)[0], seconds
    )


def versions() -> dict[str, str]:
    """Of each engine of others the version, or why it is not compared."""
    with ExitStack() as stack:
        found, missing = engines(stack)
    known = {engine.name: engine.version for engine in found if not engine.name.startswith(OURS)}
    return known | {name: f"not compared: {why}" for name, why in missing.items()}
