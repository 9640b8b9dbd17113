"""Receipts, as callers hand them in: read as what they are written back as, and found where
they are not of this record."""

from tests.fuzz.quiet import assert_tells_nothing
from tests.fuzz.records import sound
from vault.audit.entry import Receipt


def run(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    try:
        receipt = Receipt.parse(text)
    except ValueError as error:
        assert_tells_nothing(error, text)
        return
    assert Receipt.parse(str(receipt)) == receipt
    assert str(receipt) == text.strip()[: -len(receipt.digest)] + receipt.digest
    record = sound()
    record.lay()
    report = record.report((receipt,))
    known = {each.sequence: each.digest for each in record.receipts}
    right = receipt.writer == "w0" and known.get(receipt.sequence) == receipt.digest
    assert report.clean is right


def seeds() -> list[bytes]:
    good = [str(each).encode() for each in sound().receipts]
    upper = good[0][:5] + good[0][5:].upper()
    spaced = good[0][:-4] + b" " + good[0][-4:]
    return [
        spaced,
        good[0],
        good[-1] + b"\n",
        b"w9." + good[0][3:],
        b"w0.0." + b"0" * 64,
        upper,
        b"..",
    ]
