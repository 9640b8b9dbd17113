"""`jeton clients` edits one file, keeps its comments, and never writes what cannot be served."""

import hashlib
import json
import tomllib
from datetime import date, timedelta
from threading import Thread
from typing import Any

import pytest

from tests.cli.conftest import Jeton
from tests.support.days import today
from vault.access.identity import checksum_fits
from vault.cli import entries
from vault.config import Credential, load


def entry(jeton: Jeton, name: str) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads(jeton.config.read_text("utf-8"))["clients"][name]
    return found


def hashed(credential: str) -> str:
    return hashlib.sha256(credential.encode()).hexdigest()


def test_add_as_the_contract_says(jeton: Jeton) -> None:
    before = jeton.config.read_text("utf-8")
    printed = jeton.done(
        "clients", "add", "bench", "--config", jeton.config, "--json",
        "--grant", "detokenise:fr-nir:one", "--grant", "detokenise:fr-nir:two",
        "--grant", "tokenise:digits", "--grant", "match:fr-nir",
        "--limit", "reveal.hour=1000", "--limit", "end_user.people.day=20",
        "--limit", "reveal.day=10_000",
        "--expires", "2030-01-31", "--network", "10.1.0.0/16", "--network", "2001:db8::/32",
    )  # fmt: skip
    said = json.loads(printed)
    assert set(said) == {"name", "credential"}
    assert said["name"] == "bench"
    assert checksum_fits(said["credential"])
    assert entry(jeton, "bench") == {
        "credentials": [
            {
                "sha256": hashed(said["credential"]),
                "expires": date(2030, 1, 31),
                "networks": ["10.1.0.0/16", "2001:db8::/32"],
            }
        ],
        "grants": [
            {"operation": "detokenise", "transformation": "fr-nir", "purposes": ["one", "two"]},
            {"operation": "tokenise", "transformation": "digits"},
            {"operation": "match", "transformation": "fr-nir"},
        ],
        "limits": {
            "reveal": {"hour": 1_000, "day": 10_000},
            "end_user": {"people": {"day": 20}},
        },
    }
    assert jeton.config.read_text("utf-8").startswith(before.rstrip("\n"))
    assert load(jeton.config, {}).clients["bench"].grants[0].purposes == ("one", "two")


def test_the_credential_alone_is_on_stdout(jeton: Jeton) -> None:
    result = jeton("clients", "add", "bench", "--grant", "tokenise:fr-nir")
    assert result.stdout == result.stdout.strip() + "\n"
    assert hashed(result.stdout.strip()) == entry(jeton, "bench")["credentials"][0]["sha256"]
    assert "once" in result.stderr
    assert result.stdout.strip() not in result.stderr


@pytest.mark.parametrize(
    ("grant", "words"),
    [
        ("mask:fr-nr:display", "no transformation has this name; did you mean"),
        ("mask:fr-nir", "say what for: mask:TRANSFORMATION:PURPOSE"),
        ("mask:fr-nir:", "PURPOSE has 1 to 64"),
        ("masc:fr-nir:display", "did you mean mask?"),
        ("tokenise", "expected OPERATION:TRANSFORMATION[:PURPOSE]"),
    ],
)
def test_what_could_not_be_served_is_not_written(jeton: Jeton, grant: str, words: str) -> None:
    before = jeton.config.read_bytes()
    result = jeton("clients", "add", "bench", "--grant", grant)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert words in result.stderr
    assert jeton.config.read_bytes() == before
    assert sorted(path.name for path in jeton.folder.iterdir()) == [
        "jeton.toml", "kek.key", "keyset.json",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ("revel.hour=1", "did you mean reveal.hour?"),
        ("reveal.hour", "a whole number"),
        ("reveal.hour=0", "no limit is infinite"),
        ("reveal.hour=-1", "no limit is infinite"),
        ("reveal.hour=inf", "no limit is infinite"),
        ("reveal.hour=2000000000000", "no limit is infinite"),
        ("end_user.reveal=1", "end_user."),
    ],
)
def test_limits_are_judged(jeton: Jeton, limit: str, words: str) -> None:
    result = jeton("clients", "add", "bench", "--grant", "tokenise:fr-nir", "--limit", limit)
    assert result.exit_code == 2
    assert words in result.stderr


def test_a_name_that_is_taken(jeton: Jeton) -> None:
    result = jeton("clients", "add", "intake", "--grant", "tokenise:fr-nir")
    assert result.exit_code == 2
    assert "jeton clients rotate intake" in result.stderr


def test_mode_and_link_stay(jeton: Jeton) -> None:
    real = jeton.config.rename(jeton.folder / "reviewed.toml")
    real.chmod(0o640)
    jeton.config.symlink_to(real.name)
    jeton.done("clients", "add", "bench", "--grant", "tokenise:fr-nir")
    assert jeton.config.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert "bench" in real.read_text("utf-8")


