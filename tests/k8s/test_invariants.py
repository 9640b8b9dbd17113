"""What has to hold of every overlay, whichever way its parts are put together."""

import re
from collections.abc import Iterator

import pytest

from tests.support.kubernetes import BESIDE, OVERLAYS, Object, one, overlay, port_of, with_pods
from vault.config import Server

pytestmark = pytest.mark.slow

SHUTDOWN = Server().shutdown_timeout
SPARE = 5.0
"""Seconds of a grace that nothing is planned for."""
OURS = ("jeton", "jeton-proxy")


@pytest.fixture(params=OVERLAYS)
def objects(request: pytest.FixtureRequest) -> list[Object]:
    return overlay(request.param)


@pytest.fixture(params=(*OVERLAYS, *BESIDE))
def anything(request: pytest.FixtureRequest) -> list[Object]:
    return overlay(request.param)


def containers(objects: list[Object]) -> Iterator[tuple[str, Object, Object]]:
    for name, spec in with_pods(objects):
        for container in (*spec.get("initContainers", ()), *spec["containers"]):
            yield name, spec, container


def vaults(objects: list[Object]) -> list[Object]:
    """The StatefulSets that open the vault."""
    return [
        item
        for item in objects
        if item["kind"] == "StatefulSet" and item["metadata"]["name"] in OURS
    ]


