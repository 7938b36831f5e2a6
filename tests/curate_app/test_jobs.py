"""Jobs: real commands as children, their progress, their end; nothing smuggled into them."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate_app import child_process, jobs
from curate_app.export import pack_arguments
from curate_app.job import Job
from curate_app.jobs import COMMANDS, Jobs, jobs_of
from dataset.errors import ConfigError
from dataset.pack_selection import PackConfig
from tests.curate_app.conftest import Judge
from tests.curate_app.drawn_catalogue import DrawnCatalogue

PROGRESS = (
    '{"title": "pack", "done": 5, "total": 20, "unit": "pictures", "rate": 2.5, "eta_s": 6.0, '
    '"note": "", "final": false}\n'
)


def until(holds: Callable[[], object]) -> None:
    """Wait at most twenty seconds."""
    for _ in range(2000):
        if holds():
            return
        time.sleep(0.01)
    raise AssertionError("it never came true")


def is_alive(number: int) -> bool:
    """Whether a process runs; one that ended but was not waited for does not."""
    try:
        return " Z " not in Path(f"/proc/{number}/stat").read_text()
    except OSError:
        return False


@pytest.fixture
def at_work(judge: Judge, drawn: DrawnCatalogue) -> Iterator[Jobs]:
    """The jobs of an app over five kept pictures."""
    ids = drawn.add_many(9)
    judge.judge("keep", *ids)
    found = jobs_of(judge.app)
    yield found
    found.close()


@pytest.fixture
def endless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let a scrape be a program that never ends by itself and has a child; where it says so."""
    told = tmp_path / "told"
    package = tmp_path / "endless"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "__main__.py").write_text(
        "import os, pathlib, signal, subprocess, sys, time\n"
        "if '--deaf' in sys.argv: signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"pathlib.Path({str(told)!r}).write_text(f'{{os.getpid()}} {{child.pid}}\\n')\n"
        "time.sleep(600)\n"
    )
    monkeypatch.setitem(COMMANDS, "scrape", ("endless", "run"))
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(__file__).parents[2]}")
    return told


def started(told: Path) -> list[int]:
    until(lambda: told.exists() and told.read_text().endswith("\n"))
    return [int(number) for number in told.read_text().split()]


def test_job_runs_the_very_command_and_keeps_its_result(at_work: Jobs, judge: Judge) -> None:
    job = at_work.start("pack", ["--set=size=16", '--set=name="small"'], "Pack small")
    assert at_work.wait(job, 60)
    assert (job.state, job.exit_code, job.error) == ("done", 0, "")
    assert job.result.startswith("packed: ")
    assert (job.step, job.done, job.total, job.unit) == ("pack", 9, 9, "pictures")
    told = judge.get(f"/jobs/{job.id}").get_json()
    assert told["state"] == "done"
    assert told["command"].startswith("python -m dataset pack --data=")
    assert told["summary"].startswith("pack: 9 of 9 pictures")
    listed = judge.get("/jobs?format=json").get_json()["jobs"]
    assert [entry["id"] for entry in listed] == [job.id]


def test_job_that_fails_says_why_in_its_own_line(at_work: Jobs) -> None:
    job = at_work.start("pack", ["--set=size=1"], "Pack too small")
    assert at_work.wait(job, 60)
    assert (job.state, job.exit_code) == ("failed", 2)
    assert job.error == "--set: size is 1; it must be 8 to 512 pixels"


def test_job_that_was_killed_without_a_word_says_so() -> None:
    killed = Job(id=1, kind="pack", title="", command=[], state="failed", exit_code=-9)
    assert killed.error == "signal 9 ended it, as when memory runs short; try again"


def test_one_job_of_a_kind_runs_at_a_time_and_the_others_wait(at_work: Jobs, endless: Path) -> None:
    first = at_work.start("scrape", [], "First")
    second = at_work.start("scrape", [], "Second")
    started(endless)
    assert (first.state, second.state) == ("running", "queued")
    assert second.summary == "waits for another one of its kind"
    pack = at_work.start("pack", ["--set=size=8"], "Another kind")
    assert at_work.wait(pack, 60)
    assert at_work.newest("scrape") is first
    endless.unlink()
    at_work.stop(first)
    assert at_work.wait(first, 20)
    started(endless)
    assert (first.state, second.state) == ("stopped", "running")


