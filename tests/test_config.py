"""The configuration is judged whole, by dotted key, and never repeats what it was given."""

from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import inspect

from vault.config import (
    DEFAULT_LIMITS,
    Limits,
    Settings,
    load,
    read,
)
from vault.config.reading import FROM_ENVIRONMENT
from vault.config.shape import misfits
from vault.errors import SetUpError

HASH = "ab" * 32
WHOLE = f"""
[server]
port = 8201
[keys]
keyset = "keys/keyset.json"
[store]
url = "sqlite:jeton.db"
[audit]
folder = "/var/lib/jeton/audit"
[transformations.fr-nir]
format = "fr-nir"
method = "fpe"
band = "safe"
wrong_key = "refuse"
context = "optional"
person = "value"
[transformations.birth-date]
format = "birth-date"
context = "required"
person = "context:fr-nir"
[clients.reimbursement]
credentials = [{{ sha256 = "{HASH}", expires = 2027-11-24, networks = ["10.0.0.0/8"] }}]
grants = [{{ operation = "detokenise", transformation = "fr-nir", purposes = ["reimbursement"] }}]
limits = {{ reveal = {{ hour = 10_000, day = 50_000 }}, people = {{ day = 2_000 }} }}
"""
FOLDER = Path("/etc/jeton")
KEYS = (
    "server port host body_timeout keys keyset clients a limits reveal hour grants credentials "
    "sha256 expires networks operation transformation format band transformations development "
    "retention_days audit"
).split()


def settings(text: str = WHOLE, **environ: str) -> Settings:
    return read(text, FOLDER, environ)


def complaint(text: str, **environ: str) -> str:
    with pytest.raises(SetUpError) as caught:
        settings(text, **environ)
    return str(caught.value)


def with_client(body: str) -> str:
    return f'[transformations.fr-nir]\nformat = "fr-nir"\n[clients.portal]\n{body}\n'


def with_transformation(body: str) -> str:
    return f'[transformations.fr-nir]\nformat = "fr-nir"\n{body}\n'


class TestReading:
    def test_the_documented_file_is_understood(self) -> None:
        read_ = settings()
        client = read_.clients["reimbursement"]
        assert read_.server.port == 8201
        assert client.credentials[0].expires == date(2027, 11, 24)
        assert client.grants[0].purposes == ("reimbursement",)
        assert client.limits.people is not None
        assert client.limits.people.day == 2_000

    def test_an_empty_file_has_every_default_and_nobody_in_it(self) -> None:
        empty = settings("")
        assert empty.server == Settings().server
        assert (empty.clients, empty.transformations) == ({}, {})

    def test_relative_paths_start_beside_the_file(self) -> None:
        read_ = settings()
        assert read_.keys.keyset == FOLDER / "keys/keyset.json"
        assert read_.keys.kek == f"file:{FOLDER}/kek.key"
        assert read_.store.url == f"sqlite:{FOLDER}/jeton.db"
        assert read_.audit.folder == Path("/var/lib/jeton/audit")

    def test_addresses_that_are_no_paths_stay_as_they_are(self) -> None:
        read_ = settings('[keys]\nkek = "env:KEK"\n[store]\nurl = "redis://store:6379/0"')
        assert (read_.keys.kek, read_.store.url) == ("env:KEK", "redis://store:6379/0")

    def test_load_finds_the_folder_of_a_relative_path(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "jeton.toml").write_text(WHOLE)
        monkeypatch.chdir(tmp_path)
        assert load(Path("jeton.toml"), {}).keys.keyset == tmp_path / "keys/keyset.json"

    def test_a_missing_file_says_how_to_get_one(self, tmp_path: Path) -> None:
        with pytest.raises(SetUpError, match="jeton init"):
            load(tmp_path / "none.toml", {})

    def test_a_folder_or_a_binary_file_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(SetUpError, match="cannot be read"):
            load(tmp_path, {})
        (tmp_path / "jeton.toml").write_bytes(b"\xff\xfe")
        with pytest.raises(SetUpError, match="not UTF-8"):
            load(tmp_path / "jeton.toml", {})

    def test_bad_toml_names_the_line(self) -> None:
        assert "line 2" in complaint("a = 1\nb = = 2\n")

    @pytest.mark.parametrize("text", ["a = " + "[" * 50_000, "a = " + "1" * 5_000])
    def test_monstrous_toml_is_an_error_like_any_other(self, text: str) -> None:
        assert "not valid TOML" in complaint(text)