def test_pods_are_as_the_restricted_standard_asks(anything: list[Object]) -> None:
    [namespace] = [item for item in anything if item["kind"] == "Namespace"]
    labels = namespace["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    for name, spec, container in containers(anything):
        pod, inner = spec["securityContext"], container["securityContext"]
        assert pod["runAsNonRoot"] is True, name
        assert pod["runAsUser"] > 10_000, name
        assert pod["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert inner["allowPrivilegeEscalation"] is False, name
        assert inner["capabilities"] == {"drop": ["ALL"]}, name
        assert inner["readOnlyRootFilesystem"] is True, name
        assert spec["automountServiceAccountToken"] is False, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys(), name


def test_volumes_are_of_kinds_that_the_restricted_standard_takes(anything: list[Object]) -> None:
    allowed = {"configMap", "secret", "projected", "emptyDir", "persistentVolumeClaim", "csi"}
    for name, spec in with_pods(anything):
        for volume in spec.get("volumes", ()):
            assert volume.keys() - {"name"} <= allowed, name


def test_everything_that_is_mounted_is_there(anything: list[Object]) -> None:
    for item in anything:
        for name, spec in with_pods([item]):
            claims = item["spec"].get("volumeClaimTemplates", ())
            known = {volume["name"] for volume in spec.get("volumes", ())}
            known |= {claim["metadata"]["name"] for claim in claims}
            mounted = {
                mount["name"]
                for _, _, container in containers([item])
                for mount in container["volumeMounts"]
            }
            assert mounted == known, name


HARMLESS = (
    r"POD_NAME|.*_URL|.*_FILE|JETON__.*__(HOST|PORT)"
    "|AWS_(ROLE_ARN|ROLE_SESSION_NAME|DEFAULT_REGION|EC2_METADATA_DISABLED)"
)


def test_no_secret_stands_in_the_environment(anything: list[Object]) -> None:
    for name, _, container in containers(anything):
        assert "envFrom" not in container, name
        for variable in container.get("env", ()):
            assert "secretKeyRef" not in variable.get("valueFrom", {}), name
            assert re.fullmatch(HARMLESS, variable["name"]), name


def test_liveness_looks_at_the_process_alone_and_readiness_at_reveals(
    objects: list[Object],
) -> None:
    assert vaults(objects)
    for item in vaults(objects):
        [container] = item["spec"]["template"]["spec"]["containers"]
        pages = {
            kind: container[f"{kind}Probe"]["httpGet"]["path"]
            for kind in ("startup", "liveness", "readiness")
        }
        assert pages == {"startup": "/livez", "liveness": "/livez", "readiness": "/readyz"}
        ports = {
            port_of(container, container[f"{kind}Probe"]["httpGet"]["port"])
            for kind in ("startup", "liveness", "readiness")
        }
        assert ports <= {port["containerPort"] for port in container["ports"]}


def test_a_start_may_take_as_long_as_the_record_s_tail_and_liveness_waits_for_it(
    objects: list[Object],
) -> None:
    for item in vaults(objects):
        probe = item["spec"]["template"]["spec"]["containers"][0]["startupProbe"]
        assert probe["periodSeconds"] * probe["failureThreshold"] >= 300


def test_a_failover_of_redis_takes_no_pod_out_of_service(objects: list[Object]) -> None:
    """Measured, it takes up to four seconds beyond what Sentinel waits before it begins."""
    for item in vaults(objects):
        probe = item["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]
        assert probe["periodSeconds"] * (probe["failureThreshold"] - 1) >= 10
        assert probe["timeoutSeconds"] < probe["periodSeconds"]


def test_a_pod_has_time_to_end(objects: list[Object]) -> None:
    """preStop and what the service takes at most are over before it is killed."""
    for item in vaults(objects):
        spec = item["spec"]["template"]["spec"]
        asleep = spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert asleep >= 5
        assert asleep + SHUTDOWN + SPARE < spec["terminationGracePeriodSeconds"]


def test_a_shorter_or_longer_shutdown_is_not_configured(objects: list[Object]) -> None:
    """The grace is reckoned with the one that ships."""
    assert "shutdown_timeout" not in one(objects, "ConfigMap", "jeton-config")["data"]["jeton.toml"]


def test_the_configuration_s_name_changes_with_it(objects: list[Object]) -> None:
    name = one(objects, "ConfigMap", "jeton-config")["metadata"]["name"]
    assert name != "jeton-config"
    for item in vaults(objects):
        volumes = item["spec"]["template"]["spec"]["volumes"]
        assert {"name": "config", "configMap": {"name": name}} in volumes


def test_one_worker_process_a_pod(objects: list[Object]) -> None:
    text = one(objects, "ConfigMap", "jeton-config")["data"]["jeton.toml"]
    assert "workers" not in text
    assert Server().workers == 1
    for item in vaults(objects):
        assert "--workers" not in item["spec"]["template"]["spec"]["containers"][0]["args"]


def test_every_pod_says_what_it_needs_and_what_it_may_take(anything: list[Object]) -> None:
    for name, _, container in containers(anything):
        for kind in ("requests", "limits"):
            assert container["resources"][kind].keys() == {"cpu", "memory"}, name


def test_the_record_outlives_its_pod(objects: list[Object]) -> None:
    for item in vaults(objects):
        assert item["spec"]["persistentVolumeClaimRetentionPolicy"] == {
            "whenDeleted": "Retain",
            "whenScaled": "Retain",
        }
        [claim] = item["spec"]["volumeClaimTemplates"]
        mounts = item["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
        assert {"name": claim["metadata"]["name"], "mountPath": "/var/lib/jeton"} in mounts


def test_a_disruption_takes_one_pod_at_a_time(anything: list[Object]) -> None:
    """Of a single pod a budget would forbid every drain, or none."""
    budgets = {
        item["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"]: item["spec"]
        for item in anything
        if item["kind"] == "PodDisruptionBudget"
    }
    for item in anything:
        name = item["metadata"]["name"]
        if item["kind"] == "StatefulSet" and name != "jeton-witness":
            assert budgets[name]["maxUnavailable"] == 1
    assert "jeton-witness" not in budgets
    for name in set(OURS) & budgets.keys():  # none of them is ready while Redis is away
        assert budgets[name]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


@pytest.mark.parametrize("name", [*OVERLAYS, "witness"])
def test_all_is_denied_that_is_not_asked_for(name: str) -> None:
    deny = one(overlay(name), "NetworkPolicy", "default-deny")["spec"]
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_no_policy_is_for_everybody(anything: list[Object]) -> None:
    policies = [item for item in anything if item["kind"] == "NetworkPolicy"]
    assert policies
    for policy in policies:
        assert policy["spec"]["policyTypes"]
        for rule in (*policy["spec"].get("ingress", ()), *policy["spec"].get("egress", ())):
            assert rule.get("from", rule.get("to")), "a rule for everybody"
            assert rule["ports"], "a rule for every port"


def test_production_spreads_over_three_zones() -> None:
    for item in overlay("prod"):
        if item["kind"] == "StatefulSet":
            zones = item["spec"]["template"]["spec"]["topologySpreadConstraints"][0]
            assert zones["topologyKey"] == "topology.kubernetes.io/zone"
            assert zones["whenUnsatisfiable"] == "DoNotSchedule"
    for item in vaults(overlay("prod")):
        zones = item["spec"]["template"]["spec"]["topologySpreadConstraints"][0]
        assert zones["minDomains"] == 3


def test_production_scales_by_processor_and_by_requests_in_flight() -> None:
    objects = overlay("prod")
    spec = one(objects, "HorizontalPodAutoscaler", "jeton")["spec"]
    cpu, waiting = spec["metrics"]
    assert cpu["containerResource"]["name"] == "cpu"
    assert cpu["containerResource"]["container"] == "jeton"
    assert waiting["pods"]["metric"]["name"] == "jeton_in_flight"
    assert int(waiting["pods"]["target"]["averageValue"]) < Server().max_in_flight
    assert spec["minReplicas"] == 3
    assert "replicas" not in one(objects, "StatefulSet", "jeton")["spec"]


def test_redis_is_set_as_the_service_demands() -> None:
    objects = overlay("prod")
    settings = dict(
        line.split(maxsplit=1)
        for line in one(objects, "ConfigMap", "jeton-redis")["data"]["redis.conf"].splitlines()
    )
    assert settings["appendonly"] == "yes"
    assert settings["appendfsync"] == "always"
    assert settings["maxmemory-policy"] == "noeviction"
    assert settings["min-replicas-to-write"] == "1"
    assert one(objects, "StatefulSet", "jeton-redis")["spec"]["replicas"] == 3
    assert one(objects, "StatefulSet", "jeton-sentinel")["spec"]["replicas"] == 3


def test_the_witness_is_reached_by_the_service_s_pods_alone() -> None:
    [rule] = one(overlay("witness"), "NetworkPolicy", "jeton-witness")["spec"]["ingress"]
    [peer] = rule["from"]
    assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "jeton"}
    [labels] = peer["podSelector"]["matchExpressions"]
    assert labels["values"] == list(OURS)
    assert rule["ports"] == [{"protocol": "TCP", "port": "https"}]


def test_the_witness_s_key_is_not_on_its_volume_and_what_it_saw_outlives_it() -> None:
    item = one(overlay("witness"), "StatefulSet", "jeton-witness")
    spec = item["spec"]["template"]["spec"]
    mounts = {mount["mountPath"]: mount for mount in spec["containers"][0]["volumeMounts"]}
    for name in ("witness.key", "credential.sha256"):
        assert mounts[f"/var/lib/witness/{name}"]["name"] == "key"
        assert mounts[f"/var/lib/witness/{name}"]["readOnly"] is True
    assert mounts["/var/lib/witness/trusted"]["readOnly"] is True
    assert mounts["/var/lib/witness"]["name"] == "seen"
    assert set(item["spec"]["persistentVolumeClaimRetentionPolicy"].values()) == {"Retain"}
    assert spec["serviceAccountName"] != "jeton"


def test_tokens_are_for_one_audience_each_and_the_cluster_s_is_for_its_keys() -> None:
    """Audiences by volume, and who has one for the API server."""
    found = {
        (item["metadata"]["name"], volume["name"], source["serviceAccountToken"].get("audience"))
        for item in (*overlay("prod"), *overlay("caller"))
        for _, spec in with_pods([item])
        for volume in spec.get("volumes", ())
        for source in volume.get("projected", {}).get("sources", ())
        if "serviceAccountToken" in source
    }
    assert found == {
        ("jeton", "aws", "sts.amazonaws.com"),
        ("jeton-proxy", "aws", "sts.amazonaws.com"),
        ("jeton", "issuer", None),
        ("jeton-proxy", "issuer", None),
        ("intake", "jeton", "jeton"),
    }


def test_production_has_no_file_of_the_kek() -> None:
    objects = overlay("prod")
    assert "jeton-kek" not in str(objects)
    for item in vaults(objects):
        names = {volume["name"] for volume in item["spec"]["template"]["spec"]["volumes"]}
        assert "kek" not in names
        assert "aws" in names
