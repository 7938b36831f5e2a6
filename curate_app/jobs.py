"""Other stages at work for the app: child processes of the very same commands, their progress read
from JSON lines; one of a kind at a time, stopped on request and with the app."""

import re
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from flask import Blueprint, Flask, Response, abort, current_app, jsonify

from curate_app import actions, child_process
from curate_app.address import check_keys
from curate_app.job import Job, Kind, State
from dataset.command_line import printable
from dataset.errors import ConfigError
from dataset.wording import NO_TEXT

blueprint = Blueprint("jobs", __name__)

COMMANDS: dict[Kind, tuple[str, str]] = {
    "pack": ("dataset", "pack"),
    "scrape": ("scrape", "run"),
    "predict": ("curate_app", "predict"),
    "assess": ("curate_app", "assess"),
    "novelty": ("sample", "novelty"),
}
# What works on a run's folder and on no catalogue.
_WITHOUT_DATA: frozenset[Kind] = frozenset({"novelty"})
_OPTION = re.compile(r"--[a-z][a-z0-9-]*(=.*)?", re.DOTALL)
_MOST_WAITING = 20  # of one kind
_MOST_REMEMBERED = 100
_LINE_LETTERS = 500
_RESULT_LETTERS = 64 * 1024
_STOP_GRACE_S = 10.0
_EXIT_GRACE_S = 5.0


