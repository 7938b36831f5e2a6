from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset.errors import ConfigError, DataError
from dataset.packed import PackedDataset
from tests.train.drawn_pack import drawn_pictures, tiny_config, write_drawn_pack
from train.augment_config import AugmentConfig
from train.batches import Batch, DeviceBatches, load_split, to_bytes, to_signed
from train.device_data import (
    MappedPictures,
    ResidentPictures,
    StreamedPictures,
    fits,
    place_pictures,
)
from train.loop import train
from train.order import EpochOrder, Share

CPU = torch.device("cpu")
WARPING = AugmentConfig(probability=0.5, y_flip=True)
SHAPES = [(1, 8, 8), (3, 8, 8), (4, 8, 12)]


def batches(
    count: int = 10, *, seed: int = 0, shape: tuple[int, int, int] = (3, 8, 8), **settings: Any
) -> DeviceBatches:
    data, labels = drawn_pictures(count, shape)
    return DeviceBatches(data, labels, seed=seed, **({"flip": False, "device": CPU, **settings}))


def assert_equal(one: Batch, other: Batch) -> None:
    for ours, theirs in zip(one[:3], other[:3], strict=True):
        assert ours.dtype == theirs.dtype
        assert torch.equal(ours, theirs)


def joined(parts: Sequence[Batch]) -> Batch:
    """The pictures, labels and augmentations of all parts."""
    return Batch(
        *(torch.cat(tensors) for tensors in zip(*(part[:3] for part in parts), strict=True))
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


@given(
    count=st.integers(1, 20),
    seen=st.integers(0, 2**40),
    size=st.integers(1, 30),
    world=st.integers(1, 9),
)
@settings(max_examples=100)
def test_the_ranks_shares_joined_are_what_one_process_takes(
    count: int, seen: int, size: int, world: int
) -> None:
    order = EpochOrder(count, 3, CPU)
    shares = [order.rows(Share(seen, size, rank, world).places) for rank in range(world)]
    assert torch.equal(torch.cat(shares), order.rows(range(seen, seen + size)))
    lengths = [len(share) for share in shares]
    assert max(lengths) - min(lengths) <= 1


@pytest.mark.parametrize("reading", ["resident", "streamed"])
def test_a_run_may_go_on_with_another_number_of_processes(reading: str) -> None:
    alone = batches(11, flip=True, augment=WARPING)
    together = {
        (rank, world): batches(11, flip=True, augment=WARPING, reading=reading)
        for world in (2, 3)
        for rank in range(world)
    }
    for step, world in enumerate((2, 2, 3, 3, 2)):
        seen = 7 * step
        parts = [together[rank, world].batch(seen, 7, rank, world) for rank in range(world)]
        assert_equal(joined(parts), alone.batch(seen, 7))


def test_every_epoch_has_every_picture_once_over_all_ranks() -> None:
    drawn = batches(12)
    for epoch in range(3):
        rows = [
            row
            for step in range(3)
            for rank in range(3)
            for row in drawn.rows(12 * epoch + 4 * step, 4, rank, 3).tolist()
        ]
        assert sorted(rows) == list(range(12))


@pytest.mark.parametrize("reading", ["resident", "streamed"])
def test_a_batch_of_fewer_pictures_than_ranks_leaves_some_with_none(reading: str) -> None:
    drawn = batches(5, flip=True, augment=WARPING, reading=reading)
    given_out = [drawn.batch(0, 2, rank, 4) for rank in range(4)]
    assert [len(batch.pictures) for batch in given_out] == [0, 1, 0, 1]
    assert given_out[0].pictures.shape == (0, 3, 8, 8)
    assert given_out[0].augmentation.shape == (0, 9)


@pytest.mark.parametrize("reading", ["resident", "streamed"])
def test_a_split_smaller_than_a_batch_is_gone_through_again_and_again(reading: str) -> None:
    drawn = batches(3, reading=reading)
    _, labels = drawn.take(0, 8)
    rows = drawn.rows(0, 8).tolist()
    assert sorted(rows[:3]) == sorted(rows[3:6]) == [0, 1, 2]
    assert labels.tolist() == [row % 2 for row in rows]


def test_positions_beyond_32_bits_are_kept_apart() -> None:
    drawn = batches(7, flip=True, augment=WARPING)
    far = 7 * 2**33
    assert sorted(drawn.rows(far, 7).tolist()) == list(range(7))
    assert torch.equal(drawn.rows(far, 7), EpochOrder(7, 0, CPU).of_epoch(2**33))
    later = Batch(*(tensor[3:] for tensor in drawn.batch(far, 7)[:3]))
    assert_equal(later, drawn.batch(far + 3, 4))
    near, distant = (drawn.batch(7 * 2**k, 7).augmentation for k in (1, 33))
    assert not torch.equal(near, distant)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [((-1, 4), "no batch"), ((0, 0), "no batch"), ((0, 4, 2, 2), "rank 2"), ((0, 4, 0, 0), "rank")],
)
def test_places_that_cannot_be_are_refused(arguments: tuple[int, ...], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        batches().batch(*arguments)


def test_a_later_epoch_is_found_without_the_ones_before() -> None:
    forwards = batches()
    for seen in range(0, 100, 7):
        expected = batches().rows(seen, 7)
        assert torch.equal(forwards.rows(seen, 7), expected)


@pytest.mark.parametrize("shape", SHAPES)
def test_pictures_come_with_their_own_labels(shape: tuple[int, int, int]) -> None:
    data, labels = drawn_pictures(10, shape)
    drawn = batches(shape=shape)
    pictures, given_labels = drawn.take(3, 20)
    rows = drawn.rows(3, 20).numpy()
    assert np.array_equal(to_bytes(pictures).numpy(), data[rows])
    assert np.array_equal(given_labels.numpy(), labels[rows])


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


@pytest.mark.parametrize("shape", SHAPES)
def test_streamed_batches_are_the_mapped_ones_to_the_bit(shape: tuple[int, int, int]) -> None:
    mapped, streamed = (
        batches(23, shape=shape, flip=True, augment=WARPING, reading=reading)
        for reading in ("resident", "streamed")
    )
    for seen in range(0, 23 * 5, 9):
        assert_equal(streamed.batch(seen, 9), mapped.batch(seen, 9))


def test_the_whole_split_on_a_device_gives_the_same_bytes_as_the_map() -> None:
    data, labels = drawn_pictures(23)
    rows, own = np.arange(1, 23, 2), torch.from_numpy(labels[1::2])
    mapped = MappedPictures(data, rows, own, 5)
    resident = ResidentPictures(data, rows, own, 5, CPU)
    for seen in range(0, 60, 7):
        ours, theirs = resident.take(Share(seen, 7)), mapped.take(Share(seen, 7))
        assert torch.equal(ours.pictures, theirs.pictures)
        assert torch.equal(ours.labels, theirs.labels)


def test_streaming_serves_batches_out_of_turn_and_of_other_sizes() -> None:
    mapped, streamed = (batches(23, reading=reading) for reading in ("resident", "streamed"))
    for seen, size in [(0, 4), (4, 4), (0, 4), (100, 50), (150, 50), (3, 1), (4, 2), (6, 90)]:
        assert_equal(streamed.batch(seen, size), mapped.batch(seen, size))


def test_a_streamed_batch_stays_as_it_was_while_later_ones_are_read() -> None:
    data, labels = drawn_pictures(40)
    source = StreamedPictures(data, np.arange(40), torch.from_numpy(labels), 0, CPU)
    held = [source.take(Share(seen, 8)) for seen in range(0, 160, 8)]
    source.close()
    for step, (pictures, given_labels, _) in enumerate(held):
        rows = EpochOrder(40, 0, CPU).rows(range(8 * step, 8 * step + 8)).numpy()
        assert np.array_equal(pictures.numpy(), data[rows])
        assert np.array_equal(given_labels.numpy(), labels[rows])


def test_a_mapped_split_is_not_copied(pack: Path) -> None:
    packed = PackedDataset(pack)
    source = place_pictures(
        packed.data, packed.rows("train"), torch.from_numpy(packed.labels), seed=0, device=CPU
    )
    assert isinstance(source, MappedPictures)
    assert isinstance(source._data, np.memmap)


def test_a_split_is_resident_up_to_half_of_the_free_memory() -> None:
    assert fits(50, 100)
    assert not fits(51, 100)
    assert fits(2**40, 2**41)


@pytest.mark.parametrize("reading", ["resident", "streamed"])
def test_only_the_rows_of_the_split_are_learnt(reading: str) -> None:
    data, labels = drawn_pictures(20)
    rows = np.array([3, 4, 8, 15, 19])
    drawn = DeviceBatches(
        data,
        labels,
        rows,
        seed=0,
        flip=False,
        device=CPU,
        reading=reading,  # type: ignore[arg-type]
    )
    pictures, given_labels = drawn.take(0, 5)
    own = rows[drawn.rows(0, 5).numpy()]
    assert sorted(own) == sorted(rows)
    assert np.array_equal(to_bytes(pictures).numpy(), data[own])
    assert np.array_equal(given_labels.numpy(), labels[own])


def test_how_pictures_are_read_changes_nothing_that_is_learnt(pack: Path, tmp_path: Path) -> None:
    written = []
    for reading in ("resident", "streamed"):
        config = tiny_config(pack, images=24, reading=reading)
        path = train(config, tmp_path / reading).checkpoint
        written.append((path / "model.safetensors").read_bytes())
    assert written[0] == written[1]


def test_bytes_fill_the_range_and_come_back() -> None:
    every = torch.arange(256).to(torch.uint8)
    signed = to_signed(every)
    assert (signed.min().item(), signed.max().item()) == (-1.0, 1.0)
    assert torch.equal(to_bytes(signed), every)
    assert to_bytes(torch.tensor([-7.0, 7.0])).tolist() == [0, 255]


def test_a_split_without_pictures_is_refused(pack: Path) -> None:
    with pytest.raises(DataError, match="split test"):
        load_split(PackedDataset(pack), "test", seed=0, flip=False, device=CPU)


def test_the_sealed_split_is_refused_and_other_splits_are_learnt(tmp_path: Path) -> None:
    sealed = write_drawn_pack(tmp_path / "cal.h5", count=6, split="cal")
    with pytest.raises(ConfigError, match="cal is sealed for the novelty check"):
        load_split(PackedDataset(sealed), "cal", seed=0, flip=False, device=CPU)
    with pytest.raises(ConfigError, match="sealed for the novelty check"):
        tiny_config(sealed, split="cal")
    open_to_all = write_drawn_pack(tmp_path / "test.h5", count=6, split="test")
    loaded = load_split(PackedDataset(open_to_all), "test", seed=0, flip=False, device=CPU)
    assert len(loaded) == 6


@pytest.mark.gpu
@pytest.mark.parametrize("shape", SHAPES)
def test_on_a_gpu_streamed_batches_are_the_resident_ones_to_the_bit(
    shape: tuple[int, int, int],
) -> None:
    gpu = torch.device("cuda")
    resident, streamed = (
        batches(300, shape=shape, flip=True, augment=WARPING, device=gpu, reading=reading)
        for reading in ("resident", "streamed")
    )
    mapped = batches(300, shape=shape, flip=True)
    plain = batches(300, shape=shape, flip=True, device=gpu, reading="streamed")
    held = [(resident.batch(seen, 64), streamed.batch(seen, 64)) for seen in range(0, 6400, 64)]
    for ours, theirs in held:
        assert_equal(ours, theirs)
    for seen in range(0, 640, 64):
        assert torch.equal(plain.take(seen, 64)[0].cpu(), mapped.take(seen, 64)[0])


@pytest.mark.gpu
def test_a_buffer_is_not_filled_again_while_it_is_copied_to_the_gpu() -> None:
    gpu = torch.device("cuda")
    data, labels = drawn_pictures(600, (3, 128, 128))
    source = StreamedPictures(data, np.arange(600), torch.from_numpy(labels), 0, gpu)
    held = [source.take(Share(seen, 256))[0] for seen in range(0, 256 * 40, 256)]
    order = EpochOrder(600, 0, CPU)
    for step, pictures in enumerate(held):
        rows = order.rows(range(256 * step, 256 * step + 256)).numpy()
        assert np.array_equal(pictures.cpu().numpy(), data[rows])
