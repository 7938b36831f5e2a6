"""What a made-up pack says of itself is told in one line by every verb that reads packs."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from dataset import cli
from tests.dataset.packs import write_small

VERBS = (["info"], ["info", "--json"], ["verify"], ["stats", "--json"], ["diff", "--json"])
SAID = [
    ("/", "event_id", "x"),
    ("/", "event_id", np.array([1, 2])),
    ("/", "cal_seal", np.array([], np.int64)),
    ("/", "content_hash", "\x1b[31mred"),
    ("/", "config", '{"a": NaN}'),
    ("/", "config", "[" * 50_000),
    ("/", "made_with", "["),
    ("/", "made_with", "null"),
    ("checks", "columns", "[]"),
    ("labels/label", "names", json.dumps(["\ud800", "b", "c", "d"])),
]


def answers(path: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What each verb says, checked to be one line of error or sound output, and no escapes."""
    said = []
    for verb, *options in VERBS:
        others = [str(path.with_name("whole.h5"))] if verb == "diff" else []
        code = cli.main([verb, str(path), *others, *options, "--progress", "quiet"])
        out, err = capsys.readouterr()
        assert code == (3 if err else 0)
        assert len(err.splitlines()) <= 1
        assert "\x1b" not in out + err
        said.append(err)
        if "--json" in options and not err:
            json.loads(out, parse_constant=pytest.fail)
    return said


@pytest.mark.parametrize(("place", "name", "value"), SAID)
def test_an_attribute_of_another_kind_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str, name: str, value: Any
) -> None:
    write_small(tmp_path / "whole.h5")
    path = write_small(tmp_path / "p.h5").path
    with h5py.File(path, "r+") as file:
        del file[place].attrs[name]
        file[place].attrs[name] = value
    assert any(answers(path, capsys))


@pytest.mark.parametrize("name", ["embeddings", "encoded", "embeddings/e", "provenance/votes"])
@pytest.mark.parametrize("kind", [h5py.SoftLink, h5py.ExternalLink])
def test_nothing_in_a_pack_is_a_link(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, kind: type
) -> None:
    other = write_small(tmp_path / "whole.h5").path
    path = write_small(tmp_path / "p.h5").path
    with h5py.File(path, "r+") as file:
        if name in file:
            del file[name]
        file[name] = kind("/captions") if kind is h5py.SoftLink else kind(str(other), "/captions")
    assert all("is a link; refused" in said for said in answers(path, capsys))


def test_a_config_that_wants_to_colour_the_terminal_does_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_small(tmp_path / "whole.h5")
    path = write_small(tmp_path / "p.h5").path
    with h5py.File(path, "r+") as file:
        file.attrs["config"] = json.dumps({"\x1b[31m": "\x1b]0;x\x07"})
    assert not any(answers(path, capsys))


@pytest.mark.parametrize("kind", ["int32", "uint64", "float32"])
@pytest.mark.parametrize("name", ["provenance/sha256", "split", "labels/label", "captions/offsets"])
def test_a_column_of_another_type_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, kind: str
) -> None:
    write_small(tmp_path / "whole.h5")
    path = write_small(tmp_path / "p.h5").path
    with h5py.File(path, "r+") as file:
        values, attributes = file[name][:].astype(kind), dict(file[name].attrs)
        del file[name]
        file[name] = values
        file[name].attrs.update(attributes)
    assert all(f"{name} holds {kind}" in said for said in answers(path, capsys))
