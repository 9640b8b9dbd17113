"""What the client's pages show is run, and the reference holds every method."""

import importlib.util
from types import ModuleType

import pytest

import jeton
from tests.support.service import Service
from tests.support.snippets import ROOT, blocks


@pytest.mark.system
def test_the_failures_page_runs(service: Service) -> None:
    with jeton.Client(service.url, service.credentials["intake"]) as client:
        names: dict[str, object] = {"jeton": jeton, "client": client}
        for block in blocks("docs/sdk-failures.md", "python"):
            exec(block, names)
    assert isinstance(names["request_id"], str)


def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "docs" / "sdk_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_has_every_method_with_its_types() -> None:
    text = "\n".join(reference().reference())
    for name in dir(jeton.Client):
        if not name.startswith("_") and callable(getattr(jeton.Client, name)):
            assert f"\n### {name}\n" in text
    assert "    headers: Callable[[], Mapping[str, str]] | None = None,\n" in text
    assert (
        "tokenise(transformation: str, value: str, *, context: str | None = None) -> Token" in text
    )
    assert "## Sensitive" in text
    assert "~" not in text
    assert "jeton.results" not in text


def test_every_variable_of_the_settings_is_told() -> None:
    source = (ROOT / "sdk" / "jeton" / "settings.py").read_text()
    page = (ROOT / "sdk" / "README.md").read_text()
    variables = {word for word in source.replace('"', " ").split() if word.startswith("JETON_")}
    assert variables
    assert all(f"`{variable}`" in page for variable in variables)
