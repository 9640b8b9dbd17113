"""`jeton proxy`: what is refused before anything is served, and `jeton proxy test`."""

import pytest

from tests.cli.conftest import Jeton

NIR = "284057512345672"
HEADS = """
[proxy.routes.head]
listener = "main"
upstream = "main"
client = "intake"
path = "/{nir}/x"
request = [
  { select = "path:nir", operation = "tokenise", transformation = "fr-nir" },
  { select = "query:nir", operation = "tokenise", transformation = "fr-nir" },
  { select = "header:X-Nir", operation = "tokenise", transformation = "fr-nir" },
  { select = "json:$.born", operation = "tokenise", transformation = "birth-date", context_select = "path:nir" },
]
response = [{ select = "header:X-Nir", operation = "tokenise", transformation = "fr-nir" }]
"""  # noqa: E501 - TOML has its tables in one line
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
    jeton.config.write_text(jeton.config.read_text() + SECTION + HEADS)
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


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_whole_message_shows_its_head_too(end: str, routed: Jeton) -> None:
    lines = [
        f"POST /{NIR}/x?a=1&nir={NIR} HTTP/1.1",
        "Host: a",
        "Content-Type: application/json",
        f"X-Nir: {NIR}",
        "",
        '{"born": "1984-05-12"}',
    ]
    shown = routed.done("proxy", "test", "head", stdin=end.join(lines))
    for place in ("path:nir", "query:nir", "header:X-Nir"):
        assert f"{place}\t284************\ttokenise fr-nir" in shown
    assert "$.born\t198*******\ttokenise birth-date" in shown
    assert NIR not in shown


def test_an_answer_begins_with_its_status(routed: Jeton) -> None:
    answer = f"HTTP/1.1 200 OK\r\nX-Nir: {NIR}\r\nContent-Type: text/html\r\n\r\nanything"
    shown = routed.done("proxy", "test", "head", stdin=answer)
    assert shown.splitlines() == ["header:X-Nir\t284************\ttokenise fr-nir"]


def test_a_token_stays_and_a_wrong_number_blocks(routed: Jeton) -> None:
    token = routed.done("tokenise", "fr-nir", "-", client="intake", stdin=NIR).strip()
    assert "stays" in routed.done("proxy", "test", "people", stdin=f'{{"nir": "{token}"}}')
    result = routed("proxy", "test", "people", stdin='{"nir": "284057512345673"}')
    assert result.exit_code == 1
    assert "invalid_value: would block" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "body", "words"),
    [
        (("people",), "{", "the message does not pass: "),
        (("head",), "GET /elsewhere HTTP/1.1\nHost: a\n\n", "not for such a request"),
        (("head",), f"GET /{NIR}/../x HTTP/1.1\nHost: a\n\n", "not for such a request"),
        (("head", "--response"), f"GET /{NIR}/x HTTP/1.1\nHost: a\n\n", "is no answer"),
        (("head",), f"GET /{NIR}/x HTTP/1.1\nHost a\n\n", "does not pass: no header"),
        (
            ("head",),
            f"PUT /{NIR}/x HTTP/1.1\nHost: a\nContent-Type: a/b\nContent-Type: c/d\n\nx",
            "there twice",
        ),
        (("people",), "text", "no rule of this route"),
        (("peple",), "{}", "there is no such route; there are: people, head"),
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


def test_rows_are_shown_field_by_field_however_many(jeton: Jeton) -> None:
    rule = 'select = "csv:nir", operation = "tokenise", transformation = "fr-nir"'
    section = SECTION.replace('select = "json:$.note", operation = "drop"', rule)
    jeton.config.write_text(jeton.config.read_text() + section)
    body = "a,nir\n" + f"1,{NIR}\n" * 99 + f"2,{NIR[:-1]}0\n"
    result = jeton("proxy", "test", "people", "--content-type", "text/csv", stdin=body)
    assert result.stdout.count("nir\t284************\ttokenise fr-nir") == 99
    assert result.stdout.count("invalid_value: would block") == 1
