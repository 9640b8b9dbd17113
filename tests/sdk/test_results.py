"""Values hide until they are revealed; batches keep every item in its place."""

import copy
import json
import logging
import pickle
import sqlite3
import subprocess
import sys
from types import ModuleType

import pytest

import jeton
from jeton import InvalidValue, Items, Sensitive, Token

NIR = "284057512345672"


def test_a_value_shows_itself_only_when_revealed() -> None:
    value = Sensitive(NIR)
    record = logging.LogRecord("a", logging.INFO, "b", 1, "got %s %r", (value, value), None)
    for shown in (repr(value), str(value), f"{value}", f"{value!r:>30}", f"{value:>30}"):
        assert "<sensitive>" in shown
        assert NIR not in shown
    assert NIR not in record.getMessage() + f"{value}" + repr({"value": [value]})
    assert value.reveal() == NIR


def test_a_value_leaves_by_no_side_door() -> None:
    value = Sensitive(NIR)
    with pytest.raises(TypeError) as caught:
        json.dumps(value)
    assert NIR not in str(caught.value)
    assert json.loads(json.dumps({"value": value}, default=str)) == {"value": "<sensitive>"}
    assert not hasattr(value, "__dict__")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_shows_that_there_was_a_value_and_not_which(protocol: int) -> None:
    pickled = pickle.dumps(Sensitive(NIR), protocol)
    assert NIR.encode() not in pickled
    arrived = pickle.loads(pickled)
    assert repr(arrived) == "<sensitive>"
    assert arrived != Sensitive(NIR)
    assert arrived != pickle.loads(pickled)
    with pytest.raises(jeton.UsageError):
        arrived.reveal()


def test_batches_are_joined_to_the_list_they_were_cut_from() -> None:
    failed = InvalidValue("no value", index=1)
    parts: list[Items[str]] = [Items(["a", failed], "r1", "w0.1.ab"), Items(["b"], "r2")]
    whole = Items.joined(parts)
    assert list(whole) == ["a", failed, "b"]
    assert (whole.request_ids, whole.receipts) == (("r1", "r2"), ("w0.1.ab",))
    assert (whole.request_id, whole.receipt) == ("r1", "w0.1.ab")
    assert Items(["a"], "r").receipt is None


def test_values_compare_with_values_only() -> None:
    assert Sensitive(NIR) == Sensitive(NIR)
    assert Sensitive(NIR) != Sensitive(NIR[:-1] + "1")
    assert Sensitive(NIR) != NIR
    assert len({Sensitive(NIR), Sensitive(NIR)}) == 1
    assert copy.deepcopy([Sensitive(NIR)]) == [copy.copy(Sensitive(NIR))]


def test_a_token_is_a_text_that_databases_take() -> None:
    with sqlite3.connect(":memory:") as database:
        (stored,) = database.execute("select ?", (Token("443457512345678"),)).fetchone()
    assert stored == Token("443457512345678") == "443457512345678"
    assert json.dumps(Token("1")) == '"1"'


def test_items_are_a_sequence_with_the_failures_in_place() -> None:
    failed = InvalidValue("no value", index=1, code="invalid_value", request_id="r")
    items: Items[Sensitive] = Items([Sensitive(NIR), failed], "r")
    assert list(items) == [Sensitive(NIR), failed]
    assert items[1:] == (failed,)
    assert len(items) == 2
    assert repr(items) == "<2 items, 1 failed>"
    with pytest.raises(InvalidValue):
        items.all()
    assert Items(["a", "b"], "r").all() == ["a", "b"]


def test_what_the_package_promises_to_export_is_there_and_nothing_else() -> None:
    public = {name for name in vars(jeton) if not name.startswith("_")}
    found = {name for name in public if not isinstance(getattr(jeton, name), ModuleType)}
    assert found - {"TYPE_CHECKING", "Any"} | {"AsyncClient"} == set(jeton.__all__)
    assert jeton.AsyncClient.__module__ == "jeton.async_client"
    with pytest.raises(AttributeError):
        _ = jeton.Nobody  # type: ignore[attr-defined]
    assert len(set(jeton.__all__)) == len(jeton.__all__)


def test_every_error_is_drawn_in_the_tree() -> None:
    errors = [
        name
        for name in jeton.__all__
        if isinstance(getattr(jeton, name), type) and issubclass(getattr(jeton, name), Exception)
    ]
    assert jeton.errors.__doc__ is not None
    for name in errors:
        assert name in jeton.errors.__doc__
        assert issubclass(getattr(jeton, name), jeton.JetonError)


def test_the_package_pulls_in_nothing_but_the_standard_library() -> None:
    code = "import jeton, sys; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert "jeton" in loaded
    others = {"vault", "numpy", "msgspec", "starlette", "aiohttp", "yarl", "urllib3", "asyncio"}
    assert not others.intersection(loaded)


def test_without_aiohttp_the_asynchronous_client_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['aiohttp'] = None\n"
        "import jeton\n"
        "try: jeton.AsyncClient\n"
        "except ImportError as error: print(error)"
    )
    told = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert told == "AsyncClient needs aiohttp: pip install 'jeton-sdk[async]'\n"
