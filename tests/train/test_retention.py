import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.train.kept_run import write_small_checkpoint
from train.checkpoint import MANIFEST, MODEL, STATE, checkpoint_folders, load_checkpoint
from train.retention import BEST, best_of, is_whole, keep_checkpoints


def names(run: Path) -> list[int]:
    return [int(folder.name) for folder in checkpoint_folders(run)]


def damage(run: Path, images_seen: int) -> None:
    (run / "checkpoints" / f"{images_seen:09d}" / MODEL).write_bytes(b"damaged")


def write(run: Path, *losses: float | None) -> None:
    """Checkpoints at 8, 16 ... images, with these validation losses."""
    for number, loss in enumerate(losses, start=1):
        write_small_checkpoint(run, 8 * number, validation_loss=loss)


def test_the_last_few_are_kept(tmp_path: Path) -> None:
    write(tmp_path, None, None, None, None)
    keep_checkpoints(tmp_path, 2)
    assert names(tmp_path) == [24, 32]
    assert not (tmp_path / BEST).exists()


def test_the_best_is_kept_however_old_and_the_link_leads_to_it(tmp_path: Path) -> None:
    write(tmp_path, 0.3, 0.1, 0.2, 0.4, None)
    keep_checkpoints(tmp_path, 1)
    assert names(tmp_path) == [16, 40]
    assert load_checkpoint(tmp_path / BEST).images_seen == 16


def test_the_link_moves_on_when_a_better_one_comes_and_the_old_best_may_go(tmp_path: Path) -> None:
    write(tmp_path, 0.3, 0.4)
    keep_checkpoints(tmp_path, 1)
    write_small_checkpoint(tmp_path, 24, validation_loss=0.2)
    keep_checkpoints(tmp_path, 1)
    assert names(tmp_path) == [24]
    assert load_checkpoint(tmp_path / BEST).images_seen == 24


def test_of_equals_the_earlier_is_the_best(tmp_path: Path) -> None:
    write(tmp_path, 0.3, 0.2, 0.2)
    assert best_of(checkpoint_folders(tmp_path)) == tmp_path / "checkpoints" / "000000016"


def test_damaged_ones_are_not_counted_among_those_kept(tmp_path: Path) -> None:
    write(tmp_path, None, None, None, None)
    damage(tmp_path, 24)
    damage(tmp_path, 32)
    keep_checkpoints(tmp_path, 2)
    assert names(tmp_path) == [8, 16, 24, 32]
    assert load_checkpoint(tmp_path).images_seen == 16


def test_damaged_ones_go_once_enough_whole_ones_are_newer(tmp_path: Path) -> None:
    write(tmp_path, None, None, None, None)
    damage(tmp_path, 16)
    keep_checkpoints(tmp_path, 2)
    assert names(tmp_path) == [24, 32]


def test_a_damaged_best_is_not_the_best(tmp_path: Path) -> None:
    write(tmp_path, 0.1, 0.3, 0.2)
    damage(tmp_path, 8)
    keep_checkpoints(tmp_path, 2)
    assert load_checkpoint(tmp_path / BEST).images_seen == 24
    assert names(tmp_path) == [16, 24]


def test_with_nothing_whole_nothing_is_removed(tmp_path: Path) -> None:
    write(tmp_path, 0.1, 0.2)
    damage(tmp_path, 8)
    damage(tmp_path, 16)
    keep_checkpoints(tmp_path, 1)
    assert names(tmp_path) == [8, 16]


def test_an_empty_run_is_left_alone(tmp_path: Path) -> None:
    keep_checkpoints(tmp_path, 1)
    assert list(tmp_path.iterdir()) == []


def test_damage_that_comes_later_is_seen(tmp_path: Path) -> None:
    write(tmp_path, None)
    folder = tmp_path / "checkpoints" / "000000008"
    assert is_whole(folder)
    content = bytearray((folder / STATE).read_bytes())
    content[-1] ^= 1
    (folder / STATE).write_bytes(content)
    assert not is_whole(folder)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 2, "files": []}'])
def test_a_checkpoint_with_a_manifest_of_another_kind_is_not_whole(
    tmp_path: Path, text: str
) -> None:
    write(tmp_path, 0.1)
    (tmp_path / "checkpoints" / "000000008" / MANIFEST).write_text(text)
    assert not is_whole(tmp_path / "checkpoints" / "000000008")


def test_one_without_a_manifest_is_swept_up_by_nobody_and_seen_by_nobody(tmp_path: Path) -> None:
    """A half-removed checkpoint: its manifest went first."""
    write(tmp_path, None, None)
    (tmp_path / "checkpoints" / "000000008" / MANIFEST).unlink()
    keep_checkpoints(tmp_path, 2)
    assert names(tmp_path) == [16]


losses = st.lists(st.none() | st.floats(0, 1), min_size=1, max_size=6)


@settings(max_examples=15, deadline=None)
@given(losses, st.sets(st.integers(1, 6)), st.integers(1, 4))
def test_the_last_whole_ones_and_the_best_whole_one_always_stay(
    tmp_path_factory: pytest.TempPathFactory,
    losses: list[float | None],
    damaged: set[int],
    keep: int,
) -> None:
    run = tmp_path_factory.mktemp("run")
    write(run, *losses)
    for number in damaged & set(range(1, len(losses) + 1)):
        damage(run, 8 * number)
    whole = [8 * n for n in range(1, len(losses) + 1) if n not in damaged]
    measured = [images for images in whole if losses[images // 8 - 1] is not None]
    keep_checkpoints(run, keep)
    stay = set(whole[-keep:])
    if measured:
        best = min(measured, key=lambda images: losses[images // 8 - 1] or 0.0)
        stay.add(best)
        manifest = json.loads((run / BEST / MANIFEST).read_text())
        assert manifest["images_seen"] == best
    assert stay == {images for images in names(run) if images in whole}
