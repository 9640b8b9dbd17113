"""Tokens of issuers: the good ones, and every way in which one is not."""

import hmac
import json
import time
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from tests.support.issuers import ISS, Issuer, joined, rsa
from vault.access.keyring import BadKeys, Keyring
from vault.access.rejected import KeyUnknown, Rejected
from vault.access.tokens import REMEMBERED, Tokens, is_token, issued_to
from vault.config import Issuer as Configured

NOW = time.time()
ISSUER = Issuer(at=NOW)
RSA = rsa()


def configured(**more: Any) -> Configured:
    said = {"iss": ISS, "audiences": ("jeton",), "keys": "file:x", "algorithms": ("ES256",)}
    return Configured(**(said | more))


def known(issuer: Issuer = ISSUER, at: float = NOW, **more: Any) -> tuple[Tokens, Keyring]:
    one = configured(**more)
    keyring = Keyring(one)
    keyring.put(issuer.jwks(), at)
    return Tokens({"cluster": one}, {"cluster": keyring}), keyring


def cause(text: str, now: float = NOW, **more: Any) -> str:
    with pytest.raises(Rejected) as caught:
        known(**more)[0].verify(text, now)
    assert not text or text not in str(caught.value)
    return caught.value.cause


def test_a_good_token_says_who_it_is() -> None:
    token = known()[0].verify(ISSUER.token("me"), NOW)
    assert (token.issuer, token.subject, len(token.digest)) == ("cluster", "me", 8)


def test_every_token_is_verified_once_and_not_too_many_are_kept() -> None:
    tokens, _ = known()
    text = ISSUER.token("me")
    assert tokens.verify(text, NOW) is tokens.verify(text, NOW)
    for number in range(REMEMBERED // 512):
        tokens.verify(ISSUER.token(f"me-{number}"), NOW)
    assert len(tokens._verified) <= REMEMBERED


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"exp": int(NOW) - 31, "iat": int(NOW) - 60}, "token_expired"),
        ({"iat": int(NOW) + 40, "exp": int(NOW) + 90}, "token_early"),
        ({"nbf": int(NOW) + 40}, "token_early"),
        ({"exp": int(NOW) + 90_000}, "token_lifetime"),
        ({"exp": int(NOW), "iat": int(NOW)}, "token_lifetime"),
        ({"aud": "another"}, "token_audience"),
        ({"aud": ["another", "one"]}, "token_audience"),
        ({"aud": {"jeton": 1}}, "token_audience"),
        ({"aud": None}, "token_audience"),
        ({"iss": "https://issuer.example/"}, "token_issuer"),
        ({"iss": None}, "token_issuer"),
        ({"sub": None}, "token_subject"),
        ({"sub": "a b"}, "token_subject"),
        ({"sub": "a" * 256}, "token_subject"),
        ({"exp": None}, "token_malformed"),
        ({"iat": None}, "token_malformed"),
        ({"exp": "4102444800"}, "token_malformed"),
        ({"exp": True}, "token_malformed"),
        ({"nbf": -1}, "token_malformed"),
    ],
)
def test_claims_that_are_not_good(claims: dict[str, Any], why: str) -> None:
    sub = claims.get("sub", "me")
    rest = {name: value for name, value in claims.items() if name != "sub"}
    assert cause(ISSUER.token(sub, **rest)) == why


def test_clocks_may_differ_by_what_is_said() -> None:
    text = ISSUER.token("me", iat=int(NOW) + 20, exp=int(NOW) + 60)
    assert known()[0].verify(text, NOW)
    assert cause(text, skew=0.0) == "token_early"
    assert known()[0].verify(text, int(NOW) + 89.9)
    assert cause(text, int(NOW) + 90.0) == "token_expired"


def test_a_token_that_was_verified_ends_in_time_too() -> None:
    tokens, _ = known()
    text = ISSUER.token("me")
    tokens.verify(text, NOW)
    with pytest.raises(Rejected, match="token_expired"):
        tokens.verify(text, NOW + 640)


