"""Who may speak to whom, as the network policies say it all together: nothing that is needed is
missing, and there is nothing else."""

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

import pytest

from tests.support.kubernetes import BESIDE, K8S, OVERLAYS, Object, one, overlay, port_of
from vault.config import load

pytestmark = pytest.mark.slow

NAMES = {("kube-system k8s-app=kube-dns", 53)}
STORE = {
    ("app.kubernetes.io/name=jeton-redis", 6379),
    ("app.kubernetes.io/name=jeton-sentinel", 26379),
}
KMS = {(f"10.4.{net}.0/28", 443) for net in (16, 32, 48)}
ISSUER = {(f"10.4.0.{host}/32", 443) for host in (10, 138)}
WITNESS = {("jeton-witness app.kubernetes.io/name=jeton-witness", 8300)}
SIEM = {("10.4.64.0/28", 6514)}
CALLERS = {("jeton-client=true", "https"), ("app.kubernetes.io/name=jeton-load", "https")}
PROMETHEUS = {("monitoring", "metrics"), ("monitoring", 9465)}
REDIS = {"jeton-redis", "jeton-sentinel"}


def selects(selector: Object, labels: Mapping[str, str]) -> bool:
    if not selector.get("matchLabels", {}).items() <= labels.items():
        return False
    asked = selector.get("matchExpressions", ())
    assert all(each["operator"] == "In" for each in asked)
    return all(labels.get(each["key"]) in each["values"] for each in asked)


def spelt(selector: Object) -> list[str]:
    """A text for each label that a selector takes."""
    text = [f"{key}={value}" for key, value in selector.get("matchLabels", {}).items()]
    for each in selector.get("matchExpressions", ()):
        text += [f"{each['key']}={value}" for value in each["values"]]
    return text


def peers(peer: Object) -> list[str]:
    if "ipBlock" in peer:
        assert peer.keys() == {"ipBlock"}
        assert peer["ipBlock"].keys() == {"cidr"}
        return [peer["ipBlock"]["cidr"]]
    spaces = spelt(peer.get("namespaceSelector", {}))
    pods = spelt(peer.get("podSelector", {}))
    names = [text.removeprefix("kubernetes.io/metadata.name=") for text in spaces]
    assert len(names) == ("namespaceSelector" in peer)
    return [" ".join([*names, pod]) for pod in pods] or names


def allowed(objects: list[Object], labels: Mapping[str, str], way: str) -> set[tuple[str, object]]:
    """Peers and ports, over all policies for a pod."""
    policies = [item["spec"] for item in objects if item["kind"] == "NetworkPolicy"]
    mine = [policy for policy in policies if selects(policy["podSelector"], labels)]
    assert any(way.capitalize() in policy["policyTypes"] for policy in mine), "nothing is denied"
    return {
        (text, port["port"])
        for policy in mine
        for rule in policy.get(way, ())
        for peer in rule["from" if way == "ingress" else "to"]
        for text in peers(peer)
        for port in rule["ports"]
    }


def labels_of(item: Object) -> dict[str, str]:
    found: dict[str, str] = item["spec"]["template"]["metadata"]["labels"]
    return found


@pytest.mark.parametrize("name", ["jeton", "jeton-proxy"])
def test_the_vault_s_pods_of_production(name: str) -> None:
    objects = overlay("prod")
    labels = labels_of(one(objects, "StatefulSet", name))
    more = {("claims", 8080)} if name == "jeton-proxy" else set()
    egress = NAMES | STORE | KMS | ISSUER | WITNESS | SIEM | more
    assert allowed(objects, labels, "egress") == egress
    assert allowed(objects, labels, "ingress") == CALLERS | PROMETHEUS


