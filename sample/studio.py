"""The studio: a checkpoint and a novelty index, loaded once, that draw as they are asked.

Requests come as lines of JSON (studio_request.py), answers go as lines of JSON: `ready`, `step`,
`picture` (with its finding, once there is a check), `findings` (of pictures that came before it),
`checking` (it is there, or why not), `done` (with the verdicts on all pictures of a request
together), `error`. `python -m sample serve` speaks this on stdin and stdout.
"""

import base64
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from dataset.errors import ConfigError
from dataset.pixels import Pixels
from sample import draw
from sample.draw import DrawConfig
from sample.drawn_folder import PlannedPicture, metadata, png_content
from sample.pictures import PictureFile
from sample.studio_check import PendingCheck, StudioCheck
from sample.studio_request import DrawRequest
from train.autoencoder import autoencoder
from train.checkpoint import Checkpoint
from train.condition import of_labels
from train.denoiser import Denoiser
from train.device import find_device
from train.drawing import Sampling, draw_pictures
from train.editing import interpolate
from train.guidance import Guidance
from train.samplers import SAMPLERS, OnStep
from train.vae import Vae, drawn_from_prior

# Pictures drawn at once: one first, so that something is seen, then twice as many as long as that
# takes less than `_SHORT_S`.
_MOST_AT_ONCE = {"cpu": 8, "cuda": 64}
_SHORT_S = 0.7
_STEP_EVERY_S = 0.15

Say = Callable[[Mapping[str, Any]], None]
Stopped = Callable[[], bool]


class DrawingStopped(Exception):
    """The person has seen enough; what was drawn is there."""


@dataclass(frozen=True, kw_only=True)
class DrawnPicture:
    """One picture of a request: its plan, its file, and all that decides it."""

    place: int
    plan: PlannedPicture
    settings: dict[str, Any]
    content: bytes  # PNG, with the settings in it

    @property
    def file(self) -> PictureFile:
        return PictureFile(f"{self.place:05d}.png", self.content, self.plan.label_name)