def test_stop_ends_the_child_and_its_own_children(
    at_work: Jobs, judge: Judge, endless: Path
) -> None:
    job = at_work.start("scrape", [], "Endless")
    processes = started(endless)
    assert all(map(is_alive, processes))
    answer = judge.post(f"/jobs/{job.id}/stop", {})
    assert answer.status_code == 200
    assert at_work.wait(job, 20)
    assert job.state == "stopped"
    until(lambda: not any(map(is_alive, processes)))
    assert judge.post(f"/jobs/{job.id}/stop", {}).get_json()["state"] == "stopped"


def test_child_that_is_deaf_to_the_wish_is_killed(
    at_work: Jobs, endless: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "_STOP_GRACE_S", 0.2)
    job = at_work.start("scrape", ["--deaf"], "Deaf")
    processes = started(endless)
    at_work.stop(job)
    assert at_work.wait(job, 20)
    assert (job.state, job.exit_code) == ("stopped", -signal.SIGKILL)
    until(lambda: not any(map(is_alive, processes)))


def test_waiting_job_is_stopped_without_ever_running(at_work: Jobs, endless: Path) -> None:
    at_work.start("scrape", [], "First")
    waiting = at_work.start("scrape", [], "Second")
    started(endless)
    at_work.stop(waiting)
    assert (waiting.state, waiting.started) == ("stopped", None)


def test_no_child_outlives_the_jobs_and_none_is_started_after(
    at_work: Jobs, judge: Judge, endless: Path
) -> None:
    job = at_work.start("scrape", [], "Endless")
    queued = at_work.start("scrape", [], "Queued")
    processes = started(endless)
    at_work.close()
    assert (job.state, queued.state) == ("stopped", "stopped")
    until(lambda: not any(map(is_alive, processes)))
    answer = judge.post("/export/pack", {})
    assert answer.status_code == 409


def test_too_many_waiting_jobs_are_refused(at_work: Jobs, judge: Judge, endless: Path) -> None:
    for number in range(jobs._MOST_WAITING):
        at_work.start("scrape", [], f"Number {number}")
    with judge.app.test_request_context("/"), pytest.raises(Exception, match="409"):
        at_work.start("scrape", [], "One too many")


@pytest.mark.parametrize(
    "arguments",
    [
        ["-x"],
        ["--"[:1]],
        ["--set", "size=16"],
        ["value"],
        ["--Set=size=16"],
        ["--data=/etc"],
        ["--progress=quiet"],
        ["--set=name=a\0b"],
        ["--", "a\0b"],
        ["--set=name=\ud800"],
        ["--", "\udfff"],
        ["--=x"],
        [""],
    ],
)
def test_argument_that_could_be_taken_for_another_is_refused(
    at_work: Jobs, arguments: list[str]
) -> None:
    with pytest.raises(ConfigError):
        at_work.start("pack", arguments, "Hostile")
    assert at_work.all() == []


def test_half_a_letter_in_a_form_is_refused_and_the_next_job_runs(
    at_work: Jobs, judge: Judge
) -> None:
    answer = judge.post("/export/pack", {"labels": ["\ud800"]})
    assert answer.status_code == 400
    assert "U+D800, which no command takes" in answer.get_json()["error"]
    answer = judge.post("/export/pack", {"size": 16})
    job = at_work.get(answer.get_json()["id"])
    assert job is not None
    assert at_work.wait(job, 60)
    assert job.state == "done"