@pytest.mark.parametrize("name", sorted(REDIS))
def test_redis_and_its_sentinels(name: str) -> None:
    objects = overlay("prod")
    labels = labels_of(one(objects, "StatefulSet", name))
    both = {(f"app.kubernetes.io/name={each}", port) for each in REDIS for port in (6379, 26379)}
    vaults = {
        (f"app.kubernetes.io/name={each}", port)
        for each in ("jeton", "jeton-proxy")
        for port in (6379, 26379)
    }
    assert allowed(objects, labels, "egress") == NAMES | both
    assert allowed(objects, labels, "ingress") == both | vaults


def test_the_witness_and_a_caller() -> None:
    ours = {(f"jeton app.kubernetes.io/name={each}", "https") for each in ("jeton", "jeton-proxy")}
    witness = overlay("witness")
    labels = labels_of(one(witness, "StatefulSet", "jeton-witness"))
    assert allowed(witness, labels, "ingress") == ours
    assert allowed(witness, labels, "egress") == set()
    caller = overlay("caller")
    service = {("jeton app.kubernetes.io/name=jeton", 8200)}
    assert allowed(caller, {"app.kubernetes.io/name": "intake"}, "egress") == NAMES | service
    assert allowed(caller, {"app.kubernetes.io/name": "intake"}, "ingress") == set()
    [namespace] = [item for item in caller if item["kind"] == "Namespace"]
    assert namespace["metadata"]["labels"]["jeton-client"] == "true"


def test_what_production_is_told_to_ask_is_what_may_be_reached() -> None:
    settings = load(K8S / "overlays/prod/jeton.toml", {})
    assert settings.audit.witness is not None
    assert urlsplit(settings.audit.witness.url).netloc == "jeton-witness.jeton-witness.svc:8300"
    [issuer] = settings.identity.issuers.values()
    assert urlsplit(issuer.keys).port is None, "443, the API server's"
    [upstream] = settings.proxy.upstreams.values()
    assert [urlsplit(url).netloc for url in upstream.urls] == ["claims.claims.svc:8080"]
    [shipper] = one(overlay("prod"), "StatefulSet", "jeton")["spec"]["template"]["spec"][
        "initContainers"
    ]
    [url] = [each["value"] for each in shipper["env"] if each["name"] == "SIEM_URL"]
    assert urlsplit(url).port == 6514
    service = one(overlay("witness"), "Service", "jeton-witness")["spec"]["ports"]
    pod = one(overlay("witness"), "StatefulSet", "jeton-witness")["spec"]["template"]["spec"]
    assert [each["port"] for each in service] == [8300]
    assert port_of(pod["containers"][0], service[0]["targetPort"]) == 8300


def named_ports(objects: list[Object]) -> Iterator[tuple[Object, str]]:
    """Selectors of pods, and names of ports of theirs that somebody asks for."""
    for item in objects:
        spec = item.get("spec", {})
        if item["kind"] == "Service":
            selector = {"matchLabels": spec["selector"]}
            targets = [port.get("targetPort", port["port"]) for port in spec["ports"]]
            yield from ((selector, port) for port in targets if isinstance(port, str))
        if item["kind"] == "NetworkPolicy":
            ports = [port["port"] for rule in spec.get("ingress", ()) for port in rule["ports"]]
            yield from ((spec["podSelector"], port) for port in ports if isinstance(port, str))


@pytest.mark.parametrize("name", [*OVERLAYS, *BESIDE])
def test_a_port_is_called_by_its_name_only_where_every_cluster_knows_it(name: str) -> None:
    """Names of ports of containers that start before the others came to nothing, in policies and in
    endpoints, until lately: kubernetes#125285 and #127958."""
    objects = overlay(name)
    sets = [item for item in objects if item["kind"] == "StatefulSet"]
    for selector, port in named_ports(objects):
        fitting = [item for item in sets if selects(selector, labels_of(item))]
        assert fitting, selector
        for item in fitting:
            main = item["spec"]["template"]["spec"]["containers"]
            assert port in {each["name"] for each in main[0]["ports"]}, (selector, port)
