"""A pack of which nothing is left says which filter took all, and what there is."""

from pathlib import Path

import numpy as np
import pytest

from dataset.catalog import Catalog
from dataset.cli import main
from dataset.errors import ConfigError
from dataset.pack_filters import check_labels
from dataset.records import Change
from tests.dataset.conftest import AddPicture
from tests.dataset.pictures import encoded, scene


@pytest.fixture
def data(catalog: Catalog, add_picture: AddPicture, tmp_path: Path) -> Path:
    """Six kept pictures, four of them dogs, and one that nobody judged."""
    for n in range(7):
        licence = "CC-BY-4.0" if n == 0 else "unknown"
        add_picture(encoded(scene(n)), label="dog" if n < 4 else "cat", licence=licence)
    changes = [Change(image_id=n, field="status", value="keep") for n in range(1, 7)]
    catalog.judgements.apply(changes, who="ada", verb="keep")
    return tmp_path


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (
            ['licences=["CC0-1.0"]'],
            'none of the pictures (6) is under licences=["CC0-1.0"]; there are unknown 5, '
            "CC-BY-4.0 1; name unknown ones by import --licence",
        ),
        (
            ['licences=["CC-BY-4.0"]', 'labels=["cat"]'],
            'none of the pictures (2) is under licences=["CC-BY-4.0"]; there are unknown 2;',
        ),
        (["min_per_class=5"], "no class has min_per_class=5 pictures; there are dog 4, cat 2"),
        (
            ['statuses=["undecided"]', 'labels=["dog"]'],
            "none of the pictures (1 undecided) is labelled dog; there are cat 1",
        ),
        (
            ['statuses=["reject"]'],
            "has 6 keep, 1 undecided, wanted reject; judge pictures first (make curate, or python "
            "-m curate_app auto) or widen statuses",
        ),
        (["labels=dog"], "such as 'labels=[\"dog\"]'"),
        (['labels=["dgo"]'], "no picture is labelled dgo; did you mean dog?"),
        (['labels=["zebra"]'], "no picture is labelled zebra; there are: cat, dog"),
    ],
)
def test_the_filter_that_took_all_is_named(
    data: Path, capsys: pytest.CaptureFixture[str], settings: list[str], told: str
) -> None:
    sets = [word for setting in settings for word in ("--set", setting)]
    for more in ([], ["--dry-run"]):
        assert main(["pack", "--data", str(data), *sets, *more, "--progress", "quiet"]) in (2, 3)
        assert told in capsys.readouterr().err
    assert not list((data / "packs").glob("*.h5"))


def test_of_many_labels_a_few_are_named() -> None:
    with pytest.raises(ConfigError, match=r"there are: a, b, c, d, e, \.\.\.$"):
        check_labels(["zebra"], "abcdefg")
    with pytest.raises(ConfigError, match=r"there are: none$"):
        check_labels(["zebra"], [""])
    check_labels([], [])


def test_a_dry_run_looks_at_the_embeddings(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    digests = np.zeros((1, 32), np.uint8)
    other = data / "other.npz"
    np.savez(other, sha256=digests, vectors=np.zeros((1, 4), np.float32))
    (data / "text.npz").write_text("no vectors")
    sets = ["--set", "cal=0", "--set", "test=0"]
    for name, code, told in (
        ("none.npz", 2, "cannot read embeddings"),
        ("text.npz", 3, "no whole .npz file"),
        ("other.npz", 3, "are of other pictures"),
    ):
        embeddings = f"embeddings={data / name}"
        verb = ["pack", "--data", str(data), "--dry-run", *sets, "--set", embeddings]
        assert main(verb) == code
        assert told in capsys.readouterr().err


def test_a_pack_that_is_made_otherwise_says_what_it_replaces(
    data: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    verb = ["pack", "--data", str(data), "--progress", "quiet", "--set", "cal=0", "--set", "test=0"]
    for more in ([], [], ["--dry-run"]):
        assert main([*verb, *more]) == 0
    assert "replaces" not in caplog.text
    for more in (["--dry-run"], []):
        caplog.clear()
        assert main([*verb, "--set", "size=16", *more]) == 0
        assert "main.h5: 6 pictures of 32 px made with another config (size)" in caplog.text
    caplog.clear()
    assert main([*verb, "--set", "size=16", "--set", "name=other"]) == 0
    assert "replaces" not in caplog.text
    (data / "packs" / "other.h5").write_text("no pack")
    assert main([*verb, "--set", "name=other"]) == 0
    assert "other.h5, which is no whole pack" in caplog.text
    capsys.readouterr()


def test_packing_clears_away_what_killed_packs_of_any_name_left(data: Path) -> None:
    packs = data / "packs"
    packs.mkdir()
    dead, alive = packs / ".b.h5.12.99999999.partial", packs / ".b.h5.12.1.partial"
    foreign = packs / ".download.partial"
    for path in (dead, alive, foreign):
        path.write_bytes(b"half")
    settings = ["--set", "cal=0", "--set", "test=0"]
    assert main(["pack", "--data", str(data), *settings, "--progress", "quiet"]) == 0
    assert not dead.exists()
    assert alive.exists()
    assert foreign.exists()
