"""A real Prometheus for tests, on a free port; it scrapes four times a second."""

import json
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.support.components import need_program
from tests.support.ports import free_port


class Prometheus:
    """Its targets are what `watch` was last told."""

    def __init__(self, folder: Path, rules: Path) -> None:
        self._folder, self._port = folder, free_port()
        self._targets = folder / "targets.json"
        self.watch({})
        scrape = {"job_name": "jeton", "file_sd_configs": [{"files": [str(self._targets)]}]}
        config = {
            "global": {"scrape_interval": "250ms", "evaluation_interval": "500ms"},
            "rule_files": [str(rules)],
            "scrape_configs": [scrape | {"scrape_timeout": "250ms"}],
        }
        self._config = folder / "prometheus.yaml"
        self._config.write_text(yaml.safe_dump(config), "utf-8")

    def watch(self, targets: Mapping[str, list[int]]) -> None:
        """Ports of this machine by job."""
        found = [
            {"targets": [f"127.0.0.1:{port}" for port in ports], "labels": {"job": job}}
            for job, ports in targets.items()
        ]
        fresh = self._targets.with_suffix(".fresh")
        fresh.write_text(json.dumps(found), "utf-8")
        fresh.rename(self._targets)

    @contextmanager
    def running(self) -> Iterator["Prometheus"]:
        program = need_program("prometheus")
        command = [
            program,
            f"--config.file={self._config}",
            f"--storage.tsdb.path={self._folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self._port}",
        ]
        with (self._folder / "prometheus.log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            self._await_ready(process)
            yield self
        finally:
            process.terminate()
            try:
                process.wait(20)
            finally:
                process.kill()
                process.wait()

    def _await_ready(self, process: "subprocess.Popen[bytes]") -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            assert process.poll() is None, (self._folder / "prometheus.log").read_text("utf-8")
            try:
                self.query("vector(1)")
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError("prometheus did not become ready")

    def query(self, text: str) -> list[dict[str, Any]]:
        """The samples of an instant query; AssertionError where it is refused."""
        found: list[dict[str, Any]] = self._ask("query", query=text)["result"]
        return found

    def fired(self) -> set[str]:
        """What fires, or has fired in the last ten minutes."""
        found = self.query('count_over_time(ALERTS{alertstate="firing"}[10m])')
        return {one["metric"]["alertname"] for one in found}

    def _ask(self, what: str, **arguments: str) -> Any:
        query = urllib.parse.urlencode(arguments)
        url = f"http://127.0.0.1:{self._port}/api/v1/{what}?{query}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            said = json.load(answer)
        assert said["status"] == "success", said
        return said["data"]
