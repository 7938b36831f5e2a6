"""What was acknowledged is kept, whatever is killed; what was done can be undone, all of it."""

import http.client
import itertools
import random
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate_app import create_app
from dataset.catalog import Catalog
from dataset.records import Change, PairChange, SettingChange, VoteChange, Wish
from tests.curate_app.conftest import Judge, RunningServer
from tests.curate_app.drawn_catalogue import DrawnCatalogue
from tests.curate_app.mixed_actions import (
    Action,
    MixedActions,
    check_log,
    over_filter,
    shown_state,
    stored_state,
)
from tests.curate_app.visitor import Visitor
from tests.dataset.test_judgements import fill

Serve = Callable[..., RunningServer]

PEOPLE = ("anna", "ben", "cleo")


# ---------------------------------------------------------------- kill -9


@dataclass
class Rater(threading.Thread):
    """A person who acts without a pause until the server is gone, and notes what it answered."""

    address: str
    who: str
    actions: MixedActions
    most: int = 10**9
    acknowledged: list[tuple[Action, Any]] = field(default_factory=list)
    refused: list[tuple[Action, int, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        with suppress(OSError, http.client.HTTPException), Visitor(self.address) as visitor:
            visitor.act("/who", {"who": self.who})
            for _ in range(self.most):
                action = self._next()
                status, answer = visitor.post(*action)
                if status == 200:
                    self.acknowledged.append((action, answer))
                else:
                    self.refused.append((action, status, answer))

    def _next(self) -> Action:
        lot = self.actions.dice.random()
        if lot < 0.1 and self.acknowledged:
            return "/undo", {}
        return self.actions.vote() if lot < 0.4 else self.actions.judgement()

    def check(self, path: Path) -> int:
        """Everything that was acknowledged is in the catalogue, and nothing by halves."""
        with closing(sqlite3.connect(path)) as db:
            for (address, body), answer in self.acknowledged:
                if answer["batch"] is not None:
                    self._check_one(db, address, body, answer["batch"])
            halves = db.execute(
                "SELECT after, count(DISTINCT image_id), count(*) FROM event "
                "WHERE field IN ('label', 'caption') AND undoes IS NULL AND who = ? GROUP BY after",
                (self.who,),
            ).fetchall()
        meant = self.actions.named
        assert [(name, n) for name, n, _ in halves] == [(name, meant[name]) for name, *_ in halves]
        return len([answer for _action, answer in self.acknowledged if answer["batch"] is not None])

    def _check_one(
        self, db: sqlite3.Connection, address: str, body: dict[str, Any], batch: int
    ) -> None:
        if address == "/undo":
            undone = db.execute("SELECT who FROM batch WHERE undoes = ?", (batch,)).fetchall()
            assert undone == [(self.who,)], (address, batch)
            return
        assert db.execute("SELECT who FROM batch WHERE id = ?", (batch,)).fetchall() == [
            (self.who,)
        ]
        if address == "/rank/vote":
            row = (body["left"], body["right"], body["outcome"])
            sql = "SELECT left_id, right_id, outcome FROM vote WHERE batch = ?"
            assert db.execute(sql, (batch,)).fetchall() == [row]
            return
        verb = body["verb"]
        after = body.get(verb, verb)
        sql = "SELECT DISTINCT after FROM event WHERE batch = ? AND image_id IN (%s)"
        marks = ", ".join(map(str, body["ids"]))
        assert db.execute(sql % marks, (batch,)).fetchall() == [(after,)], (body, batch)


def raters_at(servers: Sequence[RunningServer], ids: Sequence[int], seed: int) -> list[Rater]:
    """Two people at each server, each with a name of their own for this round."""
    return [
        Rater(server.address, f"{PEOPLE[place]} {seed} {number}", MixedActions(ids, seed * 10 + k))
        for k, (number, server, place) in enumerate(
            (number, server, place) for number, server in enumerate(servers) for place in range(2)
        )
    ]


def kill_while_rating(drawn: DrawnCatalogue, serve: Serve, kills: int) -> None:
    ids = drawn.add_many(40)
    path = drawn.data / "catalog.sqlite"
    dice = random.Random(kills)
    batches = 0
    for number in range(kills):
        server = serve(drawn.data)
        raters = raters_at([server], ids, 1 + number) + raters_at([server], ids, 1001 + number)
        for rater in raters:
            rater.start()
        while not any(rater.acknowledged for rater in raters):
            time.sleep(0.001)
        time.sleep(dice.uniform(0, 0.3))
        server.kill()
        for rater in raters:
            rater.join(30)
        assert [rater.refused for rater in raters] == [[]] * len(raters)
        present = check_log(path)
        kept = sum(rater.check(path) for rater in raters)
        # Of what was not answered at most the one action under way of each person is there.
        assert kept <= present - batches <= kept + len(raters)
        batches = present
    assert batches > kills


def test_kill_while_several_people_rate_loses_nothing_that_was_answered(
    drawn: DrawnCatalogue, serve: Serve
) -> None:
    kill_while_rating(drawn, serve, 3)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_hundred_kills_lose_nothing_that_was_answered(
    drawn: DrawnCatalogue, serve: Serve
) -> None:
    kill_while_rating(drawn, serve, 100)


def test_two_processes_write_at_once_and_none_waits_in_vain(
    drawn: DrawnCatalogue, serve: Serve
) -> None:
    ids = drawn.add_many(20)
    servers = [serve(drawn.data) for _ in range(2)]
    raters = raters_at(servers, ids, 1)
    for rater in raters:
        rater.most = 40
        rater.start()
    for rater in raters:
        rater.join(60)
    path = drawn.data / "catalog.sqlite"
    assert [(rater.refused, len(rater.acknowledged)) for rater in raters] == [([], 40)] * 4
    assert check_log(path) == sum(rater.check(path) for rater in raters)
    with Visitor(servers[0].address) as here, Visitor(servers[1].address) as there:
        assert here.json("/") == there.json("/")
        assert here.json(f"/picture/{ids[0]}") == there.json(f"/picture/{ids[0]}")


def test_undo_goes_on_where_a_killed_server_left_off(drawn: DrawnCatalogue, serve: Serve) -> None:
    ids = drawn.add_many(6)
    before = stored_state(drawn.data / "catalog.sqlite")
    actions = MixedActions(ids, 5)
    messages: list[str] = []
    for _ in range(2):
        server = serve(drawn.data)
        with Visitor(server.address) as visitor:
            for _ in range(8):
                visitor.act(*actions.judgement())
            visitor.act(*actions.vote())
        server.kill()
    for _ in range(2):
        server = serve(drawn.data)
        with Visitor(server.address) as visitor:
            for _ in range(5 if not messages else 50):
                messages.append(visitor.act("/undo", {})["message"])
        server.kill()
    assert messages[-1] == "nothing left to undo"
    assert stored_state(drawn.data / "catalog.sqlite") == before


# ---------------------------------------------------------------- undo of everything


def undo_all_of(drawn: DrawnCatalogue, count: int) -> list[float]:
    """Two people do `count` things and take them all back; the seconds of each undo."""
    ids = drawn.add_many(24)
    pairs = [number for seed in range(3) for number in drawn.add_pair(100 + seed)]
    path = drawn.data / "catalog.sqlite"
    app = create_app(drawn.data, testing=True)
    people = [Judge(app), Judge(app)]
    for person, name in zip(people, PEOPLE, strict=False):
        assert person.post("/who", {"who": name}).status_code == 200
    shown = shown_state(people[0], ids + pairs)
    stored = stored_state(path)
    actions = MixedActions(ids, count)
    actions.ids += pairs
    ids += pairs
    for turn in range(count):
        person = actions.dice.choice(people)
        action = actions.any() if turn % 25 else over_filter(person, actions.dice)
        if turn % 9 == 8:
            action = "/undo", {}
        answer = person.post(*action)
        assert answer.status_code == 200, (action, answer.data)
    middle = shown_state(people[0], ids)
    assert middle != shown
    assert shown_state(Judge(create_app(drawn.data, testing=True)), ids) == middle
    check_log(path)
    seconds = take_back(people, actions.dice)
    assert stored_state(path) == stored
    assert shown_state(people[0], ids) == shown
    assert shown_state(Judge(create_app(drawn.data, testing=True)), ids) == shown
    check_log(path)
    return seconds


def take_back(people: Sequence[Judge], dice: random.Random) -> list[float]:
    """Each person undoes until nothing of theirs is left, in an order by lot."""
    left, seconds = list(people), []
    while left:
        person = dice.choice(left)
        start = time.perf_counter()
        answer = person.post("/undo", {})
        seconds.append(time.perf_counter() - start)
        assert answer.status_code == 200, answer.data
        if answer.get_json()["batch"] is None:
            left.remove(person)
    return seconds


def test_mixed_actions_of_two_people_all_undone_give_the_starting_state(
    drawn: DrawnCatalogue,
) -> None:
    undone = undo_all_of(drawn, 300)
    assert len(undone) > 200


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_ten_thousand_mixed_actions_all_undone_give_the_starting_state(
    drawn: DrawnCatalogue, capsys: pytest.CaptureFixture[str]
) -> None:
    seconds = undo_all_of(drawn, 10_000)
    parts = [sum(seconds[k : k + 1000]) for k in range(0, len(seconds), 1000)]
    with capsys.disabled():
        text = " ".join(f"{part:.1f}" for part in parts)
        print(f"\n{len(seconds)} undos took {sum(seconds):.1f} s; by thousands: {text}")


def test_an_undo_costs_the_same_whatever_was_undone_before(tmp_path: Path) -> None:
    with Catalog(tmp_path / "catalog.sqlite") as catalog, catalog.transaction():
        count = 200
        fill(catalog, count)
        judgements, steps, costs = catalog.judgements, list[int](), list[int]()
        for image_id in range(1, count + 1):
            other = image_id % count + 1
            wishes: list[Wish] = [
                Change(image_id=image_id, field="stars", value=4),
                VoteChange(left=image_id, right=other, outcome="left"),
                SettingChange(name=f"target:{image_id}", value="7"),
                Change(image_id=other, field="status", value="keep"),
            ]
            for wish, who in zip(wishes, itertools.cycle(PEOPLE[:2]), strict=False):
                judgements.apply([wish], who=who, verb="mixed")
        # SQLite counts its own steps: the same on every machine.
        catalog._connection.set_progress_handler(lambda: steps.append(1), 10)
        for who in PEOPLE[:2] * (2 * count):
            steps.clear()
            assert judgements.undo(who=who) is not None
            costs.append(len(steps))
        assert judgements.undo() is None
    assert max(costs[-50:]) <= 2 * max(costs[:50])


# ---------------------------------------------------------------- the state is the replay

Key = tuple[str, ...]


class Model:
    """What must hold, told without a database: of each thing the values of batches that stand."""

    def __init__(self) -> None:
        self.starts: dict[Key, Any] = {}
        self.values: dict[Key, list[tuple[int, Any]]] = {}
        self.votes: dict[int, list[VoteChange]] = {}
        self.standing: list[tuple[int, str]] = []
        self.batches = 0

    def now(self, key: Key) -> Any:
        stack = self.values.get(key)
        return stack[-1][1] if stack else START[key[0]]

    def apply(self, wishes: Sequence[Wish], who: str) -> bool:
        batch, wrote = self.batches + 1, False
        for wish in wishes:
            if isinstance(wish, VoteChange):
                self.votes.setdefault(batch, []).append(wish)
                wrote = True
                continue
            key, value = entry(wish)
            if self.now(key) != value:
                self.values.setdefault(key, []).append((batch, value))
                wrote = True
        if wrote:
            self.batches = batch
            self.standing.append((batch, who))
        return wrote

    def undo(self, who: str) -> bool:
        own = [entry for entry in self.standing if entry[1] == who]
        if not own:
            return False
        self.standing.remove(own[-1])
        self.batches += 1
        self.votes.pop(own[-1][0], None)
        for key, stack in self.values.items():
            self.values[key] = [entry for entry in stack if entry[0] != own[-1][0]]
        return True


START: dict[str, Any] = {"status": "undecided", "stars": 0, "caption": "", "label": "cat"}
START |= {"setting": "", "pair": ""}


def entry(wish: Change | PairChange | SettingChange) -> tuple[Key, Any]:
    if isinstance(wish, Change):
        return (wish.field, str(wish.image_id)), wish.value
    if isinstance(wish, PairChange):
        return ("pair", str(wish.a), str(wish.b)), wish.verdict
    return ("setting", wish.name), wish.value


def found_in(catalog: Catalog, keys: Sequence[Key]) -> dict[Key, Any]:
    verdicts = {(v.a, v.b): v.verdict for v in catalog.judgements.pairs.verdicts()}
    found: dict[Key, Any] = {}
    for key in keys:
        if key[0] == "pair":
            found[key] = verdicts.get((int(key[1]), int(key[2])), "")
        elif key[0] == "setting":
            found[key] = catalog.settings.get(key[1])
        else:
            found[key] = getattr(catalog.images.get(int(key[1])), key[0])
    return found


IMAGES = st.integers(1, 3)
SIDES = st.sampled_from([(1, 2), (1, 3), (2, 3)])
WISHES: st.SearchStrategy[Wish] = st.one_of(
    st.builds(
        Change,
        image_id=IMAGES,
        field=st.just("status"),
        value=st.sampled_from(["keep", "reject", "undecided"]),
    ),
    st.builds(Change, image_id=IMAGES, field=st.just("stars"), value=st.integers(0, 2)),
    st.builds(Change, image_id=IMAGES, field=st.just("label"), value=st.sampled_from(["", "cat"])),
    st.builds(Change, image_id=IMAGES, field=st.just("caption"), value=st.sampled_from(["", "a"])),
    st.builds(
        lambda sides, verdict: PairChange(a=sides[0], b=sides[1], verdict=verdict),
        SIDES,
        st.sampled_from(["", "different"]),
    ),
    st.builds(
        lambda sides, outcome: VoteChange(left=sides[0], right=sides[1], outcome=outcome),
        SIDES,
        st.sampled_from(["left", "right", "tie"]),
    ),
    st.builds(SettingChange, name=st.just("target:cat"), value=st.sampled_from(["", "5", "9"])),
)
# Nothing to do is an undo.
TURNS = st.lists(
    st.tuples(st.sampled_from(PEOPLE), st.lists(WISHES, max_size=4)), min_size=4, max_size=24
)


@settings(max_examples=60, deadline=None)
@given(TURNS)
def test_the_state_is_what_the_batches_that_stand_gave(
    turns: list[tuple[str, list[Wish]]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "catalog.sqlite"
        with Catalog(path) as catalog, catalog.transaction():
            fill(catalog, 3)
            starts = {i: catalog.images.get(i) for i in (1, 2, 3)}
            model = Model()
            for who, wishes in turns:
                if wishes:
                    done = catalog.judgements.apply(wishes, who=who, verb="mixed") is not None
                    assert done == model.apply(wishes, who)
                else:
                    assert (catalog.judgements.undo(who=who) is not None) == model.undo(who)
                keys = list(model.values)
                assert found_in(catalog, keys) == {key: model.now(key) for key in keys}
            votes = catalog.votes.standing()
            expected = [wish for _batch, wishes in sorted(model.votes.items()) for wish in wishes]
            assert votes.left.tolist() == [wish.left for wish in expected]
            assert votes.right.tolist() == [wish.right for wish in expected]
            assert all(starts.values())
        check_log(path)
