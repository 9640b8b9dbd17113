"""`jeton proxy`: what is refused before anything is served, and `jeton proxy test`."""

import pytest

from tests.cli.conftest import Jeton

NIR = "284057512345672"
SECTION = """
[proxy.listeners.main]
port = 8300
[proxy.upstreams.main]
urls = ["http://127.0.0.1:8400"]
[proxy.routes.people]
listener = "main"
upstream = "main"
client = "intake"
request = [
  { select = "json:$.nir", operation = "tokenise", transformation = "fr-nir" },
  { select = "json:$.note", operation = "drop" },
]
"""


@pytest.fixture
def routed(jeton: Jeton) -> Jeton:
    jeton.config.write_text(jeton.config.read_text() + SECTION)
    return jeton


def test_without_routes_nothing_is_served(jeton: Jeton) -> None:
    result = jeton("proxy")
    assert result.exit_code == 2
    assert "proxy.routes" in result.stderr


def test_a_message_is_shown_field_by_field_and_masked(routed: Jeton) -> None:
    body = f'{{"nir": "{NIR}", "note": "private"}}'
    shown = routed.done("proxy", "test", "people", stdin=body)
    assert "$.nir\t284************\ttokenise fr-nir" in shown
    assert "$.note\tpri****\tdrop" in shown
    assert NIR not in shown


def test_a_token_stays_and_a_wrong_number_blocks(routed: Jeton) -> None:
    token = routed.done("tokenise", "fr-nir", "-", client="intake", stdin=NIR).strip()
    assert "stays" in routed.done("proxy", "test", "people", stdin=f'{{"nir": "{token}"}}')
    result = routed("proxy", "test", "people", stdin='{"nir": "284057512345673"}')
    assert result.exit_code == 1
    assert "invalid_value: would block" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "body", "words"),
    [
        (("people",), "{", "the body is no application/json"),
        (("people",), "text", "no rule of this route"),
        (("peple",), "{}", "there is no such route; there are: people"),
    ],
)
def test_what_cannot_be_tried_says_why(
    arguments: tuple[str, ...], body: str, words: str, routed: Jeton
) -> None:
    result = routed("proxy", "test", *arguments, stdin=body)
    assert result.exit_code in {1, 2}
    assert words in result.stderr


@pytest.mark.parametrize(
    ("change", "at"),
    [
        ('listener = "mian"', "proxy.routes.people.listener"),
        ('upstream = "other"', "proxy.routes.people.upstream"),
        ('client = "portal"', "proxy.routes.people.request[0]"),
        ('path = "people"', "proxy.routes.people.path"),
        ('end_user = "somebody"', "proxy.routes.people.end_user"),
        ('request_profile = { name = "fihr", operation = "tokenise" }', "request_profile"),
        ('upgrade = ["websocket"]', "proxy.routes.people.upgrade: nobody looks at"),
        ('upgrade = ["h2c"]', "proxy.routes.people.upgrade[0]"),
        ('types = { "text/x" = "yaml" }', "proxy.routes.people.types"),
        ('pth = "/"', "did you mean proxy.routes.people.path"),
    ],
)
def test_mistakes_are_told_by_their_keys(change: str, at: str, jeton: Jeton) -> None:
    key = change.partition(" =")[0]
    lines = [line for line in SECTION.splitlines() if not line.startswith(f"{key} =")]
    place = lines.index("[proxy.routes.people]") + 1
    lines.insert(place, change)
    jeton.config.write_text(jeton.config.read_text() + "\n".join(lines))
    result = jeton("check-config")
    assert result.exit_code == 2
    assert at in result.stderr


@pytest.mark.parametrize("select", ["json:$..[", "xml:nir", "text:iban", "fixed:a-b"])
def test_selectors_that_cannot_be_followed(select: str, jeton: Jeton) -> None:
    jeton.config.write_text(jeton.config.read_text() + SECTION.replace("json:$.nir", select))
    for verb in (("proxy", "test", "people"), ("check-config",)):
        result = jeton(*verb, stdin="{}")
        assert result.exit_code == 2
        assert "proxy.routes.people" in result.stderr