def test_command_that_cannot_be_started_fails_with_a_line_and_the_next_one_runs(
    at_work: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No command line is as long; a zero byte and half a letter are refused before, elsewhere.
    too_long = at_work.start("pack", [f"--set={'x' * 300_000}"], "Too long")
    with monkeypatch.context() as patch:
        patch.setitem(COMMANDS, "pack", ("dataset", "pa\0ck"))
        zero = at_work.start("pack", [], "Zero byte")
        patch.setitem(COMMANDS, "pack", ("dataset", "\ud800"))
        half = at_work.start("pack", [], "Half a letter")
    good = at_work.start("pack", ["--set=size=16"], "Good")
    assert at_work.wait(good, 60)
    assert [job.state for job in (too_long, zero, half, good)] == ["failed"] * 3 + ["done"]
    assert too_long.error.endswith("Argument list too long")
    assert zero.error.endswith("embedded null byte")
    assert "surrogates not allowed" in half.error
    for job in (too_long, zero, half):
        assert job.error.startswith("cannot start ")
        json.dumps(job.as_json())


def test_value_with_every_hostile_letter_arrives_as_it_is(at_work: Jobs) -> None:
    label = "$(touch owned); --size `x` 'y' \\ é"
    job = at_work.start("pack", pack_arguments(PackConfig(labels=(label,))), "Hostile value")
    assert at_work.wait(job, 60)
    assert job.state == "failed"
    assert job.error.startswith(f"labels: no picture is labelled {label}; ")


def environment_of_a_child() -> list[str]:
    process = child_process.launch(["/usr/bin/env"])
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdout, process.stderr:
        said = process.stdout.read()
    assert child_process.wait(process) == 0
    return said.splitlines()


def test_child_does_not_get_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PEDIGREE_PASSWORD", "quite secret")
    said = environment_of_a_child()
    assert any(line.startswith("PATH=") for line in said)
    assert not any("secret" in line for line in said)


@pytest.mark.parametrize(("wanted", "threads"), [(None, "1"), ("4", "4")])
def test_child_computes_on_one_core_unless_the_environment_says_more(
    wanted: str | None, threads: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    if wanted is not None:
        monkeypatch.setenv("OPENBLAS_NUM_THREADS", wanted)
    assert f"OPENBLAS_NUM_THREADS={threads}" in environment_of_a_child()


@pytest.mark.parametrize(
    "line",
    [
        "{}",
        "{",
        "[1]",
        '{"title": "pack", "done": 1}',
        "error: {",
        "{" * 50_000,
        "NaN",
    ],
)
def test_line_that_is_no_progress_is_log(line: str) -> None:
    assert not a_job().take_progress(line)


def test_progress_is_read_with_rate_and_time_left() -> None:
    job = a_job()
    job.state = "running"
    assert job.take_progress(PROGRESS)
    assert job.summary == "pack: 5 of 20 pictures, 2.5/s, 0:06 left"


@given(
    st.fixed_dictionaries(
        dict.fromkeys(
            ("title", "done", "total", "unit", "rate", "eta_s", "note"),
            st.none() | st.integers() | st.floats() | st.text() | st.lists(st.integers()),
        )
    )
)
def test_no_progress_whatsoever_breaks_the_answer(told: dict[str, object]) -> None:
    job = a_job()
    assert job.take_progress(json.dumps(told))
    answer = job.as_json()
    json.dumps(answer, allow_nan=False)
    assert answer["done"] >= 0


def a_job() -> Job:
    return Job(id=1, kind="pack", title="Pack", command=["python", "-m", "dataset", "pack"])


def test_unknown_job_is_404_and_its_keys_are_checked(judge: Judge) -> None:
    assert judge.get("/jobs/7").status_code == 404
    assert judge.post("/jobs/7/stop", {}).status_code == 404
    assert judge.get("/jobs?x=1").status_code == 400
    assert judge.get("/jobs/99999999999999999999").status_code == 404


def test_killed_app_leaves_no_child_behind(at_work: Jobs, endless: Path, tmp_path: Path) -> None:
    # A parent of its own, killed without warning.
    code = (
        "from pathlib import Path; import time\n"
        "from curate_app.jobs import COMMANDS, Jobs\n"
        "COMMANDS['scrape'] = ('endless', 'run')\n"
        f"Jobs(Path({str(tmp_path)!r})).start('scrape', [], 'Endless')\n"
        "time.sleep(600)\n"
    )
    parent = child_process.launch([sys.executable, "-c", code])
    child, grandchild = started(endless)
    os.kill(parent.pid, signal.SIGKILL)
    until(lambda: not is_alive(child))
    os.kill(grandchild, signal.SIGKILL)
    for stream in (parent.stdout, parent.stderr):
        assert stream is not None
        stream.close()
    child_process.wait(parent)
