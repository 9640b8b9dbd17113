"""What a caller sees when things go wrong, with the real service behind: the table below.

Every reveal here was charged once, however often it was sent: its end user may be shown three
values, and after the one that went through trouble exactly two more.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from http.server import BaseHTTPRequestHandler

import pytest

import jeton
from tests.support.fault_proxy import FaultProxy
from tests.support.ports import free_port
from tests.support.service import Service
from tests.support.stub import KINDS, Respond, behind, client_of, dead_url, hang_up, send, serving

pytestmark = pytest.mark.system

NIR = "284057512345672"
LIMIT = 3
OTHER = send({"values": ["1"]})


def garbage(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"\x16\x03\x01 no HTTP at all\r\n\r\n")
    handler.close_connection = True


# What happens to the answers of the service, one after the other, after it has charged for
# them; and what the caller sees of it in the end. None: the answer is passed on.
TROUBLE: dict[str, tuple[list[Respond | None], type[Exception] | None]] = {
    "nothing": ([], None),
    "the answer is lost": ([hang_up], None),
    "the body is cut half way": ([send({"value": NIR}, cut=5)], None),
    "garbage comes instead": ([garbage], None),
    "another shape comes instead": ([OTHER, OTHER], None),
    "a gateway's page comes instead": ([send("<p>", 502, "text/html")] * 2, None),
    "an error without Jeton's words": ([send({}, 503)], None),
    "the service is busy for a second": (
        [send({"code": "overloaded"}, 503, "application/problem+json", Retry_After="1")],
        None,
    ),
    "nothing but lost answers": ([hang_up] * 9, jeton.NoAnswer),
    "nothing but garbage": ([garbage] * 9, jeton.NoAnswer),
    "nothing but a gateway's page": ([send("<p>", 502, "text/html")] * 9, jeton.Unavailable),
    "busy for longer than the caller has": (
        [send({"code": "overloaded"}, 503, "application/problem+json", Retry_After="600")],
        jeton.Unavailable,
    ),
    "a refusal": (
        [send({"code": "not_allowed"}, 403, "application/problem+json")],
        jeton.NotAllowed,
    ),
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service where each end user, one for each test, may be shown three values."""
    service = Service.create(tmp_path_factory.mktemp("failures"))
    service.add_client("reader", ["detokenise:fr-nir:test"], {"end_user.reveal.hour": LIMIT})
    service.start()
    yield service
    service.stop()


@pytest.fixture(scope="module")
def token(house: Service) -> str:
    with jeton.Client(house.url, house.credentials["intake"]) as client:
        return client.tokenise("fr-nir", NIR)


def spends_exactly_what_is_left(house: Service, kind: str, token: str, user: str) -> None:
    """One of three was charged: there are two left."""
    with client_of(kind, house.url, house.credentials["reader"], purpose="test") as client:
        for _ in range(LIMIT - 1):
            assert client.detokenise("fr-nir", token, on_behalf_of=user).reveal() == NIR
        with pytest.raises(jeton.BudgetExhausted) as caught:
            client.detokenise("fr-nir", token, on_behalf_of=user)
        assert caught.value.retry_after is not None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("trouble", TROUBLE)
def test_the_table(kind: str, trouble: str, house: Service, token: str) -> None:
    meddling, expected = TROUBLE[trouble]
    user = f"{kind}-{list(TROUBLE).index(trouble)}"
    credential = house.credentials["reader"]
    with (
        serving(behind(house.port, *meddling)) as stub,
        client_of(kind, stub.url, credential, purpose="test", timeout=8) as client,
    ):
        began = time.monotonic()
        if expected is None:
            assert client.detokenise("fr-nir", token, on_behalf_of=user).reveal() == NIR
        else:
            with pytest.raises(expected):
                client.detokenise("fr-nir", token, on_behalf_of=user)
        assert time.monotonic() - began < 8.5
        assert len({headers["Jeton-Request-Id"] for _, headers, _ in stub.requests}) == 1
        assert len({str(sent) for _, _, sent in stub.requests}) == 1
    spends_exactly_what_is_left(house, kind, token, user)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("first", ["refuses", "is a black hole", "answers too late"])
def test_one_of_two_addresses_is_dead(kind: str, first: str, house: Service, token: str) -> None:
    release = threading.Event()
    user = f"{kind}-{first.replace(' ', '-')}"
    with ExitStack() as stack:
        url = dead_url()
        if first == "is a black hole":
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        elif first == "answers too late":
            late = behind(house.port, lambda _: (release.wait(20), None)[1])
            url = stack.enter_context(serving(late)).url
        stack.callback(release.set)
        urls, credential = f"{url}, {house.url}", house.credentials["reader"]
        client = stack.enter_context(client_of(kind, urls, credential, purpose="test", timeout=4))
        began = time.monotonic()
        assert client.detokenise("fr-nir", token, on_behalf_of=user).reveal() == NIR
        assert time.monotonic() - began < (1.0 if first == "refuses" else 4.0)
    spends_exactly_what_is_left(house, kind, token, user)


@pytest.fixture
def same_port(monkeypatch: pytest.MonkeyPatch) -> int:
    """Where a service is started again after it ended."""
    port = free_port()
    monkeypatch.setattr("tests.support.service.free_port", lambda: port)
    return port


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("end", ["stopped", "killed"])
def test_a_service_that_is_started_again_is_a_delay(
    kind: str, end: str, new_service: Callable[[], Service], same_port: int
) -> None:
    service = new_service()
    credential = service.credentials["intake"]
    service.start()
    with client_of(kind, service.url, credential, timeout=30, tries=10) as client:
        token = client.tokenise("fr-nir", NIR)
        if end == "stopped":
            service.stop()
        else:
            service.kill()
        again = threading.Timer(0.3, service.start)
        again.start()
        try:
            assert client.tokenise("fr-nir", NIR) == token
        finally:
            again.join()
        service.kill()
        began = time.monotonic()
    with client_of(kind, service.url, credential, timeout=1) as client:
        with pytest.raises(jeton.Unreachable):
            client.tokenise("fr-nir", NIR)
        assert time.monotonic() - began < 2.5


@pytest.mark.parametrize("kind", KINDS)
def test_a_slow_network_delays_and_a_black_hole_ends_by_the_deadline(
    kind: str, service: Service
) -> None:
    credential = service.credentials["intake"]
    with FaultProxy(service.port) as proxy:
        url = f"http://127.0.0.1:{proxy.port}"
        with client_of(kind, url, credential, timeout=5) as client:
            proxy.delay = 0.2
            token = client.tokenise("fr-nir", NIR)
        with client_of(kind, url, credential, timeout=3) as client:
            proxy.delay = 0.0
            assert client.tokenise("fr-nir", NIR) == token
            proxy.black_hole = True
            began = time.monotonic()
            with pytest.raises(jeton.NoAnswer):
                client.tokenise("fr-nir", NIR)
            assert time.monotonic() - began < 4.5
            proxy.cut()
            with pytest.raises((jeton.NoAnswer, jeton.Unreachable)):
                client.tokenise("fr-nir", NIR)
            proxy.heal()
            until = time.monotonic() + 10  # it is left alone for a second after failures
            while time.monotonic() < until:
                with suppress(jeton.Unreachable):  # no call that is sent lacks its answer
                    assert client.tokenise("fr-nir", NIR) == token
                    break
                time.sleep(0.05)
            assert time.monotonic() < until
