"""A KEK in SoftHSM2, by PKCS #11: what it seals it opens, and each trouble has its words."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from tests.support.softhsm import MODULE, WRONG_PIN, SoftHsm
from vault.crypto.kek import open_kek
from vault.crypto.keks import pkcs11
from vault.errors import SetUpError

PLAIN, HEADER = bytes(range(96)), b"header"


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> SoftHsm:
    return SoftHsm.create(tmp_path_factory.mktemp("softhsm"))


@pytest.fixture(autouse=True)
def _reachable(token: SoftHsm) -> Iterator[None]:
    with patch.dict("os.environ", token.environment):
        yield


def test_opens_what_it_sealed_and_nothing_else(token: SoftHsm, tmp_path: Path) -> None:
    kek = open_kek(token.spec, tmp_path)
    assert kek.name == "pkcs11"
    wrapped = kek.wrap(PLAIN, HEADER)
    assert PLAIN[:16] not in wrapped
    assert kek.wrap(PLAIN, HEADER) != wrapped
    assert open_kek(token.spec, tmp_path).unwrap(wrapped, HEADER) == PLAIN
    token.add_key("another")
    another = open_kek(token.called("another"), tmp_path)
    changed = bytes([wrapped[0] ^ 1, *wrapped[1:]])
    for bad in (changed, wrapped[:-1], b""):
        with pytest.raises(SetUpError, match="does not open"):
            kek.unwrap(bad, HEADER)
    with pytest.raises(SetUpError, match="does not open"):
        kek.unwrap(wrapped, b"another header")
    with pytest.raises(SetUpError, match="does not open"):
        another.unwrap(wrapped, HEADER)


def test_a_wrong_pin_is_tried_once(token: SoftHsm, tmp_path: Path) -> None:
    kek = open_kek(token.spec.replace(str(token.pin_file), str(tmp_path / "pin")), tmp_path)
    (tmp_path / "pin").write_text(WRONG_PIN)
    (tmp_path / "pin").chmod(0o600)
    with (
        patch.object(pkcs11, "_run", wraps=pkcs11._run) as run,
        pytest.raises(SetUpError, match="the PIN is wrong; it was tried once") as caught,
    ):
        kek.wrap(PLAIN, HEADER)
    assert run.call_count == 1
    assert WRONG_PIN not in str(caught.value)


def test_a_missing_token_key_or_module_is_told(token: SoftHsm, tmp_path: Path) -> None:
    for spec, words in (
        (token.called("kek", token="none"), "no such token"),
        (token.called("none"), "no AES key"),
        (token.spec.replace(str(MODULE), "/usr/lib/none.so"), "cannot be loaded"),
    ):
        with pytest.raises(SetUpError, match=words):
            open_kek(spec, tmp_path).wrap(PLAIN, HEADER)


def test_a_key_that_can_be_taken_out_is_refused(token: SoftHsm, tmp_path: Path) -> None:
    token.add_key("loose", "--extractable")
    with pytest.raises(SetUpError, match="can be taken out"):
        open_kek(token.called("loose"), tmp_path).wrap(PLAIN, HEADER)


def test_two_keys_of_one_name_are_told_apart_by_id(token: SoftHsm, tmp_path: Path) -> None:
    token.add_key("twin", "--sensitive", "--id", "01")
    token.add_key("twin", "--sensitive", "--id", "02")
    with pytest.raises(SetUpError, match="several keys"):
        open_kek(token.called("twin"), tmp_path).wrap(PLAIN, HEADER)
    one, other = (
        open_kek(token.called("twin").replace("?", f";id=%0{n}?"), tmp_path) for n in (1, 2)
    )
    wrapped = one.wrap(PLAIN, HEADER)
    assert one.unwrap(wrapped, HEADER) == PLAIN
    with pytest.raises(SetUpError, match="does not open"):
        other.unwrap(wrapped, HEADER)


@pytest.fixture(scope="module")
def bad_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared objects that hang and that crash as soon as they are loaded."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("the program cc is missing")
    folder = tmp_path_factory.mktemp("modules")
    for name, body in (("hangs", "pause();"), ("crashes", "*(volatile int *)0 = 1;")):
        source = folder / f"{name}.c"
        source.write_text(
            "#include <unistd.h>\n__attribute__((constructor)) static void begin(void) {"
            + body
            + "}\n"
        )
        subprocess.run(
            [compiler, "-shared", "-fPIC", "-o", folder / f"{name}.so", source], check=True
        )
    return folder


@pytest.mark.parametrize(
    ("name", "words", "tries"),
    [("hangs", "did not answer within", 1), ("crashes", "the module crashed", 3)],
)
def test_a_module_that_hangs_or_crashes_harms_only_its_own_process(
    token: SoftHsm, tmp_path: Path, bad_modules: Path, name: str, words: str, tries: int
) -> None:
    kek = open_kek(token.spec.replace(str(MODULE), str(bad_modules / f"{name}.so")), tmp_path)
    with (
        patch.object(pkcs11, "SECONDS", 1.0),
        patch.object(pkcs11, "PAUSE_SECONDS", 0.01),
        patch.object(pkcs11, "_run", wraps=pkcs11._run) as run,
        pytest.raises(SetUpError, match=words),
    ):
        kek.wrap(PLAIN, HEADER)
    assert run.call_count == tries
