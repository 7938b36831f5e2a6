"""The studio: pictures as `draw` makes them, judged as they come or as soon as that can be done."""

import base64
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from dataset.errors import ConfigError, DataError
from dataset.packed import PackedDataset
from sample.draw import DrawConfig, draw
from sample.novelty import VERDICTS, NoveltyConfig
from sample.studio import Studio
from sample.studio_check import INDEX, PendingCheck, checker_of_run
from sample.studio_command import Inbox, answer_requests
from sample.studio_request import DrawRequest, EndRequest
from tests.sample.drawings import write_drawn_pack
from tests.train.drawn_pack import tiny_config
from train.checkpoint import Checkpoint, load_checkpoint
from train.drawing import Sampling
from train.guidance import Guidance
from train.loop import train

NOVELTY = NoveltyConfig(k=2, aligned=1)
KINDS = ("picture", "done", "error")
Events = list[dict[str, Any]]


@pytest.fixture(scope="session")
def checked_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that learnt from 25 drawings of 16 px, with 20 to judge by."""
    folder = tmp_path_factory.mktemp("checked")
    pack = write_drawn_pack(folder / "pack.h5", train=25, cal=20, test=4, side=16)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        config = tiny_config(pack, images=16, checkpoint_every_images=8, warmup_images=0)
        outcome = train(config, folder / "runs")
    torch.set_num_threads(threads)
    return outcome.run


@pytest.fixture(scope="session")
def checkpoint(checked_run: Path) -> Checkpoint:
    return load_checkpoint(checked_run)


def ask(**changes: Any) -> DrawRequest:
    usual: dict[str, Any] = {
        "id": 1,
        "seed": 5,
        "count": 3,
        "sampler": "ddim",
        "steps": 3,
        "guidance": 2.0,
    }
    return DrawRequest(**{**usual, **changes})


def no_check() -> PendingCheck:
    return PendingCheck(lambda: None)


def studio_of(checkpoint: Checkpoint, check: PendingCheck) -> tuple[Studio, Events]:
    events: Events = []

    def say(told: Mapping[str, Any]) -> None:
        events.append(json.loads(json.dumps(told)))

    return Studio(checkpoint, check, say, "cpu"), events


def of(events: Events, kind: str) -> Events:
    return [event for event in events if event["event"] == kind]


def pixels(event: Mapping[str, Any]) -> np.ndarray[Any, Any]:
    content = base64.b64decode(event["png"])
    return np.asarray(Image.open(io.BytesIO(content))).astype(np.int64)


def never() -> bool:
    return False


@pytest.fixture(scope="session")
def checked(checkpoint: Checkpoint) -> Callable[[], PendingCheck]:
    checker = checker_of_run(checkpoint, None, NOVELTY)
    return lambda: PendingCheck(lambda: checker)


def test_pictures_are_those_that_draw_makes_of_the_same_seeds(
    checkpoint: Checkpoint, checked: Callable[[], PendingCheck], tmp_path: Path
) -> None:
    studio, events = studio_of(checkpoint, checked())
    studio.settle(wait=True)
    studio.draw(ask(), never)
    sampling = Sampling(sampler="ddim", steps=3, guidance=Guidance(scale=2.0))
    draw(checkpoint, DrawConfig(sampling=sampling, count=3, seed=5, device="cpu"), tmp_path)
    pictures = of(events, "picture")
    for number, event in enumerate(pictures):
        with Image.open(tmp_path / f"{number:05d}.png") as image:
            assert np.abs(pixels(event) - np.asarray(image)).max() <= 1
            told = image.info
        with Image.open(io.BytesIO(base64.b64decode(event["png"]))) as own:
            assert own.info == told
    assert [event["seed"] for event in pictures] == [5, 6, 7]
    assert [event["label_name"] for event in pictures] == ["round", "round", "angular"]


def test_each_picture_comes_with_its_verdict_and_the_last_word_is_about_all(
    checkpoint: Checkpoint, checked: Callable[[], PendingCheck]
) -> None:
    studio, events = studio_of(checkpoint, checked())
    studio.settle(wait=True)
    studio.draw(ask(id=4), never)
    assert [event["event"] for event in events if event["event"] != "step"] == [
        "checking",
        "picture",
        "picture",
        "picture",
        "done",
    ]
    pack = PackedDataset(checkpoint.config.pack or Path())
    for event in of(events, "picture"):
        finding = event["finding"]
        assert finding["verdict"] in VERDICTS
        assert len(finding["neighbours"]) == NOVELTY.k
        nearest = finding["neighbours"][0]
        seen = pixels(nearest)
        assert (seen == pack.data[nearest["row"]].transpose(1, 2, 0)).all()
        assert nearest["url"] == f"https://pictures.example/{nearest['row']}.png"
        assert nearest["licence"] == "CC0-1.0"
    [done] = of(events, "done")
    assert (done["id"], done["pictures"], done["stopped"]) == (4, 3, False)
    assert [set(one) for one in done["verdicts"]] == [{"verdict", "p", "q"}] * 3


def test_pictures_drawn_before_the_check_is_there_are_judged_when_it_is(
    checkpoint: Checkpoint,
) -> None:
    gate = threading.Event()

    def load() -> Any:
        assert gate.wait(60)
        return checker_of_run(checkpoint, None, NOVELTY)

    studio, events = studio_of(checkpoint, PendingCheck(load))
    studio.draw(ask(), never)
    assert [event["finding"] for event in of(events, "picture")] == [None] * 3
    assert of(events, "done")[0]["verdicts"] == []
    assert studio.is_waiting
    gate.set()
    studio.settle(wait=True)
    [found] = of(events, "findings")
    assert found["id"] == 1
    assert [one["place"] for one in found["findings"]] == [0, 1, 2]
    assert all(one["verdict"] in VERDICTS for one in found["findings"])
    # By the time that the check is said to be there, nothing is left unjudged.
    assert events[-1] == {"event": "checking", "unchecked": ""}


def test_run_without_its_pack_draws_without_verdicts_and_says_why(run: Path) -> None:
    checkpoint = load_checkpoint(run)
    gone = checkpoint.config.pack
    assert gone is not None
    check = PendingCheck(lambda: checker_of_run(checkpoint, run / "gone.h5", NOVELTY))
    studio, events = studio_of(checkpoint, check)
    studio.settle(wait=True)
    studio.draw(ask(count=1), never)
    assert "gone.h5" in of(events, "checking")[0]["unchecked"]
    assert of(events, "picture")[0]["finding"] is None


def test_pack_asked_for_by_name_must_do(checkpoint: Checkpoint, run: Path) -> None:
    other = load_checkpoint(run).config.pack
    must = PendingCheck(lambda: checker_of_run(checkpoint, other, NOVELTY), must=True)
    studio, _ = studio_of(checkpoint, must)
    with pytest.raises(DataError, match="is not the pack that"):
        studio.settle(wait=True)


def test_index_of_another_version_is_built_again(checkpoint: Checkpoint) -> None:
    path = checkpoint.run / INDEX
    checker_of_run(checkpoint, None, NOVELTY)
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    checker_of_run(checkpoint, None, NOVELTY)
    assert path.read_bytes() == whole


def test_more_like_a_seed_lie_near_its_picture(checkpoint: Checkpoint) -> None:
    studio, events = studio_of(checkpoint, no_check())
    studio.draw(ask(id=1, seed=40, count=1, label="round"), never)
    studio.draw(ask(id=2, seed=900, count=3, like=40, share=0.0, label="round"), never)
    studio.draw(ask(id=3, seed=900, count=3, like=40, share=0.2, label="round"), never)
    studio.draw(ask(id=4, seed=900, count=3, label="round"), never)
    by_id = {n: [one for one in of(events, "picture") if one["id"] == n] for n in (1, 2, 3, 4)}
    base = pixels(by_id[1][0])
    assert all(np.abs(pixels(one) - base).max() <= 1 for one in by_id[2])
    near, far = (np.mean([np.abs(pixels(one) - base).mean() for one in by_id[n]]) for n in (3, 4))
    assert 0 < near < 0.7 * far
    assert [one["settings"]["towards"] for one in by_id[3]] == [900, 901, 902]
    assert [(one["seed"], one["share"]) for one in by_id[3]] == [(40, 0.2)] * 3


def test_stopped_request_ends_with_what_is_drawn(checkpoint: Checkpoint) -> None:
    studio, events = studio_of(checkpoint, no_check())
    studio.draw(ask(count=30), lambda: bool(of(events, "picture")))
    [done] = of(events, "done")
    assert done["stopped"]
    assert 0 < done["pictures"] == len(of(events, "picture")) < 30


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sampler": "magic"}, "sampler is 'magic'"),
        ({"label": "rond"}, "did you mean round"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    changes: dict[str, Any], words: str, checkpoint: Checkpoint
) -> None:
    studio, events = studio_of(checkpoint, no_check())
    with pytest.raises(ConfigError, match=words):
        studio.draw(ask(**changes), never)
    assert events == []


@pytest.fixture
def pipe() -> Any:
    reading, writing = os.pipe()
    yield reading, lambda text: os.write(writing, text.encode())
    os.close(reading)
    os.close(writing)


def request_line(**changes: Any) -> str:
    return json.dumps({"verb": "draw", **vars(ask(**changes))}) + "\n"


def test_requests_are_answered_in_order_and_a_stop_overtakes(
    checkpoint: Checkpoint, pipe: Any
) -> None:
    reading, write = pipe
    studio, events = studio_of(checkpoint, no_check())
    write(request_line(id=1, count=1) + request_line(id=2, count=9) + "nonsense\n")
    write('{"verb": "draw", "id": 8, "steps": 0}\n{"verb": "stop", "id": 2}\n')
    answer_requests(studio, Inbox(reading), idle_s=0.2)
    told = [(one["event"], one["id"]) for one in events if one["event"] in KINDS]
    assert told == [("picture", 1), ("done", 1), ("done", 2), ("error", None), ("error", 8)]
    assert of(events, "done")[1]["pictures"] == 0


def test_lines_in_pieces_are_put_together_and_endless_ones_refused(pipe: Any) -> None:
    reading, write = pipe
    inbox, whole = Inbox(reading), request_line(id=6)
    write(whole[:20])
    assert inbox.next(0.05) is None
    write(whole[20:])
    asked = inbox.next(1.0)
    assert isinstance(asked, DrawRequest)
    assert asked.id == 6
    for _ in range(8):
        write("x" * 10_000)
        assert inbox.next(0.05) is None
    write('"}\n')
    assert isinstance(inbox.next(1.0), str)
    write('{"verb": "end"}\n')
    assert isinstance(inbox.next(1.0), EndRequest)
    assert inbox.is_stopped(1)


def test_command_speaks_json_lines_until_stdin_ends(checked_run: Path) -> None:
    command = [sys.executable, "-m", "sample", "serve", "--device=cpu", "--progress=quiet"]
    command += ["--set=audit=2", "--", str(checked_run)]
    text = request_line(id=1, count=2)
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events[0]["event"] == "ready"
    assert events[0]["labels"] == ["round", "angular"]
    # Nothing that was asked for before the end is left out, nor its verdict.
    judged = [one for one in of(events, "picture") if one["finding"] is not None]
    judged += [one for found in of(events, "findings") for one in found["findings"]]
    assert len(of(events, "picture")) == len(judged) == 2
