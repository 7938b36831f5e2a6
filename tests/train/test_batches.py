from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset.errors import DataError
from dataset.packed import PackedDataset
from tests.train.drawn_pack import drawn_pictures, write_drawn_pack
from train.batches import Batches, load_split, to_bytes, to_signed

CPU = torch.device("cpu")


def batches(count: int = 10, *, seed: int = 0, flip: bool = False) -> Batches:
    data, labels = drawn_pictures(count)
    return Batches(
        torch.from_numpy(data), torch.from_numpy(labels), seed=seed, flip=flip, device=CPU
    )


@given(count=st.integers(1, 50), seed=st.integers(0, 2**31), epoch=st.integers(0, 10_000))
@settings(max_examples=50)
def test_an_epoch_has_every_row_exactly_once(count: int, seed: int, epoch: int) -> None:
    order = batches(count, seed=seed).order(epoch)
    assert sorted(order.tolist()) == list(range(count))


def test_epochs_and_seeds_have_different_orders() -> None:
    orders = {tuple(batches(30, seed=s).order(e).tolist()) for s in range(3) for e in range(5)}
    assert len(orders) == 15


def test_the_order_of_an_epoch_is_pinned() -> None:
    assert batches(10).order(0).tolist() == [9, 8, 4, 6, 3, 2, 7, 0, 5, 1]


@given(count=st.integers(1, 20), sizes=st.lists(st.integers(1, 25), min_size=1, max_size=6))
@settings(max_examples=50)
def test_rows_do_not_depend_on_where_batches_begin(count: int, sizes: list[int]) -> None:
    whole = batches(count).rows(0, sum(sizes)).tolist()
    seen, parts = 0, []
    for size in sizes:
        parts += batches(count).rows(seen, size).tolist()
        seen += size
    assert parts == whole


def test_a_later_epoch_is_found_without_the_ones_before() -> None:
    forwards = batches()
    for seen in range(0, 100, 7):
        expected = batches().rows(seen, 7)
        assert torch.equal(forwards.rows(seen, 7), expected)


def test_pictures_come_with_their_own_labels() -> None:
    drawn = batches()
    pictures, labels = drawn.take(3, 20)
    rows = drawn.rows(3, 20)
    assert torch.equal(to_bytes(pictures), drawn.data[rows])
    assert torch.equal(labels, drawn.labels[rows])


def test_flipping_mirrors_about_half_of_the_pictures_left_to_right() -> None:
    plain, _ = batches(50).take(0, 500)
    flipped, _ = batches(50, flip=True).take(0, 500)
    mirrored = [torch.equal(f, p.flip(2)) for f, p in zip(flipped, plain, strict=True)]
    as_is = [torch.equal(f, p) for f, p in zip(flipped, plain, strict=True)]
    assert all(a or m for a, m in zip(as_is, mirrored, strict=True))
    assert 200 < sum(mirrored) < 300


def test_flips_do_not_depend_on_where_batches_begin() -> None:
    drawn = batches(flip=True)
    assert torch.equal(drawn.take(0, 20)[0][5:9], drawn.take(5, 4)[0])


def test_bytes_fill_the_range_and_come_back() -> None:
    every = torch.arange(256).to(torch.uint8)
    signed = to_signed(every)
    assert (signed.min().item(), signed.max().item()) == (-1.0, 1.0)
    assert torch.equal(to_bytes(signed), every)
    assert to_bytes(torch.tensor([-7.0, 7.0])).tolist() == [0, 255]


def test_a_split_without_pictures_is_refused(pack: Path) -> None:
    with pytest.raises(DataError, match="split test"):
        load_split(PackedDataset(pack), "test", seed=0, flip=False, device=CPU)


def test_only_the_split_asked_for_is_learnt(tmp_path: Path) -> None:
    path = write_drawn_pack(tmp_path / "cal.h5", count=6, split="cal")
    loaded = load_split(PackedDataset(path), "cal", seed=0, flip=False, device=CPU)
    assert len(loaded) == 6
