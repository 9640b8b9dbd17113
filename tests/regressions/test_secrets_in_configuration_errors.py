"""A secret where a key, a variable's name or a path belongs was repeated: tomllib quotes keys, and
the KEK's place was shown though the KEK itself may stand there."""

from pathlib import Path

import pytest

from tests.support.leaks import found
from vault.access.identity import mint
from vault.config.reading import read
from vault.crypto.kek import new_kek_text, open_kek
from vault.errors import SetUpError

CREDENTIAL = mint("somebody")[0]


@pytest.mark.parametrize(
    "text",
    [
        "[clients.@]\n[clients.@]",
        "[@]\n[@]",
        "x = { @ = 1, @ = 2 }",
        'x = { "it\'s @" = 1, "it\'s @" = 2 }',
        "[[@]]\n[@]",
    ],
)
def test_a_key_twice_in_the_file(tmp_path: Path, text: str) -> None:
    with pytest.raises(
        SetUpError, match=r"is not valid TOML: .*\(at line \d+, column \d+\)"
    ) as told:
        read(text.replace("@", CREDENTIAL), tmp_path, {})
    assert found(str(told.value), [CREDENTIAL]) == set()


def test_the_words_of_other_complaints_stay(tmp_path: Path) -> None:
    for text, words in (('x = "\\q"', r"Unescaped '\'"), ("a", "'=' after a key")):
        with pytest.raises(SetUpError) as told:
            read(text, tmp_path, {})
        assert words in str(told.value)


@pytest.mark.parametrize("place", ["env:@", "file:@", "file:keys/@", "env:kek_@"])
def test_the_kek_in_the_place_of_its_place(tmp_path: Path, place: str) -> None:
    secret = new_kek_text()
    with pytest.raises(SetUpError) as told:
        open_kek(place.replace("@", secret), tmp_path)
    assert found(str(told.value), [secret]) == set()


def test_names_and_paths_are_still_said(tmp_path: Path) -> None:
    for place, words in (("env:JETON_NO_KEK", "JETON_NO_KEK"), ("file:no.key", "no.key")):
        with pytest.raises(SetUpError, match=words):
            open_kek(place, tmp_path)
