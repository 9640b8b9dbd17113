"""An end user who is proved to the proxy by a token of theirs, which the proxy passes on."""

import json
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.support.issuers import Issuer
from tests.support.proxied import Edge
from tests.support.service import jeton
from tests.support.upstream import Reply, Upstream, upstream

pytestmark = [pytest.mark.system, pytest.mark.slow]

NIR = "284057512345672"
JSON = {"Content-Type": "application/json"}
ROUTE = """
[proxy.routes.{name}]
listener = "main"
upstream = "main"
client = "edge"
purpose = "care"
path = "/{name}"
end_user = "{end_user}"
request = [{{ select = "json:$.nir", operation = "tokenise", transformation = "fr-nir" }}]
response = [{{ select = "json:$.nir", operation = "detokenise", transformation = "fr-nir" }}]
"""


class Running(NamedTuple):
    edge: Edge
    behind: Upstream
    people: Issuer


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    routes = ROUTE.format(name="header", end_user="header:Authorization")
    routes += ROUTE.format(name="cookie", end_user="cookie:session")
    with upstream() as behind, Issuer.serving() as people:
        edge = Edge.create(tmp_path_factory.mktemp("edge"), behind.port, routes)
        edge.service.edit(lambda text: proved(text) + people.configuration("people"))
        with edge.running():
            yield Running(edge, behind, people)


def proved(text: str) -> str:
    """Its grant to detokenise wants the end user proved."""
    head, client, rest = text.partition("[clients.edge]\n")
    reveal = 'operation = "detokenise", transformation = "fr-nir"'
    assert client
    assert reveal in rest
    rest = rest.replace(reveal, f'{reveal}, end_user_issuers = ["people"]', 1)
    return f'{head}{client}issued_to = ["portal"]\n{rest}'


def asked(running: Running, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str]]:
    """A number goes in, and what the upstream saw of it comes back through the rules."""
    running.behind.answers = lambda seen: Reply(200, JSON, seen.body)
    body = json.dumps({"nir": NIR})
    answer = running.edge.ask("POST", path, body, {**JSON, **headers})
    return answer.status, json.loads(answer.body)


def headers_of(token: str, path: str) -> dict[str, str]:
    if path == "/header":
        return {"Authorization": f"Bearer {token}"}
    return {"Cookie": f"a=1; session={token}"}


@pytest.mark.parametrize("path", ["/header", "/cookie"])
def test_a_token_is_passed_on_and_judged(running: Running, path: str) -> None:
    user = "agent-header" if path == "/header" else "agent-cookie"
    good = running.people.token(user, azp="portal")
    assert asked(running, path, headers_of(good, path)) == (200, {"nir": NIR})
    assert json.loads(running.behind.last.body)["nir"] != NIR
    for bad in (
        running.people.token(user, azp="another"),
        running.people.token(user, azp="portal", aud="another"),
        Issuer().token(user, azp="portal"),
        "agent-17",
    ):
        status, said = asked(running, path, headers_of(bad, path))
        assert (status, said["code"]) == (403, "end_user_required")
    assert asked(running, path, {})[0] == 403
    status, said = asked(running, path, headers_of("a." + "b" * 9_000 + ".c", path))
    assert (status, said["code"]) == (400, "malformed_request")
    assert good not in running.edge.log


def test_the_record_names_who_was_proved(running: Running) -> None:
    good = running.people.token("agent-99", azp="portal")
    assert asked(running, "/header", headers_of(good, "/header"))[0] == 200
    lines = jeton("audit", "export", "--config", str(running.edge.service.config)).splitlines()
    told = [(one.get("end_user"), one.get("end_user_proof")) for one in map(json.loads, lines)]
    assert ("people agent-99", "people") in told
    assert good not in "".join(lines)
