"""The Authorization header: one of the known credentials, in time and from where it may come, or
the one refusal that everybody gets."""

import hashlib
from datetime import UTC, date, datetime
from ipaddress import ip_address

from vault.access.identity import DETAIL, Identities, Principal, checksum_fits, mint
from vault.config import NAME, Client, Credential, Settings
from vault.errors import Refusal, SetUpError
from vault.web.headers import authorization

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
GOOD, OLD, NEAR = "jeton_a_good_000000", "jeton_a_old_000000", "jeton_b_near_000000"


def _kept(text: str, expires: date | None = None, networks: tuple[str, ...] = ()) -> Credential:
    return Credential(hashlib.sha256(text.encode()).hexdigest(), expires, networks)


IDENTITIES = Identities(
    Settings(
        clients={
            "a": Client((_kept(GOOD), _kept(OLD, date(2026, 11, 23)))),
            "b": Client((_kept(NEAR, networks=("10.1.0.0/16", "2001:db8::/32")),)),
        }
    )
)
NAMES = {GOOD: "a", NEAR: "b"}


def run(data: bytes) -> None:
    """The source's name, then the values of all Authorization headers, with NULs between."""
    source, *values = data.split(b"\0")
    headers = [(b"host", b"x"), *((b"authorization", value) for value in values)]
    where = source.decode("latin-1")
    sent = authorization(dict(headers), headers)
    assert (sent is None) is (len(values) != 1)
    try:
        principal = IDENTITIES.authenticate(sent, where, NOW)
    except Refusal as refusal:
        assert (refusal.code, refusal.detail) == ("unauthenticated", DETAIL)
        principal = None
    assert principal == _expected(sent, where)
    _minted(data.decode("utf-8", "surrogateescape"))


def _expected(sent: str | None, where: str) -> Principal | None:
    scheme, _, text = (sent or "").partition(" ")
    name = NAMES.get(text.strip())
    if name is None or scheme.lower() != "bearer" or (name == "b" and not _is_near(where)):
        return None
    return Principal(name, hashlib.sha256(text.strip().encode()).hexdigest()[:8])


def _is_near(where: str) -> bool:
    try:
        address = ip_address(where)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address).startswith(("10.1.", "2001:db8:"))


def _minted(name: str) -> None:
    checksum_fits(name)
    try:
        text, digest = mint(name)
    except SetUpError as error:
        assert not NAME.fullmatch(name)
        assert len(name) < 8 or name not in str(error)
    else:
        assert checksum_fits(text)
        assert hashlib.sha256(text.encode()).hexdigest() == digest


def seeds() -> list[bytes]:
    sources = ["192.0.2.7", "10.1.2.3", "::ffff:10.1.2.3", "2001:db8::1", "unix", "fe80::1%eth0"]
    known = [f"{source}\0Bearer {text}" for source in sources for text in (GOOD, OLD, NEAR)]
    others = [
        "\0",
        "\0Basic eDp5",
        f"x\0bearer  {GOOD} ",
        f"x\0Bearer {GOOD}\0Bearer {GOOD}",
        "a-1",
    ]
    return [text.encode() for text in (*known, *others)]
