"""A service whose disk can be made slow or full.

    python -m tests.monitoring.bad_disk FILE serve --config ...

is `jeton serve`; while FILE is there, each sync of the record takes as many seconds as it says,
or fails where it says ``full``.
"""

import errno
import os
import sys
import time
from pathlib import Path

from vault.cli import main

sync = os.fdatasync


def failing(file: Path, descriptor: int) -> None:
    try:
        said = file.read_text("utf-8")
    except FileNotFoundError:
        said = "0"
    if said == "full":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    time.sleep(float(said))
    sync(descriptor)


if __name__ == "__main__":
    path = Path(sys.argv.pop(1))
    os.fdatasync = lambda descriptor: failing(path, int(descriptor))  # type: ignore[arg-type]
    main()