def test_no_algorithm_is_none() -> None:
    header, claims = {"alg": "none", "kid": "key-0"}, ISSUER.claims("me")
    assert cause(f"{joined(header, claims)}.AA") == "token_algorithm"
    assert cause(f"{joined(header, claims)}.") == "token_malformed"
    assert cause(joined(header, claims)) == "token_malformed"


@pytest.mark.parametrize("algorithm", ["HS256", "RS256", "es256", 7, None])
def test_only_algorithms_that_are_named(algorithm: object) -> None:
    text = joined({"alg": algorithm, "kid": "key-0"}, ISSUER.claims("me"), b"x" * 64)
    assert cause(text) == "token_algorithm"


@pytest.mark.parametrize("form", ["pem", "der", "jwk"])
def test_the_public_key_is_no_secret_to_sign_with(form: str) -> None:
    issuer = Issuer(at=NOW)
    issuer.keys = [RSA]  # type: ignore[list-item]
    secret = {
        "pem": RSA.as_pem(private=False),
        "der": RSA.as_der(private=False),
        "jwk": json.dumps(RSA.as_dict(private=False)).encode(),
    }[form]
    signed = joined({"alg": "HS256", "kid": "rsa"}, issuer.claims("me"))
    mac = hmac.digest(secret, signed.encode(), sha256)
    text = f"{signed}.{joined(mac)}"
    assert cause(text, issuer=issuer, algorithms=("RS256",)) == "token_algorithm"


@pytest.mark.parametrize(
    "kid",
    ["../../dev/null", "file:///dev/null", "https://thief.example/jwks", "key-1", "", "key-0\0"],
)
def test_a_kid_that_points_elsewhere(kid: str) -> None:
    with pytest.raises(KeyUnknown) as caught:
        known()[0].verify(ISSUER.token("me", {"kid": kid}), NOW)
    assert caught.value.issuer == "cluster"


@pytest.mark.parametrize("where", ["jku", "x5u", "jwk"])
def test_a_key_that_the_token_brings_is_not_looked_at(where: str) -> None:
    thief = ECKey.generate_key("P-256")
    brought = thief.as_dict(private=False) if where == "jwk" else "https://thief.example/jwks"
    header = {"alg": "ES256", "kid": "key-0", where: brought}
    text = jwt.encode(header, ISSUER.claims("me"), thief, algorithms=["ES256"])
    assert cause(text) == "token_signature"


@pytest.mark.parametrize(
    "header",
    [{"crit": ["exp"]}, {"typ": "logout+jwt"}, {"typ": 7}, {"kid": 7}, {"kid": "k" * 257}],
)
def test_headers_that_are_no_access(header: dict[str, Any]) -> None:
    asked = {"alg": "ES256", "kid": "key-0"} | header
    assert cause(joined(asked, ISSUER.claims("me"), b"x" * 64)) == "token_malformed"


@pytest.mark.parametrize(
    "text", ["", "..", "a.b.c", "a" * 9_000, "a.b.c.d.e", "é.b.c", "W10.W10.AA"]
)
def test_texts_that_are_no_token(text: str) -> None:
    assert cause(text) == "token_malformed"


@pytest.mark.parametrize("part", [0, 1])
def test_nothing_is_said_twice(part: int) -> None:
    parts = [json.dumps({"alg": "ES256", "kid": "key-0"}), json.dumps(ISSUER.claims("me"))]
    assert known()[0].verify(signed(*parts), NOW)
    name = next(iter(json.loads(parts[part])))
    parts[part] = f'{{"{name}": "another", {parts[part][1:]}'
    assert cause(signed(*parts)) == "token_malformed"


def signed(*parts: str) -> str:
    """A token of these texts, by the issuer's key."""
    text, key = joined(*(part.encode() for part in parts)), ISSUER.keys[0].private_key
    assert key is not None
    r, s = decode_dss_signature(key.sign(text.encode(), ECDSA(SHA256())))
    return f"{text}.{joined(r.to_bytes(32) + s.to_bytes(32))}"


def test_what_has_the_form_of_a_token() -> None:
    assert is_token("a.b.c")
    assert is_token("a.b.c.d.e"), "an encrypted one is refused as what it is"
    assert not is_token("jeton_intake_guess")


