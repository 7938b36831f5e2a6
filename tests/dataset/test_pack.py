"""The pack: the same state gives the same bytes; every row knows where it came from."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from dataset import pack_check
from dataset.catalog import Catalog
from dataset.cli import main
from dataset.errors import ConfigError, DataError
from dataset.image_store import ImageStore
from dataset.pack import PackResult, forecast, pack
from dataset.pack_rows import PackRows
from dataset.pack_selection import PackConfig, select
from dataset.pack_writer import write_pack
from dataset.packed import PackedDataset
from dataset.preparation import prepare
from dataset.provenance import Provenance
from dataset.records import Caption, Change, Origin, PairChange, VoteChange
from tests.dataset.conftest import AddPicture
from tests.dataset.pictures import array, encoded, scene


@pytest.fixture
def kept(catalog: Catalog, add_picture: AddPicture) -> Catalog:
    """40 kept pictures of two classes; two of them near-duplicates of others."""
    for n in range(38):
        add_picture(
            encoded(scene(n)),
            label="cat" if n % 2 else "dog",
            caption=f"<b>picture</b> {n} ünï",
            licence="CC-BY-4.0" if n % 3 else "unknown",
            author=f"author {n}",
            page_url=f"http://example.org/page/{n}",
        )
    for n in (0, 1):
        add_picture(encoded(scene(n), "JPEG", quality=60), label="cat" if n % 2 else "dog")
    changes = [Change(image_id=n, field="status", value="keep") for n in range(1, 41)]
    catalog.judgements.apply(changes, who="ada", verb="keep")
    return catalog


def make(catalog: Catalog, store: ImageStore, folder: Path, **options: object) -> PackResult:
    return pack(catalog, store, folder, PackConfig(**options))  # type: ignore[arg-type]


def test_rows_hold_the_pictures_and_their_origins(
    kept: Catalog, store: ImageStore, tmp_path: Path
) -> None:
    packed = PackedDataset(make(kept, store, tmp_path, size=24).path)
    assert packed.data.shape == (40, 3, 24, 24)
    assert packed.label_names == ["cat", "dog"]
    for fact in packed:
        record = kept.images.get(fact.image_id)
        assert record is not None
        assert packed.label_names[fact.label] == record.label
        expected = prepare(array(scene(fact.image_id - 1)), PackConfig(size=24))
        if fact.image_id <= 38:
            assert (packed.data[fact.row].transpose(1, 2, 0) == expected).all()
            assert fact.caption == f"<b>picture</b> {fact.image_id - 1} ünï"
            assert fact.author == f"author {fact.image_id - 1}"
    assert pack_check.verify(packed) == []


def test_a_row_is_read_with_all_of_its_facts(kept: Catalog) -> None:
    with kept.snapshot():
        rows = PackRows(kept, select(kept, PackConfig()), seed=0)
        [fact, other] = rows.read(0, 2).facts
    assert list(vars(fact)) == list(Provenance.__dataclass_fields__)
    assert fact == Provenance(**vars(fact)) != other
    assert fact.author == f"author {fact.image_id - 1}"


def test_the_same_state_gives_the_same_bytes(
    kept: Catalog, store: ImageStore, tmp_path: Path
) -> None:
    first = make(kept, store, tmp_path / "a", seed=3)
    second = make(kept, store, tmp_path / "b", seed=3)
    other = make(kept, store, tmp_path / "c", seed=4)
    assert first.path.read_bytes() == second.path.read_bytes()
    assert first.content_hash != other.content_hash


def test_an_up_to_date_pack_is_left_alone_and_a_judgement_renews_it(
    kept: Catalog, store: ImageStore, tmp_path: Path
) -> None:
    assert make(kept, store, tmp_path).fresh
    again = make(kept, store, tmp_path)
    assert not again.fresh
    change = Change(image_id=5, field="status", value="reject")
    kept.judgements.apply([change], who="ada", verb="reject")
    renewed = make(kept, store, tmp_path)
    assert renewed.fresh
    assert len(PackedDataset(renewed.path)) == 39


def test_a_pack_without_its_card_or_credits_is_made_anew(
    kept: Catalog, store: ImageStore, tmp_path: Path
) -> None:
    folder = tmp_path / "packs"
    first = make(kept, store, folder)
    there = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert set(there) == {
        f"main.{kind}" for kind in ("attribution.csv", "card.md", "h5", "manifest.json")
    }
    for name in ("main.attribution.csv", "main.card.md", "main.manifest.json"):
        (folder / name).unlink()
        assert make(kept, store, folder).fresh
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == there
    assert make(kept, store, folder).content_hash == first.content_hash


def test_a_row_is_credited_under_a_licence_that_was_asked_for(
    catalog: Catalog, store: ImageStore, add_picture: AddPicture, tmp_path: Path
) -> None:
    found = ["CC-BY-4.0", "CC0-1.0", ""]
    for n in range(6):
        for licence in (found, ["CC0-1.0"], [""])[n % 3]:
            url = f"http://example.org/{licence}/{n}"
            add_picture(encoded(scene(n)), url=url, licence=licence, author=licence)
    changes = [Change(image_id=n, field="status", value="keep") for n in range(1, 7)]
    catalog.judgements.apply(changes, who="ada", verb="keep")

    every = make(catalog, store, tmp_path, cal=0, test=0)
    assert every.licences == {"CC-BY-4.0": 2, "CC0-1.0": 2, "unknown": 2}
    assert forecast(catalog, PackConfig(cal=0, test=0)).licences == every.licences

    config = {"licences": ("CC0-1.0",), "cal": 0, "test": 0}
    free = make(catalog, store, tmp_path, name="free", **config)
    assert free.licences == {"CC0-1.0": 4}
    assert forecast(catalog, PackConfig(name="free", **config)).licences == free.licences  # type: ignore[arg-type]
    assert {fact.author for fact in PackedDataset(free.path)} == {"CC0-1.0"}


def test_near_duplicates_share_a_split(kept: Catalog, store: ImageStore, tmp_path: Path) -> None:
    for seed in range(5):
        packed = PackedDataset(make(kept, store, tmp_path / str(seed), seed=seed, cal=0.3).path)
        split = {fact.image_id: fact.split for fact in packed}
        assert split[1] == split[39]
        assert split[2] == split[40]
        assert pack_check.verify(packed) == []


def test_what_is_the_same_by_word_shares_a_split_when_the_one_between_is_rejected(
    kept: Catalog, store: ImageStore, tmp_path: Path
) -> None:
    triples = [range(n, n + 3) for n in range(3, 30, 3)]
    for a, b, c in triples:
        changes = [PairChange(a=a, b=b, verdict="same"), PairChange(a=a, b=c, verdict="same")]
        gone = Change(image_id=a, field="status", value="reject", reason="blurred")
        kept.judgements.apply([*changes, gone], who="ada", verb="same")
    packed = PackedDataset(make(kept, store, tmp_path, cal=0.3, test=0.3, size=8).path)
    split = {fact.image_id: fact.split for fact in packed}
    assert [split[b] == split[c] for _, b, c in triples] == [True] * len(triples)


def test_held_out_rows_stand_last_and_training_rows_are_shuffled(
    kept: Catalog, store: ImageStore, tmp_path: Path
) -> None:
    packed = PackedDataset(make(kept, store, tmp_path, cal=0.2, test=0.1).path)
    assert packed.splits.tolist() == sorted(packed.splits.tolist())
    ids = [packed.provenance(int(row)).image_id for row in packed.rows("train")]
    assert ids != sorted(ids)


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({"labels": ("cat",)}, 20),
        ({"licences": ("CC-BY-4.0",)}, 25),
        ({"per_class": 3}, 6),
        ({"statuses": ("keep", "undecided")}, 40),
    ],
)
def test_a_choice_narrows_the_pack(
    kept: Catalog, store: ImageStore, tmp_path: Path, options: dict[str, object], count: int
) -> None:
    assert len(PackedDataset(make(kept, store, tmp_path, **options).path)) == count


def test_nothing_kept_is_told(catalog: Catalog, add_picture: AddPicture, tmp_path: Path) -> None:
    add_picture(encoded(scene(1)))
    with pytest.raises(DataError, match="nothing to pack: the catalogue has 1 undecided"):
        make(catalog, ImageStore(tmp_path / "images"), tmp_path)


def test_an_unknown_label_is_told(kept: Catalog, store: ImageStore, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no picture is labelled bird"):
        make(kept, store, tmp_path, labels=("bird",))


def test_a_missing_or_altered_original_is_told_and_nothing_is_written(
    kept: Catalog, store: ImageStore, tmp_path: Path
) -> None:
    record = kept.images.get(3)
    assert record is not None
    original = store.path(record.sha256)
    original.write_bytes(b"something else")
    with pytest.raises(DataError, match=r"picture #3 cannot be packed: .* was altered"):
        make(kept, store, tmp_path / "p")
    original.unlink()
    with pytest.raises(DataError, match=r"picture #3 cannot be packed: .* not in"):
        make(kept, store, tmp_path / "p")
    assert list((tmp_path / "p").glob("*")) == []


@pytest.mark.parametrize(
    "wrong",
    [
        *({"size": 4}, {"size": 4096}, {"cal": -0.1}, {"cal": 0.6, "test": 0.5}, {"name": "../x"}),
        *({"sharpness": -0.1}, {"sharpness": 4.1}, {"sharpness": float("nan")}),
        *({"cal": float("nan")}, {"test": float("nan")}),
        *({"min_per_class": -1}, {"per_class": -1}, {"seed": -1}, {"per_class": 10**19}),
        *({"statuses": ()}, {"name": "."}, {"name": ".hidden"}),
    ],
)
def test_a_wrong_pack_config_is_told(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        PackConfig(**wrong)  # type: ignore[arg-type]


def test_padding_keeps_the_shape_and_crops_keep_the_middle() -> None:
    wide = np.full((40, 80, 3), 200, np.uint8)
    wide[10:30, 30:50] = (255, 0, 0)
    padded = prepare(wide, PackConfig(size=32, fit="pad"))
    cropped = prepare(wide, PackConfig(size=32, fit="crop"))
    stretched = prepare(wide, PackConfig(size=32, fit="stretch"))
    assert padded.shape == cropped.shape == stretched.shape == (32, 32, 3)
    assert tuple(padded[0, 0]) == (200, 200, 200)
    assert tuple(padded[16, 16]) == tuple(cropped[16, 16]) == (255, 0, 0)
    assert (cropped[..., 1] < 100).mean() == pytest.approx(0.25, abs=0.05)
    assert (padded[..., 1] < 100).mean() == pytest.approx(0.0625, abs=0.03)


def small_pack(path: Path, count: int = 12, **options: object) -> str:
    rng = np.random.default_rng(0)
    data = rng.integers(0, 256, (count, 3, 16, 16), dtype=np.uint8)
    facts = [
        Provenance(row=n, image_id=n + 1, group=n + 1, sha256=f"{n:064x}") for n in range(count)
    ]
    labels = np.arange(count) % 2
    return write_pack(path, data, labels, ["a", "b"], facts, {}, **options)  # type: ignore[arg-type]


def test_a_reader_of_lld_opens_the_file(tmp_path: Path) -> None:
    small_pack(tmp_path / "p.h5")
    with h5py.File(tmp_path / "p.h5", "r") as file:
        images, labels = file["data"], file["labels"]["label"]
        assert images.dtype == np.uint8
        assert images.shape == (12, 3, 16, 16)
        assert images.chunks is None
        assert images.compression is None
        assert len(labels) == len(images) == len(file["meta_data/names"])
        assert labels.attrs["probs"].tolist() == [0.5, 0.5]


def test_a_pack_travels_to_another_process(tmp_path: Path) -> None:
    small_pack(tmp_path / "p.h5")
    packed = PackedDataset(tmp_path / "p.h5")
    first = packed.data[0].copy()
    copy = pickle.loads(pickle.dumps(packed))
    assert (copy.data[0] == first).all()
    assert copy.provenance(3) == packed.provenance(3)


def test_a_pack_cannot_be_written_through_its_reader(tmp_path: Path) -> None:
    small_pack(tmp_path / "p.h5")
    with pytest.raises(ValueError, match="read-only"):
        PackedDataset(tmp_path / "p.h5").data[0] = 0


def alter(path: Path, name: str, value: object) -> None:
    with h5py.File(path, "r+") as file:
        file.attrs[name] = value


@pytest.mark.parametrize(("schema", "told"), [(99, "a newer Pedigree"), (0, "an older Pedigree")])
def test_a_pack_of_another_schema_is_told(tmp_path: Path, schema: int, told: str) -> None:
    small_pack(tmp_path / "p.h5")
    alter(tmp_path / "p.h5", "schema", schema)
    with pytest.raises(DataError, match=told):
        PackedDataset(tmp_path / "p.h5")


def test_foreign_truncated_and_missing_packs_are_told(tmp_path: Path) -> None:
    path = tmp_path / "p.h5"
    with pytest.raises(ConfigError, match="no pack at"):
        PackedDataset(path)
    path.write_bytes(b"not HDF5 at all")
    with pytest.raises(DataError, match=r"p.h5 is no pack \(no readable HDF5 file\); check"):
        PackedDataset(path)
    path.unlink()
    with h5py.File(path, "w") as file:
        file["recipes"] = [1, 2]
    with pytest.raises(DataError, match="no pack of Pedigree"):
        PackedDataset(path)
    path.unlink()
    small_pack(path, 400)
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(DataError, match=r"no readable HDF5|truncated"):
        PackedDataset(path)


def test_altered_pixels_and_leaks_are_found(tmp_path: Path) -> None:
    path = tmp_path / "p.h5"
    small_pack(path)
    with h5py.File(path, "r+") as file:
        file["data"][0, 0, 0, 0] ^= 1
    (fault,) = pack_check.verify(PackedDataset(path))
    assert "content hash differs" in fault
    facts = [
        Provenance(row=n, group=7, split="train" if n else "test", sha256=f"{n:064x}")
        for n in range(2)
    ]
    write_pack(path, np.zeros((2, 3, 8, 8), np.uint8), np.array([0, 0]), ["a"], facts, {})
    (fault,) = pack_check.verify(PackedDataset(path))
    assert fault.startswith("leak: group 7")


def test_kill_9_while_packing_leaves_the_old_pack_whole(tmp_path: Path) -> None:
    path = tmp_path / "p.h5"
    digest = small_pack(path)
    program = (
        "import os, sys, pathlib, numpy as np\n"
        "from dataset.pack_writer import write_pack\n"
        "from dataset.packed import Provenance\n"
        "def blocks():\n"
        "    yield np.zeros((5, 3, 16, 16), np.uint8)\n"
        "    os.kill(os.getpid(), 9)\n"
        "write_pack(pathlib.Path(sys.argv[1]), blocks(), np.zeros(10, int), ['a'],"
        " [Provenance() for _ in range(10)], {})\n"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert len(list(tmp_path.glob(".*.partial"))) == 1
    assert PackedDataset(path).content_hash == digest
    assert pack_check.verify(PackedDataset(path)) == []
    assert small_pack(path) == digest
    assert list(tmp_path.glob(".*.partial")) == []


def test_blocks_and_one_array_give_the_same_pack(tmp_path: Path) -> None:
    data = np.random.default_rng(1).integers(0, 256, (9, 1, 8, 8), dtype=np.uint8)
    facts = [Provenance(row=n) for n in range(9)]
    labels = np.full(9, -1)
    whole = write_pack(tmp_path / "a", data, labels, [], facts, {})
    parts = write_pack(tmp_path / "b", iter([data[:4], data[4:]]), labels, [], facts, {})
    assert whole == parts
    with pytest.raises(ValueError, match="4 pictures for 9 rows"):
        write_pack(tmp_path / "c", iter([data[:4]]), labels, [], facts, {})
    assert not (tmp_path / "c").exists()


def test_the_manifest_is_written_last_and_tells_the_counts(
    kept: Catalog, store: ImageStore, tmp_path: Path
) -> None:
    result = make(kept, store, tmp_path)
    manifest = json.loads((tmp_path / "main.manifest.json").read_text())
    assert manifest["content_hash"] == result.content_hash
    assert manifest["rows"] == 40
    assert manifest["classes"] == {"cat": 20, "dog": 20}
    assert sum(manifest["splits"].values()) == 40


def test_the_manifest_names_the_state_of_judgements_and_of_decisions_on_pairs(
    kept: Catalog, store: ImageStore, tmp_path: Path
) -> None:
    def state(folder: str) -> tuple[int, int]:
        result = make(kept, store, tmp_path / folder, size=8)
        manifest = json.loads(result.path.with_suffix(".manifest.json").read_text())
        return manifest["event_id"], manifest["pair_decision_id"]

    assert state("a") == (kept.judgements.last_event_id(), 0)
    same = PairChange(a=3, b=4, verdict="same")
    kept.judgements.apply([same], who="ada", verb="same")
    assert state("b") == (kept.judgements.last_event_id(), 1)


def test_an_origin_with_a_licence_speaks_for_the_picture(
    catalog: Catalog, add_picture: AddPicture, store: ImageStore, tmp_path: Path
) -> None:
    picture = add_picture(encoded(scene(1)), label="a", url="http://a/1")
    catalog.images.add_origin(picture, Origin(url="http://b/1", licence="CC0-1.0"))
    keep = Change(image_id=picture, field="status", value="keep")
    catalog.judgements.apply([keep], who="a", verb="keep")
    packed = PackedDataset(make(catalog, store, tmp_path, cal=0, test=0).path)
    assert packed.provenance(0).url == "http://b/1"


def test_duplicates_hand_over_captions_and_pages_and_never_their_licence(
    kept: Catalog, store: ImageStore, tmp_path: Path
) -> None:
    kept.images.add_caption(39, Caption(text="said of the copy", origin="alt"))
    kept.images.add_origin(
        39, Origin(url="http://copy.test/a.jpg", page_url="http://copy.test", licence="CC0-1.0")
    )
    change = Change(image_id=39, field="status", value="reject", reason="duplicate of #1")
    kept.judgements.apply([change], who="ada", verb="mark")
    result = make(kept, store, tmp_path)
    packed = PackedDataset(result.path)
    [fact] = [fact for fact in packed if fact.image_id == 1]
    with h5py.File(result.path) as file:
        start, end = file["captions/offsets"][fact.row : fact.row + 2]
        texts = [text.decode() for text in file["captions/text"][start:end]]
    assert texts == ["<b>picture</b> 0 ünï", "said of the copy"]
    assert (fact.licence, fact.author) == ("unknown", "author 0")
    manifest = json.loads(result.path.with_suffix(".manifest.json").read_text())
    [(sha256, pages)] = manifest["also_at"].items()
    assert sha256 == fact.sha256
    assert "http://copy.test" in pages
    kept.judgements.undo()
    renewed = make(kept, store, tmp_path)
    assert renewed.fresh
    assert json.loads(result.path.with_suffix(".manifest.json").read_text())["also_at"] == {}


def test_a_duplicate_that_is_packed_itself_hands_nothing_over(
    kept: Catalog, store: ImageStore, tmp_path: Path
) -> None:
    kept.images.add_caption(39, Caption(text="said of the copy", origin="alt"))
    change = Change(image_id=39, field="status", value="reject", reason="duplicate of #1")
    kept.judgements.apply([change], who="ada", verb="mark")
    result = make(kept, store, tmp_path, statuses=("keep", "reject"), size=8)
    with h5py.File(result.path) as file:
        texts = [text.decode() for text in file["captions/text"][:]]
    assert texts.count("said of the copy") == 1
    assert json.loads(result.path.with_suffix(".manifest.json").read_text())["also_at"] == {}


def test_the_comparison_of_new_pictures_keeps_nobody_waiting(
    kept: Catalog, store: ImageStore, tmp_path: Path
) -> None:
    seen: list[str] = []
    kept._connection.set_trace_callback(seen.append)
    make(kept, store, tmp_path, size=8)
    kept._connection.set_trace_callback(None)
    read = next(place for place, sql in enumerate(seen) if "FROM fingerprint JOIN" in sql)
    assert read < seen.index("BEGIN IMMEDIATE")


def test_ratings_and_the_votes_behind_them_stand_in_the_pack(
    kept: Catalog, store: ImageStore, tmp_path: Path
) -> None:
    votes = [
        VoteChange(left=3, right=4, outcome="left"),
        VoteChange(left=3, right=5, outcome="tie"),
    ]
    kept.judgements.apply(votes, who="ada", verb="vote")
    aside = VoteChange(left=3, right=6, outcome="left", aside=True)
    kept.judgements.apply([aside], who="ada", verb="vote")
    kept.judgements.apply(
        [VoteChange(left=3, right=7, outcome="left")], who="ada", verb="mistaken vote"
    )
    kept.judgements.undo()
    rated = np.array([3, 4], np.int64)
    scores = np.array([1.5, -0.5], np.float32)
    kept.ratings.put("ranked", rated, scores, scores + 1, "stamp")
    kept.ratings.put("predicted", np.array([9]), scores[:1], scores[:1], "stamp")
    fact_of = {fact.image_id: fact for fact in PackedDataset(make(kept, store, tmp_path).path)}
    assert [fact_of[n].votes for n in (3, 4, 5, 6, 7)] == [2, 1, 1, 0, 0]
    assert (fact_of[3].rating, fact_of[3].rating_deviation) == (1.5, 2.5)
    assert (fact_of[4].rating, fact_of[4].rating_deviation) == (-0.5, 0.5)
    assert {fact_of[n].rating for n in range(5, 41)} == {None}


def test_originals_go_into_the_pack_when_asked_for(
    kept: Catalog, store: ImageStore, tmp_path: Path
) -> None:
    packed = PackedDataset(make(kept, store, tmp_path, size=8, originals=True).path)
    for fact in packed:
        assert packed.original(fact.row) == store.get(fact.sha256)
    without = PackedDataset(make(kept, store, tmp_path / "without", size=8).path)
    assert without.original(0) is None
    assert (without.data == packed.data).all()


def write_vectors(path: Path, digests: list[str], **arrays: object) -> Path:
    sha256 = np.frombuffer(bytes.fromhex("".join(digests)), np.uint8).reshape(-1, 32)
    vectors = np.arange(3 * len(digests), dtype=np.float32).reshape(-1, 3)
    np.savez(path, **{"sha256": sha256, "vectors": vectors, **arrays})  # type: ignore[arg-type]
    return path


def test_vectors_are_found_by_content_and_missing_ones_are_nan(
    kept: Catalog, store: ImageStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    digests = [record.sha256 for record in kept.images.page()]
    path = write_vectors(tmp_path / "dino.npz", [*digests[:30][::-1], "ab" * 32])
    result = make(kept, store, tmp_path, size=8, embeddings=str(path))
    packed = PackedDataset(result.path)
    found = packed.embedding("dino")
    for fact in packed:
        place = 30 - fact.image_id
        expected = [3 * place, 3 * place + 1, 3 * place + 2] if place >= 0 else [np.nan] * 3
        np.testing.assert_array_equal(found[fact.row], expected)
    assert "10 of 40 pictures have no vector" in caplog.text
    assert not make(kept, store, tmp_path, size=8, embeddings=str(path)).fresh
    write_vectors(path, digests)
    assert make(kept, store, tmp_path, size=8, embeddings=str(path)).fresh


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"vectors": np.zeros((1, 3))}, "not .N, D. float16 or float32"),
        ({"vectors": np.zeros((2, 3), np.float32)}, "1 digests for 2 vectors"),
        ({"vectors": np.zeros((1, 0), np.float32)}, "0 columns"),
        ({"vectors": np.array([{}], object)}, "Python objects"),
        ({"sha256": np.zeros((1, 31), np.uint8)}, "not .N, 32. uint8"),
        ({}, "none of the 40 pictures has a vector"),
    ],
)
def test_vectors_that_do_not_fit_are_told_before_anything_is_written(
    kept: Catalog, store: ImageStore, tmp_path: Path, arrays: dict[str, object], told: str
) -> None:
    path = write_vectors(tmp_path / "v.npz", ["ab" * 32], **arrays)
    with pytest.raises(DataError, match=told):
        make(kept, store, tmp_path / "p", embeddings=str(path))
    path.write_bytes(b"PK no archive")
    with pytest.raises(DataError, match=r"no whole \.npz file"):
        make(kept, store, tmp_path / "p", embeddings=str(path))
    path.unlink()
    with pytest.raises(ConfigError, match="cannot read embeddings"):
        make(kept, store, tmp_path / "p", embeddings=str(path))
    assert not (tmp_path / "p").exists()


def test_a_split_that_would_be_empty_is_told_and_nothing_is_written(
    catalog: Catalog, add_picture: AddPicture, store: ImageStore, tmp_path: Path
) -> None:
    for n in range(3):
        add_picture(encoded(scene(n)), label=f"class {n}", author="the same")
    keep = [Change(image_id=n, field="status", value="keep") for n in (1, 2, 3)]
    catalog.judgements.apply(keep, who="ada", verb="keep")
    with pytest.raises(DataError, match=r"split cal and test would be empty.*--set cal=0"):
        make(catalog, store, tmp_path / "p")
    with pytest.raises(DataError, match=r"split cal would be empty: no author can be spared"):
        make(catalog, store, tmp_path / "p", split_by="author", test=0)
    assert not (tmp_path / "p").exists()
    assert make(catalog, store, tmp_path / "p", cal=0, test=0).counts == {"train": 3}


def test_a_class_with_one_picture_trains_and_is_named(
    kept: Catalog,
    add_picture: AddPicture,
    store: ImageStore,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    only = add_picture(encoded(scene(90)), label="owl")
    keep = Change(image_id=only, field="status", value="keep")
    kept.judgements.apply([keep], who="ada", verb="keep")
    packed = PackedDataset(make(kept, store, tmp_path, size=8).path)
    [split] = [fact.split for fact in packed if fact.image_id == only]
    assert split == "train"
    [line] = [record.message for record in caplog.records if "single group" in record.message]
    assert line.endswith("which trains: owl")


def test_a_pack_of_another_layout_is_made_anew(
    kept: Catalog, store: ImageStore, tmp_path: Path
) -> None:
    make(kept, store, tmp_path, size=8)
    path = tmp_path / "main.manifest.json"
    told = json.loads(path.read_text())
    path.write_text(json.dumps({**told, "layout": "1/1"}))
    assert make(kept, store, tmp_path, size=8).fresh
    (tmp_path / "main.card.md").unlink()
    assert make(kept, store, tmp_path, size=8).fresh
    kept.images.add_caption(5, Caption(text="found later", origin="alt"))
    assert make(kept, store, tmp_path, size=8).fresh
    assert not make(kept, store, tmp_path, size=8).fresh


def test_a_dry_run_shows_what_would_be_packed_and_writes_nothing(
    kept: Catalog, store: ImageStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for picture in store.root.rglob("*"):
        if picture.is_file():
            picture.unlink()  # nothing is decoded
    verb = ["pack", "--data", str(tmp_path), "--dry-run"]
    assert main(verb) == 0
    told = capsys.readouterr().out
    assert told.startswith("would pack 40 pictures as main.h5 (train 34, cal 4, test 2)")
    assert "  cat          20      17       2       1" in told
    assert "licences: CC-BY-4.0 25, unknown 15" in told
    assert main([*verb, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["classes"]["dog"]["train"] == 17
    assert main([*verb, "--set", "min_per_class=21"]) == 3
    assert "nothing to pack" in capsys.readouterr().err
    assert not (tmp_path / "packs").exists()


@pytest.mark.parametrize("workers", ["0", "-1", "1000"])
def test_a_senseless_number_of_workers_is_told(
    kept: Catalog, tmp_path: Path, workers: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["pack", "--data", str(tmp_path), f"--workers={workers}"]) == 2
    assert "it must be 1 to 256" in capsys.readouterr().err
