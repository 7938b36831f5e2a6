import math

import pytest
import torch

from train.figures import RunningFigures

CPU = torch.device("cpu")


def number(value: float) -> torch.Tensor:
    return torch.tensor(value)


def test_a_window_is_the_mean_of_its_good_steps() -> None:
    figures = RunningFigures(CPU, names=("kl",))
    figures.add(number(1.0), number(3.0), torch.tensor(False), [number(10.0)])
    figures.add(number(math.nan), number(math.inf), torch.tensor(True), [number(math.nan)])
    figures.add(number(2.0), number(4.0), torch.tensor(False), [number(20.0)])
    read = figures.read()
    assert (read.loss, read.parts, read.grad_norm) == (1.5, {"kl": 15.0}, 4.0)
    assert (read.skipped, read.worst_streak, read.streak) == (1, 1, 0)


def test_skipped_batches_are_counted_over_the_run_and_streaks_over_windows() -> None:
    figures = RunningFigures(CPU)
    for bad in (True, True, False, True):
        figures.add(number(1.0), number(1.0), torch.tensor(bad))
    first = figures.read()
    assert (first.skipped, first.worst_streak, first.streak) == (3, 2, 1)
    figures.add(number(1.0), number(1.0), torch.tensor(True))
    second = figures.read()
    assert (second.skipped, second.worst_streak, second.streak) == (4, 2, 2)
    assert math.isnan(second.loss)


def test_counts_go_on_where_they_were_saved() -> None:
    figures = RunningFigures(CPU)
    for _ in range(3):
        figures.add(number(1.0), number(1.0), torch.tensor(True))
    again = RunningFigures(CPU)
    again.add(number(9.0), number(1.0), torch.tensor(False))
    again.restore(figures.tensors())
    again.add(number(1.0), number(1.0), torch.tensor(True))
    read = again.read()
    assert (read.skipped, read.worst_streak) == (4, 4)
    assert math.isnan(read.loss)


def test_sums_keep_no_graph_alive() -> None:
    figures = RunningFigures(CPU)
    weight = torch.ones((), requires_grad=True)
    figures.add((weight * 2).detach(), number(1.0), torch.tensor(False))
    assert not any(tensor.requires_grad for tensor in figures.tensors().values())
    assert figures.read().loss == pytest.approx(2.0)
