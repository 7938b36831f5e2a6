"""Files are whole or absent."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dataset import atomic_file


def test_a_failed_write_leaves_the_old_file_and_no_sibling(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    atomic_file.write_json(target, {"old": 1})
    with pytest.raises(RuntimeError), atomic_file.atomic_path(target) as partial:
        partial.write_text("half")
        raise RuntimeError("stopped")
    assert target.read_text() == '{\n  "old": 1\n}\n'
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


def test_kill_9_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    atomic_file.write_text(target, "old")
    program = (
        "import os, sys, pathlib; from dataset import atomic_file\n"
        "with atomic_file.atomic_path(pathlib.Path(sys.argv[1])) as partial:\n"
        "    partial.write_text('new'); os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", program, str(target)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert target.read_text() == "old"


def test_equal_content_is_equal_bytes(tmp_path: Path) -> None:
    atomic_file.write_json(tmp_path / "a", {"b": 1, "a": "é"})
    atomic_file.write_json(tmp_path / "b", {"a": "é", "b": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError):
        atomic_file.write_text(tmp_path / "a", "x")
