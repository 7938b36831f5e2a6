"""Captions beside pictures: of the manifest, of metadata.jsonl, of the classes."""

import json
from pathlib import Path

import pytest

from dataset.errors import ConfigError
from sample.picture_captions import captions_of, check_template, filled
from sample.pictures import PictureFile

FILES = [PictureFile("0.png", b"", "dog"), PictureFile("1.png", b"", "")]


def test_a_template_speaks_of_the_class(tmp_path: Path) -> None:
    assert captions_of(tmp_path, FILES, "a photo of a {label}") == ["a photo of a dog", ""]
    assert filled("{label}!", "{label}") == "{label}!"


def test_captions_lie_in_the_manifest_or_in_metadata(tmp_path: Path) -> None:
    lines = [
        json.dumps({"file_name": "0.png", "text": "of metadata"}),
        "no JSON",
        "[]",
        json.dumps({"file_name": "1.png", "text": "of metadata, too"}),
        json.dumps({"text": "of nothing"}),
    ]
    (tmp_path / "metadata.jsonl").write_text("\n".join(lines))
    assert captions_of(tmp_path, FILES, "") == ["of metadata", "of metadata, too"]
    listed = [{"file": "0.png", "caption": "of the manifest"}, {"file": "1.png"}]
    (tmp_path / "manifest.json").write_text(json.dumps({"pictures": listed}))
    assert captions_of(tmp_path, FILES, "")[0] == "of the manifest"


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"pictures": 3}', b"\xff\xfe"])
def test_what_cannot_be_read_says_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "manifest.json").write_bytes(content)
    (tmp_path / "metadata.jsonl").write_bytes(content)
    assert captions_of(tmp_path, FILES, "") == ["", ""]


def test_a_template_has_a_place_for_the_class() -> None:
    check_template("")
    check_template("a {label}")
    with pytest.raises(ConfigError, match=r"must hold \{label\}"):
        check_template("a dog")
