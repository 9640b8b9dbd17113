"""The kept corpora, input by input and without atheris: a regression test on every Python."""

import pytest

from tests.fuzz import NAMES, PLANTED, harness


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_kept_input_is_dealt_with(name: str) -> None:
    one = harness(name)
    inputs = {path.name: path.read_bytes() for path in one.corpus}
    assert inputs
    for seed in one.seeds():
        one.run(seed)
    for kept, data in inputs.items():
        try:
            one.run(data)
        except BaseException as error:
            error.add_note(f"the input is tests/fuzz/corpus/{name}/{kept}")
            raise


def test_a_harness_that_finds_something_says_so() -> None:
    one = harness(PLANTED)
    for seed in one.seeds():
        one.run(seed)
    with pytest.raises(AssertionError, match="found"):
        one.run(b"77")
