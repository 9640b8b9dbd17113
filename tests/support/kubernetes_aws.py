"""The AWS of the production overlay: moto's server in its place, with the key that jeton.toml
names.

A pod shows it the token of its service account, as it would show it to IAM, and becomes its role.
moto believes every token: what is tried is that the pods ask, with what their manifests give them.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.kms import Kms
from tests.support.service import jeton
from vault.config import load


def endpoint(kms: Kms) -> Mapping[str, str]:
    """The one thing of a pod's that differs from the manifests': where AWS is."""
    return {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{kms.port}"}


def sealed(kms: Kms, reviewed: Path, made: Path) -> bytes:
    """The keyset of `jeton init`'s folder `made`, moved under the key that the `reviewed` file
    names, as an operator does it. `made` stays as it was."""
    spec = load(reviewed, {}).keys.kek
    *_, region, account, alias = spec.split(":")
    operator = _operator(kms, account, region)
    _new_key(operator, alias)
    copy = made.with_name("under-kms")
    shutil.copytree(made, copy)
    arguments = ("--to", spec, "--config", str(copy / "jeton.toml"))
    jeton("keys", "rewrap", *arguments, environment=operator)
    return (copy / "keyset.json").read_bytes()


def _operator(kms: Kms, account: str, region: str) -> dict[str, str]:
    """The environment of somebody who may make keys and seal with them."""
    role = f"arn:aws:iam::{account}:role/operator"
    sts = _client("sts", dict(kms.environment), endpoint(kms))
    found = sts.assume_role(RoleArn=role, RoleSessionName="operator")["Credentials"]
    return {
        **endpoint(kms),
        "AWS_ACCESS_KEY_ID": found["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": found["SecretAccessKey"],
        "AWS_SESSION_TOKEN": found["SessionToken"],
        "AWS_DEFAULT_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _new_key(operator: Mapping[str, str], alias: str) -> None:
    client = _client("kms", operator, operator)
    key = client.create_key(Description="KEK of Jeton")["KeyMetadata"]["KeyId"]
    client.create_alias(AliasName=alias, TargetKeyId=key)


def _client(name: str, who: Mapping[str, str], where: Mapping[str, str]) -> Any:
    from boto3.session import Session  # noqa: PLC0415 - may be missing

    session = Session(
        who["AWS_ACCESS_KEY_ID"],
        who["AWS_SECRET_ACCESS_KEY"],
        who.get("AWS_SESSION_TOKEN"),
        region_name=who["AWS_DEFAULT_REGION"],
    )
    return session.client(name, endpoint_url=where["AWS_ENDPOINT_URL"])