GOOD = ISSUER.token("me")
TOKENS = known()[0]
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 6))
def test_nothing_is_accepted_after_a_bit_was_turned(at: int, bit: int) -> None:
    changed = GOOD[:at] + chr(ord(GOOD[at]) ^ 1 << bit) + GOOD[at + 1 :]
    with pytest.raises(Rejected):
        TOKENS.verify(changed, NOW)


@pytest.mark.parametrize("part", [0, 1, 2])
def test_bits_that_nobody_reads_are_no_other_spelling(part: int) -> None:
    parts = GOOD.split(".")
    last = ALPHABET.index(parts[part][-1])
    for bit in range(6):
        other = list(parts)
        other[part] = parts[part][:-1] + ALPHABET[last ^ 1 << bit]
        with pytest.raises(Rejected):
            TOKENS.verify(".".join(other), NOW)


@given(st.text(max_size=200) | st.from_regex(r"[\w-]{0,80}(\.[\w-]{0,80}){0,4}", fullmatch=True))
def test_no_text_is_taken_for_a_token(text: str) -> None:
    with pytest.raises(Rejected):
        TOKENS.verify(text, NOW)


def test_keys_that_are_gone_take_their_tokens_with_them() -> None:
    issuer = Issuer(at=NOW)
    tokens, keyring = known(issuer)
    text = issuer.token("me")
    tokens.verify(text, NOW)
    issuer.rotate()
    keyring.put(issuer.jwks(), NOW)
    with pytest.raises(KeyUnknown):
        tokens.verify(text, NOW)
    assert tokens.verify(issuer.token("me"), NOW)


def test_keys_are_believed_for_a_stated_time() -> None:
    tokens, keyring = known(keys_keep=600.0)
    text = ISSUER.token("me")
    assert tokens.verify(text, NOW + 599)
    with pytest.raises(KeyUnknown):
        tokens.verify(text, NOW + 600)
    keyring.put(ISSUER.jwks(), NOW + 500)
    assert tokens.verify(text, NOW + 600)


def test_a_token_without_kid_is_for_the_only_key() -> None:
    issuer = Issuer(at=NOW)
    claims = issuer.claims("me")
    text = jwt.encode({"alg": "ES256"}, claims, issuer.keys[0], algorithms=["ES256"])
    assert known(issuer)[0].verify(text, NOW).subject == "me"
    issuer.keys.append(ECKey.generate_key("P-256", {"kid": "another"}))
    with pytest.raises(KeyUnknown):
        known(issuer)[0].verify(text, NOW)


def test_keys_that_cannot_verify_are_passed_over() -> None:
    keyring = Keyring(configured())
    secret = OctKey.generate_key(256, {"kid": "key-0"}).as_dict(private=True)
    private = ECKey.generate_key("P-256", {"kid": "key-0"}).as_dict(private=True)
    other = ECKey.generate_key("P-384", {"kid": "key-0"}).as_dict(private=False)
    sealing = ECKey.generate_key("P-256", {"kid": "k", "use": "enc"}).as_dict(private=False)
    broken = {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}
    for keys in ([secret], [private], [other], [sealing], [broken], [{}], []):
        with pytest.raises(BadKeys):
            keyring.put(json.dumps({"keys": keys}).encode(), NOW)
    for text in (b"", b"[]", b"{}", b'{"keys": 1}', b"\xff"):
        with pytest.raises(BadKeys):
            keyring.put(text, NOW)
    assert not keyring.is_good(NOW)


@pytest.mark.parametrize(
    ("claims", "party"),
    [
        ({"azp": "shop"}, "shop"),
        ({"azp": 7}, None),
        ({"client_id": "shop"}, "shop"),
        ({"client_id": ["jeton"]}, None),
        ({"azp": "shop", "client_id": "jeton"}, "shop"),
        ({}, "jeton"),
        ({"aud": ["jeton", "shop"]}, None),
        ({"aud": ["jeton", "shop"], "azp": "shop"}, "shop"),
    ],
)
def test_whom_a_token_was_issued_to(claims: dict[str, Any], party: str | None) -> None:
    assert issued_to(known()[0].verify(ISSUER.token("me", **claims), NOW)) == party
