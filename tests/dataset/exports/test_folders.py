"""A folder of an export is whole or absent; what is no export is never removed."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dataset.errors import ConfigError
from dataset.exports.folders import MARK, export_folder


def write(target: Path, content: bytes = b"x", *, replace: bool = False) -> None:
    with export_folder(target, {"format": "test"}, replace=replace) as folder:
        folder.write("a/b.bin", content)


def test_a_folder_is_marked_with_what_it_holds(tmp_path: Path) -> None:
    write(tmp_path / "out", b"abc")
    mark = json.loads((tmp_path / "out" / MARK).read_text())
    assert mark == {"made_by": "Pedigree", "whole": True, "format": "test", "files": 1, "bytes": 3}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_nothing_stands_there_after_an_error(tmp_path: Path) -> None:
    with (
        pytest.raises(OSError, match="No space"),
        export_folder(tmp_path / "out", {}, replace=False) as folder,
    ):
        folder.write("a", b"x")
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_an_export_is_replaced_only_when_asked(tmp_path: Path) -> None:
    write(tmp_path / "out", b"old")
    with pytest.raises(ConfigError, match=r"is there already; .* --replace"):
        write(tmp_path / "out", b"new")
    assert (tmp_path / "out/a/b.bin").read_bytes() == b"old"
    write(tmp_path / "out", b"new", replace=True)
    assert (tmp_path / "out/a/b.bin").read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_failed_replacement_leaves_the_old_export(tmp_path: Path) -> None:
    write(tmp_path / "out", b"old")
    with pytest.raises(KeyboardInterrupt), export_folder(tmp_path / "out", {}, replace=True):
        raise KeyboardInterrupt
    assert (tmp_path / "out/a/b.bin").read_bytes() == b"old"


@pytest.mark.parametrize("kind", ["folder", "file", "link", "dangling", "foreign mark"])
def test_what_is_no_export_is_never_touched(kind: str, tmp_path: Path) -> None:
    target = tmp_path / "out"
    (tmp_path / "other").mkdir()
    (tmp_path / "other/letter.txt").write_text("mine")
    if kind in ("folder", "foreign mark"):
        target.mkdir()
        (target / "letter.txt").write_text("mine")
        if kind == "foreign mark":
            (target / MARK).write_text('{"made_by": "somebody", "files": 1}')
    elif kind == "file":
        target.write_text("mine")
    else:
        target.symlink_to(tmp_path / ("other" if kind == "link" else "nowhere"))
    for replace in (False, True):
        with pytest.raises(ConfigError, match="is no export; choose another --out"):
            write(target, replace=replace)
    assert (tmp_path / "other/letter.txt").read_text() == "mine"
    assert kind not in ("folder", "foreign mark") or (target / "letter.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "mark", ["[]", "{", '{"made_by": "Pedigree", "files": "many"}', "[" * 9999]
)
def test_a_strange_mark_is_no_mark(mark: str, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / MARK).write_text(mark)
    with pytest.raises(ConfigError, match="is no export"):
        write(tmp_path / "out", replace=True)


def test_an_export_into_which_somebody_put_files_stays(tmp_path: Path) -> None:
    write(tmp_path / "out")
    (tmp_path / "out" / "letter.txt").write_text("mine")
    with pytest.raises(ConfigError, match="holds 2 files where its export wrote 1"):
        write(tmp_path / "out", replace=True)
    assert (tmp_path / "out" / "letter.txt").read_text() == "mine"


def test_an_empty_folder_may_be_filled(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write(tmp_path / "out")
    assert (tmp_path / "out/a/b.bin").read_bytes() == b"x"


def test_a_killed_export_leaves_no_target_and_the_next_one_clears_it_away(tmp_path: Path) -> None:
    target = tmp_path / "out"
    code = (
        "import time; from pathlib import Path; from dataset.exports.folders import export_folder\n"
        f"with export_folder(Path({str(target)!r}), {{}}, replace=False) as folder:\n"
        "    folder.write('a', b'x'); print('here', flush=True); time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"here\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    left = [path.name for path in tmp_path.iterdir()]
    assert left == [f".out.{process.pid}.partial"]
    assert json.loads((tmp_path / left[0] / MARK).read_text())["whole"] is False
    write(target)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_a_kill_between_two_renames_put_aside_comes_back(tmp_path: Path) -> None:
    write(tmp_path / "out", b"old")
    dead = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True
    )
    number = int(dead.stdout)
    (tmp_path / "out").rename(tmp_path / f".out.{number}.old")
    with pytest.raises(ConfigError, match="is there already"):
        write(tmp_path / "out")
    assert (tmp_path / "out/a/b.bin").read_bytes() == b"old"


def test_the_unfinished_folder_of_a_living_process_stays(tmp_path: Path) -> None:
    there = tmp_path / f".out.{os.getppid()}.partial"
    there.mkdir()
    write(tmp_path / "out")
    assert there.is_dir()


def test_a_folder_that_only_looks_like_a_leftover_stays(tmp_path: Path) -> None:
    there = tmp_path / ".out.999999999.partial"
    there.mkdir()
    (there / "letter.txt").write_text("mine")
    write(tmp_path / "out")
    assert (there / "letter.txt").read_text() == "mine"
