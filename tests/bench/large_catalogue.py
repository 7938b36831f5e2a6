"""A catalogue of any size with all that the app shows: made in bulk, the same in every run.

The first pictures are drawn ones that lie in the store; of the others there is all but the file.
"""

import hashlib
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset.catalog import Catalog
from dataset.catalog.connection import migrations
from dataset.fingerprint import FINGERPRINT
from dataset.image_store import ImageStore
from dataset.likeness import LIKENESS
from dataset.phash import DHASH, FINE, PHASH
from dataset.quality import MEASURES
from dataset.workspace import Workspace
from tests.curate_app.drawn_catalogue import HOSTILE, drawing, png

VERSION = 3
SEED = 20_260_101
LABELS = (*(f"class {number:02d}" for number in range(39)), "")
SOURCES = ("commons", "openverse", "search", "cards", "museum", "folder")
LICENCES = (
    *("CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "CC-BY-SA-3.0", "CC-BY-2.0"),
    *("CC-BY-NC-4.0", "PDM-1.0", "Apache-2.0", "unknown"),
)
FORMATS = ("JPEG", "PNG", "WEBP")
JUDGES = ("anna", "ben", "me")
# So many pictures have a file; the pages that are looked at first are theirs.
DRAWN = 4_000
HOSTILE_EVERY = 997
# A word in one caption of a thousand, and one in every seventh.
RARE_WORD, COMMON_WORD = "quokka", "harbour"
VOTES = 20_000
INDEXED_LATER = ("image", "origin", "caption", "event", "batch", "fingerprint", "edge", "vote")
_SYLLABLES = ("ba", "ce", "di", "fo", "gu", "ha", "ki", "lo", "mu", "ne", "pi", "ra", "so", "tu")
_FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)

Columns = Sequence[Iterable[Any]]
Numbers = NDArray[np.int64]


def large_catalogue(count: int) -> Path:
    """The data folder of `count` pictures; kept in PEDIGREE_BENCH_FOLDER for the next run."""
    root = Path(os.environ.get("PEDIGREE_BENCH_FOLDER") or tempfile.gettempdir())
    schema = hashlib.sha256("".join(sql for _step, sql in migrations()).encode()).hexdigest()
    data = root / f"pedigree-{count}-{VERSION}-{schema[:8]}"
    if not (data / "complete").exists():
        shutil.rmtree(data, ignore_errors=True)
        start = time.perf_counter()
        fill(data, count)
        (data / "complete").touch()
        size = (data / "catalog.sqlite").stat().st_size / 1e6
        took = time.perf_counter() - start
        print(f"made {count:,} pictures in {took:.0f} s, {size:,.0f} MB: {data}", flush=True)
    return data


def copy_of(data: Path, target: Path) -> Path:
    """The catalogue without its files, to judge in."""
    target.mkdir(parents=True)
    shutil.copyfile(data / "catalog.sqlite", target / "catalog.sqlite")
    (target / "images").symlink_to(data / "images")
    return target


