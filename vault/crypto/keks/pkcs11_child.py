"""One call to a PKCS #11 module, in a process of its own: a question on stdin, a line on stdout.

Run by `vault.crypto.keks.pkcs11` as a file, so that nothing else is imported (and by ``python -P``,
so that `pkcs11` is the library and not its neighbour here). The last line is ``done BASE64`` or
``trouble WORD``.
"""

import base64
import json
import secrets
import sys
from typing import Any, Final

import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass, TokenFlag, exceptions
from pkcs11.mechanisms import GCMParams

NONCE: Final = 12
TROUBLE: Final[tuple[tuple[type[Exception], str], ...]] = (
    (exceptions.NoSuchToken, "no_token"),
    (exceptions.TokenNotPresent, "no_token"),
    (exceptions.TokenNotRecognised, "no_token"),
    (exceptions.SlotIDInvalid, "no_token"),
    (exceptions.MultipleTokensReturned, "many_tokens"),
    (exceptions.NoSuchKey, "no_key"),
    (exceptions.MultipleObjectsReturned, "many_keys"),
    (exceptions.PinLocked, "locked"),
    (exceptions.PinIncorrect, "pin"),
    (exceptions.PinInvalid, "pin"),
    (exceptions.PinLenRange, "pin"),
    (exceptions.PinExpired, "pin"),
    (exceptions.UserPinNotInitialized, "pin"),
    (exceptions.FunctionRejected, "denied"),
    (exceptions.KeyTypeInconsistent, "denied"),
    (exceptions.MechanismInvalid, "mechanism"),
    (exceptions.MechanismParamInvalid, "mechanism"),
    (exceptions.FunctionNotSupported, "mechanism"),
    (exceptions.EncryptedDataInvalid, "not_opened"),
    (exceptions.EncryptedDataLenRange, "not_opened"),
)


class Trouble(Exception):
    """Its message is one of the parent's words."""


def perform(question: dict[str, Any]) -> bytes:
    """What was asked for. Raises Trouble, or whatever the module says."""
    token = find_token(question)
    data, header = (base64.b64decode(question[name]) for name in ("data", "header"))
    with token.open(user_pin=question["pin"]) as session:
        wanted = {
            "label": question["label"],
            "id": question["id"] and bytes.fromhex(question["id"]),
        }
        key = session.get_key(
            object_class=ObjectClass.SECRET_KEY,
            key_type=KeyType.AES,
            **{name: value for name, value in wanted.items() if value is not None},
        )
        if question["what"] == "wrap":
            if key[Attribute.EXTRACTABLE] or not key[Attribute.SENSITIVE]:
                raise Trouble("extractable")
            nonce = secrets.token_bytes(NONCE)
            gcm = GCMParams(nonce, header, 128)
            sealed = key.encrypt(data, mechanism=Mechanism.AES_GCM, mechanism_param=gcm)
            return nonce + bytes(sealed)
        gcm = GCMParams(data[:NONCE], header, 128)
        try:
            opened = key.decrypt(data[NONCE:], mechanism=Mechanism.AES_GCM, mechanism_param=gcm)
        except (exceptions.GeneralError, exceptions.FunctionFailed) as error:
            # What SoftHSM says of a tag that does not fit.
            raise Trouble("not_opened") from error
        return bytes(opened)


def find_token(question: dict[str, Any]) -> Any:
    try:
        library = pkcs11.lib(question["module"])
    except (RuntimeError, OSError) as error:
        raise Trouble("no_module") from error
    serial = question["serial"]
    token = library.get_token(
        token_label=question["token"], token_serial=serial.encode() if serial else None
    )
    if token.flags & TokenFlag.USER_PIN_LOCKED:
        raise Trouble("locked")
    if token.flags & TokenFlag.USER_PIN_FINAL_TRY:
        raise Trouble("last_try")
    return token


def main() -> None:
    try:
        answer = "done " + base64.b64encode(perform(json.load(sys.stdin))).decode()
    except Trouble as trouble:
        answer = f"trouble {trouble}"
    except Exception as error:  # noqa: BLE001 - its words may quote anything
        words = (word for kind, word in TROUBLE if isinstance(error, kind))
        answer = f"trouble {next(words, 'device')}"
    sys.stdout.write(f"\n{answer}")


if __name__ == "__main__":
    main()
