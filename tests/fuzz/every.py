"""All harnesses as one, so that a short run starts one process: the first byte says which."""

from tests.fuzz import NAMES, harness

MOST = 15
HARNESSES = [harness(name) for name in NAMES]


def run(data: bytes) -> None:
    if data:
        HARNESSES[data[0] % len(HARNESSES)].run(data[1:])


def seeds() -> list[bytes]:
    """The kept corpora; a few of them, so that most of a short run goes to what is new."""
    return [
        bytes([number]) + path.read_bytes()
        for number, one in enumerate(HARNESSES)
        for path in one.corpus[:: max(1, len(one.corpus) // MOST)]
    ]
