"""A KEK in AWS KMS, against moto's server; what is said when it denies, fails, lags, throttles."""

from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from tests.support.fault_proxy import FaultProxy
from tests.support.kms import Failing, Kms, environment_of, kms_server
from tests.support.ports import free_port
from vault.crypto.kek import open_kek
from vault.crypto.keks import aws_kms
from vault.errors import SetUpError

pytestmark = pytest.mark.system

PLAIN, HEADER = bytes(range(96)), b"header"
ALIAS = "aws-kms:alias/jeton"


@pytest.fixture(scope="module")
def kms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kms]:
    with kms_server(tmp_path_factory.mktemp("kms")) as server:
        yield server


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    return monkeypatch


def go_to(patching: pytest.MonkeyPatch, port: int) -> None:
    for name, text in environment_of(port).items():
        patching.setenv(name, text)


def test_opens_what_it_sealed_and_nothing_else(
    kms: Kms, at: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    go_to(at, kms.port)
    arn, other = kms.new_key(), kms.new_key()
    kms.client.create_alias(AliasName="alias/jeton-test", TargetKeyId=arn)
    kek = open_kek(f"aws-kms:{arn}", tmp_path)
    assert kek.name == "aws-kms"
    wrapped = kek.wrap(PLAIN, HEADER)
    assert PLAIN[:16] not in wrapped
    for spec in (f"aws-kms:{arn}", "aws-kms:alias/jeton-test"):
        assert open_kek(spec, tmp_path).unwrap(wrapped, HEADER) == PLAIN
    for bad, header in ((wrapped, b"other"), (wrapped[:-1], HEADER)):
        with pytest.raises(SetUpError, match="does not open"):
            kek.unwrap(bad, header)
    with pytest.raises(SetUpError, match="denies kms:Decrypt"):  # so says moto: see below
        open_kek(f"aws-kms:{other}", tmp_path).unwrap(wrapped, HEADER)


def test_a_key_that_is_missing_is_told(kms: Kms, at: pytest.MonkeyPatch, tmp_path: Path) -> None:
    go_to(at, kms.port)
    with pytest.raises(SetUpError, match="no such key"):
        open_kek("aws-kms:alias/none", tmp_path).wrap(PLAIN, HEADER)


def test_one_that_cannot_be_reached_or_is_slow(
    kms: Kms, at: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    go_to(at, free_port())
    with pytest.raises(SetUpError, match="cannot be reached"):
        open_kek(ALIAS, tmp_path).wrap(PLAIN, HEADER)
    arn = kms.new_key()
    with FaultProxy(kms.port) as proxy, patch.object(aws_kms, "ANSWER_SECONDS", 0.5):
        go_to(at, proxy.port)
        kek = open_kek(f"aws-kms:{arn}", tmp_path)
        assert kek.unwrap(kek.wrap(PLAIN, HEADER), HEADER) == PLAIN
        proxy.black_hole = True
        with pytest.raises(SetUpError, match=r"did not answer, 3 times within 0\.5 seconds each"):
            kek.wrap(PLAIN, HEADER)


@pytest.mark.parametrize(
    ("code", "status", "words", "calls"),
    [
        ("ThrottlingException", 400, "it throttles us, 3 times in a row", 3),
        ("KMSInternalException", 500, "it failed, 3 times in a row", 3),
        ("DisabledException", 400, "the key is disabled", 1),
        ("KMSInvalidStateException", 400, "disabled, or to be deleted", 1),
        ("AccessDeniedException", 400, "denies kms:Encrypt: the role needs it on this key", 1),
        ("UnrecognizedClientException", 400, "the credentials are not valid", 1),
        ("ExpiredTokenException", 400, "the credentials have expired", 1),
        ("SomethingNewException", 400, "it refuses the call", 1),
    ],
)
def test_what_it_answers_is_told_in_our_words(
    at: pytest.MonkeyPatch, tmp_path: Path, code: str, status: int, words: str, calls: int
) -> None:
    pytest.importorskip("boto3")
    with Failing(code, status) as server:
        go_to(at, server.port)
        with pytest.raises(SetUpError, match=words) as caught:
            open_kek(ALIAS, tmp_path).wrap(PLAIN, HEADER)
        assert server.calls == calls
        assert "words of a server" not in str(caught.value)


def test_what_was_sealed_under_another_key_does_not_open(
    at: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("boto3")
    with Failing("IncorrectKeyException", 400) as server:
        go_to(at, server.port)
        with pytest.raises(SetUpError, match="does not open"):
            open_kek(ALIAS, tmp_path).unwrap(PLAIN, HEADER)


def test_without_credentials_or_region(at: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("boto3")
    go_to(at, free_port())
    at.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    at.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    at.delenv("AWS_ACCESS_KEY_ID")
    at.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(SetUpError, match="there are no credentials"):
        open_kek(ALIAS, tmp_path).wrap(PLAIN, HEADER)
    at.delenv("AWS_DEFAULT_REGION")
    at.delenv("AWS_REGION", raising=False)
    with pytest.raises(SetUpError, match="no region"):
        open_kek(ALIAS, tmp_path).wrap(PLAIN, HEADER)


@pytest.mark.parametrize(
    "key", ["", "alias/", "key", "alias/a b", "arn:aws:s3:eu-west-3:111122223333:key/a", "arn:"]
)
def test_refuses_other_names_of_keys(key: str, tmp_path: Path) -> None:
    with pytest.raises(SetUpError, match="expected the ARN of a key or an alias"):
        open_kek(f"aws-kms:{key}", tmp_path)
