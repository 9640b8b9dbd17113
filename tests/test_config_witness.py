"""`[audit.witness]`: what it needs, and what is said of a mistake."""

from pathlib import Path

import pytest

from vault.config import Witness, read
from vault.errors import SetUpError

FOLDER = Path("/etc/jeton")
SAID = {"url": '"https://w:8300"', "key": '"w.pem"', "credential": '"env:W"'}


def witness(**changed: str) -> Witness | None:
    lines = "".join(f"{key} = {text}\n" for key, text in (SAID | changed).items() if text)
    return read(f"[audit.witness]\n{lines}", FOLDER, {}).audit.witness


def test_none_is_asked_as_shipped() -> None:
    assert read("", FOLDER, {}).audit.witness is None


def test_paths_start_beside_the_file() -> None:
    one = witness(credential='"file:w.credential"', tls_ca='"ca.pem"', required_within="60")
    assert one is not None
    assert (one.key, one.credential) == (FOLDER / "w.pem", f"file:{FOLDER}/w.credential")
    assert (one.tls_ca, one.required_within) == (FOLDER / "ca.pem", 60.0)


@pytest.mark.parametrize(
    "url",
    ["https://w", "https://[::1]:8300/", "http://127.0.0.1:8300", "http://localhost", "unix:/s"],
)
def test_addresses(url: str) -> None:
    assert witness(url=f'"{url}"') is not None


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"url": ""}, "audit.witness.url: missing"),
        ({"key": ""}, "audit.witness.key: missing"),
        ({"credential": ""}, "audit.witness.credential: missing"),
        ({"url": '"http://w:8300"'}, "audit.witness.url: expected https://"),
        ({"url": '"https://u:p@w"'}, "audit.witness.url: expected https://"),
        ({"url": '"https://w/path"'}, "audit.witness.url: expected https://"),
        ({"url": '"https://w:99999"'}, "audit.witness.url: expected https://"),
        ({"url": '"unix:s"'}, "audit.witness.url: expected https://"),
        ({"credential": '"hunter2"'}, "audit.witness.credential: expected env:NAME or file:PATH"),
        ({"name": '"A b"'}, "audit.witness.name: expected 1 to 63"),
        ({"required_within": "0"}, "audit.witness.required_within: expected"),
    ],
)
def test_what_is_said_of_a_mistake(changed: dict[str, str], problem: str) -> None:
    with pytest.raises(SetUpError, match=problem) as caught:
        witness(**changed)
    assert "hunter2" not in str(caught.value)
