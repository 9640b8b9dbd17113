"""FF1 of Bouncy Castle: a Java process that is asked line by line and times itself."""

import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

JAR = Path("/usr/share/java/bcprov.jar")
"""Where Debian's libbcprov-java puts it."""
SOURCE = Path(__file__).with_name("BouncyCastle.java")


class BouncyCastle:
    """The process, which ends with the context. It runs on the processors of its parent."""

    @staticmethod
    def missing() -> str | None:
        """What it lacks here."""
        if shutil.which("javac") is None:
            return "there is no JDK"
        return None if JAR.exists() else "Debian's libbcprov-java is not installed"

    def __init__(self, key: bytes, tweak: bytes) -> None:
        command = ["java", "-cp", str(JAR), str(SOURCE), key.hex(), tweak.hex()]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, bufsize=1)
        self.version = self._line()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._process.communicate()  # the end of its input ends it

    def encrypted(self, value: str, count: int) -> tuple[str, float]:
        """What comes of encrypting the digits so many times over, and the seconds it took."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{value} {count}\n")
        sealed, nanoseconds = self._line().split()
        return sealed, int(nanoseconds) / 1e9

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise OSError(f"java ended with {self._process.wait()}")
        return line.strip()
