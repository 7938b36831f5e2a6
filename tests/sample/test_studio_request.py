"""Requests to the studio are read strictly: one line, known keys, whole numbers within bounds."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset.errors import ConfigError
from sample.studio_request import (
    LONGEST_LINE,
    MOST_SEED,
    DrawRequest,
    EndRequest,
    StopRequest,
    number_of,
    read_request,
)

PLAIN: dict[str, Any] = {
    "verb": "draw",
    "id": 7,
    "seed": 3,
    "count": 4,
    "sampler": "dpm++2m",
    "steps": 20,
    "guidance": 2.5,
}


def line(**changes: Any) -> str:
    told = {**PLAIN, **changes}
    return json.dumps({key: value for key, value in told.items() if value is not ...})


def test_requests_are_read_as_they_were_meant() -> None:
    asked = read_request(line(label="cat", like=9, share=0.1))
    assert asked == DrawRequest(
        id=7,
        seed=3,
        count=4,
        sampler="dpm++2m",
        steps=20,
        guidance=2.5,
        label="cat",
        like=9,
        share=0.1,
    )
    assert read_request('{"verb": "stop", "id": 7}') == StopRequest(id=7)
    assert read_request(' {"verb": "end"}\n') == EndRequest()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", -1),
        ("seed", MOST_SEED + 1),
        ("seed", 1.0),
        ("seed", True),
        ("seed", "3"),
        ("count", 0),
        ("count", 65),
        ("steps", 0),
        ("steps", 1001),
        ("guidance", -0.1),
        ("guidance", 51),
        ("guidance", float("nan")),
        ("guidance", float("inf")),
        ("guidance", None),
        ("guidance", False),
        ("share", 1.1),
        ("like", -1),
        ("like", 2**60),
        ("label", 3),
        ("label", "x" * 201),
        ("sampler", ["ddim"]),
        ("id", -1),
    ],
)
def test_value_out_of_range_is_refused_by_its_key(key: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"^{key} is "):
        read_request(line(**{key: value}))


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "draw",
        "[]",
        "null",
        "{",
        '{"verb": "draw"}',
        line(seed=...),
        line(verb="paint"),
        line(verb=["draw"]),
        line(run="../x"),
        '{"verb": "stop"}',
        '{"verb": "stop", "id": 1, "seed": 2}',
        '{"verb": "end", "id": 1}',
        "[" * 3000,
        line(label="x" * LONGEST_LINE),
    ],
)
def test_what_is_no_request_is_refused_in_one_line(bad: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_request(bad)
    assert "\n" not in str(caught.value)


@given(st.text(max_size=80))
def test_no_text_whatever_breaks_the_reading(text: str) -> None:
    with contextlib.suppress(ConfigError):
        read_request(text)
    assert number_of(text) is None or text.strip()


def test_number_of_a_refused_request_is_found_if_there_is_one() -> None:
    assert number_of(line(steps=0)) == 7
    assert number_of('{"id": "7"}') is None
    assert number_of("nonsense") is None
