"""With a `max_fill` so small that there is room for no token, a value got 500 `internal`, since the
share that was taken of nothing was to be told, instead of `domain_exhausted`."""

from collections.abc import Callable

import pytest

from tests.support.service import Service

NONE = """
[transformations.none]
format = "alphabet"
alphabet = "0123456789"
min_length = 6
max_length = 6
method = "vaulted"
max_fill = 0.00000001
"""


@pytest.mark.system
def test_no_room_is_said_to_be_none(new_service: Callable[[], Service]) -> None:
    service = new_service()
    service.edit(lambda text: text + NONE)
    writer = service.add_client("writer", ["tokenise:none"])
    service.start()
    reply = service.post("tokenise/none", {"value": "123456"}, writer)
    assert (reply.status, reply.body["code"]) == (507, "domain_exhausted")
