"""What a person is shown, one pair after the other: a fixed sequence for each name, drawn by lot.

In blocks of twelve: ten comparisons, one gold check and one pair of the block before with its sides
exchanged. The first block has two gold checks, one of them among the first three pairs.
"""

import random
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import combinations, count

from dataset.assessments import Assessment, Kind, ShownPicture

BLOCK = 12
_LEAST_DISTANCE = 6  # pairs between a pair and its repetition
_EARLY = 3
_TRIES = 20

Pair = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One pair as it is shown; the sides are as in `dataset.assessments.Answer`."""

    number: int
    kind: Kind
    left: int
    right: int
    pictures: tuple[str, str]
    label: str
    of: int = -1

    @property
    def pair(self) -> Pair | None:
        """The two sets that it compares, None for a gold check."""
        if self.kind == "gold":
            return None
        return min(self.left, self.right), max(self.left, self.right)


class Schedule:
    """The sequence of one person. Every pair of pictures is drawn anew, whatever was drawn before,
    and a coin decides the sides."""

    def __init__(self, assessment: Assessment, who: str) -> None:
        self._seed = f"{assessment.seed}|{who}"
        self._by_class = assessment.by_class
        self._gold = assessment.gold
        self._pools = [_pools(one.pictures) for one in assessment.sets]
        self._every = [list(one.pictures) for one in assessment.sets]
        self._pairs = set_pairs(assessment)
        self._blocks: dict[int, list[Trial]] = {}

    def trial(self, number: int) -> Trial:
        """The one with this number, from 0."""
        return self._block(number // BLOCK)[number % BLOCK]

    def open(
        self, answered: Collection[int], held: Collection[int], settled: Collection[Pair]
    ) -> Iterator[Trial]:
        """What is to be shown next: neither answered nor `held` by the page, of no settled pair of
        sets; ends when all are settled."""
        if len(set(settled)) == len(self._pairs):
            return
        for number in count():
            if number in answered or number in held:
                continue
            trial = self.trial(number)
            if trial.pair not in settled:
                yield trial

    def _block(self, number: int) -> list[Trial]:
        if number not in self._blocks:
            block, place = self._drawn(number)
            again = None if place is None else self._repetition(block[place].number)
            if place is not None and again is not None:
                block[place] = again
            self._blocks[number] = block
        return self._blocks[number]

    def _drawn(self, number: int) -> tuple[list[Trial], int | None]:
        """A block before its repetition, and where that goes."""
        dice = random.Random(f"{self._seed}|{number}")
        kinds, pairs = self._kinds(number, dice), self._balanced(dice)
        block = []
        for place, kind in enumerate(kinds):
            at = number * BLOCK + place
            check = self._check(at, dice) if kind == "gold" else None
            block.append(check or self._comparison(at, pairs[place], dice))
        return block, kinds.index("repeat") if "repeat" in kinds else None

    def _balanced(self, dice: random.Random) -> list[Pair]:
        """The sets of a block's pairs: each two as often as the others, or once more."""
        whole, rest = divmod(BLOCK, len(self._pairs))
        pairs = [*(self._pairs * whole), *dice.sample(self._pairs, rest)]
        dice.shuffle(pairs)
        return pairs

    def _kinds(self, number: int, dice: random.Random) -> list[Kind]:
        special: list[Kind] = ["gold", "repeat"] if number else ["gold", "gold"]
        compare: list[Kind] = ["compare"] * (BLOCK - 2)
        kinds = [*special, *compare]
        dice.shuffle(kinds)
        if not number and "gold" not in kinds[:_EARLY]:
            early, late = dice.randrange(_EARLY), kinds.index("gold")
            kinds[early], kinds[late] = kinds[late], kinds[early]
        return kinds

    def _comparison(self, number: int, pair: Pair, dice: random.Random) -> Trial:
        left, right = pair if dice.random() < 0.5 else pair[::-1]
        label = ""
        if self._by_class:
            shared = sorted((self._pools[left].keys() & self._pools[right].keys()) - {""})
            label = dice.choice(shared)
        pools = [self._pools[one][label] if label else self._every[one] for one in (left, right)]
        for _ in range(_TRIES):  # a copy of a training picture may meet itself
            shown = [dice.choice(pool) for pool in pools]
            if shown[0].key != shown[1].key:
                break
        keys = shown[0].key, shown[1].key
        both = shown[0].label if shown[0].label == shown[1].label else ""
        return Trial(
            number=number, kind="compare", left=left, right=right, pictures=keys, label=both
        )

    def _check(self, number: int, dice: random.Random) -> Trial | None:
        if not self._gold:
            return None
        check, sound_left = dice.choice(self._gold), dice.random() < 0.5
        keys = check.sound, check.damaged
        return Trial(
            number=number,
            kind="gold",
            left=int(sound_left),
            right=int(not sound_left),
            pictures=keys if sound_left else keys[::-1],
            label=check.label,
        )

    def _repetition(self, number: int) -> Trial | None:
        """A pair of the block before, with its sides exchanged."""
        before, place = self._drawn(number // BLOCK - 1)
        known = [
            one
            for at, one in enumerate(before)
            if one.kind == "compare" and at != place and number - one.number >= _LEAST_DISTANCE
        ]
        if not known:
            return None
        dice = random.Random(f"{self._seed}|again|{number}")
        again = dice.choice(known)
        return Trial(
            number=number,
            kind="repeat",
            left=again.right,
            right=again.left,
            pictures=again.pictures[::-1],
            label=again.label,
            of=again.number,
        )


def set_pairs(assessment: Assessment) -> list[Pair]:
    """Every two sets by number, the lower one first."""
    return list(combinations(range(len(assessment.sets)), 2))


def _pools(pictures: tuple[ShownPicture, ...]) -> dict[str, list[ShownPicture]]:
    found: dict[str, list[ShownPicture]] = {}
    for picture in pictures:
        found.setdefault(picture.label, []).append(picture)
    return found
