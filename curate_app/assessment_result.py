"""What came of an assessment: whose votes count, how the sets stand, and how sure that is."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from curate_app.preference import (
    EQUAL_MARGIN,
    LEVEL,
    Interval,
    Preference,
    Strength,
    preference_of,
    strengths,
    wilson,
)
from curate_app.trials import Pair, set_pairs
from dataset.assessments import Answer, Assessment

# Votes count while their voter had this share of the gold checks right up to then.
GOLD_SHARE = 0.75
_FORGIVEN = 1  # checks that anybody may get wrong


@dataclass(frozen=True, kw_only=True)
class Person:
    """One voter: comparisons, how many of them count, gold checks right of all, repeated pairs
    answered alike of all that were decided both times, the share of votes for the left side (0.5
    without any), seconds to look (median)."""

    name: str
    votes: int
    counted: int
    gold_right: int
    gold: int
    alike: int
    repeated: int
    left_share: float
    seconds: float | None


@dataclass(frozen=True, kw_only=True)
class ClassPreference:
    """The first of two sets against the second in one class alone, for reading: never a reason to
    stop."""

    first: int
    second: int
    label: str
    votes: int
    share: float
    wilson: Interval


@dataclass(frozen=True, kw_only=True)
class Result:
    """How an assessment stands; pairs in the order of the sets, strengths best first."""

    votes: int
    counted: int
    settled: bool
    preferences: tuple[Preference, ...]
    strengths: tuple[Strength, ...]
    classes: tuple[ClassPreference, ...]
    people: tuple[Person, ...]
    gold_right: int
    gold: int
    alike: int
    repeated: int


def result_of(assessment: Assessment, answers: Sequence[Answer]) -> Result:
    """Count the answers that stand, in the order in which they were given."""
    counted = counted_votes(answers)
    votes = [(one, _for_lower(one)) for one in counted]
    preferences = tuple(preferences_of(assessment, answers))
    people = tuple(_people(answers, counted))
    return Result(
        votes=sum(person.votes for person in people),
        counted=len(counted),
        settled=all(one.state != "open" for one in preferences),
        preferences=preferences,
        strengths=tuple(
            strengths(len(assessment.sets), ((*_pair(one), vote) for one, vote in votes))
        ),
        classes=tuple(_by_class(votes)) if assessment.by_class else (),
        people=people,
        **{
            name: sum(getattr(person, name) for person in people)
            for name in ("gold_right", "gold", "alike", "repeated")
        },
    )


def settled_pairs(assessment: Assessment, answers: Sequence[Answer]) -> list[Pair]:
    """The pairs of sets of which it is settled which one is preferred, or that neither is."""
    known = preferences_of(assessment, answers)
    return [(one.first, one.second) for one in known if one.state != "open"]


def preferences_of(assessment: Assessment, answers: Sequence[Answer]) -> list[Preference]:
    """Every two sets; with several such pairs each is held to its part of the 5 % (Bonferroni)."""
    pairs = set_pairs(assessment)
    votes: dict[Pair, list[float]] = {pair: [] for pair in pairs}
    for one in counted_votes(answers):
        votes[_pair(one)].append(_for_lower(one))
    return [preference_of(*pair, votes[pair], LEVEL / len(pairs)) for pair in pairs]


def counted_votes(answers: Sequence[Answer]) -> list[Answer]:
    """The comparisons of voters who had enough gold checks right before each of them.

    Only what came before decides, and never the vote itself, so that votes which mean nothing stay
    fair coins and the intervals hold. A vote that counts counts for good.
    """
    checks: dict[str, list[bool]] = {}
    counted = []
    for answer in answers:
        seen = checks.setdefault(answer.who, [])
        if answer.kind == "gold":
            seen.append(answer.chosen == 1)
        elif answer.kind == "compare":
            wrong = seen.count(False)
            if wrong <= _FORGIVEN or wrong <= (1 - GOLD_SHARE) * len(seen):
                counted.append(answer)
    return counted


def _pair(answer: Answer) -> Pair:
    return min(answer.left, answer.right), max(answer.left, answer.right)


def _for_lower(answer: Answer) -> float:
    """The vote for the set of the lower number: 1, 1/2 or 0."""
    if answer.chosen is None:
        return 0.5
    return float(answer.chosen == min(answer.left, answer.right))


def _by_class(votes: Iterable[tuple[Answer, float]]) -> list[ClassPreference]:
    found: dict[tuple[Pair, str], list[float]] = {}
    for one, vote in votes:
        found.setdefault((_pair(one), one.label), []).append(vote)
    return [
        ClassPreference(
            first=first,
            second=second,
            label=label,
            votes=len(part),
            share=sum(part) / len(part),
            wilson=wilson(sum(part), len(part)),
        )
        for ((first, second), label), part in sorted(found.items())
    ]


def _people(answers: Sequence[Answer], counted: Sequence[Answer]) -> list[Person]:
    by_name: dict[str, list[Answer]] = {}
    for answer in answers:
        by_name.setdefault(answer.who, []).append(answer)
    counts: dict[str, int] = {}
    for answer in counted:
        counts[answer.who] = counts.get(answer.who, 0) + 1
    return [_person(name, by_name[name], counts.get(name, 0)) for name in sorted(by_name)]


def _person(name: str, answers: Sequence[Answer], counted: int) -> Person:
    gold = [one for one in answers if one.kind == "gold"]
    first = {one.trial: one for one in answers if one.kind == "compare"}
    twice = [(first[one.of], one) for one in answers if one.kind == "repeat" and one.of in first]
    decided = [pair for pair in twice if None not in (pair[0].chosen, pair[1].chosen)]
    sides = [one.choice for one in first.values() if one.choice != "tie"]
    looks = [one.ms / 1000 for one in first.values() if one.ms >= 0]
    return Person(
        name=name,
        votes=len(first),
        counted=counted,
        gold_right=sum(one.chosen == 1 for one in gold),
        gold=len(gold),
        alike=sum(one.chosen == again.chosen for one, again in decided),
        repeated=len(decided),
        left_share=sides.count("left") / len(sides) if sides else 0.5,
        seconds=round(median(looks), 2) if looks else None,
    )


def as_json(assessment: Assessment, result: Result) -> dict[str, Any]:
    """The result as others read it (schema assessment-result/1); sets by number, from 0."""
    return {
        "schema": "assessment-result/1",
        "name": assessment.name,
        "question": assessment.question,
        "made_at": assessment.made_at,
        "made_by": assessment.made_by,
        "by_class": assessment.by_class,
        "gold_source": assessment.gold_source,
        "level": LEVEL,
        "equal_margin": EQUAL_MARGIN,
        "sets": [
            {
                "title": one.title,
                "source": one.source,
                "origin": one.origin,
                "pictures": len(one.pictures),
            }
            for one in assessment.sets
        ],
        **asdict(result),
        "preferences": [{**asdict(one), "votes": one.votes} for one in result.preferences],
    }


def verdict_line(assessment: Assessment, one: Preference) -> str:
    """What is known of two sets, as one sentence."""
    first, second = (assessment.sets[number].title for number in (one.first, one.second))
    if one.state == "equal":
        low, high = round(100 * (0.5 - EQUAL_MARGIN)), round(100 * (0.5 + EQUAL_MARGIN))
        return f"{first} and {second} are about equal (surely between {low} and {high} %)"
    if one.state == "open":
        return f"{first} or {second}: not settled yet; vote on"
    better, worse = (first, second) if one.state == "first" else (second, first)
    return f"{better} is preferred to {worse}"
