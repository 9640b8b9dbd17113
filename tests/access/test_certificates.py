"""Client certificates, shown or passed on: the good ones, and every way in which one is not."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from tests.support.callers import DAY, as_envoy, as_nginx, caller, der, revoking
from tests.support.certificates import Authority
from vault.access.certificates import Authorities, BadAuthorities
from vault.access.forwarded import certificates
from vault.access.rejected import Rejected

NOW = datetime.now(UTC)
URI = "spiffe://example/ns/billing/sa/api"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.create(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def thief(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Another authority, of the same name."""
    return Authority.create(tmp_path_factory.mktemp("thief"))


def believed(authority: Authority, crl: bytes | None = None) -> Authorities:
    return Authorities(authority.path.read_bytes(), crl)


def cause(by: Authorities, leaf: bytes, now: datetime = NOW) -> str:
    with pytest.raises(Rejected) as caught:
        by.judge(leaf, [], now)
    return caught.value.cause


def test_a_good_certificate_shows_its_names(authority: Authority) -> None:
    shown = believed(authority).judge(der(caller(authority, "billing", [URI])), [], NOW)
    assert shown.names == {("subject", "CN=billing"), ("uri", URI)}
    assert len(shown.digest) == 8


def test_of_two_uris_none_counts(authority: Authority) -> None:
    two = caller(authority, "billing", [URI, "spiffe://example/another"])
    assert believed(authority).judge(der(two), [], NOW).names == {("subject", "CN=billing")}


def test_what_another_authority_signed(authority: Authority, thief: Authority) -> None:
    assert cause(believed(authority), der(caller(thief))) == "certificate_authority"


def test_an_authority_is_no_caller(authority: Authority) -> None:
    itself = authority.certificate.public_bytes(Encoding.DER)
    assert cause(believed(authority), itself) == "certificate_authority"


def test_dates(authority: Authority) -> None:
    by = believed(authority)
    over = caller(authority, since=-2 * DAY, until=-DAY)
    assert cause(by, der(over)) == "certificate_expired"
    assert cause(by, der(caller(authority, since=DAY, until=2 * DAY))) == "certificate_early"


def test_what_was_good_is_looked_at_again(authority: Authority) -> None:
    by, leaf = believed(authority), der(caller(authority, until=timedelta(hours=1)))
    by.judge(leaf, [], NOW)
    assert cause(by, leaf, NOW + timedelta(hours=2)) == "certificate_expired"


def test_one_that_was_made_for_servers(authority: Authority) -> None:
    leaf = der(caller(authority, for_servers=True))
    assert cause(believed(authority), leaf) == "certificate_authority"


def test_revoked(authority: Authority) -> None:
    bad, good = caller(authority, "bad"), caller(authority, "good")
    by = believed(authority, revoking(authority, bad))
    assert cause(by, der(bad)) == "certificate_revoked"
    assert by.judge(der(good), [], NOW)


def test_a_list_that_is_too_old_says_nothing(authority: Authority) -> None:
    by = believed(authority, revoking(authority, until=-DAY))
    assert cause(by, der(caller(authority))) == "certificate_list"


def test_files_that_are_none(authority: Authority, thief: Authority) -> None:
    bundle = authority.path.read_bytes()
    for text in (b"", b"-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n"):
        with pytest.raises(BadAuthorities, match="ca: "):
            Authorities(text)
    for crl in (b"", bundle, revoking(thief)):
        with pytest.raises(BadAuthorities, match="crl: "):
            Authorities(bundle, crl)


def test_nothing_is_accepted_after_a_bit_was_turned(authority: Authority) -> None:
    leaf = der(caller(authority, "billing", [URI]))
    by, dice = believed(authority), random.Random(7)
    for _ in range(300):
        at, bit = dice.randrange(len(leaf)), dice.randrange(8)
        changed = leaf[:at] + bytes([leaf[at] ^ 1 << bit]) + leaf[at + 1 :]
        with pytest.raises(Rejected):
            by.judge(changed, [], NOW)


def test_what_proxies_pass_on(authority: Authority) -> None:
    one = caller(authority)
    assert certificates(as_nginx(one), "pem") == [der(one)]
    assert certificates(as_envoy(one), "envoy") == [der(one)]
    chain = as_envoy(one, Chain=f'"{as_nginx(one)}{as_nginx(one)}"', URI=URI)
    assert certificates(chain, "envoy") == [der(one)]


@pytest.mark.parametrize("form", ["pem", "envoy"])
def test_headers_that_are_none(authority: Authority, form: str, tmp_path: Path) -> None:
    one = caller(authority)
    sent = as_nginx(one) if form == "pem" else as_envoy(one)
    other = as_envoy(one)
    for text in (
        "",
        "x",
        f"{sent},{sent}",
        f"{other};Cert={as_nginx(one)}",
        f"{sent};cert={as_nginx(one)}",
        f"URI={URI}",
        sent[: len(sent) // 2],
        sent * 40,
    ):
        with pytest.raises(Rejected, match="certificate_header"):
            certificates(text, form)  # type: ignore[arg-type]


@given(st.text(max_size=300))
def test_any_text_is_a_certificate_or_refused(text: str) -> None:
    for form in ("pem", "envoy"):
        with pytest.raises(Rejected):
            certificates(text, form)  # type: ignore[arg-type]
