"""The record's checkpoints: any bytes are found by `verify`, even where whoever wrote them has
the signing key, and stop no reader."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.fuzz.records import sound
from tests.support.records import SEED
from vault.audit.checkpoint import Checkpoint, all_lines, last_line, read_line

KEY = Ed25519PrivateKey.from_private_bytes(SEED)


def run(data: bytes) -> None:
    """The first byte says whether the rest is the file, or the bodies of its lines, to be signed
    by the right key."""
    record = sound()
    content = data[1:]
    if data[:1] == b"\1":
        content = b"".join(_signed(body) for body in content.split(b"\n"))
    record.lay(checkpoints=content)
    report = record.report()
    path = record.folder / "checkpoints.jsonl"
    lines = list(all_lines(path))
    read = [read_line(line, KEY.public_key()) for line in lines]
    assert report.checkpoints == len([one for one in read if one is not None])
    assert not report.clean or None not in read
    if data[:1] != b"\1":
        known = [read_line(line, KEY.public_key()) for line in record.checkpoints.splitlines()]
        assert not report.clean or _tails(read) == _tails(known)[: len(read)]
    assert (last_line(path) is None) is (not lines)
    record.read()


def _tails(read: list[Checkpoint | None]) -> list[object]:
    """What they are about: when and since which start of the machine is not the same each time."""
    return [one and (one.number, one.writers, one.retired) for one in read]


def _signed(body: bytes) -> bytes:
    return b'{"checkpoint":%b,"signature":"%b"}\n' % (body, KEY.sign(body).hex().encode())


def seeds() -> list[bytes]:
    record = sound()
    lines = record.checkpoints.splitlines()
    bodies = [line.partition(b',"signature"')[0].removeprefix(b'{"checkpoint":') for line in lines]
    numbered = bodies[0].replace(b'"number":1', b'"number":999')
    retired = bodies[0].replace(b'"retired":{}', b'"retired":{"w0":[3,"%b"]}' % (b"0" * 64))
    return [
        b"\0" + record.checkpoints,
        b"\0" + lines[1],
        b"\1" + b"\n".join(bodies),
        b"\1" + numbered,
        b"\1" + retired,
        b"\1" + bodies[0].replace(b"w0", b"w7"),
    ]
