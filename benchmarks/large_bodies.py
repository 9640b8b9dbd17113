"""Bodies of a gigabyte through a real proxy: how fast, and in how much memory.

    python -m benchmarks.large_bodies [--megabytes 1024] [KIND...]

Each kind of body (JSON array, NDJSON, XML, CSV, fixed width) is sent in pieces to an upstream
that compares every byte with what it should be. Exit code 1 where one differs, or where the proxy
took more than 100 MB.
"""

import argparse
import hashlib
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks import http
from benchmarks.population import nirs

MOST_MEMORY = 100e6
MEMBERS = ", ".join(f'"member{n}": "some text of it {n}"' for n in range(19))
TEXTS = "".join(f"<member{n}>some text of it {n}</member{n}>" for n in range(19))
ROW = ",".join([*["some text"] * 3, "A-NIR", *["more text"] * 16])
COLUMNS = ",".join(f"column{n}" for n in range(20))

KINDS: dict[str, tuple[str, str, str, str, str]] = {
    "json": ("application/json", "[", f'{{"nir": "A-NIR", {MEMBERS}}}', ",\n", "]"),
    "ndjson": ("application/x-ndjson", "", f'{{"nir": "A-NIR", {MEMBERS}}}\n', "", ""),
    "xml": ("application/xml", "<all>", f"<one><nir>A-NIR</nir>{TEXTS}</one>", "\n", "</all>"),
    "csv": ("text/csv", f"{COLUMNS}\n", f"{ROW}\n", "", ""),
    "fixed": ("text/x-fixed", "", "2" + "text " * 2 + "A-NIR" + "other things " * 8 + "\n", "", ""),
}
"""Media type, beginning, record, what is between two, end."""
ROUTE = """
[proxy]
port = {pages}
[proxy.listeners.main]
port = {port}
[proxy.upstreams.main]
urls = ["http://127.0.0.1:{upstream}"]
[proxy.routes.main]
listener = "main"
upstream = "main"
client = "bench-edge"
types = {{ "text/x-fixed" = "fixed" }}
request = [
  {{ select = "json:$[*].nir", operation = "tokenise", transformation = "fr-nir" }},
  {{ select = "ndjson:nir", operation = "tokenise", transformation = "fr-nir" }},
  {{ select = "xml://nir", operation = "tokenise", transformation = "fr-nir" }},
  {{ select = "csv:column3", operation = "tokenise", transformation = "fr-nir" }},
  {{ select = "fixed:2:12-26", operation = "tokenise", transformation = "fr-nir" }},
]
"""


def body(kind: str, numbers: list[str], size: int) -> Iterator[bytes]:
    """Some `size` bytes in pieces of many records."""
    _, before, record, between, after = KINDS[kind]
    piece = between.join(record.replace("A-NIR", number) for number in numbers).encode()
    yield before.encode()
    count = max(1, size // len(piece))
    for number in range(count):
        yield (between.encode() if number else b"") + piece
    yield after.encode()


class Sink:
    """An upstream that takes one chunked body after another, and keeps their digests."""

    def __init__(self) -> None:
        self.digests: list[str] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listening.accept()
            with connection, connection.makefile("rb", 1 << 20) as file:
                while self._one(file):
                    connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    def _one(self, file: Any) -> bool:
        if not file.readline():
            return False
        while file.readline() not in {b"\r\n", b""}:
            pass
        digest = hashlib.blake2b()
        while size := int(file.readline() or b"0", 16):
            digest.update(file.read(size))
            file.readline()
        file.readline()
        self.digests.append(digest.hexdigest())
        return True


def send(port: int, kind: str, pieces: Iterator[bytes]) -> int:
    """The status of the answer to a chunked request."""
    head = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: {KINDS[kind][0]}\r\n"
    with socket.create_connection(("127.0.0.1", port), 600) as connection:
        connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        for piece in pieces:
            if piece:
                connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
        connection.sendall(b"0\r\n\r\n")
        return int(connection.recv(65_536).split()[1])


def peak(pid: int) -> float:
    """Bytes of memory that a process had resident at most since the last time this was reset."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return float(line.split()[1]) * 1024
    raise SystemExit("this kernel does not tell a process's peak")


def measure(kinds: list[str], megabytes: int) -> bool:
    """Whether all went well."""
    fine = True
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sink, port, pages = Sink(), http.free_port(), http.free_port()
        config = http.initialised(folder / "data")
        credentials = http.add_clients(config, {"bench-edge": (["tokenise:fr-nir"], [])})
        people = list(nirs(2_000, seed=9))
        tokens = _tokens(config, credentials["bench-edge"], people)
        with config.open("a") as file:
            file.write(ROUTE.format(port=port, pages=pages, upstream=sink.port))
        command = [sys.executable, "-m", "vault", "proxy", "--config", str(config)]
        pid = stack.enter_context(http.server(command, f"http://127.0.0.1:{pages}/readyz"))
        for kind in kinds:
            Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak begins anew
            began, spent = time.perf_counter(), http.processor_seconds(pid)
            status = send(port, kind, body(kind, people, megabytes << 20))
            taken, spent = time.perf_counter() - began, http.processor_seconds(pid) - spent
            expected = hashlib.blake2b()
            for piece in body(kind, tokens, megabytes << 20):
                expected.update(piece)
            same = status == 204 and sink.digests[-1] == expected.hexdigest()
            memory = peak(pid)
            fine = fine and same and memory < MOST_MEMORY
            print(
                f"{kind:8} {megabytes:6,} MiB  {megabytes * 1.048576 / taken:6.1f} MB/s"
                f"  {megabytes * 1.048576 / spent:6.1f} MB/processor s  peak {memory / 1e6:5.1f} MB"
                f"  {'as it should be' if same else f'WRONG (status {status})'}",
                flush=True,
            )
    return fine


def _tokens(config: Path, credential: str, people: list[str]) -> list[str]:
    port = http.free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "vault", "serve", "--config", str(config)]
    with http.server([*command, "--port", str(port)], f"{url}/readyz"):
        return http.tokens_of(url, credential, people)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.large_bodies")
    parser.add_argument("kind", nargs="*", help=f"of {', '.join(KINDS)}; else all")
    parser.add_argument("--megabytes", type=int, default=1_024)
    given = parser.parse_args()
    if not measure(given.kind or list(KINDS), given.megabytes):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
