"""Numbers about the pictures of a pack, with known answers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dataset import cli, pack_stats
from dataset.packed import PackedDataset
from tests.dataset.packs import facts_of, pictures, write_small


def measured(data: Any) -> dict[str, list[float]]:
    return {name: values.tolist() for name, values in pack_stats.measure_pictures(data)}


def plain(colour: tuple[int, ...], side: int = 8) -> Any:
    """One picture of one colour, (1, C, side, side)."""
    column = np.array(colour, np.uint8)[None, :, None, None]
    return np.ascontiguousarray(np.broadcast_to(column, (1, len(colour), side, side)))


def test_a_grey_picture_has_no_colour_no_edge_and_is_all_background() -> None:
    found = measured(plain((100, 100, 100)))
    assert found["brightness"] == pytest.approx([100], abs=1e-3)
    assert found["colourfulness"] == pytest.approx([0], abs=1e-3)
    assert found["sharpness"] == pytest.approx([0], abs=1e-3)
    assert found["background"] == [1.0]


def test_colourfulness_of_pure_red_is_that_of_the_paper() -> None:
    # rg = 255, yb = 127.5, neither varies: 0.3 * sqrt(255^2 + 127.5^2)
    assert measured(plain((255, 0, 0)))["colourfulness"] == pytest.approx([85.529], abs=1e-2)


def test_a_point_is_sharp_and_leaves_the_rest_background() -> None:
    data = plain((0,), 8)
    data[0, 0, 4, 4] = 255
    found = measured(data)
    assert found["background"] == [63 / 64]
    assert found["sharpness"] == pytest.approx([255**2 * 20 / 64], rel=1e-3)


def test_transparency_is_measured_where_there_is_any() -> None:
    data = plain((9, 9, 9, 255))
    data[0, 3, :4] = 0
    assert measured(data)["transparent"] == [0.5]
    assert "transparent" not in measured(plain((9, 9, 9)))


def test_channels_duplicates_sizes_and_classes(tmp_path: Path) -> None:
    data = pictures(24)
    data[5] = data[6] = data[7]
    packed = write_small(tmp_path / "p.h5", data=data)
    found = pack_stats.statistics(packed, sample=0)
    assert found["measured"] == 24
    for channel, told in enumerate(found["channels"]):
        assert told["mean"] == pytest.approx(data[:, channel].mean() / 255, abs=1e-4)
        assert told["deviation"] == pytest.approx(data[:, channel].std() / 255, abs=1e-4)
    assert found["pixel_duplicates"] == 2
    assert found["classes"] == {"cat": 12, "dog": 12}
    assert found["original_sizes"]["median"] == 111.5
    assert sum(found["caption_lengths"]["counts"]) == 24
    assert found["captions_per_picture"] == 2.0


@pytest.mark.parametrize("sample", [1, 5, 24, 1000])
def test_a_sample_lies_evenly_and_is_never_larger(tmp_path: Path, sample: int) -> None:
    found = pack_stats.statistics(write_small(tmp_path / "p.h5"), sample=sample)
    assert 1 <= found["measured"] <= sample
    assert sum(found["brightness"]["counts"]) == found["measured"]


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("count", [0, 3])
def test_any_pack_can_be_told(tmp_path: Path, channels: int, count: int) -> None:
    facts = facts_of(count, caption="", original_width=0, original_height=0)
    data = pictures(3, (channels, 8, 8))[:count]
    packed = write_small(tmp_path / "p.h5", data=data, facts=facts)
    found = pack_stats.statistics(packed)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert f"{count} pictures" in pack_stats.readable(found)


def test_the_command_prints_lines_or_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_small(tmp_path / "p.h5").path
    assert cli.main(["stats", str(path)]) == 0
    out = capsys.readouterr().out
    assert "brightness" in out
    assert "#" in out
    assert not [line for line in out.splitlines() if line.startswith("  ") and line.endswith(" 0")]
    assert cli.main(["stats", str(path), "--json", "--sample", "0"]) == 0
    assert json.loads(capsys.readouterr().out)["pictures"] == len(PackedDataset(path))
    assert cli.main(["stats", str(path), "--sample", "-1"]) == 2
    assert "at least 0" in capsys.readouterr().err
