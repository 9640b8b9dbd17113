"""The report of benchmarks as a page."""

from dataclasses import replace
from html.parser import HTMLParser

from benchmarks.curves import INK, Curve, write
from benchmarks.report import page
from benchmarks.results import Result

POINTS = [(1.0, 2.0), (10.0, 3e6)]
CURVE = Curve("line", "a title", "how many", "how fast", {"one line": POINTS}, "said below")
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
    about = {"system": "<it>", "versions": {"numpy": "2"}}
    parser.feed(page(results, [CURVE], {"gone": "why <not>"}, about))
    return parser


def test_every_result_has_a_row_with_its_command():
    shown = seen(RESULT, replace(RESULT, name="b", baseline=None, ratio=None, target=None))
    assert shown.tags.count("tr") == 3
    assert shown.texts.count("python -m x") == 1  # above the table of both
    assert {"12,346", "20,000", "0.62", "5%", "numpy 2"} <= set(shown.texts)


def test_a_target_is_reached_or_missed():
    assert "reached" in seen(RESULT).texts
    assert "missed" in seen(replace(RESULT, ratio=0.5)).texts


def test_a_missed_target_says_why_and_shows_its_profile():
    missed = replace(RESULT, name="single tokenise", ratio=0.5)
    profile = replace(CURVE, name="profile-single-tokenise")
    text = page([missed], [profile], {}, {})
    assert "no place stands out in the profile" in text
    assert '<a href="#profile-single-tokenise">' in text
    assert '<figure id="profile-single-tokenise">' in text
    assert "<a " not in page([missed], [CURVE], {}, {})
    assert "no place stands out" not in page([replace(missed, ratio=0.7)], [profile], {}, {})


def test_a_missed_target_that_has_no_row_says_so():
    assert "or what else it does, is in the way" in page([replace(RESULT, ratio=0.5)], [], {}, {})


def test_what_was_measured_once_shows_no_spread():
    assert "0%" not in seen(replace(RESULT, spread=0.0)).texts


def test_words_of_others_are_text():
    shown = seen(replace(RESULT, name="<script>"))
    assert "script" not in shown.tags
    assert {"<script>", "<it>"} <= set(shown.texts)


def test_the_page_needs_nothing_else():
    outside = [one for one in seen(RESULT).addresses if not one.startswith("#")]
    assert outside == []
    assert "url(http" not in page([RESULT], [CURVE], {}, {})


def test_a_plot_is_drawn_in_the_pages_ink_and_says_what_it_is():
    text = page([RESULT], [CURVE], {}, {})
    assert text.count("<svg") == 1
    assert "currentColor" in text
    assert INK not in text
    for words in ("a title", "how many", "how fast", "one line", "said below"):
        assert words in text


def test_what_was_not_measured_is_named():
    assert "gone: why <not>" in seen(RESULT).texts


def test_plots_are_files_that_the_same_figures_make_again(tmp_path):
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        write(folder, [CURVE, replace(CURVE, name="bars", bars=True)])
    names = {"line.png", "line.svg", "bars.png", "bars.svg"}
    assert {file.name for file in (tmp_path / "a").iterdir()} == names
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
