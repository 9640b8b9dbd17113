"""The page and the screen of a story: self-contained, escaped, honest about what went wrong."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from io import StringIO

import pytest
from rich.console import Console

from vault.demo.claims import Row
from vault.demo.page import page
from vault.demo.screen import show
from vault.demo.story import Line, Phished, Record, Stolen, Story

EVIL = '<script>alert("1")</script>&'


@pytest.fixture
def story() -> Story:
    stored = Row("Zoé", "310432353526389", "4769-01-31", "Rhin-Santé", 123_456)
    seen = replace(stored, nir="284052A32102552", birth_date="1984-05-17")
    shown = replace(stored, nir="284************")
    budget = "429 budget_exhausted"
    return Story(
        people=400,
        claims=800,
        lines=[Line(stored, seen, shown, "Corsican")] * 10,
        phished=Phished(400, 0, 800, 0, {"403 x": 8}, 20, budget, "end_user.people.day", 20),
        stolen=[
            Stolen("reimbursement", "detokenise", 321, budget, "people.day", 321),
            Stolen("portal", "mask", 99, budget, "reveal.hour", 100, 5),
            Stolen("intake", "detokenise", 0, "403 not_allowed", "", 0),
        ],
        record=Record(
            True, {"disclosure": 7}, {"portal": 99}, {"portal: x": 2}, "w0.7." + "a" * 64
        ),
    )


class _Tags(HTMLParser):
    """Every tag is closed, and nothing is loaded from anywhere."""

    VOID = ("meta", "br")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        assert not {"src", "href", "srcset", "action"} & {name for name, _ in attrs}
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_needs_nothing_else(story: Story) -> None:
    text = page(story)
    tags = _Tags()
    tags.feed(text)
    assert tags.open == []
    assert not tags.seen & {"script", "link", "img", "iframe", "object", "base"}
    assert not re.search(r"https?:|//|url\(|@import|@font-face", text)


def test_the_page_has_the_storys_figures(story: Story) -> None:
    text = page(story)
    for figure in ("400", "321", "99", "1,234.56 €", "284************", "people.day = 321"):
        assert figure in text
    assert "intact" in text
    assert 'class="figure good"><b>0</b>' in text


def test_what_went_wrong_is_said(story: Story) -> None:
    bad = replace(
        story,
        phished=replace(story.phished, identifiers_in_copy=3),
        record=replace(story.record, verified=False),
    )
    text = page(bad)
    assert 'class="figure bad"><b>3</b>' in text
    assert "DAMAGED" in text
    assert "DAMAGED" in _printed(bad, 80)


def test_everything_is_escaped(story: Story) -> None:
    row = Row(EVIL, EVIL, EVIL, EVIL, 1)
    evil = replace(
        story,
        lines=[Line(row, row, row, EVIL)],
        stolen=[replace(one, client=EVIL, refusal=EVIL, stopped_by=EVIL) for one in story.stolen],
        phished=replace(story.phished, refused={EVIL: 1}, refusal=EVIL, stopped_by=EVIL),
        record=Record(True, {EVIL: 1}, {EVIL: 1}, {f"{EVIL}: {EVIL}": 1}, EVIL),
    )
    text = page(evil)
    tags = _Tags()
    tags.feed(text)
    assert "script" not in tags.seen
    assert tags.open == []


@pytest.mark.parametrize("width", [80, 100, 120])
def test_the_screen_shows_all_of_it_in_its_width(story: Story, width: int) -> None:
    text = _printed(story, width)
    assert max(len(line) for line in text.splitlines()) <= width
    assert "…" not in text, "nothing was cut"
    for figure in ("310432353526389", "284052A32102552", "1984-05-17", "1,234.56 €", "Corsican"):
        assert figure in text
    assert text.replace("\n", "").count("a" * 30) >= 1


def _printed(story: Story, width: int) -> str:
    console = Console(width=width, file=StringIO(), record=True)
    show(story, console)
    return console.export_text()
