"""The records of two machines, verified with what a witness had of both, were said to be forged: a
first checkpoint names no chain, and all of them were held against the first machine's."""

from pathlib import Path

from tests.support.records import NOW, SEED, checkpoint_lines, fill
from vault.audit.checkpoint import FILE, Checkpoints
from vault.audit.findings import merged
from vault.audit.verify import Report, verify
from vault.audit.writer import RecordWriter
from vault.cli.folders import of_each

PODS = ("pod-0", "pod-1")


def record(folder: Path, host: str) -> list[bytes]:
    """As a service begins one: a checkpoint before the first entry."""
    checkpoints = Checkpoints(folder, SEED)
    checkpoints.write({}, NOW, epoch=host, generation=1)
    writer = RecordWriter.claim(folder, host=host)
    fill(writer, 2)
    checkpoints.write({writer.name: writer.tail}, NOW, epoch=host, generation=1)
    writer.close()
    return checkpoint_lines(folder)


def verified(folders: list[Path], lines: list[bytes]) -> Report:
    key = Checkpoints(folders[0], SEED).public_key
    known = of_each(folders, {}, (), lines)
    return merged([verify(k.folder, key, checkpoints_elsewhere=k.checkpoints) for k in known])


def test_they_are_held_against_their_own(tmp_path: Path) -> None:
    lines = [line for pod in PODS for line in record(tmp_path / pod, pod)]
    assert verified([tmp_path / pod for pod in PODS], lines).clean
    assert verified([tmp_path / pod for pod in reversed(PODS)], lines).clean


def test_one_that_is_gone_or_another_is_still_found(tmp_path: Path) -> None:
    lines = [line for pod in PODS for line in record(tmp_path / pod, pod)]
    path = tmp_path / "pod-1" / FILE
    path.write_bytes(b"".join(checkpoint_lines(tmp_path / "pod-1")[1:]))
    assert not verified([tmp_path / pod for pod in PODS], lines).clean
    path.unlink()
    Checkpoints(tmp_path / "pod-1", SEED).write({}, NOW + 1, epoch="another", generation=1)
    found = verified([tmp_path / pod for pod in PODS], lines)
    assert {"checkpoint_chain", "checkpoint_gap"} <= {one.code for one in found.findings}
