"""How large a batch may be: tried on the device, for `--batch auto` and when memory ran out.

python -m train run --config icon --packed data/pack.h5 --batch auto
"""

import gc
import logging
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from dataset.errors import WorldError
from train.compiling import settings
from train.config import TrainConfig, config_of_run
from train.device_data import has_room, split_bytes
from train.distributed import Ranks, own_device, smallest_of_ranks, speak_alone, torchrun_ranks
from train.learners import make_learner
from train.preparation import prepare
from train.speed import learning_speed, random_batches
from train.subject import Subject

log = logging.getLogger(__name__)

_MOST_ON_CUDA, _MOST_ON_CPU = 4096, 256
_FIRST = 8  # the first size tried
_USED_SHARE = 0.92  # of a GPU's memory at most: what is left breaks up, and previews need some
_WORTH = 0.95  # a batch that learns at this share of the best speed is large enough for a CPU

Trial = Callable[[TrainConfig], float]  # learns a few steps of a config; images a second


def auto_batch(config: TrainConfig, runs: Path, *, restart: bool = False) -> int:
    """The batch for `--batch auto`: the run's own where one is gone on with, else found by trials.

    On CUDA the largest batch that fits, a power of two or one and a half times one; on a CPU the
    smallest that learns about as fast as any. Under torchrun all processes find the same.
    Raises what `prepare` raises, and WorldError when not even one picture fits.
    """
    run, ranks = runs / config.name, torchrun_ranks()
    speak_alone(ranks)
    if (run / "config.json").exists() and not restart:
        return config_of_run(run).batch
    prepared = prepare(config)
    device = own_device(prepared.device, ranks)
    rows = prepared.pack.rows(config.split)
    ceiling = _MOST_ON_CPU if device.type == "cpu" else _MOST_ON_CUDA
    most = max(min(len(rows), config.images, ceiling) // ranks.world, 1)
    trial = steps_tried(prepared.subject, device, split_bytes(prepared.pack.data, rows))
    with settings(config, device):
        if device.type == "cpu":
            found = quickest(lambda size: trial(_with_batch(config, size)), most)
        else:
            found = largest(lambda size: held(trial, _with_batch(config, size)), most)
    if found == 0:
        raise WorldError(_too_large_a_network(config))
    return smallest_of_ranks(found, ranks, config.rank_timeout_s) * ranks.world


def memory_advice(
    error: torch.OutOfMemoryError, config: TrainConfig, trial: Trial, ranks: Ranks
) -> WorldError:
    """What to say when memory ran out: a batch that would fit, found by trials.

    `error` loses what its frames hold, or the failed run itself would take up the memory.
    """
    traceback.clear_frames(error.__traceback__)
    _let_go()
    at_once = -(-config.batch // ranks.world)
    at_once = min(config.micro_batch or at_once, at_once)
    whole = replace(config, micro_batch=0)
    fitting = largest(lambda size: held(trial, _with_batch(whole, size)), at_once - 1)
    if fitting == 0:
        return WorldError(_too_large_a_network(config))
    return WorldError(
        f"the GPU's memory does not hold {at_once} pictures at once, but {fitting}; use"
        f" --set micro_batch={fitting}, which learns the same piece by piece, or"
        f" --set batch={fitting * ranks.world}"
    )


def largest(fits: Callable[[int], bool], most: int) -> int:
    """The largest power of two, or one and a half times one, up to `most` that fits; 0: none.

    What fits must fit in smaller sizes, too.
    """
    size = min(_FIRST, 1 << (max(most, 1).bit_length() - 1))
    if most < 1:
        return 0
    while not fits(size):
        if size == 1:
            return 0
        size //= 2
    failed = False
    while 2 * size <= most and not failed:
        failed = not fits(2 * size)
        size = size if failed else 2 * size
    between = size * 3 // 2
    return between if size < between <= most and fits(between) else size


def quickest(rate: Callable[[int], float], most: int) -> int:
    """The smallest power of two up to `most` whose `rate` is about the best that is met."""
    rates: dict[int, float] = {}
    size = min(_FIRST, 1 << (max(most, 1).bit_length() - 1))
    while size <= most:
        rates[size] = rate(size)
        log.debug("batch %d: %.0f images/s", size, rates[size])
        if rates[size] * _WORTH < rates.get(size // 2, 0.0):
            break  # slower already: larger ones only leave the cache further behind
        size *= 2
    best = max(rates.values())
    return min(size for size, found in rates.items() if found >= _WORTH * best)


def held(trial: Trial, config: TrainConfig) -> bool:
    """Whether the memory holds a few steps of `config`."""
    try:
        trial(config)
    except torch.OutOfMemoryError as error:
        traceback.clear_frames(error.__traceback__)
        log.debug("batch %d: does not fit", config.batch)
        return False
    finally:
        if torch.cuda.is_available():
            _let_go()
    log.debug("batch %d: fits", config.batch)
    return True


def _let_go() -> None:
    """Free what nobody holds any more; a learner holds itself."""
    gc.collect()
    torch.cuda.empty_cache()  # nothing happens where there is no GPU


def steps_tried(subject: Subject, device: torch.device, data_bytes: int) -> Trial:
    """Trials of `subject` on `device`, beside the `data_bytes` of the pictures if they lie there.

    A trial raises torch.OutOfMemoryError, too, when it takes nearly all of the memory.
    """

    def tried(config: TrainConfig) -> float:
        config = replace(config, compile="off")  # which takes longer, but never more memory
        resident = config.reading != "streamed" and device.type != "cpu"
        resident = resident and (config.reading == "resident" or has_room(device, data_bytes))
        beside = torch.empty(data_bytes if resident else 0, dtype=torch.uint8, device=device)
        learner = make_learner(config, subject, device)
        batches = random_batches(config, subject, device)
        learner.begin(batches)
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        rate = learning_speed(learner, batches, rounds=1, steps=2, warmup=1).median
        if device.type == "cuda":
            used = torch.cuda.max_memory_reserved(device)
            if used > _USED_SHARE * torch.cuda.mem_get_info(device)[1]:
                raise torch.OutOfMemoryError(f"{used} bytes are nearly all there are")
        del beside
        return rate

    return tried


def _with_batch(config: TrainConfig, size: int) -> TrainConfig:
    return replace(config, batch=size)


def _too_large_a_network(config: TrainConfig) -> str:
    return (
        f"the GPU's memory does not hold network {config.network} and one picture at once; choose"
        " a smaller network or preset, or a GPU with more memory"
    )
