"""`[store]`: which keys go with which store, said by name before anything starts."""

from pathlib import Path

import pytest

from vault.config import StoreSettings, read
from vault.errors import SetUpError

FOLDER = Path("/etc/jeton")


def store(body: str, **environ: str) -> StoreSettings:
    return read(f"[store]\n{body}\n", FOLDER, environ).store


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ('url = "postgres://db"', "store.url: expected sqlite:PATH, redis://HOST"),
        ('url = "sqlite:"', "store.url: expected sqlite:PATH"),
        ('url = "redis://"', "store.url: expected hosts"),
        ('url = "redis://u:hunter2@h"', "store.url: a password does not belong into a URL"),
        (
            'url = "redis://h"\naccept = ["evictions"]',
            'store.accept[0]: .* did you mean "eviction"',
        ),
        ('url = "redis://h"\naccept = ["zz"]', "store.accept[0]: .* there are eviction, "),
        ('url = "redis://h"\npassword = "hunter2"', "store.password: expected env:NAME or file:"),
        ('url = "redis://u@h"', "store.password: missing: the user in store.url needs it"),
        ('url = "redis://h"\ntls_ca = "ca.pem"', "store.tls_ca: says something of rediss URLs"),
        ('url = "rediss://h"\ntls_key = "k"', "store.tls_certificate: missing: store.tls_key"),
        ('url = "rediss://h"\ntls_certificate = "c"', "store.tls_key: missing: store.tls_cert"),
        (
            'url = "redis://h"\nsentinel_password = "env:A"',
            "store.sentinel_password: says something of redis+sentinel:// URLs only",
        ),
        (
            'url = "redis+sentinel://h/s"\nsentinel_username = "u"',
            "store.sentinel_password: missing",
        ),
        ('accept = ["eviction"]', "store.accept: says something of redis URLs only"),
        ('password = "env:A"', "store.password: says something of redis URLs only"),
        ("timeout = 0", "store.timeout: expected a number above 0"),
        ("replicas = -1", "store.replicas: expected a whole number from 0"),
    ],
)
def test_what_is_said_of_a_mistake(body: str, problem: str) -> None:
    with pytest.raises(
        SetUpError, match=problem.replace("[", r"\[").replace("+", r"\+")
    ) as refused:
        store(body)
    assert "hunter2" not in str(refused.value)


def test_paths_start_beside_the_file() -> None:
    read_ = store(
        'url = "rediss+sentinel://u@h/s"\npassword = "file:password"\n'
        'sentinel_password = "file:/run/other"\ntls_ca = "tls/ca.pem"\n'
        'tls_certificate = "tls/c.pem"\ntls_key = "/run/k.pem"'
    )
    assert read_.password == "file:/etc/jeton/password"
    assert read_.sentinel_password == "file:/run/other"
    assert read_.tls_ca == FOLDER / "tls/ca.pem"
    assert (read_.tls_certificate, read_.tls_key) == (FOLDER / "tls/c.pem", Path("/run/k.pem"))


def test_addresses_paths_and_secrets_come_from_the_environment_too() -> None:
    read_ = store(
        "replicas = 2",
        JETON__STORE__URL="rediss://u@h",
        JETON__STORE__PASSWORD="env:REDIS_PASSWORD",
        JETON__STORE__TLS_CA="ca.pem",
    )
    assert read_ == StoreSettings(
        url="rediss://u@h", replicas=2, password="env:REDIS_PASSWORD", tls_ca=FOLDER / "ca.pem"
    )


def test_what_may_be_lost_does_not_come_from_the_environment() -> None:
    with pytest.raises(SetUpError, match="may not be set"):
        store("", JETON__STORE__ACCEPT="eviction")