class TestShape:
    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("[server]\nprot = 1", "server.prot: unknown key; did you mean server.port?"),
            ("[transformation.x]", "did you mean transformations?"),
            ("[audit]\nzzz = 1", "audit.zzz: unknown key; known here: folder"),
            ("[server]\nport = '1'", "server.port: expected a whole number from 0 to 65535"),
            ("[server]\nport = 65536", "server.port"),
            ("[server]\nport = true", "server.port"),
            ("[server]\nport = 1.0", "server.port"),
            ("[server]\nworkers = 0", "server.workers"),
            ("[server]\nbody_timeout = 0", "server.body_timeout: expected a number above 0"),
            ("[server]\nbody_timeout = inf", "nothing here may be infinite"),
            ("[server]\nbody_timeout = nan", "server.body_timeout"),
            ("[server]\nhost = 1", "server.host: expected a text"),
            ("[keys]\nkeyset = 1", "keys.keyset: expected a path"),
            ("server = 1", "server: expected a table"),
            ("clients = [1]", "clients: expected a table"),
            ("development = 1", "development: expected true or false"),
            ("[transformations.x]", "transformations.x.format: missing"),
            (with_transformation('method = "fqe"'), 'fr-nir.method: expected one of "fpe"'),
            (
                with_transformation("convergent = false"),
                "fr-nir.convergent: says something of method",
            ),
            (with_transformation("max_fill = 0.3"), "fr-nir.max_fill: says something of method"),
            (with_transformation('method = "vaulted"\nmax_fill = 1'), "fr-nir.max_fill: expected"),
            (with_client("grants = [1]"), "clients.portal.grants[0]: expected a table"),
            (with_client('grants = "mask"'), "clients.portal.grants: expected a list"),
            (
                with_client('grants = [{operation="show", transformation="fr-nir"}]'),
                "clients.portal.grants[0].operation: expected one of",
            ),
            (
                with_client(f'credentials = [{{sha256="{HASH}", expires="2027-11-24"}}]'),
                "clients.portal.credentials[0].expires: expected a date without quotes",
            ),
            (
                with_client(f'credentials=[{{sha256="{HASH}", expires=2027-11-24T00:00:00Z}}]'),
                "credentials[0].expires",
            ),
        ],
    )
    def test_a_misfit_is_named_with_what_is_expected(self, text: str, said: str) -> None:
        assert said in complaint(text)

    def test_everything_wrong_is_listed_at_once(self) -> None:
        said = complaint("[server]\nprot = 1\nport = -1\n[audit]\nfolder = 3")
        assert all(at in said for at in ("server.prot", "server.port", "audit.folder"))

    @pytest.mark.parametrize("budget", ["tokenise", "reveal", "match", "people"])
    @pytest.mark.parametrize("of", ["", "end_user."])
    @pytest.mark.parametrize("ceiling", ["0", "-1", "inf", "1.5", '"many"', "10_000_000_000_000"])
    def test_no_limit_is_nothing_or_infinite(self, budget: str, of: str, ceiling: str) -> None:
        said = complaint(with_client(f"limits.{of}{budget}.day = {ceiling}"))
        assert f"clients.portal.limits.{of}{budget}.day: expected a whole number" in said

    @pytest.mark.parametrize("window", ["week", "minute", "seconds"])
    def test_windows_are_hours_and_days(self, window: str) -> None:
        said = complaint(with_client(f"limits.reveal.{window} = 5"))
        assert f"clients.portal.limits.reveal.{window}: unknown key" in said

    def test_a_credential_pasted_as_a_key_is_not_repeated(self) -> None:
        credential = "jeton_portal_" + "Zq9" * 14 + "x_4Fz1kQ"
        for text in (f"{credential} = 1", f'[clients.{credential}]\nlimits.reveal.day = "x"'):
            assert credential not in complaint(text)
        assert credential not in complaint(f"[clients.{credential}]")

    @given(
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers(-10, 10**6)
            | st.floats()
            | st.dates()
            | st.datetimes()
            | st.sampled_from(["safe", "fpe", "mask", "fr-nir", ""]),
            lambda inner: (
                st.lists(inner, max_size=2)
                | st.dictionaries(
                    st.sampled_from(KEYS),
                    inner,
                    max_size=4,
                )
            ),
            max_leaves=12,
        ).filter(lambda raw: isinstance(raw, dict))
    )
    def test_what_has_no_misfit_converts(self, raw: Any) -> None:
        if not list(misfits(raw, inspect.type_info(Settings))):
            msgspec.convert(raw, Settings, dec_hook=lambda _, text: Path(text))


