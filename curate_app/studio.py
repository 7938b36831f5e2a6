"""The pictures that are drawn of one run, and the child process that draws them on request.

The child (`python -m sample serve`) loads its model once and speaks lines of JSON; every line is
checked as strictly as one from a stranger.
"""

import json
import threading
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from flask import abort

from curate_app.drawing_child import DrawingChild, command_of
from curate_app.drawing_form import DrawForm
from curate_app.drawn_picture import AWAITED, BadLine, DrawnPicture, read_origin, read_picture
from curate_app.job import Job
from curate_app.runs import Run
from dataset.command_line import printable

State = Literal["asleep", "starting", "ready", "drawing", "failed"]

_IDLE_MINUTES = 10
_MOST_WAITING = 4  # requests of one run
_MOST_PICTURES = 500  # that are remembered of a run
_MOST_BYTES = 128 * 1024 * 1024
_LONGEST_LINE = 64 * 1024 * 1024
_LINE_LETTERS = 500
_GRACE_S, _EXIT_GRACE_S = 5.0, 5.0


class Studio:
    """The pictures drawn of one run, and the child that draws them, if one is at work.

    Safe to use from any thread; `changed` is held for every look and every change.
    """

    def __init__(self, run: str) -> None:
        self.run = run
        self.changed = threading.Condition()
        self.state: State = "asleep"
        self.checkpoint: Path | None = None  # that the child draws from
        self.about: dict[str, Any] = {}  # what it said when it was ready
        self.is_checking = False  # whether the training pictures are still being loaded
        self.unchecked = self.error = ""  # why there are no verdicts; what went wrong
        self.pictures: deque[DrawnPicture] = deque()
        self.forms: dict[int, DrawForm] = {}  # of the requests whose pictures are remembered
        self.waiting: deque[int] = deque()  # requests, the first one is being drawn
        self.revision = self.used = 0
        self._step: dict[str, int] = {}
        self._loading = Job(id=0, kind="draw", title="", command=[])
        self._child: DrawingChild | None = None
        self._numbers = self._requests = 0

    @property
    def is_at_work(self) -> bool:
        return self._child is not None

    def draw(self, run: Run, form: DrawForm) -> int:
        """Ask for pictures, of a new child if need be; returns the request's number."""
        with self.changed:
            if len(self.waiting) >= _MOST_WAITING:
                abort(409, f"{_MOST_WAITING} drawings wait already; let them end or stop them")
            checkpoint = run.checkpoint(form.checkpoint)
            if self._child is not None and self.checkpoint != checkpoint:
                if self.waiting:
                    abort(409, "pictures of another checkpoint are being drawn; stop them first")
                self._end()
            self._requests += 1
            number, self.error = self._requests, ""
            self.forms[number] = form
            self.waiting.append(number)
            if self._child is None:
                self._launch(checkpoint)
            if self._child is not None:
                self._child.send(form.request(number))
            if self.state == "ready":
                self.state = "drawing"
            self.revision += 1
        return number

    def stop(self) -> None:
        """Draw no more of what was asked for; a child that still loads is ended."""
        with self.changed:
            if self.state == "starting":
                self._end()
            if self._child is not None:
                for number in self.waiting:
                    self._child.send({"verb": "stop", "id": number})

    def end(self) -> None:
        """End the child, if there is one; what it drew is remembered."""
        with self.changed:
            self._end()

    def close(self) -> None:
        """End the child and wait until it is gone."""
        with self.changed:
            child = self._child
            self._end()
        if child is not None:
            child.join()

    def wait(self, timeout: float) -> bool:
        """Wait until nothing is being drawn; False when that takes longer."""
        with self.changed:
            return self.changed.wait_for(lambda: not self.waiting, timeout)

    def since(self, revision: int) -> list[DrawnPicture]:
        """The pictures that are new or judged anew since."""
        with self.changed:
            return [picture for picture in self.pictures if picture.revision > revision]

    def picture(self, sha256: str) -> DrawnPicture | None:
        with self.changed:
            return next((one for one in self.pictures if one.sha256 == sha256), None)

    def clear(self) -> None:
        """Forget all pictures."""
        with self.changed:
            self.pictures.clear()
            self.forms = {number: self.forms[number] for number in self.waiting}
            self.revision += 1

    def as_json(self) -> dict[str, Any]:
        with self.changed:
            of = self.forms[self.waiting[0]].count if self.waiting else 0
            return {
                "state": self.state,
                "summary": self._summary(of),
                "error": self.error,
                "of": of,
                "done": self._step.get("pictures", 0),
                "step": self._step.get("step", 0),
                "steps": self._step.get("steps", 0),
                "waiting": list(self.waiting),
                "revision": self.revision,
                "checkpoint": self.checkpoint.name if self.checkpoint else "",
                "unchecked": self.unchecked,
                "checking": self._checking() if self.is_checking else "",
                "pictures": len(self.pictures),
            }

    def _summary(self, of: int) -> str:
        if self.state == "starting":
            return "Loading the model"
        if self.state == "drawing" and of:
            step = self._step
            more = f", step {step['step']} of {step['steps']}" if step.get("step") else ""
            wait = f"; {len(self.waiting) - 1} more wait" if len(self.waiting) > 1 else ""
            return f"Drawing {min(step.get('pictures', 0) + 1, of)} of {of}{more}{wait}"
        return "Ready" if self.state == "ready" else ""

    def _checking(self) -> str:
        at = self._loading
        return at.summary if at.step else "loading the training pictures"

    def _launch(self, checkpoint: Path) -> None:
        self._loading = Job(id=0, kind="draw", title="", command=[], state="running")
        self.state, self.checkpoint, self.about, self.error = "starting", checkpoint, {}, ""
        self.is_checking, self.unchecked = True, ""
        heard = self._hear, self._hear_log, self._hear_end
        try:
            self._child = DrawingChild(command_of(checkpoint), *heard)
        except (OSError, ValueError) as error:
            self.state, self.error = "failed", f"cannot start the drawing process: {error}"
            self._come_to_rest()

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.stop()
        self.state = "asleep"
        self._come_to_rest()

    def _come_to_rest(self) -> None:
        """Nothing is to come any more."""
        self.waiting.clear()
        self._step, self.is_checking = {}, False
        self._give_up_checking()
        self.revision += 1
        self.changed.notify_all()

    def _hear_end(self, child: DrawingChild, code: int) -> None:
        """The child ended by itself: idle, or for a reason that its log tells."""
        with self.changed:
            if self._child is not child:
                return
            self._child = None
            if self.state != "failed":
                self.state = "failed" if code else "asleep"
                self._loading.state, self._loading.exit_code = "failed" if code else "done", code
                self.error = self.error or self._loading.error
            self._come_to_rest()

    def _hear_log(self, child: DrawingChild, line: str) -> None:
        with self.changed:
            is_ours = self._child is child
            if is_ours and not self._loading.take_progress(line) and line.strip():
                self._loading.log.append(printable(line.strip()[:_LINE_LETTERS]))

    def _hear(self, child: DrawingChild, line: str) -> None:
        with self.changed:
            # One that was ended, or said nonsense, speaks on to its own end.
            if self._child is not child or self.state == "failed":
                return
            try:
                self._take(line)
            except (ValueError, LookupError, TypeError, RecursionError) as error:
                self.state = "failed"
                self.error = f"the drawing process said what it never says: {error}"[:_LINE_LETTERS]
                child.stop()
            self.changed.notify_all()

    def _take(self, line: str) -> None:
        """Heed one line of the child; raises BadLine or ValueError for what is none."""
        told = json.loads(line)
        event = told.get("event") if isinstance(told, dict) else None
        if event == "ready":
            self.about = {"origin": read_origin(told)}
            self.state = "drawing" if self.waiting else "ready"
        elif event == "step":
            self._step = {key: _whole(told[key]) for key in ("step", "steps", "pictures")}
            return  # no news of pictures
        elif event == "picture":
            self._numbers += 1
            about = self._numbers, self.revision + 1, self.about["origin"]
            self._remember(read_picture(told, *about))
        elif event == "findings":
            self._hear_findings(told)
        elif event == "checking":
            self._hear_of_check(told)
        elif event == "done":
            self._close(told)
        elif event == "error":
            self.error = str(told.get("error", ""))[:_LINE_LETTERS]
            self._leave(told.get("id"))
        else:
            raise BadLine("an unknown event")
        self.revision += 1

    def _remember(self, picture: DrawnPicture) -> None:
        if picture.request not in self.waiting:
            raise BadLine("a picture that nobody asked for")
        self.error = ""
        self.pictures.append(picture)
        self._step = {"pictures": picture.place + 1}
        while len(self.pictures) > _MOST_PICTURES or self._bytes() > _MOST_BYTES:
            self.pictures.popleft()
        kept = {one.request for one in self.pictures} | set(self.waiting)
        self.forms = {number: form for number, form in self.forms.items() if number in kept}

    def _hear_findings(self, told: Mapping[str, Any]) -> None:
        """Of pictures that were drawn before the check was there."""
        findings = told.get("findings")
        if not isinstance(findings, list):
            raise BadLine("the findings are no list")
        by_place = {_whole(one["place"]): one for one in findings}
        self._exchange(
            lambda picture: picture.request == told.get("id") and picture.place in by_place,
            lambda picture: picture.found(by_place[picture.place], self.revision + 1),
        )

    def _hear_of_check(self, told: Mapping[str, Any]) -> None:
        self.is_checking, self.unchecked = False, str(told.get("unchecked", ""))[:_LINE_LETTERS]
        if self.unchecked:
            self._give_up_checking()

    def _give_up_checking(self) -> None:
        self._exchange(
            lambda picture: picture.verdict == AWAITED,
            lambda picture: picture.unchecked(self.revision + 1),
        )

    def _exchange(
        self, which: Callable[[DrawnPicture], bool], how: Callable[[DrawnPicture], DrawnPicture]
    ) -> None:
        for place, picture in enumerate(self.pictures):
            if which(picture):
                self.pictures[place] = how(picture)

    def _close(self, told: Mapping[str, Any]) -> None:
        number, verdicts = told.get("id"), told.get("verdicts")
        if not isinstance(verdicts, list):
            raise BadLine("the verdicts are no list")
        self._exchange(
            lambda picture: picture.request == number and picture.place < len(verdicts),
            lambda picture: picture.judged(verdicts[picture.place], self.revision + 1),
        )
        self._leave(number)

    def _leave(self, number: Any) -> None:
        """A request is over."""
        if number in self.waiting:
            self.waiting.remove(number)
        self._step = {}
        self.state = "drawing" if self.waiting else "ready"

    def _bytes(self) -> int:
        return sum(
            len(one.content) + sum(len(near.content) for near in one.neighbours)
            for one in self.pictures
        )


def _whole(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**31:
        raise BadLine("a count is no whole number")
    return value
