"""URLs of Redis: what they say, and what is said of those that say nothing good."""

import subprocess
import sys

import pytest

from vault.errors import SetUpError
from vault.store.redis.address import Address, is_redis, parse


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://store", Address("standalone", (("store", 6379),))),
        ("redis://store:7000/", Address("standalone", (("store", 7000),))),
        ("redis://jeton@store/3", Address("standalone", (("store", 6379),), False, "jeton", "", 3)),
        ("rediss://[::1]:7000", Address("standalone", (("::1", 7000),), True)),
        (
            "redis+sentinel://a,b:5000/main",
            Address("sentinel", (("a", 26379), ("b", 5000)), service="main"),
        ),
        (
            "rediss+sentinel://jeton@a/main/2",
            Address("sentinel", (("a", 26379),), True, "jeton", "main", 2),
        ),
        ("redis+cluster://a:1,b:2", Address("cluster", (("a", 1), ("b", 2)))),
    ],
)
def test_what_a_url_says(url: str, address: Address) -> None:
    assert is_redis(url)
    assert parse(url) == address


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("redis:store", "expected redis://"),
        ("redis://", "expected hosts"),
        ("redis://a b", "expected hosts"),
        ("redis://store:0", "expected hosts"),
        ("redis://store:65536", "expected hosts"),
        ("redis://a,b", "redis+sentinel:// or redis+cluster://"),
        ("redis://@store", "expected a user"),
        ("redis://store/main", "the database's number"),
        ("redis://store?db=1", "nothing after it"),
        ("redis+sentinel://a,b", "the name of Sentinel's service"),
        ("redis+sentinel://a/main/x", "the database's number"),
        ("redis+cluster://a/1", "no numbered databases"),
        ("redis+magic://a", "expected redis://"),
    ],
)
def test_what_is_said_of_another(url: str, words: str) -> None:
    assert is_redis(url)
    with pytest.raises(SetUpError, match=words.replace("+", r"\+")):
        parse(url)


def test_a_password_in_a_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(SetUpError, match=r"store\.password") as refused:
        parse("redis://jeton:hunter2@store")
    assert "hunter2" not in str(refused.value)


def test_other_stores_are_not_meant() -> None:
    assert not is_redis("sqlite:redis.db")


def test_nobody_else_needs_redis_py() -> None:
    """It is an extra: who keeps to SQLite need not have it."""
    code = "import sys, vault.app, vault.cli; sys.exit('redis' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