class Studio:
    """One checkpoint that draws on request; what is drawn before the check is there is judged as
    soon as it is."""

    def __init__(
        self, checkpoint: Checkpoint, check: PendingCheck, say: Say, device: str = "auto"
    ) -> None:
        """Raises ConfigError for a checkpoint that only enlarges, WorldError without the device."""
        draw.prepare(checkpoint, DrawConfig(count=1))
        self.checkpoint, self.say = checkpoint, say
        self.check: StudioCheck | None = None
        self._pending: PendingCheck | None = check
        self._unjudged: dict[int, list[PictureFile]] = {}  # by request
        self.device = find_device(device)
        self.model: Denoiser | Vae
        if checkpoint.config.kind == "vae":
            self.model = autoencoder(checkpoint, self.device)
        else:
            self.model = checkpoint.denoiser(self.device)

    def about(self) -> dict[str, Any]:
        """What can be asked for."""
        vae = isinstance(self.model, Vae)
        return {
            "checkpoint": str(self.checkpoint.path),
            "images_seen": self.checkpoint.images_seen,
            "fingerprint": self.checkpoint.fingerprint,
            "pack_hash": self.checkpoint.pack_hash,
            "kind": self.checkpoint.config.kind,
            "shape": list(self.checkpoint.shape),
            "labels": draw.known_labels(self.checkpoint),
            "samplers": [] if vae else list(SAMPLERS),
            "most_steps": 1 if isinstance(self.model, Vae) else self.model.schedule.steps,
        }

    @property
    def is_waiting(self) -> bool:
        """Whether the check is not there yet."""
        return self._pending is not None

    def settle(self, *, wait: bool = False) -> None:
        """Take the check over when it is there, and judge what was drawn before.

        Raises what loading it raised if it was asked for by name.
        """
        if self._pending is None or not (wait or self._pending.is_there):
            return
        self.check, unchecked = self._pending.result()
        self._pending = None
        for request, files in self._unjudged.items():
            if self.check is not None:
                findings = self.check.findings(files)
                places = [int(file.name.partition(".")[0]) for file in files]
                told = [{"place": at, **one} for at, one in zip(places, findings, strict=True)]
                self.say({"event": "findings", "id": request, "findings": told})
        self.say({"event": "checking", "unchecked": unchecked})
        self._unjudged.clear()

    def draw(self, request: DrawRequest, stopped: Stopped) -> None:
        """Draw and judge picture after picture, saying each; ConfigError for what cannot be."""
        plan, settings = self._plan(request)
        started, done = time.monotonic(), 0
        files: list[PictureFile] = []
        size, most = 1, 1 if request.like is not None else _MOST_AT_ONCE[self.device.type]
        while done < len(plan) and not stopped():
            part, since = plan[done : done + size], time.monotonic()
            watch = self._watcher(request, done, stopped)
            try:
                drawn = self._drawn(part, request, done, watch)
            except DrawingStopped:
                break
            files += self._say_pictures(request, part, drawn, settings, done)
            done += len(part)
            self.settle()
            if time.monotonic() - since < _SHORT_S:
                size = min(2 * size, most)
        # A share of findings can only be promised over all pictures that were looked at together.
        verdicts = self.check.verdicts(files) if self.check is not None and len(files) > 1 else []
        self.say(
            {
                "event": "done",
                "id": request.id,
                "pictures": done,
                "stopped": done < len(plan),
                "seconds": round(time.monotonic() - started, 2),
                "verdicts": verdicts,
            }
        )

    def _plan(self, request: DrawRequest) -> tuple[list[PlannedPicture], dict[str, Any]]:
        config = DrawConfig(
            sampling=_sampling(request),
            labels=(request.label,) if request.label else (),
            count=request.count,
            seed=request.seed,
        )
        plan = draw.prepare(self.checkpoint, config)
        if request.like is None:
            return list(plan.pictures), plan.settings
        if isinstance(self.model, Vae):
            raise ConfigError("an autoencoder draws from its prior alone; nothing is like a seed")
        like, share = request.like, request.share
        return [replace(one, seed=like, share=share) for one in plan.pictures], plan.settings

    def _drawn(
        self, part: Sequence[PlannedPicture], request: DrawRequest, done: int, watch: OnStep
    ) -> Tensor:
        """Pictures (B, C, H, W) in [-1, 1]."""
        seeds = [picture.seed for picture in part]
        if isinstance(self.model, Vae):
            return drawn_from_prior(self.model, seeds)
        condition = of_labels(torch.tensor([picture.label for picture in part]))
        sampling = _sampling(request)
        if request.like is None:
            return draw_pictures(self.model, condition, seeds, sampling, watch)
        ends = (request.like, request.seed + done)
        return interpolate(self.model, condition, ends, [request.share], sampling, watch)

    def _say_pictures(
        self,
        request: DrawRequest,
        part: Sequence[PlannedPicture],
        drawn: Tensor,
        settings: dict[str, Any],
        done: int,
    ) -> list[PictureFile]:
        pictures, _ = draw.as_bytes(drawn)
        whole = torch.isfinite(drawn).flatten(1).all(dim=1).tolist()
        towards = {"towards": request.seed + done} if request.like is not None else {}
        made = [
            self._picture(done + i, plan, pixels, settings | towards)
            for i, (plan, pixels) in enumerate(zip(part, pictures, strict=True))
        ]
        files = [picture.file for picture in made]
        found: Sequence[Mapping[str, Any] | None] = [None] * len(files)
        if self.check is not None:
            found = self.check.findings(files)
        elif self.is_waiting:
            self._unjudged.setdefault(request.id, []).extend(files)
        for picture, finding, sound in zip(made, found, whole, strict=True):
            self.say(
                {
                    "event": "picture",
                    "id": request.id,
                    "place": picture.place,
                    **picture.plan.facts(),
                    "settings": picture.settings,
                    "sha256": hashlib.sha256(picture.content).hexdigest(),
                    "png": base64.b64encode(picture.content).decode(),
                    "sound": sound,  # False: it held numbers that are not finite
                    "finding": finding,
                }
            )
        return files

    def _picture(
        self, place: int, plan: PlannedPicture, pixels: Pixels, settings: dict[str, Any]
    ) -> DrawnPicture:
        content = png_content(pixels, metadata(plan, settings))
        return DrawnPicture(place=place, plan=plan, settings=settings, content=content)

    def _watcher(self, request: DrawRequest, done: int, stopped: Stopped) -> OnStep:
        said = time.monotonic()

        def watch(step: int, _x: Tensor, _x0: Tensor) -> None:
            nonlocal said
            if stopped():
                raise DrawingStopped
            if time.monotonic() - said >= _STEP_EVERY_S:
                said = time.monotonic()
                steps = {"step": step, "steps": request.steps, "pictures": done}
                self.say({"event": "step", "id": request.id, **steps})

        return watch


def _sampling(request: DrawRequest) -> Sampling:
    return Sampling(
        sampler=request.sampler,
        steps=request.steps,
        guidance=Guidance(scale=float(request.guidance)),
    )
