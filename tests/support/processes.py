"""What the kernel says of a process: its memory, its open files, its children."""

from pathlib import Path


def resident(pid: int) -> int:
    """Bytes of memory that are its own: not those of files that it maps."""
    for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1_024
    raise AssertionError("the kernel does not say")


def open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def waited_for_processor(pid: int) -> float:
    """Seconds in which the main thread could have run and another had the processor."""
    return int(Path(f"/proc/{pid}/schedstat").read_text("ascii").split()[1]) / 1e9


def processor_time(pid: int) -> float:
    """Seconds of a processor that its threads have had; those that ended are not counted."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text("ascii").split()[0]) for task in tasks) / 1e9


def children(pid: int) -> list[int]:
    """Workers of a service: what it started that is not the tracker of multiprocessing."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
            command = (path.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if parent == pid and b"spawn_main" in command:
            found.append(int(path.parent.name))
    return found
