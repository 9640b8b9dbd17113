"""The overlays' reviewed files, judged as a pipeline would judge them."""

import tomllib
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from tests.support.snippets import blocks
from vault.cli import main
from vault.config import load

OVERLAYS = Path(__file__).parents[2] / "k8s" / "overlays"


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_an_overlay_s_configuration_can_be_served(name: str) -> None:
    config = OVERLAYS / name / "jeton.toml"
    done = CliRunner().invoke(main, ["check-config", "--config", str(config)])
    assert done.exit_code == 0, done.output


def test_production_keeps_its_blast_radius() -> None:
    arguments = ["--config", str(OVERLAYS / "prod/jeton.toml"), "--max-people-per-day", "2000"]
    assert CliRunner().invoke(main, ["check-config", *arguments]).exit_code == 0


def test_no_overlay_keeps_the_kek_beside_the_keyset() -> None:
    keys = load(OVERLAYS / "dev/jeton.toml", {}).keys
    assert Path(keys.kek.removeprefix("file:")).parent != keys.keyset.parent
    keys = load(OVERLAYS / "prod/jeton.toml", {}).keys
    assert keys.kek.startswith("aws-kms:")
    assert keys.kek_required_within == 86_400


def test_production_stops_reveals_where_its_witness_is_away_for_long() -> None:
    witness = load(OVERLAYS / "prod/jeton.toml", {}).audit.witness
    assert witness is not None
    assert witness.url.startswith("https://")
    assert witness.required_within == 900


def test_callers_of_production_have_no_secret() -> None:
    settings = load(OVERLAYS / "prod/jeton.toml", {})
    for name in ("intake", "reimbursement"):
        assert settings.clients[name].tokens
    for issuer in settings.identity.issuers.values():
        assert issuer.audiences == ("jeton",)
        assert issuer.max_lifetime <= 3_600


def test_the_page_on_identity_shows_what_the_manifests_have() -> None:
    """Not the token that is mounted by itself: it is for the API server, and any caller's."""
    told = tomllib.loads(blocks("docs/identity.md", "toml")[0])
    applied = tomllib.loads((OVERLAYS / "prod/jeton.toml").read_text("utf-8"))
    shown, used = (one["identity"]["issuers"]["cluster"] for one in (told, applied))
    assert shown | {"iss": ""} == used | {"iss": ""}
    assert told["clients"]["intake"]["tokens"] == applied["clients"]["intake"]["tokens"]
    [volume] = yaml.safe_load(blocks("docs/identity.md", "yaml")[0])["volumes"]
    *_, job = yaml.safe_load_all((OVERLAYS.parent / "caller/intake.yaml").read_text("utf-8"))
    mounted = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["volumes"][0]
    assert volume["projected"]["sources"][0] == mounted["projected"]["sources"][0]


def test_no_overlay_holds_a_credential_that_somebody_else_could_know() -> None:
    for name in ("dev", "prod"):
        settings = load(OVERLAYS / name / "jeton.toml", {})
        assert settings.clients
        assert not any(client.credentials for client in settings.clients.values())
