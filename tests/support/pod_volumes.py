"""What a kubelet mounts into a pod: claims, secrets, configuration, and tokens of its service
account, which it asks the API server for."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.kubernetes import Object
from tests.support.sandbox import Mount

if TYPE_CHECKING:
    from tests.support.pods import Pod


def mounts(pod: "Pod") -> Iterator[Mount]:
    """The outer before the inner."""
    sources = {volume["name"]: volume for volume in pod.spec.get("volumes", ())}
    claims = {
        claim["metadata"]["name"] for claim in pod.manifest["spec"].get("volumeClaimTemplates", ())
    }
    for mount in sorted(pod.container["volumeMounts"], key=lambda mount: str(mount["mountPath"])):
        name, at = mount["name"], mount["mountPath"]
        if name in claims:
            yield Mount(at, pod.cluster.volume(name, pod.name), writable=True)
        elif "emptyDir" in sources[name]:
            yield Mount(at, None)
        elif "projected" in sources[name]:
            yield from _projected(pod, sources[name]["projected"]["sources"], at)
        else:
            yield Mount(at, _whole(pod, sources[name]) / mount.get("subPath", ""))


def _whole(pod: "Pod", volume: Object) -> Path:
    if "configMap" in volume:
        folder = pod.cluster.given("configMap", volume["configMap"]["name"])
    else:
        folder = pod.cluster.secret(volume["secret"]["secretName"])
    assert any(folder.iterdir()), f"a pod waits for ever: there is no {folder.name}"
    return folder


def _projected(pod: "Pod", sources: list[Object], at: str) -> Iterator[Mount]:
    for source in sources:
        kind, part = next(iter(source.items()))
        if kind == "serviceAccountToken":
            yield Mount(f"{at}/{part['path']}", _token(pod, part))
            continue
        for item in part["items"]:
            file = pod.cluster.given(kind, part["name"]) / item["key"]
            yield Mount(f"{at}/{item['path']}", file)


def _token(pod: "Pod", asked: Object) -> Path:
    """A fresh one for each container that is made."""
    assert pod.cluster.tokens is not None, "there is no API server to ask"
    assert asked["expirationSeconds"] >= 600, "Kubernetes makes none that is shorter"
    space, account = pod.manifest["metadata"]["namespace"], pod.spec["serviceAccountName"]
    audience = asked.get("audience")
    sub = f"system:serviceaccount:{space}:{account}"
    token = pod.cluster.tokens(sub, audience, asked["expirationSeconds"])
    named = f"{pod.name}-{audience or 'cluster'}"
    pod.cluster.give("token", named, {"token": token.encode()})
    return pod.cluster.given("token", named) / "token"
