"""What a server's errors mean: carried out or not, and in words that may reach a caller."""

import re

from redis.exceptions import NoPermissionError, ResponseError

TRANSIENT = frozenset({"TRYAGAIN", "CLUSTERDOWN", "READONLY", "NOREPLICAS", "MASTERDOWN"})
"""Answered by a server that did not carry the command out, and may later."""

FEW = "too few replicas hold the write: a failover could lose it, so it does not count"
LOST = "the connection broke: whether the call was carried out is not known"
SILENT = "it does not answer; is it rediss:// on one side only?"
CLOSES = (
    "it closes the connection; is it rediss:// on one side only, or does it ask for a client "
    "certificate (store.tls_certificate)?"
)
LATE = "the store did not answer within store.timeout"

_WORDS = {
    "OOM": "the store's memory is full",
    "MISCONF": "the store cannot write to its disk",
    "BUSY": "the store is busy with a long script",
    "CROSSSLOT": "the keys of one call lie on several nodes",
    "READONLY": "the server is a replica, not a primary",
    "NOREPLICAS": "too few replicas are connected to hold a write",
    "CLUSTERDOWN": "the cluster is down: some of its slots have no primary",
    "MASTERDOWN": "the server has lost its primary",
    "TRYAGAIN": "the keys are on their way to another node",
}


def code_of(error: ResponseError) -> str:
    """The first word of a server's error, which is the only one sure to hold no key."""
    word = error.status_code or str(error).partition(" ")[0]
    return word if re.fullmatch("[A-Z]{2,16}", word) else "ERR"


def command_of(error: NoPermissionError) -> str:
    """The command that the ACL rules do not allow, and nothing else of the error's text."""
    found = re.search(r"the '([a-z|]+)' command", str(error))
    return found[1] if found else "a command on some of its keys"


def words_of(error: ResponseError) -> str:
    if isinstance(error, NoPermissionError):
        return f"the ACL user may not run {command_of(error)}"
    code = code_of(error)
    return _WORDS.get(code, f"the store answers with an error ({code})")