def test_two_at_once_lose_nothing(jeton: Jeton) -> None:
    def one(number: int) -> None:
        client = entries.NewClient(
            f"c{number}", Credential(hashed(str(number))), {("tokenise", "fr-nir"): ()}, {}
        )
        entries.add(jeton.config, client)

    threads = [Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(load(jeton.config, {}).clients) >= {f"c{number}" for number in range(8)}


def test_rotate_lets_both_overlap(jeton: Jeton) -> None:
    old, now = jeton.credentials["portal"], today()
    before = jeton.config.read_text("utf-8")
    said = json.loads(jeton.done("clients", "rotate", "portal", "--json", "--overlap-days", "3"))
    assert said["name"] == "portal"
    assert entry(jeton, "portal")["credentials"] == [
        {"sha256": hashed(old), "expires": now + timedelta(days=3)},
        {"sha256": hashed(said["credential"])},
    ]
    comments = [line for line in before.splitlines() if line.startswith("#")]
    after = jeton.config.read_text("utf-8").splitlines()
    assert [line for line in after if line.startswith("#")] == comments
    assert len(after) == len(before.splitlines())


def test_rotate_keeps_networks_and_nearer_ends(jeton: Jeton) -> None:
    near = today() + timedelta(days=1)
    jeton.done(
        "clients", "add", "bench", "--grant", "tokenise:fr-nir",
        "--expires", near, "--network", "10.0.0.0/8",
    )  # fmt: skip
    jeton.done("clients", "rotate", "bench", "--expires", "2031-01-01")
    old, new = entry(jeton, "bench")["credentials"]
    assert old["expires"] == near
    assert (new["expires"], new["networks"]) == (date(2031, 1, 1), ["10.0.0.0/8"])


def test_a_third_credential_is_refused_until_one_is_revoked(jeton: Jeton) -> None:
    jeton.done("clients", "rotate", "portal")
    result = jeton("clients", "rotate", "portal")
    assert result.exit_code == 2
    assert "jeton clients revoke portal --credential PREFIX" in result.stderr
    jeton.done("clients", "revoke", "portal", "--credential", hashed(jeton.credentials["portal"]))
    jeton.done("clients", "rotate", "portal")
    assert len(entry(jeton, "portal")["credentials"]) == 2


def test_rotate_takes_expired_ones_out(jeton: Jeton) -> None:
    digest = hashed(jeton.credentials["portal"])
    jeton.edit(f'{{ sha256 = "{digest}" }}', f'{{ sha256 = "{digest}", expires = 2020-01-01 }}')
    credential = jeton.done("clients", "rotate", "portal").strip()
    assert entry(jeton, "portal")["credentials"] == [{"sha256": hashed(credential)}]


def test_revoke_takes_all_and_leaves_the_client(jeton: Jeton) -> None:
    grants = entry(jeton, "portal")["grants"]
    result = jeton("clients", "revoke", "portal")
    assert "1 credential of portal revoked" in result.stderr
    assert entry(jeton, "portal")["credentials"] == []
    assert entry(jeton, "portal")["grants"] == grants
    jeton.done("clients", "rotate", "portal")


def test_revoke_one_that_is_not_there(jeton: Jeton) -> None:
    digest = hashed(jeton.credentials["portal"])
    other = "0000" if not digest.startswith("0000") else "ffff"
    result = jeton("clients", "revoke", "portal", "--credential", other)
    assert result.exit_code == 2
    assert "jeton clients list" in result.stderr
    assert len(entry(jeton, "portal")["credentials"]) == 1


def test_credentials_as_tables_are_edited_too(jeton: Jeton) -> None:
    digest = hashed(jeton.credentials["portal"])
    text = jeton.config.read_text("utf-8").replace(
        f'credentials = [{{ sha256 = "{digest}" }}]\ngrants = [\n    {{ operation = "mask"',
        'grants = [\n    { operation = "mask"',
    )
    table = f'\n[[clients.portal.credentials]]   # laptop\nsha256 = "{digest}"\n'
    jeton.config.write_text(text + table, "utf-8")
    credential = jeton.done("clients", "rotate", "portal").strip()
    sums = [one["sha256"] for one in entry(jeton, "portal")["credentials"]]
    assert sums == [digest, hashed(credential)]
    jeton.done("clients", "revoke", "portal", "--credential", digest)
    assert [one["sha256"] for one in entry(jeton, "portal")["credentials"]] == [hashed(credential)]


def test_a_layout_that_cannot_be_edited_is_left_alone(
    jeton: Jeton, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = jeton.config.read_bytes()
    dumps = entries.tomlkit.dumps
    monkeypatch.setattr(
        entries.tomlkit, "dumps", lambda document: f"development = true\n{dumps(document)}"
    )
    result = jeton("clients", "rotate", "portal")
    assert result.exit_code == 2
    assert "edit clients.portal.credentials by hand" in result.stderr
    assert jeton.config.read_bytes() == before


def test_a_client_without_credentials_can_get_one(jeton: Jeton) -> None:
    with jeton.config.open("a", encoding="utf-8") as file:
        file.write("\n[clients.bare]\ngrants = []\n\n# the end\n")
    credential = jeton.done("clients", "rotate", "bare").strip()
    assert entry(jeton, "bare")["credentials"] == [{"sha256": hashed(credential)}]
    assert "\n# the end\n" in jeton.config.read_text("utf-8")


def test_list_shows_no_whole_hash(jeton: Jeton) -> None:
    now = today()
    jeton.done("clients", "rotate", "intake")
    jeton.done("clients", "revoke", "portal")
    text = jeton.done("clients", "list")
    for credential in jeton.credentials.values():
        assert hashed(credential) not in text
    assert f"until {now + timedelta(days=7)}" in text
    assert "detokenise fr-nir for reimbursement" in text
    assert "people.day 200 an end user" in text
    portal = next(line for line in text.splitlines() if line.startswith("portal"))
    assert portal.split("\t")[1] == "none"
    intake = next(line for line in text.splitlines() if line.startswith("intake"))
    assert "reveal" not in intake


def test_list_as_json_has_all_limits_that_hold(jeton: Jeton) -> None:
    clients = json.loads(jeton.done("clients", "list", "--json"))["clients"]
    limits = clients["reimbursement"]["limits"]
    assert (limits["reveal.hour"], limits["people.day"]) == (10_000, 2_000)
    assert limits["match.hour"] == 1_000
    assert clients["portal"]["end_user_limits"] == {"people.day": 200}
