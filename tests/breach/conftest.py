"""A house for the drills of each file: its module says who lives there.

`CLIENTS` and `PEOPLE` of the module are what `House.open` takes. The drills of a file share
the house, so each of them has a client of its own.
"""

from collections.abc import Iterator

import pytest

from tests.support.thief import House


@pytest.fixture(scope="module")
def house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    drill = request.module
    opened = House.open(
        tmp_path_factory.mktemp("house"), drill.CLIENTS, drill.PEOPLE, getattr(drill, "WORKERS", 1)
    )
    yield opened
    opened.service.kill()
