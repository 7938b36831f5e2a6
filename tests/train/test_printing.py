"""What is printed for a program: JSON that any reader takes."""

import json
import math
from typing import Any

import pytest

from train.printing import plain_json, print_facts, readable_plan

FACTS = {"loss": math.nan, "config": {"lr": math.inf, "betas": [0.9, -math.inf]}, "seen": 8}
PLAIN = {"loss": None, "config": {"lr": None, "betas": [0.9, None]}, "seen": 8}


def refused(constant: str) -> Any:
    raise AssertionError(f"{constant} is no JSON")


def test_what_is_not_finite_is_null_however_deep(capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(plain_json(FACTS), parse_constant=refused) == PLAIN
    print_facts(FACTS, as_json=True)
    assert json.loads(capsys.readouterr().out, parse_constant=refused) == PLAIN
    print_facts(FACTS, as_json=False)
    assert 'config: {"lr": null' in capsys.readouterr().out


def test_a_person_reads_words_where_python_has_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    print_facts({"best": None, "finished": True, "stale": False, "of": []}, as_json=False)
    assert capsys.readouterr().out == "best: none\nfinished: yes\nstale: no\nof: none\n"


@pytest.mark.parametrize(
    ("minutes", "said"),
    [
        (0.0, "0 seconds"),
        (1.5, "90 seconds"),
        (8.29, "8.29 minutes"),
        (478.0, "7.97 hours"),
        (20_400.0, "14.2 days"),
        (2_050_000.0, "3.9 years"),
    ],
)
def test_how_long_a_run_takes_is_said_in_the_unit_of_a_person(minutes: float, said: str) -> None:
    plan = {"pictures": 8, "minutes": minutes, "time_is_from": "a probe"}
    told = readable_plan(plan)
    assert told == {"pictures": 8, "time": f"about {said}", "time_is_from": "a probe"}
