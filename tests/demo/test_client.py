"""The service that the demonstration starts: what it says when it fails, and that it ends."""

from pathlib import Path

import pytest

from vault.demo import client
from vault.demo.client import Caller, Reply, initialise, jeton, running
from vault.errors import SetUpError

BUDGET = {"code": "budget_exhausted", "detail": "end_user.people.day would be overspent: wait"}


@pytest.mark.system
def test_a_service_that_does_not_start_says_why_and_is_gone(tmp_path: Path) -> None:
    config, _ = initialise(tmp_path / "data")
    config.write_text("[sever]\n", "utf-8")
    with pytest.raises(SetUpError, match="did you mean server"), running(config):
        pytest.fail("it is not ready")
    with pytest.raises(SetUpError, match=r"`jeton init` failed: .*not empty"):
        initialise(tmp_path / "data")


@pytest.mark.system
def test_a_failure_in_the_middle_ends_the_service(tmp_path: Path) -> None:
    config, credentials = initialise(tmp_path / "data")
    callers: list[Caller] = []

    def fail_in_the_middle() -> None:
        with running(config) as port:
            callers.append(Caller(port, credentials["intake"]))
            assert len(callers[0].tokenise("digits", ["123456", "654321"])) == 2
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_in_the_middle()
    with pytest.raises(SetUpError, match="went away"):
        callers[0].tokenise("digits", ["123456"])
    assert jeton("audit", "verify", "--config", str(config)).returncode == 0


def test_the_environment_of_another_installation_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("JETON__KEYS__KEK", "env:REAL")
    monkeypatch.setenv("JETON_CREDENTIAL", "jeton_real_x_y")
    monkeypatch.setenv("HOME", "/home/somebody")
    environment = client._environment()
    assert not [name for name in environment if name.startswith("JETON")]
    assert environment["HOME"] == "/home/somebody"


@pytest.mark.parametrize(
    ("reply", "refusal", "limit"),
    [
        (Reply(200, {"value": "x"}, ""), "", ""),
        (Reply(429, BUDGET, ""), "429 budget_exhausted", "end_user.people.day"),
        (Reply(403, {"code": "locked", "detail": "this caller is locked"}, ""), "403 locked", ""),
    ],
)
def test_a_reply_names_its_refusal(reply: Reply, refusal: str, limit: str) -> None:
    assert (reply.refusal, reply.limit) == (refusal, limit)
