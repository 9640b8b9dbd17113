"""The fixture `jeton_service`: a real service for the whole run; needs ``jeton-sdk[testing]``.

    def test_a_claim_holds_tokens_only(jeton_service):
        client = jeton_service.client("intake")

It starts when the first test asks for it, and ends with the session. Under pytest-xdist each
worker process has a service of its own. Override `jeton_clients` in a conftest.py for clients
with other grants, and `jeton_limits` for their limits.
"""

from collections.abc import Iterator, Mapping, Sequence

import pytest

from jeton import testing


@pytest.fixture(scope="session")
def jeton_clients() -> Mapping[str, Sequence[str]]:
    """Clients to add, by name: their grants, as `jeton clients add` takes them."""
    return {}


@pytest.fixture(scope="session")
def jeton_limits() -> Mapping[str, int]:
    """The limits of the clients that are added, such as ``{"reveal.hour": 100}``."""
    return {}


@pytest.fixture(scope="session")
def jeton_service(
    jeton_clients: Mapping[str, Sequence[str]], jeton_limits: Mapping[str, int]
) -> Iterator[testing.Service]:
    """A running service as `jeton init` makes it: `url`, `credentials`, `client(name)`."""
    try:
        with testing.serve(jeton_clients, jeton_limits) as service:
            yield service
    except testing.NotInstalled as missing:
        pytest.fail(f"jeton_service: {missing.detail}", pytrace=False)
