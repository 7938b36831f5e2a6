import errno
import hashlib
import json
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from dataset.errors import DataError
from train.tensor_file import read_tensors, write_tensors

TYPES = (
    torch.float64,
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.int64,
    torch.int32,
    torch.uint8,
    torch.bool,
)


def everything() -> dict[str, torch.Tensor]:
    """A tensor of each type, odd shapes, views, and names that JSON has to escape."""
    torch.manual_seed(0)
    tensors = {str(kind): (torch.randn(3, 5) * 9).to(kind) for kind in TYPES}
    return tensors | {
        "a number": torch.tensor(1.5),
        "nothing": torch.zeros(0, 4),
        "view": torch.randn(6, 6)[1::2, ::3],
        "channels last": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
        'quotes " \\ and umlauts ü': torch.ones(7, dtype=torch.uint8),
        "learnt": torch.randn(2, requires_grad=True),
    }


def test_the_library_of_the_format_reads_what_was_written(tmp_path: Path) -> None:
    tensors = everything()
    write_tensors(tmp_path / "t.safetensors", tensors)
    found = load_file(tmp_path / "t.safetensors")
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor), name


def test_what_the_library_wrote_is_read(tmp_path: Path) -> None:
    tensors = {name: tensor.detach().contiguous() for name, tensor in everything().items()}
    save_file(tensors, tmp_path / "t.safetensors")
    found = read_tensors(tmp_path / "t.safetensors")
    assert all(torch.equal(found[name], tensor) for name, tensor in tensors.items())


def test_the_digest_is_that_of_the_file_and_equal_tensors_are_equal_files(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    digest = write_tensors(one, everything())
    assert digest == hashlib.sha256(one.read_bytes()).hexdigest()
    assert write_tensors(other, dict(reversed(everything().items()))) == digest


def test_every_number_lies_at_a_multiple_of_its_size(tmp_path: Path) -> None:
    write_tensors(tmp_path / "t", everything())
    content = (tmp_path / "t").read_bytes()
    length = int.from_bytes(content[:8], "little")
    assert length % 8 == 0
    sizes = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "U8": 1, "BOOL": 1}
    for entry in json.loads(content[8 : 8 + length]).values():
        assert entry["data_offsets"][0] % sizes[entry["dtype"]] == 0


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text(max_size=20), st.integers(0, 9), max_size=6))
def test_any_names_come_back(names: dict[str, int]) -> None:
    names.pop("__metadata__", None)  # the format's own
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t"
        write_tensors(path, {name: torch.arange(size) for name, size in names.items()})
        found = read_tensors(path)
    assert {name: len(tensor) for name, tensor in found.items()} == names


def test_tensors_are_read_by_the_beginning_of_their_names(tmp_path: Path) -> None:
    tensors = {"a.x": torch.ones(1), "a.b.x": torch.zeros(1), "b.x": torch.ones(2)}
    write_tensors(tmp_path / "t", tensors)
    assert read_tensors(tmp_path / "t", "a.").keys() == {"x", "b.x"}
    assert read_tensors(tmp_path / "t", "c.") == {}


@pytest.mark.parametrize(
    "content", [b"", b"\x00", b"\xff" * 64, b"\x02\x00\x00\x00\x00\x00\x00\x00{}extra"]
)
def test_a_file_of_another_kind_is_bad_data(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "t").write_bytes(content)
    with pytest.raises(DataError, match="cannot read the weights"):
        read_tensors(tmp_path / "t")


def test_a_file_that_is_cut_short_or_missing_is_bad_data(tmp_path: Path) -> None:
    write_tensors(tmp_path / "t", everything())
    (tmp_path / "t").write_bytes((tmp_path / "t").read_bytes()[:-1])
    for name in ("t", "nowhere"):
        with pytest.raises(DataError, match="cannot read the weights"):
            read_tensors(tmp_path / name)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_an_error_of_the_disk() -> None:
    with pytest.raises(OSError, match="No space left") as caught:
        write_tensors(Path("/dev/full"), {"weights": torch.zeros(100_000)})
    assert caught.value.errno == errno.ENOSPC
