"""A KEK in a hardware module, by PKCS #11: an AES key that seals and opens in there.

The module is foreign code that may hang or crash, and has a state of its own in every process.
So each call loads it in a child process (`pkcs11_child`), which has a few seconds and ends.
A wrong PIN is tried once only: modules lock a token after a few of them.
"""

import base64
import json
import os
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

from vault.crypto.keks import lacks, not_opened
from vault.crypto.keks.pkcs11_uri import Pkcs11Uri
from vault.errors import SetUpError

SECONDS = 10.0
"""What one try may take."""
TRIES = 3
PAUSE_SECONDS = 0.5

_CHILD = Path(__file__).with_name("pkcs11_child.py")
_WORDS = {
    "no_module": "the module that module-path names cannot be loaded",
    "no_token": "the module shows no such token: is it plugged in, reachable, initialised?",
    "many_tokens": "several tokens are called so: name one by its serial",
    "no_key": "the token has no AES key of this object or id, for this user",
    "many_keys": "several keys are called so: name one by its id",
    "pin": "the PIN is wrong; it was tried once, and too many tries lock the token",
    "last_try": "the token allows one more try of the PIN, which is left to an operator",
    "locked": "the token's PIN is locked: only its security officer can unlock it",
    "extractable": "the key can be taken out of the token: make one that is sensitive and not "
    "extractable",
    "denied": "the key may not be used so: it has to allow encrypt and decrypt",
    "mechanism": "the token does not do AES-GCM with a nonce of the caller's",
    "device": "the device failed",
    "slow": f"it did not answer within {SECONDS:g} seconds",
    "crashed": "the module crashed",
}
_WORTH_ANOTHER_TRY = {"device", "crashed"}


class Pkcs11Kek:
    """AES-256-GCM by a key that does not leave its token: nonce, then ciphertext and tag."""

    name = "pkcs11"

    def __init__(self, address: str) -> None:
        """`address`: the URI without its scheme. Nothing is asked of the token yet.

        Raises SetUpError.
        """
        self._uri = Pkcs11Uri.parse(address)
        if find_spec("pkcs11") is None:
            raise lacks("pkcs11")

    def wrap(self, plaintext: bytes, header: bytes) -> bytes:
        return self._ask("wrap", plaintext, header)

    def unwrap(self, wrapped: bytes, header: bytes) -> bytes:
        return self._ask("unwrap", wrapped, header)

    def _ask(self, what: str, data: bytes, header: bytes) -> bytes:
        uri = self._uri
        question = json.dumps(
            {
                "what": what,
                "data": base64.b64encode(data).decode(),
                "header": base64.b64encode(header).decode(),
                "module": uri.module,
                "token": uri.token,
                "serial": uri.serial,
                "label": uri.label,
                "id": uri.id.hex() if uri.id is not None else None,
                "pin": uri.pin(),
            }
        ).encode()
        for left in reversed(range(TRIES)):
            answer, trouble = _run(question)
            if answer is not None:
                return answer
            if trouble not in _WORTH_ANOTHER_TRY or left == 0:
                break
            time.sleep(PAUSE_SECONDS)
        if trouble == "not_opened":
            raise not_opened()
        raise SetUpError(f"the KEK cannot be had by PKCS #11: {_WORDS[trouble]}")


def _run(question: bytes) -> tuple[bytes | None, str]:
    """The answer, or what went wrong. What the module prints may quote anything: not shown."""
    try:
        # Isolated but for the environment: modules find their configuration there.
        done = subprocess.run(
            [sys.executable, "-P", str(_CHILD)],
            input=question,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS,
            check=False,
            cwd=os.sep,
        )
    except subprocess.TimeoutExpired:
        return None, "slow"
    except OSError:
        return None, "crashed"
    kind, _, rest = done.stdout.rpartition(b"\n")[2].partition(b" ")
    if done.returncode == 0 and kind == b"done":
        return base64.b64decode(rest), ""
    trouble = rest.decode("ascii", "replace")
    known = kind == b"trouble" and (trouble in _WORDS or trouble == "not_opened")
    return None, trouble if known else "crashed"
