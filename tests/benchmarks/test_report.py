"""The report of benchmarks as a page."""

from dataclasses import replace
from html.parser import HTMLParser

from benchmarks.report import page
from benchmarks.results import Result

RESULT = Result("a", "s", 12345.6, 0.05, 20000.0, 0.62, "ratio >= 0.60", "python -m x")


class _Seen(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.texts, self.addresses = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [of for name, of in attrs if name in {"src", "href"}]

    def handle_data(self, data):
        self.texts.append(data.strip())


def seen(*results):
    parser = _Seen()
    parser.feed(page(results, {"system": "<it>", "versions": {"numpy": "2"}}))
    return parser


def test_every_result_has_a_row_with_its_command():
    shown = seen(RESULT, replace(RESULT, name="b", baseline=None, ratio=None, target=None))
    assert shown.tags.count("tr") == 3
    assert shown.texts.count("python -m x") == 2
    assert {"12,346", "20,000", "0.62", "5%", "numpy 2"} <= set(shown.texts)


def test_a_target_is_reached_or_missed():
    assert "reached" in seen(RESULT).texts
    assert "missed" in seen(replace(RESULT, ratio=0.5)).texts


def test_words_of_others_are_text():
    shown = seen(replace(RESULT, name="<script>"))
    assert "script" not in shown.tags
    assert {"<script>", "<it>"} <= set(shown.texts)


def test_the_page_needs_nothing_else():
    assert seen(RESULT).addresses == []
    assert "url(" not in page([RESULT], {})