class TestRules:
    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (
                with_client('grants=[{operation="tokenise", transformation="fr-nirs"}]'),
                'grants[0].transformation: no transformation has this name; did you mean "fr-nir"?',
            ),
            (
                with_client('grants=[{operation="mask", transformation="fr-nir"}]'),
                "grants[0].purposes: a mask grant names at least one purpose",
            ),
            (
                with_client('grants=[{operation="detokenise", transformation="fr-nir"}]'),
                "grants[0].purposes: a detokenise grant",
            ),
            (
                with_client(
                    'grants=[{operation="match", transformation="fr-nir", purposes=["A b"]}]'
                ),
                "clients.portal.grants[0].purposes[0]: purposes have",
            ),
            (with_client('credentials=[{sha256="abc"}]'), "credentials[0].sha256: expected 64"),
            (with_client(f'credentials=[{{sha256="g{HASH[1:]}"}}]'), "credentials[0].sha256"),
            (
                with_client(f'credentials=[{{sha256="{HASH}", networks=["10.0.0.1/8"]}}]'),
                "clients.portal.credentials[0].networks[0]: expected a network",
            ),
            (
                with_client(f'credentials=[{{sha256="{HASH}"}}, {{sha256="{HASH.upper()}"}}]'),
                "credentials[1].sha256: the same credential as clients.portal.credentials[0]",
            ),
            ("[clients.Portal]", "clients.Portal: names have"),
            ("[clients.-p]", "clients.-p: names have"),
            ("[clients.a_b]", "clients.a_b: names have"),
            ('[transformations."a/b"]\nformat="digits"', "transformations.a/b: names have"),
            (with_transformation('person = "who"'), "transformations.fr-nir.person: expected"),
            (with_transformation('person = "context:"'), "transformations.fr-nir.person: expected"),
            (with_transformation('person = "context:nir"'), "no transformation has this name"),
            (with_transformation('person = "context:fr-nir"'), "person: leads back to itself"),
            (
                with_transformation('person = "context"\ncontext = "none"'),
                "fr-nir.person: a transformation without contexts",
            ),
            (
                with_transformation(
                    'person="context:b"\n[transformations.b]\nformat="digits"\ncontext="required"'
                ),
                "fr-nir.person: must name a transformation that opens without a context",
            ),
            (
                with_transformation(
                    'person="context:b"\n[transformations.b]\nformat="fr-nir"\n'
                    'person="context:fr-nir"'
                ),
                "transformations.b.person: leads back to itself",
            ),
            (
                with_transformation('[transformations.b]\nformat="digits"\nkey_id="fr-nir"'),
                "transformations.b.key_id: transformations.fr-nir has the same key",
            ),
            (with_transformation('key_id = "A"'), "transformations.fr-nir.key_id: expected"),
            (
                '[transformations.n]\nformat="digits"\nmin_length=9\nmax_length=8',
                "transformations.n: ",
            ),
            (
                '[transformations.n]\nformat="digits"\nband="none"',
                "transformations.n: digits has no option band",
            ),
            (
                '[transformations.n]\nformat="fr-nirs"',
                'transformations.n.format: no format has this name; did you mean "fr-nir"?',
            ),
            ('[transformations.n]\nformat="!"', "no format has this name; there are fr-nir"),
            (
                with_transformation('person="context:b"\n[transformations.b]\nformat="birth-date"'),
                "fr-nir.person: must name a transformation that opens without a context",
            ),
            ("server.host=''", "server.host: empty, and there is no server.socket"),
            ("server.tls_key='k.pem'", "server.tls_certificate: missing: server.tls_key needs it"),
            ("server.tls_certificate='c.pem'", "server.tls_key: missing"),
            ("server.port=1\nserver.metrics_port=1", "server.metrics_port: expected another port"),
            (
                "server={host='', socket='s', metrics_port=1}",
                "server.metrics_host: missing: server.metrics_port needs an address",
            ),
            ("development=true\nserver.host='0.0.0.0'", "server.host: development mode"),
            ("development=true\nserver.host='example.org'", "server.host: development mode"),
            ("development=true\nserver.metrics_host='::'", "server.metrics_host: development"),
            ("[audit]\nalarm_bytes = 1", "audit.alarm_bytes: the alarm must ring"),
        ],
    )
    def test_a_broken_rule_is_named_with_its_key(self, text: str, said: str) -> None:
        assert said in complaint(text)

    @pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
    def test_development_listens_on_loopback(self, host: str) -> None:
        assert settings(f"development=true\nserver.host='{host}'").development

    def test_development_may_do_without_an_address(self) -> None:
        server = settings("development=true\nserver={host='', socket='run/jeton.sock'}").server
        assert server.socket == FOLDER / "run/jeton.sock"

    def test_a_tail_that_runs_into_a_circle_is_reported_once_for_each_of_the_circle(self) -> None:
        chain = {"a": "b", "b": "c", "c": "b"}
        said = complaint(
            "\n".join(
                f'[transformations.{name}]\nformat="digits"\nperson="context:{after}"'
                for name, after in chain.items()
            )
        )
        assert said.count("leads back to itself") == 2
        assert "transformations.a.person" not in said

    def test_two_names_may_share_a_key_for_one_format(self) -> None:
        text = with_transformation('[transformations.b]\nformat="fr-nir"\nkey_id="fr-nir"')
        assert set(settings(text).transformations) == {"fr-nir", "b"}

    def test_match_and_tokenise_need_no_purpose(self) -> None:
        text = with_client(
            'grants=[{operation="match", transformation="fr-nir"},'
            ' {operation="tokenise", transformation="fr-nir"}]'
        )
        assert len(settings(text).clients["portal"].grants) == 2

    def test_every_shipped_limit_is_one_that_can_be_configured(self) -> None:
        for name in DEFAULT_LIMITS:
            budget, window = name.split(".")
            msgspec.convert({budget: {window: 1}}, Limits)


