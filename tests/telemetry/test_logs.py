"""Nothing that is logged can be a value: first a leaky log is caught, then ours is not."""

import ast
import asyncio
import contextlib
import io
import json
import logging
import sys
import threading
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import vault
from tests.support.channels import ELSEWHERE, LOGGED, NUMBERS, Channel, send
from tests.support.leaks import distinctive_values, found
from tests.support.leaky_log import LeakyLog, install_leaky
from vault.telemetry import Names, install, know, log, logs, watch
from vault.telemetry.vocabulary import EVENTS, FIELDS, WITHHELD, admit

VALUES = distinctive_values()
NUMERIC = [value for value in VALUES if value.isdigit()]
NAMES = Names.of(
    clients=["portal"], transformations=["fr-nir"], paths=[Path("/etc/jeton.toml")], hosts=["::1"]
)
CHANNELS = [
    *(pytest.param(channel, VALUES, id=f"log: {name}") for name, channel in LOGGED.items()),
    *(pytest.param(channel, NUMERIC, id=f"number: {name}") for name, channel in NUMBERS.items()),
    *(
        pytest.param(
            channel,
            VALUES[:60] if name in {"forgotten task", "loop", "thread", "finaliser"} else VALUES,
            id=f"elsewhere: {name}",
        )
        for name, channel in ELSEWHERE.items()
    ),
]


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """The process's hooks and loggers are the test runner's again afterwards."""
    root, setting = logging.root, logs._setting
    handlers, level = root.handlers[:], root.level
    others = {
        name: (logging.getLogger(name).handlers[:], logging.getLogger(name).propagate)
        for name in list(root.manager.loggerDict)
    }
    hooks = sys.excepthook, sys.unraisablehook, threading.excepthook
    raising, last = logging.raiseExceptions, logging.lastResort
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        yield
    sys.excepthook, sys.unraisablehook, threading.excepthook = hooks
    logging.raiseExceptions, logging.lastResort = raising, last
    root.handlers[:], logs._setting = handlers, setting
    root.setLevel(level)
    for name, (kept, propagate) in others.items():
        logging.getLogger(name).handlers[:] = kept
        logging.getLogger(name).propagate = propagate


