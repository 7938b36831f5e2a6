"""What tables beside the pictures of a folder say: JSON lines, other spellings, splits."""

from pathlib import Path

import pytest

from dataset.errors import DataError
from dataset.imports.folder import FolderCollection
from dataset.provenance import SPLITS
from tests.dataset.imports.written import facts
from tests.dataset.pictures import scene_bytes


def write(root: Path, table: str, content: bytes) -> FolderCollection:
    (root / "cat").mkdir(parents=True)
    for n in range(3):
        (root / "cat" / f"{n}.png").write_bytes(scene_bytes(n))
    (root / table).write_bytes(content)
    return FolderCollection(root)


def test_json_lines_say_what_a_csv_says(tmp_path: Path) -> None:
    lines = [
        facts(file_name="cat/0.png", text="One", label="tom", license="MIT", split="validation"),
        facts(file_name="cat/2.png", source_url="https://a.example/2", fetched_at="2024-01-02"),
        facts(
            file_name="cat/1.png",
            url="javascript:x",
            caption="a\0b",
            author=7,
            page_url=None,
            label=["no"],
        ),
        b"",
    ]
    collection = write(tmp_path / "p", "metadata.jsonl", b"\n".join(lines))
    (batch,) = collection.batches()
    assert [collection.label_names[label] for label in batch.labels] == ["tom", "cat", "cat"]
    assert [[c.text for c in those] for those in batch.captions] == [["One"], ["ab"], []]
    assert batch.facts[0] == {"url": "file:cat/0.png", "licence": "MIT"}
    assert batch.facts[1] == {"url": "file:cat/1.png", "author": "7"}
    assert batch.facts[2] == {"url": "https://a.example/2", "fetched_at": "2024-01-02"}
    assert batch.splits is not None
    assert batch.splits.tolist() == [SPLITS.index("test"), -1, -1]
    assert collection.summary().classes == {"cat": 2, "tom": 1}


def test_columns_of_a_csv_may_be_spelled_otherwise(tmp_path: Path) -> None:
    table = b"file_name,caption,license,split,author\ncat/2.png,Three,CC0-1.0,train,Me\n"
    (batch,) = write(tmp_path / "p", "metadata.csv", table).batches()
    assert batch.facts[2] == {"url": "file:cat/2.png", "author": "Me", "licence": "CC0-1.0"}
    assert [caption.text for caption in batch.captions[2]] == ["Three"]


@pytest.mark.parametrize(
    "content",
    [b"{", b"[1]", b"\xff\xfe", b"[" * 200_000, b'{"file_name": 3}', b'{"x": 1}', b"9" * 5000],
)
def test_tables_that_cannot_be_read_are_told(tmp_path: Path, content: bytes) -> None:
    collection = write(tmp_path / "p", "metadata.jsonl", content)
    with pytest.raises(DataError, match=r"no readable JSON lines|lacks the column file"):
        list(collection.batches())


def test_a_table_speaks_of_no_file_outside(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(scene_bytes(9))
    lines = facts(file_name="../x.png", label="stolen") + b"\n" + facts(file_name="/etc/passwd")
    collection = write(tmp_path / "p", "metadata.jsonl", lines)
    (batch,) = collection.batches()
    assert len(batch) == 3
    assert collection.label_names == ["cat"]


def test_the_split_is_the_tables_or_that_of_a_folder_which_names_no_class(tmp_path: Path) -> None:
    names = ["train/a/0.png", "val/a/1.png", "test/a/2.png", "deep/cal/b/3.png", "test/4.png"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "test" / "5.png").write_bytes(b"x")
    (tmp_path / "metadata.csv").write_text(
        "file,label,split\ntest/a/2.png,a,train\ntest/5.png,b,\n", "utf-8"
    )
    [batch] = FolderCollection(tmp_path).batches()
    assert batch.splits is not None
    found = {fact["url"]: int(split) for fact, split in zip(batch.facts, batch.splits, strict=True)}
    expected = dict(zip(names, [0, 2, 0, 1, -1], strict=True)) | {"test/5.png": 2}
    assert found == {f"file:{name}": code for name, code in expected.items()}
