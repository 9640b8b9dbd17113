"""Each entry is a valid event of the pinned schema, and says nothing that the record does not."""

import importlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tests.support.components import need_module
from tests.support.records import disclosure
from vault.audit.entry import Detail, Disclosure, Entry, Event, Refusals, Tokenised
from vault.audit.ocsf import VERSION, event

TIME = "2026-11-27T22:00:00.000000Z"


@pytest.fixture(scope="module")
def valid() -> Any:
    need_module("ocsf_json_schema")
    ocsf = importlib.import_module("ocsf_json_schema")
    made = ocsf.OcsfJsonSchemaEmbedded(ocsf.get_ocsf_schema(version=VERSION))
    schema = made.get_class_schema(class_name="datastore_activity")
    assert schema["additionalProperties"] is False
    return Draft202012Validator(schema)


ENTRIES: list[Entry] = [
    *(disclosure(seq=3, time=TIME, operation=name) for name in ("detokenise", "mask", "match")),
    disclosure(seq=4, time=TIME, source="unix", request_id=None, end_user="dr-who", matched=1),
    disclosure(seq=4, time=TIME, source="", purpose=None, persons=[]),
    Refusals(seq=5, time=TIME, principal="portal", code="budget_exhausted", count=40),
    Tokenised(seq=6, time=TIME, principal="portal", transformation="fr-nir", items=9, failed=1),
    Event(seq=7, time=TIME, name="start"),
    Event(seq=8, time=TIME, name="lock", detail={"principal": "portal", "end_user": None}),
    Event(
        seq=9,
        time=TIME,
        name="honeytoken",
        detail={"principal": "portal", "source": "::1", "transformation": "fr-nir", "items": 2},
    ),
]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: type(entry).__name__)
def test_each_kind_is_valid(entry: Entry, valid: Any) -> None:
    told = event("w0", entry)
    assert [error.message for error in valid.iter_errors(told)] == []
    assert told["type_uid"] == told["class_uid"] * 100 + told["activity_id"]
    assert told["metadata"]["uid"] == f"w0.{entry.seq}"


names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)


@given(
    principal=names,
    source=names,
    user=names,
    items=st.integers(0, 10**6),
    seq=st.integers(0, 2**31 - 1),
)
def test_odd_names_are_valid_too(
    principal: str, source: str, user: str, items: int, seq: int, valid: Any
) -> None:
    entry = disclosure(
        principal, seq=seq, time=TIME, source=source, end_user=user, items=items, purpose=user
    )
    assert valid.is_valid(event("w0", entry))


def test_no_event_is_longer_than_a_syslog_server_takes(valid: Any) -> None:
    """8,192 octets, as RFC 5425 asks of one."""
    persons = [f"{number:032x}" for number in range(1_000)]
    entry = disclosure(
        "p" * 200, seq=3, time=TIME, end_user="u" * 256, items=1_000, persons=persons
    )
    told = event("w0", entry)
    assert valid.is_valid(told)
    assert told["unmapped"]["persons"] == persons[:100]
    assert told["unmapped"]["persons_left_out"] == 900
    assert len(json.dumps(told)) < 8_000


def test_an_event_says_who_proved_the_end_user() -> None:
    proved = disclosure(seq=3, time=TIME, end_user="people 8997", end_user_proof="people")
    told = event("w0", proved)["unmapped"]
    assert (told["end_user"], told["end_user_proof"]) == ("people 8997", "people")
    claimed = disclosure(seq=4, time=TIME, end_user="dr-who")
    assert "end_user_proof" not in event("w0", claimed)["unmapped"]
    detail: Detail = {"end_user": "people 8997", "end_user_proof": "people"}
    alarm = Event(seq=5, time=TIME, name="honeytoken", detail=detail)
    assert event("w0", alarm)["unmapped"]["end_user_proof"] == "people"


def test_all_of_a_disclosure_is_in_its_event() -> None:
    entry = disclosure(seq=3, time=TIME, end_user="dr-who", failed=1, duplicate=True)
    told = event("w0", entry)
    assert told["actor"]["user"] == {
        "name": "reimbursement", "type_id": 3, "credential_uid": "0a1b2c3d",
    }  # fmt: skip
    assert told["src_endpoint"] == {"ip": "192.0.2.7"}
    assert told["table"] == {"name": "fr-nir"}
    assert told["time"] == 1_795_816_800_000
    assert told["unmapped"] == {
        "kind": "disclosure",
        "operation": "detokenise",
        "items": 1,
        "failed": 1,
        "persons": ["00112233445566778899aabbccddeeff"],
        "purpose": "reimbursement",
        "end_user": "dr-who",
        "request_id": entry.request_id,
        "duplicate": True,
    }
    assert isinstance(entry, Disclosure)