@pytest.mark.parametrize(("channel", "values"), CHANNELS)
def test_a_leaky_log_is_caught(
    channel: Channel, values: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    stream = io.StringIO()
    send(channel, install_leaky(stream), values)
    shown = capsys.readouterr()
    caught = {value for value, _ in found(stream.getvalue() + shown.err + shown.out, values)}
    assert caught == set(values)


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize(("channel", "values"), CHANNELS)
def test_ours_does_not_leak(
    channel: Channel, values: list[str], form: logs.Form, capsys: pytest.CaptureFixture[str]
) -> None:
    stream = io.StringIO()
    install(NAMES, form, "debug", stream)
    send(channel, log, values)
    shown = capsys.readouterr()
    assert found(stream.getvalue() + shown.err + shown.out, values) == set()
    assert stream.getvalue().count("\n") >= len(values), "each was logged, none was dropped"


@pytest.mark.parametrize("disguise", ["base64", "hex", "reversed", "url"])
def test_the_detector_knows_the_disguises(disguise: str) -> None:
    stream = io.StringIO()
    send(LOGGED[disguise], LeakyLog(stream), VALUES)
    kinds = {kind for _, kind in found(stream.getvalue(), VALUES)}
    assert disguise in kinds


def said(form: logs.Form = "json", level: logs.Level = "info") -> io.StringIO:
    stream = io.StringIO()
    install(NAMES, form, level, stream)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


class TestWhatComesOut:
    def test_listed_words_do(self) -> None:
        stream, request_id = said(), str(uuid.uuid4())
        log.warning(
            "disk-space-low",
            client="portal",
            transformation="fr-nir",
            path=Path("/etc/jeton.toml"),
            host="::1",
            request_id=request_id,
            code="audit_unavailable",
            limit="end_user.people.day",
            free_bytes=123_456_789,
            seconds=0.123456,
            port=8200,
            development=True,
            release=vault.__version__,
            writer="w12",
            signal="SIGTERM",
        )
        (line,) = lines(stream)
        assert list(line)[:3] == ["timestamp", "level", "event"]
        assert (line["level"], line["event"]) == ("warning", "disk-space-low")
        assert line["path"] == "/etc/jeton.toml"
        assert line["request_id"] == request_id
        assert (line["free_bytes"], line["seconds"]) == (123_500_000, 0.1235)
        assert WITHHELD not in line.values()

    @pytest.mark.parametrize("name", sorted(FIELDS))
    @pytest.mark.parametrize(
        "value", [None, "", "nobody", b"x", -1, float("nan"), float("inf"), 10**400, [], object()]
    )
    def test_what_a_field_may_not_hold_is_withheld(self, name: str, value: object) -> None:
        stream = said()
        log.info("starting", **{name: value})
        assert lines(stream)[0][name] == WITHHELD

    def test_unlisted_fields_are_only_counted(self) -> None:
        stream = said()
        log.info("starting", nir="x", value="y", port=1)
        (line,) = lines(stream)
        assert (line["withheld"], line["port"]) == (2, 1)
        assert not {"nir", "value"} & set(line)

    def test_true_is_no_number_and_a_subclass_is_no_text(self) -> None:
        class Sly(str):
            def __str__(self) -> str:
                return "secret"

            __repr__ = __str__

        assert admit({"count": True}, NAMES) == {"count": WITHHELD}
        assert admit({"client": Sly("portal")}, NAMES) == {"client": "portal"}
        assert type(admit({"client": Sly("portal")}, NAMES)["client"]) is str

    def test_names_follow_a_reload(self) -> None:
        stream = said()
        log.info("reloaded", client="intake")
        know(Names.of(clients=["intake"]))
        log.info("reloaded", client="intake")
        log.info("reloaded", client="portal")
        assert [line["client"] for line in lines(stream)] == [WITHHELD, "intake", WITHHELD]

    def test_an_exception_is_its_class_and_its_places(self) -> None:
        stream = said()
        try:
            json.loads("{secret")
        except ValueError as error:
            log.error("request-failed", exception=error)
        (line,) = lines(stream)
        assert line["error"] == "JSONDecodeError"
        assert line["frames"][-1].startswith("json.decoder:")
        assert line["frames"][-1].endswith(":raw_decode")

    def test_causes_and_errno_are_told(self) -> None:
        stream = said()
        try:
            try:
                raise PermissionError(13, "secret")
            except OSError as error:
                raise RuntimeError("secret") from error
        except RuntimeError as error:
            log.error("request-failed", exception=error)
        log.error("request-failed", exception=OSError(28, "secret", "/secret"))
        first, second = lines(stream)
        assert first["causes"] == ["PermissionError"]
        assert (second["error"], second["errno"]) == ("OSError", "ENOSPC")

    def test_a_circle_of_causes_ends(self) -> None:
        stream, one, two = said(), ValueError(), KeyError()
        one.__cause__, two.__cause__ = two, one
        log.error("request-failed", exception=one)
        assert lines(stream)[0]["causes"] == ["KeyError"]

    def test_constant_messages_of_the_server_are_kept(self) -> None:
        stream = said()
        server = logging.getLogger("uvicorn.error")
        server.warning("Invalid HTTP request received.")
        server.info("Started server process [%d]", 4)
        (line,) = lines(stream)
        assert line["message"] == "Invalid HTTP request received."
        assert (line["event"], line["logger"]) == ("foreign", "uvicorn.error")
        assert line["at"].startswith(f"{__name__}:")

    def test_below_the_level_nothing_is_said(self) -> None:
        stream = said(level="warning")
        log.debug("starting")
        log.info("starting")
        log.warning("starting")
        log.critical("starting")
        assert [line["level"] for line in lines(stream)] == ["warning", "critical"]

    def test_an_interrupt_and_a_thread_that_exits_are_no_failures(self) -> None:
        stream = said()
        sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
        thread = threading.Thread(target=sys.exit)
        thread.start()
        thread.join()
        assert stream.getvalue() == ""

    async def test_a_watched_loop_tells_of_what_nobody_takes(self) -> None:
        stream, loop = said(), asyncio.get_running_loop()
        watch(loop)
        loop.call_exception_handler({"message": "secret", "exception": KeyError("secret")})
        loop.set_exception_handler(None)
        (line,) = lines(stream)
        assert (line["event"], line["error"]) == ("task-failed", "KeyError")


class TestItNeverRaises:
    def test_on_a_stream_that_is_gone(self) -> None:
        stream = said()
        stream.close()
        log.error("starting")
        logging.getLogger("asyncio").error("x")

    def test_on_values_that_fight_back(self) -> None:
        class Hostile:
            def __str__(self) -> str:
                raise RuntimeError

            __hash__ = __eq__ = __repr__ = __format__ = __str__  # type: ignore[assignment]

        stream = said()
        log.info("starting", **dict.fromkeys(FIELDS, Hostile()))
        assert set(lines(stream)[0].values()) >= {WITHHELD}

    @given(st.dictionaries(st.text(), st.none() | st.text() | st.integers() | st.binary()))
    def test_on_anything(self, fields: dict[str, object]) -> None:
        stream = io.StringIO()
        logs._setting = logs.replace(logs._setting, stream=stream)
        log.info("starting", **{key: value for key, value in fields.items() if key != "exception"})
        assert stream.getvalue().count("\n") == 1


class TestTheVocabulary:
    """Every line of the house that logs says listed words, literally."""

    SOURCES = sorted(Path(vault.__file__).parent.rglob("*.py"))

    def calls(self) -> Iterator[tuple[Path, ast.Call]]:
        for source in self.SOURCES:
            for node in ast.walk(ast.parse(source.read_text("utf-8"))):
                if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                    continue
                named = ast.unparse(node.func.value).removeprefix("self.")
                if named in {"log", "_log"} and node.func.attr in logs.LEVELS:
                    yield source, node

    def test_events_and_fields_are_listed(self) -> None:
        for source, call in self.calls():
            where = f"{source.name}:{call.lineno}"
            assert len(call.args) == 1, f"{where}: one event"
            event = call.args[0]
            assert isinstance(event, ast.Constant), f"{where}: the event is a literal"
            assert event.value in EVENTS, f"{where}: {event.value} is not in EVENTS"
            for keyword in call.keywords:
                assert keyword.arg in {*FIELDS, "exception"}, f"{where}: {keyword.arg}"

    def test_nothing_else_in_the_house_writes_to_a_log(self) -> None:
        for source in self.SOURCES:
            if source.parent.name == "telemetry":
                continue
            for node in ast.walk(ast.parse(source.read_text("utf-8"))):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    names = [alias.name for alias in node.names] + [getattr(node, "module", None)]
                    assert "traceback" not in names, source
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                    of = ast.unparse(node.func.value)
                    writes = node.func.attr in {*logs.LEVELS, "exception", "log", "warn"}
                    assert not (writes and ("logging" in of or "logger" in of)), source


def test_before_anything_is_installed_it_is_as_tight(capsys: pytest.CaptureFixture[str]) -> None:
    with contextlib.suppress(Exception):
        log.info("starting", client=VALUES[0], nir=VALUES[1])
    err = capsys.readouterr().err
    assert "starting" in err
    assert found(err, VALUES) == set()
