"""`python -m sample watch RUN`: are the pictures of a run in training still new?

python -m sample watch runs/tiny --once --set count=16
"""

import argparse
import contextlib
import json
import os
import select
import sys
import time
from dataclasses import asdict
from pathlib import Path

from dataset.command_line import INTERRUPTED, CommandLine, add_config_options
from dataset.config import load_config, to_mapping
from dataset.errors import ConfigError
from sample.watch import Rest, Sighting, Watch, WatchConfig
from train.checkpoint import checkpoint_folders
from train.run_folder import RunFolder

_PATIENCE = 10  # niceness beside a training
_BEGINNING_S = 0.5


def add_verb(command: CommandLine) -> None:
    """Add `watch` to the stage's verbs."""
    verb = command.verb(
        "watch",
        _watch,
        "follow a run in training: draw from each checkpoint, and warn when it copies",
        """python -m sample watch runs/tiny
        python -m sample watch runs/tiny --packed data/packs/main.h5 --set count=128
        python -m sample watch runs/tiny --once --json""",
    )
    verb.add_argument("run", type=Path, metavar="RUN", help="the run's folder")
    verb.add_argument(
        "--packed", type=Path, metavar="FILE", help="the pack that is trained on (as the run says)"
    )
    until = verb.add_mutually_exclusive_group()
    until.add_argument("--once", action="store_true", help="judge the checkpoints there are; end")
    until.add_argument(
        "--until-eof",
        action="store_true",
        help="go on until stdin ends, also while there is no run yet (as train run --watch does)",
    )
    verb.add_argument("--device", choices=["auto", "cpu", "cuda"], help="auto: the GPU if any")
    verb.add_argument("--json", action="store_true", help="print lines of JSON")
    add_config_options(verb, "the watch", keys=WatchConfig)


def _watch(options: argparse.Namespace) -> int:
    given = [*options.assignments, *([f"device={options.device}"] if options.device else [])]
    config = load_config(WatchConfig, options.config, given)
    if options.dry_run:
        print(json.dumps(to_mapping(config), indent=2))
        return 0
    if not options.until_eof and not checkpoint_folders(options.run):
        raise ConfigError(
            f"{options.run} holds no finished checkpoint yet; train first (python -m train run)"
        )
    try:
        return _follow(options, config)
    except KeyboardInterrupt:
        if not options.until_eof:
            raise
        return INTERRUPTED  # the training that started it was interrupted, and says so


def _follow(options: argparse.Namespace, config: WatchConfig) -> int:
    if options.until_eof:
        with contextlib.suppress(OSError):
            os.nice(_PATIENCE)
        _await_training(options.run)
    count, watch = 0, Watch(options.run, options.packed, config)
    for found in watch.sightings(_rest(options), ends=not options.until_eof):
        count += 1
        print(json.dumps(asdict(found)) if options.json else sighting_line(found), flush=True)
    if not count and not options.json:
        print(f"all checkpoints of {options.run} were judged before")
    return 0


def sighting_line(found: Sighting) -> str:
    """One checkpoint for a person."""
    low, high = (100 * bound for bound in found.interval)
    share = (
        "too few calibration pictures to say"
        if found.rate is None
        else (f"{100 * found.rate:.1f} % copies [{low:.1f}-{high:.1f} %]")
    )
    line = f"image {found.images:,}: {found.judged} judged, {found.flagged} flagged, {share}"
    return f"{line}: {found.warning}" if found.warning else line


def _rest(options: argparse.Namespace) -> Rest:
    if options.once:
        return lambda _seconds: False
    if options.until_eof:
        return _until_eof
    return _slept


def _await_training(run: Path) -> None:
    """Until somebody trains the run: before, its folder may hold another one that is set aside."""
    folder = RunFolder(run.parent, run.name)
    while not folder.is_held() and _until_eof(_BEGINNING_S):
        pass


def _slept(seconds: float) -> bool:
    time.sleep(seconds)
    return True


def _until_eof(seconds: float) -> bool:
    """Wait, but not beyond the end of stdin; False once that came."""
    ready, _, _ = select.select([sys.stdin], [], [], seconds)
    return not (ready and os.read(sys.stdin.fileno(), 4096) == b"")
