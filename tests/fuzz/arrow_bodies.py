"""Arrow bodies: rows in, as many rows out in as many batches, or a refusal."""

import pyarrow as pa

from tests.fuzz.json_bodies import OPERATIONS
from tests.fuzz.quiet import assert_tells_nothing
from tests.support.arrow import answered, batch, stream
from vault.engine.column import each
from vault.errors import Refusal
from vault.service import Answer, ItemFailure
from vault.web.arrow_body import Sent
from vault.web.body import ITEM_CODES, RESULTS
from vault.web.codecs import Arrow

ROOM = 1 << 16
CODEC = Arrow(max_items=1_000, max_body=ROOM)


def run(data: bytes) -> None:
    """The first byte names the operation, the others are the body."""
    operation, body = OPERATIONS[data[0] % 4] if data else "mask", data[1:]
    try:
        content = CODEC.decode(operation, body)
    except Refusal as refusal:
        assert refusal.code in {"malformed_request", "too_large"}
        assert_tells_nothing(refusal, body.decode("latin-1"))
        return
    assert isinstance(content, Sent)
    items, count = list(content.items), len(content.items)
    assert all(isinstance(item, str) for item in items)
    assert [content.items[index] for index in range(count)] == items
    assert content.candidates is None or len(list(content.candidates)) == count
    if content.contexts is not None and not isinstance(content.contexts, str):
        assert len(list(content.contexts)) == count
    failed = range(0, count, 3)
    errors = [ItemFailure(index, ITEM_CODES[operation][0], "") for index in failed]
    answer = Answer(each(content.items, str), errors)
    if operation == "match":
        answer.results = [index % 2 == 0 for index in range(count)]
    batches = answered(CODEC.encode(operation, content, answer))
    assert [one.num_rows for one in batches] == list(content.lengths)
    rows = [row for one in batches for row in one.to_pylist()]
    there = [row for row in rows if row[RESULTS[operation][0]] is not None]
    assert len(there) == count
    assert sum(row["error"] is not None for row in rows) == len(failed)


def seeds() -> list[bytes]:
    texts = ["185012A00401008", "185011900401008", None, "x"]
    coded = pa.array(texts).dictionary_encode()
    bodies = [
        (0, stream(batch(value=texts))),
        (0, stream(batch(value=pa.array(texts[:2]), context=["a", "b"]))),
        (0, stream(batch(value=pa.array(texts, pa.string_view())))),
        (1, stream(batch(token=pa.array(texts, pa.large_utf8()), context=texts))),
        (2, stream(batch(token=coded), batch(token=coded.slice(1, 2)))),
        (3, stream(batch(token=coded, candidate=texts))),
        (3, stream(batch(token=texts[:1], candidate=coded[:1], context=coded[:1]))),
    ]
    return [bytes([first]) + body for first, body in bodies]
