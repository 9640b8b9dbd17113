"""What Jeton's promises rest on, looked at on every new connection before anything is sent."""

import json
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from redis.exceptions import NoPermissionError, ResponseError

from vault.errors import SetUpError
from vault.store.redis.address import Kind
from vault.store.redis.replies import code_of, command_of
from vault.store.redis.weaknesses import WEAKNESSES, Found, Weakness
from vault.store.redis.wire import Wire

OLDEST = (7, 0)
SETTINGS = (
    "appendonly", "appendfsync", "maxmemory-policy", "min-replicas-to-write",
    "min-replicas-max-lag",
)  # fmt: skip

GUARD_KEY = "{jeton}:check"
TOKEN_KEY = "jt{0}check"  # noqa: S105 - a key of Redis
NEEDED = (
    *(("wait", "1", "1"), ("evalsha", "0" * 40, "0"), ("script", "load", ""), ("time",)),
    *((verb, GUARD_KEY, "1") for verb in ("get", "incrby", "hget", "hdel", "hmget", "zscore")),
    *((verb, GUARD_KEY) for verb in ("del", "exists", "hgetall", "hlen", "zcard", "pttl")),
    *((verb, GUARD_KEY, "1", "1") for verb in ("hset", "hincrby", "zadd", "zremrangebyscore")),
    ("set", GUARD_KEY, "1", "px", "1"),
    *(("pexpireat", GUARD_KEY, "1"), ("expireat", GUARD_KEY, "1"), ("pexpire", GUARD_KEY, "1")),
    *((verb, GUARD_KEY, "0", "1") for verb in ("zrange", "zrangebyscore")),
    *((verb, TOKEN_KEY, "1") for verb in ("hget", "hdel", "hmget", "hscan", "hexists")),
    *((verb, TOKEN_KEY) for verb in ("get", "del", "hlen", "hkeys", "exists")),
    ("hset", TOKEN_KEY, "1", "1"),
)
"""What the ACL user must be allowed, as commands that are judged and never run."""

_ASK_RIGHTS = """
local missing = {}
for _, line in ipairs(ARGV) do
  local words = cjson.decode(line)
  if not redis.acl_check_cmd(unpack(words)) then missing[#missing + 1] = words[1] end
end
return missing
"""


class Unsound(SetUpError):
    """The server is there and not fit to be used. `passing`: waiting may help."""

    def __init__(self, words: str, passing: bool = False) -> None:
        super().__init__(words)
        self.passing = passing


class Checks:
    """`weak` is told of every weakness that is there and accepted."""

    def __init__(
        self, kind: Kind, replicas: int, accept: Collection[str], weak: Callable[[Weakness], None]
    ) -> None:
        self._kind = kind
        self._fails_over = kind != "standalone"
        self._replicas = replicas
        self._accept = frozenset(accept)
        self._weak = weak

    async def look(self, wire: Wire) -> None:
        """Raises Unsound, whose words say what would be lost and how to mend it; Broken."""
        commands: list[tuple[str, ...]] = [
            ("INFO", "server"),
            ("INFO", "replication"),
            ("CONFIG", "GET", *SETTINGS),
            ("EVAL", _ASK_RIGHTS, "0", *(json.dumps(words) for words in NEEDED)),
        ]
        if self._kind == "cluster":
            commands.append(("CLUSTER", "INFO"))
        server, replication, config, missing, *cluster = await wire.exchange(commands)
        self._rights(server, replication, missing, *cluster)
        self._version(facts_of(server))
        role = facts_of(replication)
        if role.get("role") != "master":
            raise Unsound("the server is a replica, not a primary: nothing can be kept there", True)
        connected = _connected(role)
        self._weaknesses(_settings(config), connected)
        self._enough(connected)
        if cluster and facts_of(cluster[0]).get("cluster_state") != "ok":
            raise Unsound("the cluster is down: some of its slots have no primary", True)

    def _rights(self, *replies: Any) -> None:
        missing = set[str]()
        for reply in replies:
            if isinstance(reply, NoPermissionError):
                missing.add(command_of(reply))
            elif isinstance(reply, ResponseError):
                raise Unsound(f"the server answers a check with an error ({code_of(reply)})")
            elif isinstance(reply, list):
                missing.update(word.decode() for word in reply)
        if missing:
            raise Unsound(
                "the ACL user may not run what Jeton needs, or not on its keys ({jeton}* and "
                f"jt*): {', '.join(sorted(missing))}"
            )

    def _version(self, facts: Mapping[str, str]) -> None:
        version = tuple(int(part) for part in facts.get("redis_version", "0.0").split(".")[:2])
        if version < OLDEST:
            raise Unsound("the server is older than Redis 7.0: what a script does is not the same")
        if (facts.get("redis_mode") == "cluster") != (self._kind == "cluster"):
            here, there = "of a cluster", "redis+cluster://"
            if self._kind == "cluster":
                here, there = "not of a cluster", "redis:// or redis+sentinel://"
            raise Unsound(f"the server is {here}: store.url must be {there}")

    def _weaknesses(self, config: Mapping[str, str], connected: int) -> None:
        refused = []
        found = Found(config, self._replicas, self._fails_over or connected > 0)
        for weakness in WEAKNESSES:
            if weakness.there(found):
                if weakness.name in self._accept:
                    self._weak(weakness)
                else:
                    refused.append(weakness)
        if refused:
            raise Unsound(
                "the server's settings do not hold what Jeton promises: "
                + ", ".join(one.name for one in refused)
                + "\n"
                + "\n".join(f"  {one.words}" for one in refused)
                + "\n  To go on all the same, name them in store.accept"
            )

    def _enough(self, connected: int) -> None:
        if connected < self._replicas:
            raise Unsound(
                f"{connected} replicas are connected and store.replicas asks for {self._replicas}: "
                "a write would be on too few servers to survive a failover (a single server "
                "without any: store.replicas = 0)",
                True,
            )


def _connected(facts: Mapping[str, str]) -> int:
    return sum(
        "state=online" in text for name, text in facts.items() if re.match("slave[0-9]", name)
    )


def facts_of(reply: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in reply.decode().splitlines())
    return {name: text for name, colon, text in lines if colon}


def _settings(reply: Any) -> dict[str, str]:
    """Empty where the server does not tell: renamed commands of managed services, ACL rules."""
    if isinstance(reply, ResponseError):
        return {}
    texts = [part.decode() for part in reply]
    return dict(zip(texts[::2], texts[1::2], strict=True))
