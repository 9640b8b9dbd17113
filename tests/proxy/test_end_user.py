"""For whom a request is: one reading, whoever reads it."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.errors import Refusal
from vault.proxy.end_user import EndUser

names = st.from_regex(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}", fullmatch=True)
values = st.text(st.characters(codec="ascii", exclude_characters=' ",;\\\x7f', min_codepoint=33))


def jwt(claims: object) -> str:
    parts = ({"alg": "none"}, claims)
    texts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts]
    return b".".join([*texts, b"c2ln"]).decode()


def of(configured: str, *cookies: str) -> str | None:
    headers = [(b"cookie", cookie.encode("latin-1")) for cookie in cookies]
    return EndUser(configured).of(headers, None)


@given(st.dictionaries(names.map(str.lower), values.filter(bool), min_size=1), st.data())
def test_a_cookie_is_found_among_others(cookies: dict[str, str], data: st.DataObject) -> None:
    wanted = data.draw(st.sampled_from(sorted(cookies)))
    sent = "; ".join(f"{name}={value}" for name, value in cookies.items())
    if any(f";{wanted}=" in f";{value}" for value in cookies.values()):
        return
    if len(cookies[wanted]) <= 128:
        assert of(f"cookie:{wanted}", sent) == cookies[wanted]


@pytest.mark.parametrize("claim", ["agent-17", 17])
def test_a_claim(claim: object) -> None:
    assert of("cookie:session:sub", f"a=1; session={jwt({'sub': claim})}; b=2") == str(claim)


def test_nobody() -> None:
    assert of("cookie:session:sub", "a=1") is None
    assert of("cookie:session:sub") is None


@pytest.mark.parametrize(
    "sent",
    [
        "user=a; user=b",
        "user=a; x=1; user=a",
        "user=a; USER=b",
        "User=a",
        "x=1, user=a",
        "x=1 user=a",
        "user=a, x=1",
        'x="1; user=a"',
        'x="1; user=a',
        'x="1;user=a; y="',
        'user="a',
        "user = a; user=b",
        "user=",
        "user=a b",
        "user=\xe9",
        f"user={'a' * 129}",
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(sent: str) -> None:
    with pytest.raises(Refusal, match="end user"):
        of("cookie:user", sent)


def test_two_headers_are_one_too_many() -> None:
    with pytest.raises(Refusal):
        of("cookie:user", "user=a", "user=b")
    assert of("cookie:user", "x=1", "user=a") == "a"


@pytest.mark.parametrize("cookie", ["x", "x.y.z", jwt({}), jwt([]), jwt({"sub": ["a"]}), jwt(7)])
def test_a_cookie_that_is_no_claim(cookie: str) -> None:
    with pytest.raises(Refusal, match="end user"):
        of("cookie:session:sub", f"session={cookie}")


TOKEN = f"{'a' * 40}.{'b' * 90}.{'c' * 86}"


@pytest.mark.parametrize("configured", ["header:Authorization", "cookie:session"])
def test_a_token_where_somebody_is_to_be_proved(configured: str) -> None:
    headers = [(b"authorization", TOKEN.encode()), (b"cookie", f"session={TOKEN}".encode())]
    assert EndUser(configured, proved=True).of(headers, None) == TOKEN
    with pytest.raises(Refusal, match="end user"):
        EndUser(configured).of(headers, None)


@pytest.mark.parametrize("sent", [f"Bearer {TOKEN}", f"bearer  {TOKEN}", "Bearer agent-17"])
def test_a_token_behind_its_scheme(sent: str) -> None:
    headers = [(b"authorization", sent.encode())]
    assert EndUser("header:Authorization", proved=True).of(headers, None) == sent.rpartition(" ")[2]
    with pytest.raises(Refusal, match="end user"):
        EndUser("header:Authorization").of(headers, None)


@pytest.mark.parametrize("sent", [f"Basic {TOKEN}", f"{TOKEN}.{TOKEN}", f"{TOKEN} x", TOKEN * 40])
def test_what_is_neither_id_nor_token(sent: str) -> None:
    with pytest.raises(Refusal, match="end user"):
        EndUser("header:Authorization", proved=True).of([(b"authorization", sent.encode())], None)
