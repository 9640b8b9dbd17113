"""RFC 7512 addresses of keys: what is understood, and what is refused without being repeated."""

from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.crypto.keks.pkcs11_uri import Pkcs11Uri
from vault.errors import SetUpError

QUERY = "module-path=/lib/hsm.so&pin-source=file:/run/pin"
SECRET = "1234-this-is-the-pin"


def test_reads_what_names_a_key() -> None:
    uri = Pkcs11Uri.parse(f"token=a%20token;id=%01%FF;type=secret-key?{QUERY}")
    assert (uri.token, uri.serial, uri.label, uri.id) == ("a token", None, None, b"\x01\xff")
    assert (uri.module, uri.pin_source) == ("/lib/hsm.so", "file:/run/pin")


@given(st.text(min_size=1).filter(lambda text: text.isprintable()), st.binary(min_size=1))
def test_any_label_and_id_can_be_spelt(label: str, number: bytes) -> None:
    uri = Pkcs11Uri.parse(
        f"serial={quote(label, safe='')};object={quote(label, safe='')};"
        f"id={quote(number, safe='')}?{QUERY}"
    )
    assert (uri.serial, uri.label, uri.id) == (label, label, number)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"token=t;object=o?module-path=/m.so&pin-value={SECRET}", "pin-value"),
        (f"token=t;object=o;pin-value={SECRET}?{QUERY}", "pin-value"),
        (f"token=t;object=o?module-path=/m.so&pin-source={SECRET}", "never write a PIN here"),
        (f"token=t;object=o?module-path=/m.so&pin-source=file:{SECRET}", "never write a PIN here"),
        ("token=t;object=o?pin-source=env:PIN", "module-path is missing"),
        ("token=t;object=o?module-path=/m.so", "pin-source is missing"),
        (f"token=t?{QUERY}", "name a token"),
        (f"object=o?{QUERY}", "name a token"),
        (f"token=t;object=o;type=private?{QUERY}", "secret-key"),
        (f"token=t;token=u;object=o?{QUERY}", "each once"),
        (f"token=;object=o?{QUERY}", "each once"),
        (f"token=t;object=o;slot={SECRET}?{QUERY}", "each once"),
        ("token=t;object=o?module-path=m.so&pin-source=env:PIN", "no absolute path"),
        ("", "missing"),
    ],
)
def test_refuses_others_and_repeats_nothing(text: str, words: str) -> None:
    with pytest.raises(SetUpError, match=words) as caught:
        Pkcs11Uri.parse(text)
    assert SECRET not in str(caught.value)


def test_the_pin_is_read_from_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "pin"
    of_file = Pkcs11Uri.parse(f"token=t;id=%01?module-path=/m.so&pin-source=file:{path}")
    with pytest.raises(SetUpError, match="cannot be read"):
        of_file.pin()
    path.write_text(f"{SECRET}\n")
    path.chmod(0o644)
    with pytest.raises(SetUpError, match="chmod 600"):
        of_file.pin()
    path.chmod(0o600)
    assert of_file.pin() == SECRET
    path.write_text("")
    with pytest.raises(SetUpError, match="empty"):
        of_file.pin()
    path.write_text("1" * 257)
    with pytest.raises(SetUpError, match="too much"):
        of_file.pin()
    of_variable = Pkcs11Uri.parse("token=t;id=%01?module-path=/m.so&pin-source=env:A_PIN")
    with pytest.raises(SetUpError, match="not set"):
        of_variable.pin()
    monkeypatch.setenv("A_PIN", SECRET)
    assert of_variable.pin() == SECRET
