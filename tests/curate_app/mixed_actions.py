"""What people do on all screens, by lot: actions to post, and the state that must come back."""

import random
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.curate_app.conftest import Judge

Action = tuple[str, dict[str, Any]]

# What was done is written there and stays; the ratings follow from it and are made anew at will.
_LOG = ("event", "pair_decision", "vote", "setting_event", "batch")
_DERIVED = ("rating", "fact")
_HISTORY = ("events", "decisions", "votes", "history")
_SCREENS = ("duplicates.show", "issues.show", "classes.show", "incoming.show")


class MixedActions:
    """Actions on the pictures `ids`; each that names a label or a caption names another one.

    Of the drawn pictures, whose classes take turns, every fourth stays in its class and in the
    contest for it: votes are on those.
    """

    def __init__(self, ids: Sequence[int], seed: int) -> None:
        self.contest, self.dice = list(ids[::4]), random.Random(seed)
        self.ids = [image_id for image_id in ids if image_id not in self.contest]
        self._name, self.named = f"s{seed}", dict[str, int]()  # of how many pictures by name

    def some(self, most: int) -> list[int]:
        """Two pictures to `most` of them."""
        return self.dice.sample(self.ids, self.dice.randint(2, most))

    def new_name(self, count: int) -> str:
        name = f"{self._name}-{len(self.named)}"
        self.named[name] = count
        return name

    def judgement(self) -> Action:
        """Keep, reject, stars, label or caption: of one picture or of several."""
        ids = self.some(4) if self.dice.random() < 0.3 else [self.dice.choice(self.ids)]
        verb = self.dice.choice(["keep", "reject", "stars", "label", "caption"])
        body: dict[str, Any] = {"verb": verb, "ids": ids}
        if verb == "stars":
            body["stars"] = self.dice.randrange(6)
        elif verb in ("label", "caption"):
            body[verb] = self.new_name(len(ids))
        return "/judge", body

    def vote(self) -> Action:
        left, right = self.dice.sample(self.contest, 2)
        outcome = self.dice.choice(["left", "right", "tie"])
        return "/rank/vote", {"left": left, "right": right, "outcome": outcome}

    def target(self) -> Action:
        label = self.dice.choice(["bird", "cat", "dog"])
        return "/classes/target", {"label": label, "target": self.dice.randint(1, 500)}

    def comparison(self) -> Action:
        members = self.some(4)
        kind = self.dice.choice(["keep-best", "keep-all", "different", "parts"])
        body: dict[str, Any] = {"members": members}
        if kind == "keep-best":
            body["keeper"] = members[0]
        elif kind == "parts":
            body = {"parts": [members[:1], members[1:]]}
        return f"/duplicates/{kind}", body

    def any(self) -> Action:
        kinds = [self.judgement, self.vote, self.target, self.comparison]
        return self.dice.choices(kinds, [10, 4, 1, 2])[0]()


def over_filter(judge: Judge, dice: random.Random) -> Action:
    """A judgement of everything that a filter holds now."""
    where = dice.choice([{"label": "cat"}, {"status": "undecided"}, {"text": "drawing"}])
    verb = dice.choice(["keep", "reject"]) if "label" in where else "keep"
    total = judge.get(f"/?{'&'.join(f'{k}={v}' for k, v in where.items())}&format=json").get_json()
    if not total["total"]:
        return "/undo", {}
    return "/judge", {"verb": verb, "filter": where, "count": total["total"]}


def stored_state(path: Path) -> bytes:
    """All that the catalogue says now, byte for byte: every table but the logs, the votes that
    count and the verdicts that hold."""
    with closing(sqlite3.connect(path)) as db:
        names = [
            name
            for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            if not name.startswith(("sqlite_", "caption_words")) and name not in (*_LOG, *_DERIVED)
        ]
        dumped = {name: db.execute(f"SELECT * FROM {name}").fetchall() for name in sorted(names)}
        dumped["vote"] = db.execute(
            "SELECT vote.* FROM vote JOIN batch ON batch.id = vote.batch WHERE stands = 1"
        ).fetchall()
        dumped["verdict"] = db.execute(
            "SELECT a, b, after, since_after FROM (SELECT *, max(id) FROM pair_decision "
            "GROUP BY a, b) WHERE after <> '' ORDER BY a, b"
        ).fetchall()
        words = "SELECT count(*), sum(rowid) FROM caption_words WHERE caption_words MATCH 'dr*'"
        dumped["words"] = db.execute(words).fetchall()
    return repr(dumped).encode()


def shown_state(judge: Judge, ids: Sequence[int]) -> dict[str, bytes]:
    """The pages as JSON by their address; of a picture's page all but its history."""
    app = judge.app
    paths = ["/", "/?sort=-stars", "/?sort=stars", "/?status=keep", "/?text=drawing", "/?label=cat"]
    paths += ["/?stars=1-5", "/?source=drawn&licence=unknown"]
    rules = {rule.endpoint: rule.rule for rule in app.url_map.iter_rules()}
    paths += [rules[name] for name in _SCREENS if name in rules]
    paths += [f"{rules['duplicates.show']}?show=all"]
    found = {}
    for path in paths:
        answer = judge.get(path + ("&" if "?" in path else "?") + "format=json")
        assert answer.status_code == 200, f"{path}: {answer.data[:300]!r}"
        found[path] = answer.data
    for image_id in ids:
        facts = judge.get(f"/picture/{image_id}?format=json").get_json()
        kept = {key: value for key, value in facts.items() if key not in _HISTORY}
        found[f"/picture/{image_id}"] = repr(kept).encode()
    return found


def check_log(path: Path) -> int:
    """The file is whole, batches are numbered without a gap, none is empty, and the replay of all
    events is the state; the number of batches."""
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        batches = [row[0] for row in db.execute("SELECT id FROM batch ORDER BY id")]
        assert batches == list(range(1, len(batches) + 1))
        logged = " UNION ".join(f"SELECT batch FROM {table}" for table in _LOG if table != "batch")
        # The undo of a vote alone writes nothing but its batch.
        undone = "SELECT id FROM batch WHERE undoes IS NOT NULL AND votes > 0"
        assert {row[0] for row in db.execute(f"{logged} UNION {undone}")} == set(batches)
        replay(db)
    return len(batches)


def replay(db: sqlite3.Connection) -> None:
    """Each event begins where the one before it ended; the last ones are the present state."""
    now: dict[tuple[Any, ...], Any] = {}
    events = "SELECT image_id, field, before, after, reason_before, reason_after FROM event"
    for image_id, field, before, after, was, becomes in db.execute(f"{events} ORDER BY id"):
        key = (image_id, field)
        start: dict[str, Any] = {"status": "undecided", "stars": 0, "caption": ""}
        assert now.get(key, (start.get(field, before), "")) == (before, was), key
        now[key] = after, becomes
    settings = "SELECT name, before, after FROM setting_event ORDER BY id"
    wishes: dict[str, str] = {}
    for name, before, after in db.execute(settings):
        assert wishes.get(name, "") == before, name
        wishes[name] = after
    for image_id, *fields in db.execute(
        "SELECT id, status, reason, stars, label, caption FROM image"
    ):
        status, reason, stars, label, caption = fields
        present = {"status": (status, reason), "stars": (stars, "")}
        present |= {"label": (label, ""), "caption": (caption, "")}
        for field, value in present.items():
            assert now.get((image_id, field), value) == value, (image_id, field)
    held = dict(db.execute("SELECT name, value FROM setting"))
    assert held == {name: value for name, value in wishes.items() if value}
