"""HDF5 files of LLD's layout: short labels, schemes, clusters, padding, axes; and made-up ones."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from dataset.catalog import Catalog
from dataset.errors import ConfigError, DataError
from dataset.image_store import ImageStore
from dataset.imports.arrays import axes_of, look_transposed
from dataset.imports.collection import Batch, ReadOptions
from dataset.imports.into_catalog import import_collection
from dataset.imports.lld import LldCollection
from dataset.pixels import decode
from tests.dataset.imports.written import scenes, write_lld

NAMES = np.array([b"google", b"a<b>\0x", b"caf\xc3\xa9", b"\xff\xfe", b"one", b"two"])


def opened(path: Path, **options: Any) -> LldCollection:
    return LldCollection(path, ReadOptions(**options))


def only(collection: LldCollection) -> Batch:
    (batch,) = collection.batches()
    return batch


def pixels(batch: Batch) -> list[Any]:
    assert batch.pixels is not None
    return list(batch.pixels)


def test_pictures_names_and_all_schemes_are_read(tmp_path: Path) -> None:
    pictures = scenes(6)
    labels = {"labels/ae_grayscale": [2.0, 20, 50, 2, 7, 50], "labels/resnet/rc_32": [1, 0] * 3}
    path = write_lld(tmp_path / "l.hdf5", pictures, **labels, **{"meta_data/names": NAMES})
    collection = opened(path)
    batch = only(collection)
    assert np.array_equal(np.stack(pixels(batch)), pictures)
    assert collection.label_names == ["2", "7", "20", "50"]  # the first scheme LLD was used with
    assert batch.labels.tolist() == [0, 2, 3, 0, 1, 3]
    assert collection.schemes == {
        "ae_grayscale": ["2", "7", "20", "50"],
        "resnet/rc_32": ["0", "1"],
    }
    assert batch.schemes["resnet/rc_32"].tolist() == [1, 0] * 3
    urls = [fact["url"] for fact in batch.facts]
    assert urls[0] == "lld:l.hdf5#0/google"
    assert urls[1] == "lld:l.hdf5#1/a<b>x"
    assert urls[2:4] == ["lld:l.hdf5#2/café", "lld:l.hdf5#3/\ufffd\ufffd"]


def test_labels_may_end_before_the_pictures_and_the_rest_has_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_lld(tmp_path / "l.hdf5", scenes(5), **{"labels/ae_grayscale": [1, 0, 1]})
    batch = only(opened(path))
    assert batch.labels.tolist() == [1, 0, 1, -1, -1]
    assert "end after 3 of 5 pictures" in caplog.text


def test_a_scheme_is_chosen_by_its_path(tmp_path: Path) -> None:
    labels = {"labels/ae_grayscale": [0, 1, 2], "labels/resnet/rc_32": [5, 5, 31]}
    path = write_lld(tmp_path / "l.hdf5", scenes(3), **labels)
    collection = opened(path, scheme="resnet/rc_32")
    assert (collection.label_names, only(collection).labels.tolist()) == (["5", "31"], [0, 0, 1])
    with pytest.raises(ConfigError, match="no labels 'nope'; --scheme is of: ae_gray"):
        opened(path, scheme="nope")


def test_clusters_choose_pictures_and_are_numbered_in_their_own_order(tmp_path: Path) -> None:
    labels = {"labels/ae_grayscale": [2, 20, 50, 3, 2]}
    path = write_lld(tmp_path / "l.hdf5", scenes(6), **labels)
    collection = opened(path, clusters=("50", "2", "20"))
    batch = only(collection)
    assert collection.label_names == ["50", "2", "20"]
    assert batch.labels.tolist() == [1, 2, 0, 1]
    assert [fact["url"][-1] for fact in batch.facts] == ["0", "1", "2", "4"]
    assert collection.total == 4
    with pytest.raises(ConfigError, match="no cluster 99"):
        opened(path, clusters=("2", "99"))
    bare = write_lld(tmp_path / "bare.hdf5", scenes(2))
    with pytest.raises(ConfigError, match="no labels that --clusters"):
        opened(bare, clusters=("2",))


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("axes", ["NCHW", "NHWC"])
def test_both_orders_of_axes_are_told_from_the_shape(
    tmp_path: Path, axes: str, channels: int
) -> None:
    pictures = np.arange(2 * 20 * 24 * channels, dtype=np.uint8).reshape(2, 20, 24, channels)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["data"] = pictures if axes == "NHWC" else pictures.transpose(0, 3, 1, 2)
    assert np.array_equal(np.stack(pixels(only(opened(tmp_path / "a.h5")))), pictures)


def test_an_order_of_axes_that_no_shape_tells_is_channels_first_unless_it_is_said() -> None:
    assert axes_of((9, 3, 3, 3), "auto", "data") == "NCHW"
    assert axes_of((9, 3, 3, 3), "NHWC", "data") == "NHWC"
    assert axes_of((9, 32, 32), "auto", "data") == "NHW"
    for shape in [(9, 2, 32, 32), (9, 32, 32, 2), (9,), (9, 3, 0, 4), (9, 3, 1 << 20, 4), (1,) * 6]:
        with pytest.raises(DataError, match="no pictures"):
            axes_of(shape, "auto", "data")
    with pytest.raises(DataError, match="no pictures lying NHWC"):
        axes_of((9, 3, 32, 32), "NHWC", "data")


def test_the_padding_of_logos_is_cut_away(tmp_path: Path) -> None:
    padded = np.zeros((4, 40, 40, 3), np.uint8)
    sizes = [(40, 40), (20, 36), (31, 17), (8, 8)]
    for picture, (height, width) in zip(padded, sizes, strict=True):
        picture[:height, :width] = 200
    shapes = [(3, *size) for size in sizes]
    collection = opened(write_lld(tmp_path / "l.hdf5", padded, shapes=shapes))
    found = pixels(only(collection))
    assert [picture.shape[:2] for picture in found] == sizes
    assert all((picture == 200).all() for picture in found)
    turned = pixels(only(opened(write_lld(tmp_path / "t", padded, shapes=shapes), transpose=True)))
    assert [picture.shape[:2] for picture in turned] == [size[::-1] for size in sizes]


def test_a_picture_whose_shape_is_wrong_is_left_out_and_counted(tmp_path: Path) -> None:
    shapes = [(3, 32, 32), (3, 33, 32), (3, 0, 5), (3, -1, 5)]
    collection = opened(write_lld(tmp_path / "l.hdf5", scenes(4), shapes=shapes))
    assert len(only(collection)) == 1
    assert collection.rejected == {"bad-shape": 3}


def test_it_is_said_when_pictures_look_as_if_rows_were_columns(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rng = np.random.default_rng(0)
    half = rng.integers(0, 256, (80, 32, 16, 1), np.uint8).repeat(3, axis=3)
    upright = np.concatenate([half, half[:, :, ::-1]], axis=2)  # the same left and right
    assert not look_transposed(list(upright))
    assert look_transposed(list(upright.transpose(0, 2, 1, 3)))
    assert not look_transposed(list(upright.transpose(0, 2, 1, 3)[:5]))  # too few to tell
    turned = write_lld(tmp_path / "t.hdf5", upright.transpose(0, 2, 1, 3))
    with caplog.at_level(logging.INFO):
        list(opened(turned).batches())
    assert "look transposed" in caplog.text
    assert "taken as NCHW" in caplog.text
    caplog.clear()
    assert np.array_equal(np.stack(pixels(only(opened(turned, transpose=True)))), upright)
    assert "look transposed" not in caplog.text


def test_arrays_become_the_same_png_files_every_time(
    catalog: Catalog, store: ImageStore, tmp_path: Path
) -> None:
    pictures = scenes(5)
    labels = {"labels/ae_grayscale": [3, 3, 4]}
    path = write_lld(tmp_path / "l.hdf5", pictures, **labels, **{"meta_data/names": NAMES[:5]})
    report = import_collection(catalog, store, opened(path), workers=1)
    assert (report.added, report.known, report.rejected) == (5, 0, {})
    records = catalog.images.page()
    for record, picture in zip(records, pictures, strict=True):
        assert np.array_equal(decode(store.get(record.sha256)).rgb, picture)
    assert [record.label for record in records] == ["3", "3", "4", "", ""]
    origin = catalog.images.origins(records[0].id)[0]
    assert (origin.source, origin.licence) == ("import:lld", "unknown")
    assert origin.url == "lld:l.hdf5#0/google"
    again = import_collection(catalog, store, opened(path), licence="CC0-1.0", workers=1)
    assert (again.added, again.known) == (0, 5)
    assert catalog.images.count() == 5


def test_an_import_that_was_interrupted_goes_on(
    catalog: Catalog, store: ImageStore, tmp_path: Path
) -> None:
    path = write_lld(tmp_path / "l.hdf5", scenes(100))

    class Interrupted(LldCollection):
        def batches(self) -> Any:
            for batch in super().batches():
                yield Batch(facts=batch.facts[:80], labels=batch.labels[:80], pixels=batch.pixels)
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_collection(catalog, store, Interrupted(path, ReadOptions()), workers=1)
    there = catalog.images.count()
    assert 0 < there < 100
    report = import_collection(catalog, store, opened(path), workers=1)
    assert (report.added, report.known) == (100 - there, there)


GOOD = scenes(4).transpose(0, 3, 1, 2)


def claim(file: h5py.File, name: str, shape: tuple[int, ...], chunk: tuple[int, ...]) -> None:
    """A dataset of which nothing is written: HDF5 makes up zeros for it."""
    file.create_dataset(name, shape, np.uint8, chunks=chunk, compression="gzip")


def lead_outside(file: h5py.File) -> None:
    file.create_dataset("data", GOOD.shape, np.uint8, external=[("/etc/passwd", 0, GOOD.nbytes)])


def lead_to_another(file: h5py.File) -> None:
    layout = h5py.VirtualLayout(GOOD.shape, np.uint8)
    layout[:] = h5py.VirtualSource("other.h5", "data", GOOD.shape)
    file.create_virtual_dataset("data", layout)


def with_good(name: str, value: Any) -> Callable[[h5py.File], None]:
    def write(file: h5py.File) -> None:
        file["data"] = GOOD
        file[name] = value

    return write


def claim_labels(file: h5py.File) -> None:
    file["data"] = GOOD
    claim(file, "labels/ae_grayscale", (4,), (2,))


HUGE = (2**31, 3, 32, 32)
BROKEN: dict[str, Callable[[h5py.File], Any]] = {
    "no-data": lambda file: file.create_dataset("images", data=GOOD),
    "floats": lambda file: file.create_dataset("data", data=GOOD.astype(np.float32)),
    "huge": lambda file: claim(file, "data", HUGE, (64, 3, 32, 32)),
    "huge-plain": lambda file: file.create_dataset("data", HUGE, np.uint8),
    "vast-chunk": lambda file: claim(file, "data", (2**20, 3, 32, 32), (2**20, 3, 32, 32)),
    "group": lambda file: file.create_group("data"),
    "elsewhere": lambda file: file.update({"data": h5py.ExternalLink("other.h5", "data")}),
    "external": lead_outside,
    "virtual": lead_to_another,
    "long-labels": with_good("labels/ae_grayscale", [0] * 5),
    "linked-labels": with_good("labels", h5py.ExternalLink("/tmp/other.h5", "labels")),
    "claimed-labels": claim_labels,
    "odd-shapes": with_good("shapes", [(3, 32, 32)] * 3),
}


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("no-data", "holds no data"),
        ("floats", "data is float32, not uint8"),
        ("huge", "claims .2147483648.* but holds less"),
        ("huge-plain", "claims .2147483648.* but holds less"),
        ("vast-chunk", "over 256 MB|holds less"),
        ("group", "holds no data"),
        ("elsewhere", "data is a link"),
        ("external", "lies in other files"),
        ("virtual", "lies in other files"),
        ("long-labels", "has 5 labels for 4 pictures"),
        ("linked-labels", "labels is a link"),
        ("claimed-labels", "claims .* but holds less"),
        ("odd-shapes", r"shapes is \(3, 3\) for 4 pictures"),
    ],
)
def test_what_a_file_only_claims_is_refused_in_one_line(
    tmp_path: Path, how: str, said: str
) -> None:
    with h5py.File(tmp_path / "b.h5", "w") as file:
        BROKEN[how](file)
    with pytest.raises(DataError, match=said) as error:
        list(opened(tmp_path / "b.h5").batches())
    assert "\n" not in str(error.value)


def test_no_hdf5_and_a_cut_one_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no file at"):
        opened(tmp_path / "none.h5")
    content = write_lld(tmp_path / "l.hdf5", scenes(9)).read_bytes()
    for length in (0, 4, 100, len(content) // 2, len(content) - 40):
        (tmp_path / "cut.h5").write_bytes(content[:length])
        with pytest.raises(DataError, match="no readable HDF5"):
            list(opened(tmp_path / "cut.h5").batches())


def test_damage_inside_the_pictures_is_told(tmp_path: Path) -> None:
    path = write_lld(tmp_path / "l.hdf5", scenes(9))
    with h5py.File(path, "r") as file:
        chunk = file["data"].id.get_chunk_info(1)
    content = bytearray(path.read_bytes())
    content[chunk.byte_offset : chunk.byte_offset + 40] = b"\xff" * 40
    path.write_bytes(content)
    with pytest.raises(DataError, match="no readable HDF5"):
        list(opened(path).batches())


@pytest.mark.parametrize("kind", ["u1", "u8", "i2", "f4", ">u4"])
def test_labels_may_be_numbers_of_any_type(tmp_path: Path, kind: str) -> None:
    labels = {"labels/a": np.array([3, 1, 1], kind)}
    collection = opened(write_lld(tmp_path / "l.hdf5", scenes(3), **labels))
    assert collection.label_names == ["1", "3"]
    assert only(collection).labels.tolist() == [1, 0, 0]


def test_names_of_a_vast_length_are_not_read(tmp_path: Path) -> None:
    path = write_lld(tmp_path / "l.hdf5", scenes(3))
    with h5py.File(path, "r+") as file:
        file.create_dataset("meta_data/names", (3,), "S1000000000", chunks=(1,))
    assert [fact["url"] for fact in only(opened(path)).facts][2] == "lld:l.hdf5#2"


def test_labels_that_are_no_classes_are_left_out(tmp_path: Path) -> None:
    labels = {
        "labels/vectors": np.zeros((3, 4)),
        "labels/real": [0.5, 1.0, 2.0],
        "labels/text": [b"a", b"b", b"c"],
        "labels/holes": [np.nan, -1.0, 7.0],
        "labels/<b>x/label": [1, 1, 0],
    }
    collection = opened(write_lld(tmp_path / "l.hdf5", scenes(3), **labels))
    assert collection.schemes == {"b-x/label": ["0", "1"], "holes": ["7"]}
    chosen = opened(tmp_path / "l.hdf5", scheme="holes")
    assert only(chosen).labels.tolist() == [-1, -1, 0]


def test_names_of_classes_that_a_file_keeps_are_taken_if_they_fit(tmp_path: Path) -> None:
    path = write_lld(tmp_path / "l.hdf5", scenes(3), **{"labels/label": [1, 0, 1]})
    for names, taken in [
        ('["cat", "dog", "cow"]', ["cat", "dog", "cow"]),
        ('["<b>", "d\\u0000og"]', ["<b>", "dog"]),
        ('["cat"]', ["0", "1"]),
        ('["cat", "cat"]', ["0", "1"]),
        ("[" * 100_000, ["0", "1"]),
        ('{"cat": 1}', ["0", "1"]),
    ]:
        with h5py.File(path, "a") as file:
            file["labels/label"].attrs.clear()
            if len(names) < 60_000:
                file["labels/label"].attrs["names"] = names
        assert opened(path).label_names == taken