class TestEnvironment:
    def test_it_sets_addresses_paths_and_secrets(self) -> None:
        read_ = settings(
            WHOLE,
            JETON__SERVER__HOST="10.1.2.3",
            JETON__SERVER__PORT="9000",
            JETON__SERVER__WORKERS="4",
            JETON__SERVER__SOCKET="jeton.sock",
            JETON__SERVER__TLS_CERTIFICATE="/run/tls/tls.crt",
            JETON__SERVER__TLS_KEY="tls.key",
            JETON__SERVER__METRICS_HOST="10.1.2.4",
            JETON__SERVER__METRICS_PORT="9001",
            JETON__KEYS__KEYSET="/run/keyset.json",
            JETON__KEYS__KEK="env:KEK",
            JETON__STORE__URL="sqlite:/run/jeton.db",
            JETON__AUDIT__FOLDER="trail",
            JETON_CREDENTIAL="jeton_x",
            PATH="/bin",
        )
        server = read_.server
        assert (server.host, server.port, server.workers) == ("10.1.2.3", 9000, 4)
        assert (server.metrics_host, server.metrics_port) == ("10.1.2.4", 9001)
        assert server.socket == FOLDER / "jeton.sock"
        assert server.tls_certificate == Path("/run/tls/tls.crt")
        assert server.tls_key == FOLDER / "tls.key"
        assert (str(read_.keys.keyset), read_.keys.kek) == ("/run/keyset.json", "env:KEK")
        assert read_.store.url == "sqlite:/run/jeton.db"
        assert read_.audit.folder == FOLDER / "trail"

    def test_every_allowed_variable_names_a_setting(self) -> None:
        for dotted in FROM_ENVIRONMENT.values():
            section, key = dotted.split(".")
            assert hasattr(getattr(Settings(), section), key)

    @pytest.mark.parametrize(
        "variable",
        [
            "JETON__CLIENTS__PORTAL__GRANTS",
            "JETON__DEVELOPMENT",
            "JETON__SERVER__MAX_ITEMS",
            "JETON__TRANSFORMATIONS__FR_NIR__BAND",
            "JETON__AUDIT__RETENTION_DAYS",
            "JETON__",
        ],
    )
    def test_it_never_says_who_may_do_what(self, variable: str) -> None:
        said = complaint(WHOLE, **{variable: "SECRET"})
        assert variable in said
        assert "reviewed file alone" in said
        assert "SECRET" not in said

    def test_a_slip_is_put_right(self) -> None:
        assert "did you mean JETON__SERVER__PORT" in complaint("", JETON__SERVER__PROT="1")

    @pytest.mark.parametrize("port", ["80a", "-1", "", "99999", "²", "9" * 5_000])
    def test_a_bad_number_names_the_variable(self, port: str) -> None:
        said = complaint("", JETON__SERVER__PORT=port)
        assert "server.port (set by JETON__SERVER__PORT): expected a whole number" in said

    def test_a_section_that_is_no_table_is_still_reported(self) -> None:
        assert "server: expected a table" in complaint("server = 1", JETON__SERVER__PORT="1")


@given(st.text(alphabet="0123456789abcdefXYZ", min_size=12, max_size=40))
def test_no_complaint_repeats_a_value(secret: str) -> None:
    text = f"""
    server.host = 3
    server.port = "{secret}"
    keys.kek = ["{secret}"]
    audit.retention_days = "{secret}"
    [transformations.t]
    format = "fr-nir"
    band = "{secret}"
    person = "{secret}"
    [clients.c]
    credentials = [{{ sha256 = "{secret}", networks = ["{secret}"] }}]
    grants = [{{ operation = "{secret}", transformation = "{secret}", purposes = ["{secret}!"] }}]
    """
    assert secret not in complaint(text)
    rules_only = "\n".join(
        line
        for line in text.replace(f'operation = "{secret}"', 'operation = "match"').splitlines()
        if not line.strip().startswith(("server", "keys", "audit", "band"))
    )
    said = complaint(rules_only)
    assert secret not in said
    assert said.count("\n") == 5
