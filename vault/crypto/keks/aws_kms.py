"""A KEK in AWS KMS: a symmetric key that the wrapped keys are sealed and opened under, there.

The keyset is far below the 4 KiB that KMS seals itself, so there is no data key to keep. The
encryption context is authenticated, and stands in CloudTrail and in policies: that it is a
keyset of Jeton, and the SHA-256 of the keyset's header, which says of which keyset and
generation. Credentials come as boto3 finds them (a role, at best); the configuration has none.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

from vault.crypto.keks import lacks, not_opened
from vault.errors import SetUpError

CONNECT_SECONDS: Final = 2.0
ANSWER_SECONDS: Final = 4.0
TRIES: Final = 3
"""With the pauses between them a call ends within half a minute, whatever KMS does."""
MOST_BYTES: Final = 4_096

_ARN = re.compile(
    r"arn:[a-z-]{1,20}:kms:(?P<region>[a-z0-9-]{1,30}):[0-9]{12}:(?:key|alias)/[A-Za-z0-9/_-]{1,250}"
)
_ALIAS = re.compile(r"alias/[A-Za-z0-9/_-]{1,250}")
_THROTTLED: Final = f"it throttles us, {TRIES} times in a row"
_WORDS: Final[Mapping[str, str]] = {
    "AccessDeniedException": "it denies {}: the role needs it on this key",
    "NotFoundException": "there is no such key in this account and region",
    "DisabledException": "the key is disabled",
    "KMSInvalidStateException": "the key cannot be used: it is disabled, or to be deleted",
    "KeyUnavailableException": "the key cannot be used at the moment",
    "InvalidKeyUsageException": "the key is not one to encrypt and decrypt with",
    "ExpiredTokenException": "the credentials have expired",
    "ExpiredToken": "the credentials have expired",
    "UnrecognizedClientException": "the credentials are not valid",
    "InvalidClientTokenId": "the credentials are not valid",
    "InvalidSignatureException": "the credentials are not valid",
    "ThrottlingException": _THROTTLED,
    "LimitExceededException": _THROTTLED,
    "RequestLimitExceeded": _THROTTLED,
}
_NOT_OPENED = {"InvalidCiphertextException", "IncorrectKeyException"}


class AwsKmsKek:
    """Sealed by ``kms:Encrypt`` and opened by ``kms:Decrypt`` under one named key."""

    name = "aws-kms"

    def __init__(self, key: str) -> None:
        """`key`: a key's ARN, an alias's ARN, or ``alias/NAME``. Nothing is asked yet.

        Raises SetUpError.
        """
        arn = _ARN.fullmatch(key)
        if arn is None and not _ALIAS.fullmatch(key):
            raise SetUpError(
                "keys.kek is no usable aws-kms: address: expected the ARN of a key or an alias, "
                "or alias/NAME"
            )
        self._key = key
        self._region = arn["region"] if arn else None

    def wrap(self, plaintext: bytes, header: bytes) -> bytes:
        if len(plaintext) > MOST_BYTES:
            raise SetUpError("the keyset has more versions than AWS KMS seals at once")
        return self._ask("Encrypt", Plaintext=plaintext, EncryptionContext=_context(header))

    def unwrap(self, wrapped: bytes, header: bytes) -> bytes:
        return self._ask("Decrypt", CiphertextBlob=wrapped, EncryptionContext=_context(header))

    def _ask(self, operation: str, **question: Any) -> bytes:
        try:
            import botocore.exceptions as errors  # noqa: PLC0415 - heavy, and optional
        except ImportError:
            raise lacks("aws-kms") from None
        try:
            client = _client(self._region)
            method = client.encrypt if operation == "Encrypt" else client.decrypt
            answer = method(KeyId=self._key, **question)
        except errors.ClientError as error:
            raise _refused(error.response, operation) from None
        except errors.NoRegionError:
            raise _away("no region is configured: name the key by its ARN") from None
        except (errors.NoCredentialsError, errors.PartialCredentialsError):
            raise _away("there are no credentials: a role, or what else boto3 looks for") from None
        except (errors.ReadTimeoutError, errors.ConnectTimeoutError):
            words = f"it did not answer, {TRIES} times within {ANSWER_SECONDS:g} seconds each"
            raise _away(words) from None
        except (errors.HTTPClientError, errors.ConnectionError):
            raise _away("it cannot be reached") from None
        except (errors.BotoCoreError, ValueError):
            raise _away("boto3 cannot ask it as it is configured") from None
        return bytes(answer["CiphertextBlob" if operation == "Encrypt" else "Plaintext"])


def _client(region: str | None) -> Any:
    """A client of its own for each call: credentials are renewed, and calls are years apart."""
    from boto3.session import Session  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=ANSWER_SECONDS,
        retries={"mode": "standard", "total_max_attempts": TRIES},
    )
    return Session().client("kms", region_name=region, config=config)


def _context(header: bytes) -> dict[str, str]:
    return {"jeton": "keyset", "jeton-header": hashlib.sha256(header).hexdigest()}


def _refused(response: Mapping[str, Any], operation: str) -> SetUpError:
    """What KMS says is shown by its code alone."""
    code = str(response.get("Error", {}).get("Code", ""))
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _NOT_OPENED:
        return not_opened()
    if code in _WORDS:
        return _away(_WORDS[code].format(f"kms:{operation}"))
    if isinstance(status, int) and status >= 500:
        return _away(f"it failed, {TRIES} times in a row")
    return _away("it refuses the call")


def _away(why: str) -> SetUpError:
    return SetUpError(f"the KEK cannot be had of AWS KMS: {why}")
