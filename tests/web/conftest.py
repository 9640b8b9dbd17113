"""The small door, and the application before it."""

import pytest

from tests.support.door import SmallDoor
from tests.support.small_calls import LIMITS
from vault.web import Application, Holder


@pytest.fixture
def door() -> SmallDoor:
    return SmallDoor()


@pytest.fixture
def app(door: SmallDoor) -> Application:
    return Application(Holder(door), LIMITS)
