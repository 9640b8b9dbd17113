"""The record's segments: any bytes in place of one are found by `verify`, and stop no reader."""

import hashlib

from tests.fuzz.records import sound
from vault.audit.group import SEAL_START, Seal, genesis, header_line, seal_line


def run(data: bytes) -> None:
    """The first byte says whether the rest is a segment, or what stands between its header and
    seals: those are then made anew over whatever it is, so that they hold."""
    record = sound()
    content = _sealed(data[1:]) if data[:1] == b"\1" else data[1:]
    record.lay(segment=content)
    report = record.report()
    # What comes behind the last checkpoint can be anything that is well made.
    assert not report.clean or content.startswith(record.segment)
    record.read()


def _sealed(data: bytes) -> bytes:
    """Every blank line becomes a seal over the lines before it."""
    header = header_line("w0", genesis("w0"))
    out, previous, first = [header], genesis("w0").digest, 1
    for group in data.split(b"\n\n"):
        lines = group.strip(b"\n") + b"\n"
        count = max(1, lines.count(b"\n"))
        digest = hashlib.sha256(bytes.fromhex(previous) + lines).hexdigest()
        out += [lines, seal_line(Seal(first, first + count - 1, previous, digest))]
        previous, first = digest, first + count
    return b"".join(out)


def seeds() -> list[bytes]:
    record = sound()
    lines = record.segment.splitlines()[1:]
    bodies = b"\n".join(b"" if line.startswith(SEAL_START) else line for line in lines)
    event = b'{"kind":"event","seq":1,"time":"x","name":"start","detail":{"a":1,"b":null}}'
    refusals = b'{"kind":"refusals","seq":1,"time":"0001-01-01T00:00:00+23:59","principal":"=a",'
    refusals += b'"code":"c","count":3}\n{"kind":"tokenised","seq":2,"time":"","principal":"a",'
    refusals += b'"transformation":"t","items":1}'
    tail = record.segment + lines[0]
    return [
        b"\0" + record.segment,
        b"\0" + tail,
        b"\0" + tail + b"\n",
        b"\0",
        b"\1" + bodies,
        b"\1" + event,
        b"\1" + refusals,
    ]