def fill(data: Path, count: int) -> None:
    workspace = Workspace(data)
    Catalog(workspace.catalog).close()
    rng = np.random.default_rng(SEED)
    drawn = draw(ImageStore(workspace.images), min(DRAWN, count))
    with closing(sqlite3.connect(workspace.catalog, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = OFF")
        db.execute("PRAGMA synchronous = OFF")
        db.execute("PRAGMA cache_size = -400000")
        db.execute("BEGIN")
        with unindexed(db, INDEXED_LATER):
            fill_images(db, count, drawn, rng)
            fill_origins(db, count, rng)
            fill_captions(db, count, rng)
            fill_scores(db, count, rng)
            fill_edges(db, count, rng)
            fill_votes(db, count, rng)
        db.execute("COMMIT")
        db.execute("PRAGMA journal_mode = WAL")


def draw(store: ImageStore, count: int) -> list[str]:
    """Small pictures, all different, in the store; their SHA-256."""
    return [store.put(png(drawing(number, 64))) for number in range(count)]


@contextmanager
def unindexed(db: sqlite3.Connection, tables: Sequence[str]) -> Iterator[None]:
    """Indexes that are made once, after the rows, are made in a fraction of the time."""
    marks = ", ".join("?" * len(tables))
    rows = db.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL "
        f"AND tbl_name IN ({marks})",
        tables,
    ).fetchall()
    for name, _sql in rows:
        db.execute(f"DROP INDEX {name}")
    yield
    for _name, sql in rows:
        db.execute(sql)


def insert(db: sqlite3.Connection, table: str, columns: str, values: Columns) -> None:
    marks = ", ".join("?" * len(values))
    db.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", zip(*values, strict=True))


def fill_images(
    db: sqlite3.Connection, count: int, drawn: list[str], rng: np.random.Generator
) -> None:
    """Pictures, and the events by which a third of them are judged."""
    ids = np.arange(1, count + 1)
    label = skewed(rng, len(LABELS), count)
    fate = rng.choice(4, count, p=[0.65, 0.22, 0.10, 0.03])
    stars = np.where(rng.random(count) < 0.12, rng.integers(1, 6, count), 0)
    side = np.round(np.exp(rng.normal(6.2, 0.7, count))).astype(np.int64) + 16
    height = np.round(side * np.exp(rng.normal(0, 0.25, count))).astype(np.int64) + 8
    side[: len(drawn)] = height[: len(drawn)] = 64
    status = np.array(["undecided", "keep", "reject", "reject"])[fate].tolist()
    reason = np.array(["", "", "", "collage"])[fate].tolist()
    names = [LABELS[code] for code in label.tolist()]
    insert(
        db,
        "image",
        "id, sha256, pixel_sha256, format, width, height, byte_count, has_alpha, first_label, "
        "label, status, reason, stars, added_at",
        (
            *(ids.tolist(), drawn + hexes(rng, count, 32)[len(drawn) :], hexes(rng, count, 32)),
            [FORMATS[code] for code in skewed(rng, len(FORMATS), count).tolist()],
            *(side.tolist(), height.tolist(), (side * height // 5 + 400).tolist()),
            (rng.random(count) < 0.1).astype(int).tolist(),
            *(names, names, status, reason, stars.tolist(), moments(count)),
        ),
    )
    judged = np.flatnonzero(fate)
    rated = np.flatnonzero(stars)
    who = [JUDGES[code] for code in rng.integers(0, len(JUDGES), len(judged) + len(rated))]
    fields = ["status"] * len(judged) + ["stars"] * len(rated)
    batches, at = range(1, len(fields) + 1), moments(len(fields))
    verbs = ["stars" if field == "stars" else "judge" for field in fields]
    stands = [1] * len(fields)
    insert(db, "batch", "id, at, who, verb, stands", (batches, at, who, verbs, stands))
    after = [status[i] for i in judged.tolist()] + stars[rated].tolist()
    insert(
        db,
        "event",
        "batch, at, who, verb, image_id, field, before, after, reason_before, reason_after",
        (
            *(batches, at, who, verbs),
            ids[np.concatenate([judged, rated])].tolist(),
            *(fields, ["undecided"] * len(judged) + [0] * len(rated), after),
            [""] * len(fields),
            [reason[i] for i in judged.tolist()] + [""] * len(rated),
        ),
    )


def fill_origins(db: sqlite3.Connection, count: int, rng: np.random.Generator) -> None:
    """One to three places for each picture."""
    of = np.repeat(np.arange(1, count + 1), rng.choice([1, 2, 3], count, p=[0.6, 0.3, 0.1]))
    source = skewed(rng, len(SOURCES), len(of)).tolist()
    licence = skewed(rng, len(LICENCES), len(of)).tolist()
    pages = [f"https://{SOURCES[s]}.test/page/{n}" for n, s in enumerate(source)]
    insert(
        db,
        "origin",
        "image_id, url, page_url, source, query, author, licence, licence_url, fetched_at",
        (
            *(of.tolist(), [f"{page}/picture.jpg" for page in pages], pages),
            [SOURCES[code] for code in source],
            ["harbours"] * len(of),
            [f"author {number}" for number in rng.integers(0, 5000, len(of)).tolist()],
            [LICENCES[code] for code in licence],
            [f"https://licences.test/{LICENCES[code]}" for code in licence],
            moments(len(of)),
        ),
    )


def fill_captions(db: sqlite3.Connection, count: int, rng: np.random.Generator) -> None:
    """A sentence for nine of ten pictures, a second version for one of ten; some are hostile."""
    ids = np.arange(1, count + 1)
    of = np.concatenate([ids[rng.random(count) < 0.9], ids[rng.random(count) < 0.1]])
    texts = sentences(len(of), rng)
    for place in range(0, len(of), HOSTILE_EVERY):
        texts[place] = f"{HOSTILE} {texts[place]}"
    origins = ["card"] * len(of)
    insert(
        db,
        "caption",
        "image_id, text, origin, added_at",
        (of.tolist(), texts, origins, moments(len(of))),
    )


def sentences(count: int, rng: np.random.Generator) -> list[str]:
    words = np.array([f"{a}{b}{c}" for a in _SYLLABLES for b in _SYLLABLES for c in _SYLLABLES])
    order = rng.permutation(len(words))
    lengths = rng.integers(4, 13, count)
    ends = np.cumsum(lengths)
    chosen = words[order[skewed(rng, len(words), int(ends[-1]))]].tolist()
    starts = (ends - lengths).tolist()
    found = [" ".join(chosen[start:end]) for start, end in zip(starts, ends.tolist(), strict=True)]
    for word, every in ((COMMON_WORD, 7), (RARE_WORD, 1000)):
        for place in range(0, count, every):
            found[place] += f" {word}"
    return found


def fill_scores(db: sqlite3.Connection, count: int, rng: np.random.Generator) -> None:
    """Hashes, fingerprints that were compared already, and every measure of quality."""
    ids = range(1, count + 1)
    for algorithm, size in sorted({PHASH: 8, DHASH: 8, FINE: 32}.items()):
        values = (ids, [algorithm] * count, hexes(rng, count, size))
        insert(db, "image_hash", "image_id, algorithm, value", values)
    joined = (ids, [FINGERPRINT] * count, [b""] * count, [LIKENESS] * count)
    insert(db, "fingerprint", "image_id, version, value, joined", joined)
    for name, measure in sorted(MEASURES.items()):
        span = min(measure.high, 10_000.0) - measure.low
        scores = measure.low + span * rng.beta(2, 4, count)
        values = (ids, [name] * count, np.round(scores, 4).tolist())
        insert(db, "quality", "image_id, measure, score", values)


def fill_edges(db: sqlite3.Connection, count: int, rng: np.random.Generator) -> None:
    """Every twenty-fifth picture or so begins a chain of two to four that look alike."""
    first = np.flatnonzero(rng.random(count) < 0.04) + 1
    first = first[first < count - 4]
    length = rng.choice([1, 2, 3], len(first), p=[0.8, 0.15, 0.05])
    a = np.concatenate([first[length > step] + step for step in range(3)])
    a = np.unique(a)
    bits = rng.integers(0, 7, len(a)) * 2
    insert(
        db,
        "edge",
        "a, b, phash_bits, dhash_bits, fine_bits, colour_levels, score, reason",
        (
            *(a.tolist(), (a + 1).tolist(), bits.tolist(), bits.tolist(), (3 * bits).tolist()),
            np.round(rng.random(len(a)) * 8, 2).tolist(),
            np.round(1 - rng.random(len(a)) * 0.4, 3).tolist(),
            ["same"] * len(a),
        ),
    )


def fill_votes(db: sqlite3.Connection, count: int, rng: np.random.Generator) -> None:
    """Votes between the pictures of a small part of the catalogue, each a batch of its own."""
    among = min(count, VOTES // 5)
    left = rng.integers(1, among + 1, min(VOTES, 4 * count))
    right = (left + rng.integers(1, among, len(left)) - 1) % among + 1
    better = left + rng.normal(0, among / 4, len(left)) > right
    who = [JUDGES[code] for code in rng.integers(0, 2, len(left))]
    (last,) = db.execute("SELECT max(id) FROM batch").fetchone()
    batches = range(last + 1, last + 1 + len(left))
    verbs, at = ["vote"] * len(left), moments(len(left))
    insert(
        db,
        "batch",
        "id, at, who, verb, votes, stands",
        (batches, at, who, verbs, [1] * len(left), [1] * len(left)),
    )
    outcomes = np.array(["right", "left"])[better.astype(int)].tolist()
    insert(
        db,
        "vote",
        "batch, at, who, verb, left_id, right_id, outcome, aside",
        (
            *(batches, at, who, verbs, left.tolist(), right.tolist(), outcomes),
            (rng.random(len(left)) < 0.1).astype(int).tolist(),
        ),
    )


def skewed(rng: np.random.Generator, kinds: int, count: int) -> Numbers:
    """Codes 0 .. kinds - 1, each about as common as its rank allows (Zipf), (count,)."""
    weights = 1 / (np.arange(kinds) + 2.0)
    places = np.searchsorted(np.cumsum(weights / weights.sum())[:-1], rng.random(count))
    return places.astype(np.int64)


def hexes(rng: np.random.Generator, count: int, size: int) -> list[str]:
    """Random values of `size` bytes as hexadecimal text."""
    text = rng.bytes(count * size).hex()
    return [text[start : start + 2 * size] for start in range(0, len(text), 2 * size)]


def moments(count: int) -> list[str]:
    """Times of the first half of 2026, in order, as the catalogue writes them."""
    step = timedelta(days=180) / max(1, count)
    days = [(_FIRST_DAY + timedelta(days=day)).strftime("%Y-%m-%dT") for day in range(181)]
    seconds = (np.arange(count) * step.total_seconds()).astype(np.int64).tolist()
    return [
        f"{days[s // 86400]}{s // 3600 % 24:02d}:{s // 60 % 60:02d}:{s % 60:02d}.000Z"
        for s in seconds
    ]
