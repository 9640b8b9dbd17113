"""Arrow against a real service: the answers of JSON, the same budgets, the same record."""

import http.client
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from benchmarks.population import nirs
from tests.support.arrow import MEDIA_TYPE, answered, batch, rows, stream
from tests.support.service import Service

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def arrow_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    made = Service.create(tmp_path_factory.mktemp("arrow"))
    made.add_client("in", ["tokenise:fr-nir"], {"tokenise.hour": 150_000})
    grants = [f"{operation}:fr-nir:test" for operation in ("detokenise", "mask", "match")]
    made.add_client("out", grants, {"reveal.hour": 1_000, "people.day": 1_000})
    made.start()
    yield made
    made.stop()


def send(service: Service, call: str, body: bytes, client: str) -> tuple[int, bytes, str | None]:
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
    headers = {
        "Content-Type": MEDIA_TYPE,
        "Authorization": f"Bearer {service.credentials[client]}",
    }
    if client == "out":
        headers["Jeton-Purpose"] = "test"
    connection.request("POST", f"/v1/{call}/fr-nir", body, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content, answer.headers.get("Jeton-Receipt")


def test_a_large_batch_goes_in_and_some_of_it_comes_back(arrow_service: Service) -> None:
    people = list(nirs(100_000, seed=3))
    status, content, receipt = send(arrow_service, "tokenise", stream(batch(value=people)), "in")
    assert (status, receipt) == (200, None)
    tokens = [token for token, error in rows(answered(content)) if error is None]
    assert len(set(tokens)) == len(people)

    some = {"tokens": tokens[:100]}
    by_json = arrow_service.post(
        "detokenise/fr-nir", some, arrow_service.credentials["out"], "test"
    )
    assert by_json.body == {"values": people[:100], "errors": []}
    sent = batch(token=[*tokens[:100], None])
    status, content, receipt = send(arrow_service, "detokenise", stream(sent, sent), "out")
    assert status == 200
    assert receipt is not None
    expected = [*((person, None) for person in people[:100]), (None, None)]
    assert rows(answered(content)) == expected * 2
    status, content, _ = send(arrow_service, "mask", stream(batch(token=tokens[:2])), "out")
    assert [text for text, _ in rows(answered(content))] == [p[:3] + "*" * 12 for p in people[:2]]
    pairs = batch(token=tokens[:2], candidate=[people[0], people[0]])
    status, content, _ = send(arrow_service, "match", stream(pairs), "out")
    assert rows(answered(content)) == [(True, None), (False, None)]


def test_every_row_of_a_dictionary_is_charged(arrow_service: Service) -> None:
    """The hour has 150,000: what is left of it is spent by rows, not by entries."""
    values = pa.DictionaryArray.from_arrays(
        pa.array([0] * 60_000, pa.int8()), pa.array(["185012A00401008"])
    )
    spent = stream(batch(value=values))
    codes = [send(arrow_service, "tokenise", spent, "in")[0] for _ in range(3)]
    assert codes.count(200) <= 2
    assert codes[-1] == 429


def test_malformed_streams_are_the_callers(arrow_service: Service) -> None:
    body = stream(batch(value=["185012A00401008"] * 100))
    for wrong in (body[:-1], body[:300], b"", b"junk", b'{"value":"1"}', body + body):
        status, content, _ = send(arrow_service, "tokenise", wrong, "in")
        assert status == 400
        assert b"185012A00401008" not in content
    log: Path = arrow_service.log
    assert "185012A00401008" not in log.read_text("utf-8")
