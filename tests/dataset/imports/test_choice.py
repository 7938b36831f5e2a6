"""What of a config an import into a pack honours, refuses, or takes from the source."""

from pathlib import Path

import numpy as np
import pytest

from dataset.cli import main
from dataset.packed import PackedDataset
from tests.dataset.imports.written import scenes, write_lld, write_mnist, write_tar
from tests.dataset.pictures import scene_bytes


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = main(["import", *map(str, words), "--progress", "quiet"])
    return code, *capsys.readouterr()


def folder(path: Path) -> Path:
    """Six pictures: two dogs under a free licence, two cats under another, two cats under none."""
    path.mkdir()
    lines = ["file,label,licence"]
    for n in range(6):
        (path / f"{n}.png").write_bytes(scene_bytes(n))
        lines.append(f"{n}.png,{'dog' if n < 2 else 'cat'},{['CC0-1.0', 'CC-BY-4.0', ''][n // 2]}")
    (path / "captions.csv").write_text("\n".join(lines) + "\n")
    return path


def test_only_pictures_under_the_licences_asked_for_are_packed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, pack = folder(tmp_path / "f"), tmp_path / "p.h5"
    sets = ["--set", "cal=0", "--set", "test=0", "--replace"]
    assert run(capsys, path, "--pack", pack, *sets, "--set", 'licences=["CC0-1.0"]')[0] == 0
    assert [fact.licence for fact in PackedDataset(pack)] == ["CC0-1.0"] * 2
    words = [path, "--pack", pack, *sets, "--licence", "MIT", "--set", 'licences=["MIT"]']
    assert run(capsys, *words)[0] == 0
    assert [fact.licence for fact in PackedDataset(pack)] == ["MIT"] * 2
    code, _, said = run(capsys, path, "--pack", pack, *sets, "--set", 'licences=["PDM-1.0"]')
    assert code == 3
    assert "none of the pictures (6) is under" in said
    assert "there are CC-BY-4.0 2, CC0-1.0 2, unknown 2; name unknown ones" in said
    assert len(PackedDataset(pack)) == 2


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (['statuses=["undecided"]'], "statuses are judgements of a catalogue"),
        (["split_by=brand"], "split_by works from the catalogue only"),
        (['labels=["dgo"]'], "did you mean dog?"),
        (["min_per_class=5"], "no class has min_per_class=5 pictures; there are cat 4, dog 2"),
    ],
)
def test_what_an_import_cannot_serve_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], settings: list[str], told: str
) -> None:
    sets = [word for setting in settings for word in ("--set", setting)]
    path = folder(tmp_path / "f")
    code, _, said = run(capsys, path, "--pack", tmp_path / "p.h5", *sets)
    assert code in (2, 3)
    assert told in said
    assert said.count("\n") == 1
    assert not (tmp_path / "p.h5").exists()


def test_pictures_of_one_size_keep_it_unless_another_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    images = write_mnist(tmp_path / "m", scenes(9, 28)[..., 0], [n % 3 for n in range(9)])
    lld = write_lld(tmp_path / "l.hdf5", scenes(9, 40))
    large = write_lld(tmp_path / "large.hdf5", scenes(2, 520))
    tar = write_tar(tmp_path / "t.tar", {f"{n}.png": scene_bytes(n) for n in range(9)})
    (tmp_path / "c.toml").write_text("size = 24\n")
    cases: list[tuple[Path, list[object], tuple[int, int, int], str]] = [
        (images, [], (1, 28, 28), "taken from m: size=28, channels=grey (--set"),
        (images, ["--set", "size=16"], (1, 16, 16), "from m: channels=grey"),
        (images, ["--set", "channels=rgb"], (3, 28, 28), "from m: size=28 "),
        (images, ["--config", tmp_path / "c.toml"], (1, 24, 24), "from m: channels=grey"),
        (lld, [], (3, 40, 40), "from l.hdf5: size=40 "),
        (lld, ["--set", "size=32"], (3, 32, 32), ""),
        (large, [], (3, 32, 32), ""),
        (tar, [], (3, 32, 32), ""),
    ]
    for source, words, shape, says in cases:
        caplog.clear()
        pack = tmp_path / "p.h5"
        path = source.parent if source == images else source
        assert run(capsys, path, "--pack", pack, "--replace", *words)[0] == 0
        assert PackedDataset(pack).shape[1:] == shape
        assert says in caplog.text
        assert ("taken from" in caplog.text) == bool(says)
    assert run(capsys, lld, "--pack", tmp_path / "own.h5")[0] == 0
    assert run(capsys, tmp_path / "own.h5", "--pack", tmp_path / "again.h5")[0] == 0
    assert PackedDataset(tmp_path / "again.h5").shape[1:] == (3, 40, 40)
    assert np.array_equal(PackedDataset(tmp_path / "own.h5").data.shape, (9, 3, 40, 40))


def test_test_files_alone_cannot_keep_their_split(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_mnist(tmp_path / "m", scenes(6, 28)[..., 0], [0] * 6, name="t10k")
    words = [tmp_path / "m", "--pack", tmp_path / "p.h5", "--keep-split"]
    for more in (["--dry-run"], []):
        code, _, said = run(capsys, *words, *more)
        assert code == 2
        assert "leave out --keep-split" in said.splitlines()[-1]
    assert not (tmp_path / "p.h5").exists()
    assert run(capsys, *words[:-1])[0] == 0


def test_a_dry_run_counts_what_the_filters_let_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, pack = folder(tmp_path / "f"), tmp_path / "p.h5"
    for settings, told in [
        ([], "at most 6 of them (classes: 2)"),
        (['labels=["dog"]'], "at most 2 of them (classes: 1)"),
        (["min_per_class=3"], "at most 4 of them (classes: 1)"),
        (["per_class=1"], "at most 2 of them (classes: 2)"),
        (["balance=smallest"], "at most 4 of them (classes: 2)"),
        (['licences=["MIT"]'], "(classes: 2; licences are not looked at yet)"),
    ]:
        sets = [word for setting in settings for word in ("--set", setting)]
        code, out, _ = run(capsys, path, "--pack", pack, "--dry-run", *sets)
        assert code == 0
        assert told in out.splitlines()[-1]
    assert run(capsys, path, "--pack", pack, "--dry-run", "--set", 'labels=["x"]')[0] == 2
    assert "would pack" not in run(capsys, path, "--dry-run")[1]
    assert not pack.exists()


def test_a_file_that_is_there_is_replaced_only_when_that_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    path, pack = folder(tmp_path / "f"), tmp_path / "p.h5"
    text = tmp_path / "notes.txt"
    text.write_text("dear to me")
    for more in ([], ["--replace"], ["--dry-run"]):
        code, _, said = run(capsys, path, "--pack", text, *more)
        assert code == 2
        assert "notes.txt is there and is no whole pack" in said
        assert text.read_text() == "dear to me"
    assert run(capsys, path, "--pack", pack)[0] == 0
    before = pack.read_bytes()
    for more in ([], ["--dry-run"]):
        code, _, said = run(capsys, path, "--pack", pack, *more)
        assert code == 2
        assert "is a pack of 6 pictures already; choose another --pack, or add --replace" in said
    caplog.clear()
    for more in (["--dry-run"], []):
        words = ["--pack", pack, "--replace", "--set", "size=16", *more]
        assert run(capsys, path, *words)[0] == 0
        assert "6 pictures of 32 px made with another config (size)" in caplog.text
        assert (pack.read_bytes() == before) == bool(more)
        caplog.clear()
    assert run(capsys, path, "--replace")[0] == 2
