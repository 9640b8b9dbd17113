"""`jeton serve` and `jeton dev` as processes, and what they refuse."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import Result

from tests.cli.conftest import VALUE, Jeton
from tests.support.components import need_program
from tests.support.ports import free_port
from tests.support.service import Service
from vault.cli.dev import SAMPLE
from vault.config import Server, load
from vault.errors import SetUpError


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org", ""])
def test_dev_listens_on_loopback_only(run: Callable[..., Result], host: str) -> None:
    result = run("dev", "--host", host)
    assert result.exit_code == 2
    assert "only loopback" in result.stderr
    assert host == "" or host not in result.stderr


def test_dev_makes_a_folder_and_takes_it_away(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = []

    def serving(config: Path, environ: dict[str, str], started: Callable[[], object]) -> None:
        settings = load(config, environ)
        assert settings.development
        assert (settings.server.host, settings.server.port) == ("::1", 8300)
        assert config.exists()
        assert settings.keys.keyset.parent == config.parent
        folders.append(config.parent.parent)
        started()
        raise SetUpError("no more")

    monkeypatch.setattr("vault.cli.dev.run", serving)
    monkeypatch.setattr("vault.cli.dev.offered", lambda: False)
    monkeypatch.setenv("JETON__KEYS__KEYSET", "/nowhere/keyset.json")
    result = run("dev", "--host", "::1", "--port", "8300")
    assert result.stderr == "jeton: no more\n"
    assert "export JETON_URL=http://[::1]:8300\n" in result.stdout
    assert not folders[0].exists()


def test_serve_lays_its_options_over_the_file(
    jeton: Jeton, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Server] = []

    def serving(config: Path, environ: dict[str, str]) -> None:
        seen.append(load(config, environ).server)

    monkeypatch.setattr("vault.cli.serve.run", serving)
    monkeypatch.chdir(jeton.folder.parent)
    jeton.done("serve")
    jeton.done("serve", "--host", "::1", "--port", "0", "--workers", "3", "--socket", "here.sock")
    jeton.done("serve", "--host", "", "--socket", "here.sock")
    shipped, laid, alone = seen
    assert (shipped.host, shipped.port, shipped.workers) == ("127.0.0.1", 8200, 1)
    assert (laid.host, laid.port, laid.workers) == ("::1", 0, 3)
    assert laid.socket == jeton.folder.parent / "here.sock", "of the folder one stands in"
    assert (alone.host, alone.socket) == ("", laid.socket)


def test_serve_judges_its_options_like_the_file(jeton: Jeton) -> None:
    refused = jeton("serve", "--host", "")
    assert refused.exit_code == 2
    assert "server.host" in refused.stderr
    assert "nobody could call" in refused.stderr


def test_serve_without_its_kek(jeton: Jeton) -> None:
    (jeton.folder / "kek.key").unlink()
    command = [sys.executable, "-m", "vault", "serve", "--config", str(jeton.config), "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("jeton: the KEK file ")
    assert "Traceback" not in done.stderr


def test_serve_where_somebody_listens(jeton: Jeton) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "vault", "serve", "--config", str(jeton.config)]
        done = subprocess.run(
            [*command, "--port", port], capture_output=True, text=True, check=False, timeout=60
        )
    assert done.returncode == 2
    assert "something listens there already" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.system
def test_a_client_that_was_added_is_served(new_service: Callable[[], Service]) -> None:
    service = new_service()
    credential = service.add_client("bench", ["detokenise:fr-nir:test"], {"reveal.hour": 2})
    service.start()
    body = {"value": VALUE}
    token = service.post("tokenise/fr-nir", body, service.credentials["intake"]).body["token"]
    for status in (200, 200, 429):
        reply = service.post("detokenise/fr-nir", {"token": token}, credential, "test")
        assert reply.status == status
    assert service.stop() == 0


@contextmanager
def developing(folder: Path, port: int) -> Iterator["subprocess.Popen[str]"]:
    environment = os.environ | {"TMPDIR": str(folder), "JETON__STORE__URL": "sqlite:/nowhere/x"}
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "vault", "dev", "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


@pytest.mark.system
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_dev_prints_lines_that_work_and_leaves_nothing(tmp_path: Path, end: signal.Signals) -> None:
    need_program("curl")
    with developing(tmp_path, free_port(100, 101)) as process:
        assert process.stdout is not None
        lines = []
        while not lines or "/claims" not in lines[-1]:
            line = process.stdout.readline()
            assert line, "dev ended instead of serving"
            lines.append(line)
        script = "".join(lines).replace("curl -s", "curl -si")
        pasted = subprocess.run(
            ["/bin/bash", "-ec", script], capture_output=True, text=True, check=True
        )
        answers = re.findall(r"^\{.*?\}", pasted.stdout, re.MULTILINE)
        saw = answers.pop()
        assert "the upstream saw" in saw
        assert SAMPLE not in saw
        assert answers[1:] == [f'{{"value":"{SAMPLE}"}}', '{"masked":"284************"}']
        assert answers[0].startswith('{"token":"')
        assert pasted.stdout.lower().count("jeton-development: true") == 3
        assert [path.name[:10] for path in tmp_path.iterdir()] == ["jeton-dev-"]
        process.send_signal(end)
        assert process.wait(30) == 0
    assert list(tmp_path.iterdir()) == []
