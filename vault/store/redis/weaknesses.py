"""What a Redis server's settings can lose, and how to mend them: the table that `checks` uses.

A weakness that is there stops the service, unless `store.accept` names it: then the log says
what would be lost, in the same words.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

MAX_LAG = 10
"""Seconds: Redis's own default, and what a cut-off primary may at most go on for."""


@dataclass(frozen=True, slots=True)
class Found:
    """What is judged."""

    config: Mapping[str, str]
    """Of `CONFIG GET`; empty where the server does not tell."""
    replicas: int
    """How many a write waits for."""
    fails_over: bool
    """Whether another server may take over: Sentinel, Cluster, and whatever looks after replicas
    that are connected to a server which the URL calls the only one."""


@dataclass(frozen=True, slots=True)
class Weakness:
    name: str
    there: Callable[[Found], bool]
    loses: str
    mend: str

    @property
    def words(self) -> str:
        return f"{self.name}: {self.loses}. Mend it with {self.mend}"


def _says(key: str, wrong: str) -> Callable[[Found], bool]:
    return lambda found: found.config.get(key) == wrong


def _evicts(found: Found) -> bool:
    return found.config.get("maxmemory-policy", "noeviction") != "noeviction"


def _alone(found: Found) -> bool:
    return found.replicas == 0 and found.config.get("appendfsync") == "everysec"


def _too_few(found: Found) -> bool:
    needed = max(found.replicas, int(found.fails_over))
    return bool(found.config) and int(found.config["min-replicas-to-write"]) < needed


def _too_slow(found: Found) -> bool:
    if not found.config or found.replicas == 0:
        return False
    return not 0 < int(found.config["min-replicas-max-lag"]) <= MAX_LAG


WEAKNESSES = (
    Weakness(
        "unchecked",
        lambda found: not found.config,
        "the server does not tell its settings, so any of the others may be there unseen: "
        "acknowledged tokens, charges and locks may be lost at a restart, a failover or when its "
        "memory is full",
        "the right to run `config|get` for the ACL user",
    ),
    Weakness(
        "no-append-only",
        _says("appendonly", "no"),
        "a restart of the server forgets all tokens, charges and locks since its last snapshot, "
        "acknowledged ones too; tokens of that time never open again",
        "`appendonly yes`",
    ),
    Weakness(
        "fsync-no",
        _says("appendfsync", "no"),
        "a power cut forgets the tokens, charges and locks that the system had not yet written, "
        "usually of half a minute, acknowledged ones too",
        "`appendfsync always`, or `everysec` where replicas hold each write",
    ),
    Weakness(
        "fsync-everysec",
        _alone,
        "a power cut forgets up to two seconds of tokens, charges and locks, acknowledged ones "
        "too: there is no replica that would still have them",
        "`appendfsync always`, or replicas and store.replicas",
    ),
    Weakness(
        "eviction",
        _evicts,
        "a server whose memory is full throws entries away: tokens that never open again, charges "
        "that no longer count, locks that no longer hold",
        "`maxmemory-policy noeviction`",
    ),
    Weakness(
        "no-replicas",
        lambda found: found.fails_over and found.replicas == 0,
        "a failover forgets the tokens, charges and locks that had not yet reached the new "
        "primary, acknowledged ones too",
        "store.replicas of at least 1 (for redis:// too, where replicas are connected)",
    ),
    Weakness(
        "no-min-replicas",
        _too_few,
        "a primary that is cut off from its replicas goes on taking writes and showing them to "
        "whoever asks, and the failover forgets them: most of what it took in that time",
        "`min-replicas-to-write` of at least store.replicas, and 1",
    ),
    Weakness(
        "slow-min-replicas",
        _too_slow,
        f"a primary that is cut off goes on taking writes for longer than {MAX_LAG} seconds, and "
        "the failover forgets them",
        f"`min-replicas-max-lag` of 1 to {MAX_LAG}",
    ),
)

NAMES = frozenset(weakness.name for weakness in WEAKNESSES)
"""What `store.accept` may hold."""
