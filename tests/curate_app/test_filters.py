"""Filters read strictly: what makes no sense is one line that says so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate_app.filters import KEYS, BadFilter, Filter, Range, arguments


@pytest.mark.parametrize(
    ("between", "expected"),
    [
        ("", []),
        ("sharpness:0.2..0.8", [("sharpness", 0.2, 0.8)]),
        ("pixels:4096..", [("pixels", 4096.0, None)]),
        ("score:..1.5", [("score", None, 1.5)]),
        ("score:-1..-.5", None),
        ("score:-1.25..-0.5", [("score", -1.25, -0.5)]),
        ("a:1e-7..2", [("a", 1e-7, 2.0)]),
        ("a:1.5e-7..2.5E+3", [("a", 1.5e-7, 2500.0)]),
        ("a:1..1", [("a", 1.0, 1.0)]),
        ("a:1..2, b_2:3..", [("a", 1.0, 2.0), ("b_2", 3.0, None)]),
    ],
)
def test_ranges_are_read(between: str, expected: list[tuple[str, float, float]] | None) -> None:
    if expected is None:
        with pytest.raises(BadFilter):
            Filter(between=between)
        return
    ranges = [Range(name=name, low=low, high=high) for name, low, high in expected]
    assert Filter(between=between).ranges() == ranges


ODD: tuple[object, ...] = (5, True, ["a"], {}, 0.5)
BAD: list[tuple[str, object]] = [
    *(
        ("between", text)
        for text in (
            *("sharpness", "sharpness:", "sharpness:..", "sharpness:1", "sharpness:1..2..3"),
            *(":1..2", "Sharp:1..2", "1a:1..2", "a-b:1..2", f"{'n' * 41}:1..", "a:1..2,", ",a:1.."),
            *(
                "a:x..",
                "a:nan..",
                "a:..inf",
                "a:-inf..",
                "a:1_0..",
                "a:0x1..",
                "a:\u0661..",
                "a: 1..",
            ),
            *(
                "a:1...2",
                "a:1.2.3..",
                "a:1e999..",
                "a:--1..",
                "a:1..2;b:3..",
                "a:1..,a" + ":1.." * 9,
            ),
            ",".join(["a:1.."] * 9),
            *(f"a:{'1' * 22}..", f"a:1..{'9' * 150}", "\0:1..", "a:'..2", "a:\ud800.."),
        )
    ),
    *(
        ("stars", text)
        for text in ("6", "-1", "3-", "-3", "5-3", "1-2-3", "x", "\u0663", " 3", "10")
    ),
    *(("status", value) for value in ("", "kept", "KEEP", "keep\n", 1, ["keep"], True)),
    *((key, "x" * (2001 if key in ("label", "source", "licence") else 201)) for key in KEYS),
    *((key, value) for key in KEYS for value in ODD),
    *(("text", text) for text in ("\0", "a\0b", "\ud800")),
]


@pytest.mark.parametrize(("key", "value"), BAD, ids=lambda given: ascii(given)[:40])
def test_what_makes_no_sense_is_told_in_one_line(key: str, value: object) -> None:
    with pytest.raises(BadFilter) as told:
        Filter(**{key: value})  # type: ignore[arg-type]
    line = str(told.value)
    assert line
    assert line.isprintable()
    assert len(line) < 400
    assert key in line


@pytest.mark.parametrize(
    ("stars", "span"),
    [("", (0, 5)), ("0", (0, 0)), ("3", (3, 3)), ("3-5", (3, 5)), ("2-2", (2, 2))],
)
def test_stars_are_one_number_or_a_span(stars: str, span: tuple[int, int]) -> None:
    assert Filter(stars=stars).star_span() == span


def test_arguments_hold_what_is_set_and_make_the_same_filter_again() -> None:
    assert arguments(Filter()) == {}
    where = Filter(status="keep", label="", licence="", text="a b", stars="0", between="a:1..")
    assert arguments(where) == {
        "status": "keep", "label": "", "licence": "", "text": "a b", "stars": "0",
        "between": "a:1..",
    }  # fmt: skip
    assert Filter(**arguments(where)) == where


@given(st.dictionaries(st.sampled_from(KEYS), st.one_of(st.none(), st.text(max_size=30))))
def test_any_text_gives_a_filter_or_one_line(values: dict[str, str | None]) -> None:
    try:
        where = Filter(**values)  # type: ignore[arg-type]
    except BadFilter as error:
        assert str(error).isprintable()  # noqa: PT017
        return
    assert Filter(**arguments(where)) == where or None in values.values()


numbers = st.floats(-1e30, 1e30).filter(lambda value: not 0 < abs(value) < 1e-30)


@given(st.one_of(st.none(), numbers), st.one_of(st.none(), numbers))
def test_every_number_that_python_writes_is_a_bound(low: float | None, high: float | None) -> None:
    if low is None and high is None:
        return
    text = f"a:{'' if low is None else repr(low)}..{'' if high is None else repr(high)}"
    assert Filter(between=text).ranges() == [Range(name="a", low=low, high=high)]
