"""A PKCS #11 token of the test's own: Debian's SoftHSM2, its key made by OpenSC's `pkcs11-tool`.

token = SoftHsm.create(tmp_path)
kek = open_kek(token.spec, tmp_path)         # with token.environment in os.environ
token.hide(); token.show()                   # as if it were unplugged
"""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.components import missing, need_module, need_program

MODULE = Path("/usr/lib/softhsm/libsofthsm2.so")
PIN, WRONG_PIN = "a-pin-of-tests", "another-pin-of-tests"


@dataclass(frozen=True)
class SoftHsm:
    folder: Path

    @classmethod
    def create(cls, folder: Path) -> "SoftHsm":
        """A token `jeton` with the key `kek`; skips where SoftHSM2 or OpenSC is missing."""
        need_program("softhsm2-util")
        need_program("pkcs11-tool")
        need_module("pkcs11")
        if not MODULE.exists():
            missing(f"{MODULE} is missing")
        token = cls(folder)
        token.tokens.mkdir(parents=True)
        text = f"directories.tokendir = {token.tokens}\nobjectstore.backend = file\n"
        token.configuration.write_text(text, "ascii")
        token.pin(PIN)
        token.run("softhsm2-util", "--init-token", "--free", "--label", "jeton",
                  "--so-pin", "an-so-pin-of-tests", "--pin", PIN)  # fmt: skip
        token.add_key("kek")
        return token

    @property
    def tokens(self) -> Path:
        return self.folder / "tokens"

    @property
    def configuration(self) -> Path:
        return self.folder / "softhsm2.conf"

    @property
    def pin_file(self) -> Path:
        return self.folder / "pin"

    @property
    def environment(self) -> Mapping[str, str]:
        return {"SOFTHSM2_CONF": str(self.configuration)}

    @property
    def spec(self) -> str:
        return self.called("kek")

    def called(self, key: str, token: str = "jeton") -> str:
        """What `keys.kek` says for a key of a token."""
        query = f"module-path={MODULE}&pin-source=file:{self.pin_file}"
        return f"pkcs11:token={token};object={key}?{query}"

    def add_key(self, name: str, *options: str) -> None:
        options = options or ("--sensitive",)
        self.run("pkcs11-tool", "--module", str(MODULE), "--token-label", "jeton", "--login",
                 "--pin", PIN, "--keygen", "--key-type", "AES:32", "--label", name,
                 *options)  # fmt: skip

    def pin(self, text: str) -> None:
        self.pin_file.write_text(text + "\n", "ascii")
        self.pin_file.chmod(0o600)

    def hide(self) -> None:
        self.tokens.rename(self.folder / "hidden")
        self.tokens.mkdir()

    def show(self) -> None:
        self.tokens.rmdir()
        (self.folder / "hidden").rename(self.tokens)

    def run(self, *command: str) -> None:
        environment = os.environ | self.environment
        done = subprocess.run(
            command, env=environment, check=False, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, f"{command[0]}: {done.stderr}"
