"""What a client is told, and by whom; files that change under it."""

import os
import ssl
import traceback
from pathlib import Path

import pytest

import jeton
from jeton.endpoints import Endpoint, endpoints
from jeton.settings import Credential, settings
from tests.support.stub import KINDS, client_of, send, serving

CREDENTIAL = "jeton_intake_s3cret_abc"
URL = "http://127.0.0.1:8200"


def test_arguments_win_over_the_environment() -> None:
    environment = {
        "JETON_URL": "http://a:1, http://b:2/gate/",
        "JETON_CREDENTIAL": f"{CREDENTIAL}\n",
        "JETON_PURPOSE": "display",
        "JETON_TIMEOUT": "2.5",
    }
    told = settings(None, None, environment=environment)
    assert told.endpoints == (Endpoint("http", "a", 1), Endpoint("http", "b", 2, "/gate"))
    assert told.credential.header() == f"Bearer {CREDENTIAL}"
    assert (told.purpose, told.timeout, told.tls) == ("display", 2.5, None)
    told = settings(URL, "other", purpose="audit", timeout=1, environment=environment)
    assert told.shown == URL
    assert told.credential.header() == "Bearer other"
    assert (told.purpose, told.timeout) == ("audit", 1.0)
    assert CREDENTIAL not in repr(settings(None, None, environment=environment))


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://jeton.example", Endpoint("https", "jeton.example", 443)),
        ("http://[::1]:8200", Endpoint("http", "::1", 8200)),
        ("unix:/run/jeton.sock", Endpoint("http", "localhost", 80, "", "/run/jeton.sock")),
        ("unix:///run/jeton.sock", Endpoint("http", "localhost", 80, "", "/run/jeton.sock")),
        ("http+unix://%2Frun%2Fj.sock/p", Endpoint("http", "localhost", 80, "/p", "/run/j.sock")),
    ],
)
def test_addresses_are_read(url: str, found: Endpoint) -> None:
    assert endpoints(url) == (found,)
    assert "%2F" not in str(found)


@pytest.mark.parametrize(
    "wrong",
    [
        {"timeout": 0},
        {"timeout": -1},
        {"timeout": 301},
        {"timeout": float("nan")},
        {"environment": {"JETON_TIMEOUT": "soon"}},
        {"tries": 0},
        {"tries": 11},
        {"credential": None, "environment": {}},
        {"credential": CREDENTIAL, "credential_file": "/dev/null"},
        {"credential": None, "credential_file": "/dev/null", "environment": {}},
        {"url": ""},
        {"url": " , "},
        {"url": "http://127.0.0.1:99999"},
        {"url": "http://é"},
        {"url": "http://127.0.0.1/é"},
        {"url": "https://a", "ca_file": "/dev/null"},
        {"url": "https://a", "ca_file": __file__},
        {"url": "https://a", "client_certificate": "/nowhere"},
        {"url": "https://a", "client_key": "/nowhere"},
        {"ssl_context": ssl.create_default_context(), "ca_file": "/dev/null"},
    ],
)
def test_what_cannot_be_right_is_refused_without_a_secret(wrong: dict[str, object]) -> None:
    given = {"url": URL, "credential": CREDENTIAL, "environment": {}} | wrong
    with pytest.raises(jeton.UsageError) as caught:
        settings(**given)  # type: ignore[arg-type]
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_credential_file_is_read_again_when_it_changes(kind: str, tmp_path: Path) -> None:
    """As Kubernetes does it: what is behind a symbolic link is swapped."""
    for version in ("one", "two"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "credential").write_text(f"secret-{version}\n")
    link = tmp_path / "data"
    link.symlink_to(tmp_path / "one")
    path = link / "credential"
    with (
        serving(send({"token": "9"})) as stub,
        client_of(kind, stub.url, credential_file=path) as client,
    ):
        client.tokenise("fr-nir", "1")
        (tmp_path / "new").symlink_to(tmp_path / "two")
        (tmp_path / "new").replace(link)
        client.tokenise("fr-nir", "1")
        path.unlink()  # for a moment there is none
        client.tokenise("fr-nir", "1")
        path.write_text("")
        client.tokenise("fr-nir", "1")
    sent = [headers["Authorization"] for _, headers, _ in stub.requests]
    assert sent == ["Bearer secret-one", *["Bearer secret-two"] * 3]


def test_a_file_of_the_same_size_and_time_but_another_inode_is_read(tmp_path: Path) -> None:
    path = tmp_path / "credential"
    path.write_text("aaaa")
    times = (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    credential = Credential(None, path)
    other = tmp_path / "other"
    other.write_text("bbbb")
    os.utime(other, ns=times)
    other.replace(path)
    assert credential.header() == "Bearer bbbb"
