"""The paths that can be followed on a stream, and those that cannot."""

import pytest

from vault.proxy.bodies.jsonpath import BadPath, Path, Step, Test, compile_path

INS = "urn:oid:1.2.250.1.213.1.4.8"


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("$", ()),
        ("nir", (Step("nir"),)),
        ("$.a.b", (Step("a"), Step("b"))),
        ("$['a b'][\"c\"]", (Step("a b"), Step("c"))),
        (r"$['it\'s']", (Step("it's"),)),
        ("$.a[3]", (Step("a"), Step(span=(3, 4, 1)))),
        ("$[1:5:2]", (Step(span=(1, 5, 2)),)),
        ("$[2:]", (Step(span=(2, None, 1)),)),
        ("$.*[*]", (Step(), Step())),
        ("$..nir", (Step("nir", descendant=True),)),
        ("$..[0]", (Step(span=(0, 1, 1), descendant=True),)),
        (
            f"identifier[?@.system=='{INS}'].value",
            (Step("identifier"), Step(tests=(Test(("system",), ((True, INS),)),)), Step("value")),
        ),
        (
            "$[?@.a.b != 1 && @['c']]",
            (Step(tests=(Test(("a", "b"), ((False, "1"),), equal=False), Test(("c",)))),),
        ),
        (
            "$[?@.a=='1' || @.a=='2'].b",
            (Step(tests=(Test(("a",), ((True, "1"), (True, "2"))),)), Step("b")),
        ),
        (
            "$[?(@.a==1||@.a==2) && @.b]",
            (Step(tests=(Test(("a",), ((False, "1"), (False, "2"))), Test(("b",)))),),
        ),
    ],
)
def test_paths_are_steps(text: str, steps: tuple[Step, ...]) -> None:
    assert compile_path(text) == Path(steps)


def test_a_relative_path_says_so() -> None:
    assert compile_path("@.nir") == Path((Step("nir"),), relative=True)
    assert compile_path("@^^.nir") == Path((Step("nir"),), relative=True, up=2)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "$.",
        "$[-1]",
        "$[",
        "$['a'",
        "$[?@]",
        "$[?@..a==1]",
        "$[?a==1]",
        "$.a b",
        "$[?@.a==]",
        "$[?@.a==1 || @.b==1]",
        "$[?@.a==1 || @.a!=2]",
        "$[?@.a==1 || @.a]",
        "$['* a']",
        "$^.a",
        "$[?@.a==1 || @.a==2 && @.b]",
        "$[?@.b && @.a==1 || @.a==2]",
        "$[?(@.a==1]",
    ],
)
def test_what_no_stream_can_follow_is_refused(text: str) -> None:
    with pytest.raises(BadPath, match="expected at character"):
        compile_path(text)


def test_slices_select_what_they_say() -> None:
    step = compile_path("$[1:6:2]").steps[0]
    assert [index for index in range(9) if step.selects(index)] == [1, 3, 5]