class Jobs:
    """The jobs of one app over the data folder `data`; safe to use from any thread."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._changed = threading.Condition()
        self._jobs: dict[int, Job] = {}
        self._workers: dict[Kind, threading.Thread] = {}
        self._closed = False
        self._last_id = 0

    def start(self, kind: Kind, arguments: Sequence[str], title: str) -> Job:
        """Queue `python -m STAGE VERB --data=... --progress=json` with these further arguments.

        Options come as `--name=value` or `--name`, then, after a "--", words that are no options;
        so no value is ever taken for an option. Raises ConfigError for anything else, and answers
        409 when too many of the kind wait.
        """
        _check(arguments)
        of_data = [] if kind in _WITHOUT_DATA else [f"--data={self._data}"]
        fixed = [*of_data, "--progress=json"]
        command = [sys.executable, "-m", *COMMANDS[kind], *fixed, *arguments]
        with self._changed:
            if sum(not job.is_over for job in self._of(kind)) >= _MOST_WAITING:
                abort(409, f"{_MOST_WAITING} jobs of this kind wait already; let them end or stop")
            if self._closed:
                abort(409, "the app is about to end; start it again first")
            self._last_id += 1
            job = Job(id=self._last_id, kind=kind, title=title, command=command)
            self._jobs[job.id] = job
            self._forget_old()
            if kind not in self._workers:
                worker = threading.Thread(target=self._work, args=(kind,), daemon=True)
                self._workers[kind] = worker
                worker.start()
            self._changed.notify_all()
        return job

    def get(self, job_id: int) -> Job | None:
        with self._changed:
            return self._jobs.get(job_id)

    def all(self) -> list[Job]:
        """Every job that is remembered, newest first."""
        with self._changed:
            return list(reversed(self._jobs.values()))

    def newest(self, kind: Kind) -> Job | None:
        """The one at work, or else the last one started of a kind."""
        with self._changed:
            jobs = self._of(kind)
            running = [job for job in jobs if job.state == "running"]
            return next(iter(running or jobs[-1:]), None)

    def stop(self, job: Job) -> None:
        """Ask a job to end; what does not end in ten seconds is killed. Returns at once."""
        with self._changed:
            if job.is_over or job.stop_wanted:
                return
            job.stop_wanted = True
            if job.state == "queued":
                job.state = "stopped"
            elif job.process is not None:
                child_process.stop(job.process, _STOP_GRACE_S)
            self._changed.notify_all()

    def wait(self, job: Job, timeout: float) -> bool:
        """Wait until a job is over; False when it is not after `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: job.is_over, timeout)

    def close(self) -> None:
        """End with the app: no child outlives it."""
        with self._changed:
            self._closed = True
            left = [job for job in self._jobs.values() if not job.is_over]
        for job in left:
            self.stop(job)
        for job in left:
            if not self.wait(job, _EXIT_GRACE_S) and job.process is not None:
                child_process.kill(job.process)
                self.wait(job, _EXIT_GRACE_S)

    def _of(self, kind: Kind) -> list[Job]:
        return [job for job in self._jobs.values() if job.kind == kind]

    def _forget_old(self) -> None:
        over = [job.id for job in self._jobs.values() if job.is_over]
        for job_id in over[: max(0, len(self._jobs) - _MOST_REMEMBERED)]:
            del self._jobs[job_id]

    def _work(self, kind: Kind) -> None:
        """Run the jobs of one kind, one after the other, as long as the app lives."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._next(kind) is not None)
                job = self._next(kind)
                assert job is not None
                job.state, job.started = "running", time.monotonic()
                try:
                    job.process = child_process.launch(job.command)
                except (OSError, ValueError, subprocess.SubprocessError) as error:
                    why = error.strerror if isinstance(error, OSError) else error
                    line = f"error: cannot start {job.command[0]}: {why}"
                    job.log.append(line[:_LINE_LETTERS])
                    self._end(job, "failed", None)
                    continue
                if job.stop_wanted or self._closed:
                    child_process.stop(job.process, _STOP_GRACE_S)
            self._follow(job, job.process)

    def _next(self, kind: Kind) -> Job | None:
        return next((job for job in self._of(kind) if job.state == "queued"), None)

    def _follow(self, job: Job, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        readers = [
            threading.Thread(target=self._read_log, args=(job, process.stderr), daemon=True),
            threading.Thread(target=self._read_result, args=(job, process.stdout), daemon=True),
        ]
        for reader in readers:
            reader.start()
        code = child_process.wait(process)
        for reader in readers:
            reader.join(_EXIT_GRACE_S)
        with self._changed:
            stopped = job.stop_wanted and code != 0
            self._end(job, "stopped" if stopped else "failed" if code else "done", code)

    def _end(self, job: Job, state: State, code: int | None) -> None:
        job.state, job.exit_code, job.ended = state, code, time.monotonic()
        job.process = None
        self._changed.notify_all()

    def _read_log(self, job: Job, stream: IO[str]) -> None:
        with stream:
            while line := stream.readline(_RESULT_LETTERS):
                with self._changed:
                    if not job.take_progress(line) and line.strip():
                        job.log.append(printable(line.strip()[:_LINE_LETTERS]))

    def _read_result(self, job: Job, stream: IO[str]) -> None:
        with stream:
            while line := stream.readline(_RESULT_LETTERS):
                with self._changed:
                    job.result = (job.result + line)[-_RESULT_LETTERS:]


def install(app: Flask, data: Path) -> None:
    app.extensions["jobs"] = Jobs(data)


def jobs() -> Jobs:
    """The jobs of this request's app."""
    return jobs_of(current_app)


def jobs_of(app: Flask) -> Jobs:
    found = app.extensions["jobs"]
    assert isinstance(found, Jobs)
    return found


@blueprint.get("/jobs")
def show() -> Response:
    """All jobs that are remembered, newest first, as JSON."""
    check_keys()
    return jsonify(jobs=[job.as_json() for job in jobs().all()])


@blueprint.get("/jobs/<int:job_id>")
def show_one(job_id: int) -> Response:
    check_keys()
    return jsonify(_job_or_404(job_id).as_json())


@blueprint.post("/jobs/<int:job_id>/stop")
def stop(job_id: int) -> Response:
    """Ask a job to end: {}."""
    actions.read_body()
    job = _job_or_404(job_id)
    jobs().stop(job)
    return jsonify(job.as_json())


def _job_or_404(job_id: int) -> Job:
    job = jobs().get(job_id)
    if job is None:
        abort(404, f"there is no job {job_id}; the app forgets them when it is started again")
    return job


def _check(arguments: Sequence[str]) -> None:
    words = list(arguments)
    options = words[: words.index("--")] if "--" in words else words
    for word in options:
        if not _OPTION.fullmatch(word):
            raise ConfigError(f"{word[:60]!r} is no option of the form --name=value")
        if word.partition("=")[0] in ("--data", "--progress"):
            raise ConfigError(f"{word[:60]!r} is said by the app itself; leave it out")
    for word in words:
        if strange := NO_TEXT.search(word):
            letter = f"U+{ord(strange[0]):04X}"
            raise ConfigError(f"{word[:60]!r} holds {letter}, which no command takes")
