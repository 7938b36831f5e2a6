"""Beginning an assessment: pictures of the sets drawn by lot and kept as PNGs of our own, so that
no file name, size or metadata tells the sets apart and nothing changes under way."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from curate_app.picture_sets import Entry, Offer, as_png, chosen, entries, offers
from dataset.assessments import (
    MOST_SETS,
    Assessment,
    Assessments,
    GoldCheck,
    PictureSet,
    ShownPicture,
    check_name,
    check_question,
)
from dataset.errors import ConfigError, DataError, PipelineError
from dataset.pixels import Pixels
from dataset.progress import Progress

Match = Literal["auto", "class", "none"]
MATCHES: tuple[Match, ...] = get_args(Match)
QUESTION = "Which picture is better?"
MOST_PICTURES = 400  # of a set: more than anybody votes on, and quickly written

_GOLD_PICTURES = 40
_NOISE = 80.0  # standard deviation of 0..255: nobody who looks takes it for the better one


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What to begin: sets by id; `match` says whether only pictures of one class meet (auto: where
    the sets have classes in common), `most` how many pictures of a set are taken at most, `seed`
    decides which (None: a new one)."""

    name: str
    sets: tuple[str, ...]
    question: str = QUESTION
    match: Match = "auto"
    tells_class: bool = False
    most: int = MOST_PICTURES
    seed: int | None = None

    def __post_init__(self) -> None:
        check_name(self.name)
        check_question(self.question)
        if self.match not in MATCHES:
            raise ConfigError(f"match {self.match!r} is none of: {', '.join(MATCHES)}")
        if not 2 <= len(self.sets) <= MOST_SETS:
            raise ConfigError(f"choose 2 to {MOST_SETS} sets to compare, not {len(self.sets)}")
        if len(set(self.sets)) < len(self.sets):
            raise ConfigError("a set is named twice; choose different ones")
        if not 2 <= self.most <= 10_000:
            raise ConfigError(f"{self.most} pictures of a set: choose 2 to 10000")
        if self.seed is not None and not 0 <= self.seed < 2**62:
            raise ConfigError(f"seed {self.seed} is not from 0 to 2**62")


def begin(wish: Wish, runs: Path, data: Path, who: str) -> Assessment:
    """Write an assessment down; its pictures first, its manifest last.

    Raises ConfigError for an unknown set, a name that is taken and sets without a class in common
    where that is wanted, DataError for a set without a picture that can be shown.
    """
    kept = Assessments(data)
    if kept.manifest(wish.name).exists():
        raise ConfigError(
            f"there is an assessment {wish.name!r} already; choose another name, or vote on it"
        )
    seed = secrets.randbelow(2**62) if wish.seed is None else wish.seed
    found = {one: entries(one, runs, data) for one in wish.sets}
    known = {offer.id: offer for offer in offers(runs, data)}
    by_class = _by_class(wish, list(found.values()))
    if by_class:
        shared = set.intersection(*({e.label for e in part} for part in found.values())) - {""}
        found = {
            one: [entry for entry in part if entry.label in shared] for one, part in found.items()
        }
    sampled = {one: chosen(part, wish.most, seed) for one, part in found.items()}
    gold_of = _gold_source(wish.sets, known)
    gold = chosen(found.get(gold_of) or entries(gold_of, runs, data), _GOLD_PICTURES, seed + 1)
    total = sum(map(len, sampled.values())) + len(gold)
    with Progress("taking pictures", total, "pictures") as progress:
        writer = _Writer(kept, wish.name, progress)
        sets = tuple(writer.picture_set(known[one], part) for one, part in sampled.items())
        checks = writer.gold(gold, seed)
    assessment = Assessment(
        name=wish.name,
        question=" ".join(wish.question.split()),
        sets=sets,
        seed=seed,
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        made_by=who,
        by_class=by_class,
        tells_class=wish.tells_class,
        gold=checks,
        gold_source=known[gold_of].title,
    )
    kept.write(assessment)
    return assessment


def _by_class(wish: Wish, sets: Sequence[list[Entry]]) -> bool:
    classes = [{entry.label for entry in part} - {""} for part in sets]
    shared = set.intersection(*classes)
    if wish.match == "class" and not shared:
        raise ConfigError(
            "the sets have no class in common, so they cannot be matched by class; "
            "draw the same classes, or choose match none"
        )
    return bool(shared) and wish.match != "none"


def _gold_source(sets: Sequence[str], known: dict[str, Offer]) -> str:
    """Where the pictures of the gold checks come from: real ones that are compared, those that a
    model learnt its subject from, or else the first set: others would be of another subject."""
    learnt = {known[one].pack_hash for one in sets} - {""}
    real = [one for one in sets if known[one].is_real]
    real += [one.id for one in known.values() if one.is_real and one.pack_hash in learnt]
    return next(iter(real), sets[0])


class _Writer:
    """Writes pictures under their hashes; those that cannot be shown are left out."""

    def __init__(self, kept: Assessments, name: str, progress: Progress) -> None:
        self._kept, self._name, self._progress = kept, name, progress

    def picture_set(self, offer: Offer, part: Sequence[Entry]) -> PictureSet:
        shown, fault = [], "it is empty"
        for entry in part:
            try:
                key = self._put(entry.read())
            except (PipelineError, OSError) as error:
                fault = f"{entry.name}: {error}"
            else:
                shown.append(ShownPicture(key=key, label=entry.label, origin=entry.name))
            self._progress.advance()
        if not shown:
            raise DataError(f"no picture of {offer.title} can be shown ({fault}); draw it again")
        return PictureSet(
            title=offer.title, source=offer.id, pictures=tuple(shown), origin=offer.origin
        )

    def gold(self, part: Sequence[Entry], seed: int) -> tuple[GoldCheck, ...]:
        noise = np.random.default_rng(seed)
        checks = []
        for entry in part:
            self._progress.advance()
            try:
                pixels = entry.read()
            except (PipelineError, OSError):
                continue
            damaged = pixels + noise.normal(0.0, _NOISE, pixels.shape)
            bad = self._put(np.clip(np.rint(damaged), 0, 255).astype(np.uint8))
            checks.append(GoldCheck(sound=self._put(pixels), damaged=bad, label=entry.label))
        return tuple(checks)

    def _put(self, pixels: Pixels) -> str:
        key, png = as_png(pixels)
        self._kept.put_picture(self._name, key, png)
        return key
