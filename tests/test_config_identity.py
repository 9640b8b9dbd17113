"""What `[identity]` and its clients may not say: each rule by the key that breaks it."""

from pathlib import Path

import pytest

from vault.config import read
from vault.errors import SetUpError

GOOD = """
[identity.issuers.people]
iss = "https://people.example"
audiences = ["jeton"]
keys = "https://people.example/jwks"
algorithms = ["RS256", "ES256"]
[identity.certificates]
ca = "ca.pem"
forwarded_header = "X-Forwarded-Client-Cert"
forwarded_from = ["10.0.0.0/8", "unix"]
[transformations.fr-nir]
format = "fr-nir"
[clients.portal]
tokens = [{ issuer = "people", sub = "portal", claims = { tier = "1" } }]
certificates = [{ uri = "spiffe://example/portal" }]
issued_to = ["app"]
grants = [{ operation = "match", transformation = "fr-nir", end_user_issuers = ["people"] }]
"""
OTHER = "[clients.other]\n"


def test_all_of_it_is_read_and_paths_start_at_the_file() -> None:
    identity = read(GOOD, Path("/etc/jeton"), {}).identity
    assert identity.certificates is not None
    assert identity.certificates.ca == Path("/etc/jeton/ca.pem")
    moved = GOOD.replace("https://people.example/jwks", "file:jwks.json")
    assert read(moved, Path("/etc/jeton"), {}).identity.issuers["people"].keys == (
        "file:/etc/jeton/jwks.json"
    )


@pytest.mark.parametrize(
    ("was", "becomes", "at"),
    [
        ('"RS256"', '"HS256"', r"identity.issuers.people.algorithms\[0\]"),
        ('"RS256"', '"none"', r"identity.issuers.people.algorithms\[0\]"),
        ('["RS256", "ES256"]', "[]", "identity.issuers.people.algorithms"),
        ('audiences = ["jeton"]', 'audiences = [""]', "identity.issuers.people.audiences"),
        ('"https://people.example/jwks"', '"http://people.example/"', "people.keys"),
        ('"https://people.example/jwks"', '"https://me:pw@people.example/"', "people.keys"),
        ('"https://people.example/jwks"', '"people.json"', "people.keys"),
        ("[identity.cert", "keys_keep = 10\n[identity.cert", "people.keys_keep"),
        ("issuers.people]", "issuers.-people]", "identity.issuers.-people"),
        ('"X-Forwarded-Client-Cert"', '"Host"', "certificates.forwarded_header"),
        ('["10.0.0.0/8", "unix"]', "[]", "certificates.forwarded_from"),
        ('"unix"]', '"10.0.0.1/8"]', r"certificates.forwarded_from\[1\]"),
        ('issuer = "people"', 'issuer = "peple"', r"portal.tokens\[0\].issuer.*people"),
        ("{ uri =", "{ subject = 'CN=a', uri =", r"portal.certificates\[0\]"),
        ('issued_to = ["app"]', "", "portal.issued_to"),
        ('end_user_issuers = ["people"]', 'end_user_issuers = ["x"]', "end_user_issuers"),
        (
            "grants = [",
            'grants = [{ operation = "match", transformation = "fr-nir" }, ',
            r"portal.grants\[1\].end_user_issuers",
        ),
        ("[clients.portal]", f'{OTHER}issued_to = ["app"]\n[clients.portal]', "portal.issued_to"),
        (
            "[clients.portal]",
            f'{OTHER}tokens = [{{ issuer = "people", sub = "portal" }}]\n[clients.portal]',
            r"portal.tokens\[0\].*other",
        ),
        (
            "[clients.portal]",
            f'{OTHER}certificates = [{{ uri = "spiffe://example/portal" }}]\n[clients.portal]',
            r"portal.certificates\[0\].*other",
        ),
    ],
)
def test_rules(was: str, becomes: str, at: str) -> None:
    assert GOOD.count(was) == 1
    with pytest.raises(SetUpError, match=at):
        read(GOOD.replace(was, becomes), Path("/etc/jeton"), {})


PROXY = """
[proxy.listeners.main]
port = 8080
[proxy.upstreams.main]
urls = ["http://127.0.0.1:8081"]
[proxy.routes.people]
listener = "main"
upstream = "main"
client = "edge"
end_user = "header:Authorization"
response = [
    { select = "json:$.a", operation = "detokenise", transformation = "fr-nir" },
    { select = "json:$.b", operation = "mask", transformation = "fr-nir" },
]
[clients.edge]
issued_to = ["portal"]
grants = [
    { operation = "detokenise", transformation = "fr-nir", end_user_issuers = ["people"] },
    { operation = "mask", transformation = "fr-nir", end_user_issuers = ["people"] },
]
"""
PURPOSE = 'purpose = "care"\nend_user = '


def proxied(was: str = "", becomes: str = "") -> str:
    text = PROXY.replace("end_user = ", PURPOSE, 1)
    text = text.replace(", end_user_issuers", ', purposes = ["care"], end_user_issuers')
    assert was in text
    return GOOD + text.replace(was, becomes, 1)


def test_a_route_whose_end_users_are_proved() -> None:
    assert read(proxied(), Path(), {}).proxy.routes["people"].end_user == "header:Authorization"
    assert read(proxied("header:Authorization", "cookie:session"), Path(), {})


@pytest.mark.parametrize(
    ("was", "becomes", "why"),
    [
        ("header:Authorization", "cookie:session:sub", "token of theirs"),
        ("header:Authorization", "certificate", "token of theirs"),
        ('end_user = "header:Authorization"\n', "", "token of theirs"),
        (', end_user_issuers = ["people"] },\n]', " },\n]", "others claimed"),
    ],
)
def test_a_route_that_could_prove_nobody(was: str, becomes: str, why: str) -> None:
    with pytest.raises(SetUpError, match=rf"proxy\.routes\.people\.end_user: .*{why}"):
        read(proxied(was, becomes), Path(), {})
