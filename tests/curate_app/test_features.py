"""Features: what a picture can be told by, from what the catalogue stores of it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from curate_app.embeddings import Embeddings
from curate_app.feature_space import FeatureSpace, shares_by_name, space_of
from curate_app.features import GROUPS, MEASURES, Standard, look_features, raw_features
from dataset.catalog.appearances import AppearanceBlock
from dataset.errors import ConfigError, DataError
from dataset.fingerprint import LOOK, Looks, fingerprint
from dataset.phash import reduced
from dataset.pixels import rasterise
from tests.curate_app.drawn_catalogue import DrawnCatalogue, drawing, png


def looks_of(*images: Image.Image) -> Looks:
    rasters = [rasterise(png(image)) for image in images]
    return np.concatenate([fingerprint(r, reduced(r.image))[:1] for r in rasters])


def random_looks(count: int, seed: int = 0) -> Looks:
    rng = np.random.default_rng(seed)
    looks = np.zeros(count, LOOK)
    looks["luma"] = rng.integers(0, 256, looks["luma"].shape)
    looks["colour"] = rng.integers(0, 256, looks["colour"].shape)
    return looks


def block_of(looks: Looks, **columns: NDArray[np.int64]) -> AppearanceBlock:
    count = len(looks)
    ones = np.ones(count, np.int64)
    return AppearanceBlock(
        ids=np.arange(count),
        looks=looks,
        width=columns.get("width", 100 * ones),
        height=columns.get("height", 100 * ones),
        byte_count=columns.get("byte_count", 5000 * ones),
        has_alpha=np.zeros(count, np.bool_),
        scores=np.random.default_rng(1).random((count, len(MEASURES))).astype(np.float32),
        labels=("",) * count,
        sha256=tuple(f"{number:064x}" for number in range(count)),
        undecided=np.ones(count, np.bool_),
    )


def test_features_are_numbers_for_any_look() -> None:
    looks = random_looks(20)
    looks[0]["luma"], looks[0]["colour"] = 0, 0
    looks[1]["luma"], looks[1]["colour"] = 255, 255
    looks[2]["luma"], looks[2]["colour"] = 128, 128
    for name, features in look_features(looks).items():
        assert features.dtype == np.float32, name
        assert np.isfinite(features).all(), name
        assert len(features) == 20


def test_a_lighter_picture_differs_in_light_and_not_in_shapes() -> None:
    looks = looks_of(drawing(1))
    lighter = looks.copy()
    lighter["luma"] = np.minimum(looks["luma"].astype(int) // 2 + 100, 255)
    dim = looks.copy()
    dim["luma"] = looks["luma"].astype(int) // 2
    first, second = look_features(lighter), look_features(dim)
    assert first["layout"][0, 0] - second["layout"][0, 0] == pytest.approx(32 * 100 / 255, rel=0.01)
    assert np.abs(first["edges"] - second["edges"]).max() < 0.05


def test_blur_takes_energy_from_fine_detail() -> None:
    noise = Image.fromarray(
        np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8), "RGB"
    )
    sharp, soft = looks_of(noise, noise.filter(ImageFilter.GaussianBlur(3)))
    sharp_bands, soft_bands = (
        look_features(look.reshape(1))["texture"][0] for look in (sharp, soft)
    )
    assert sharp_bands[6] > soft_bands[6] + 2


def test_a_mirrored_picture_has_the_same_colours() -> None:
    looks = looks_of(drawing(4), drawing(4).transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    colours = look_features(looks)["colours"]
    assert np.abs(colours[0] - colours[1]).max() < 0.02


def test_a_block_gives_the_rows_that_its_parts_give() -> None:
    looks = random_looks(9)
    whole = look_features(looks)
    for name in whole:
        parts = [look_features(looks[i : i + 3])[name] for i in (0, 3, 6)]
        assert np.allclose(whole[name], np.concatenate(parts), atol=1e-5)


def test_every_group_weighs_as_much_as_another() -> None:
    raw = raw_features(block_of(random_looks(400)))
    standard = Standard([raw])
    scaled = standard.scaled(raw)
    assert set(standard.columns.slices) == set(GROUPS)
    assert standard.columns.width == scaled.shape[1]
    for name, part in standard.columns.slices.items():
        norm = float((scaled[:, part] ** 2).sum(axis=1).mean())
        if name != "file":  # all these files are alike
            assert 0.5 < norm < 2, name


@given(st.floats(-1e6, 1e6), st.floats(0.01, 1e4))
def test_scale_and_origin_of_a_measure_do_not_matter(offset: float, factor: float) -> None:
    values = np.random.default_rng(2).normal(size=(200, 3)).astype(np.float32)
    first = Standard([{"scores": values}]).scaled({"scores": values})
    moved = (values * factor + offset).astype(np.float32)
    second = Standard([{"scores": moved}]).scaled({"scores": moved})
    # What a 32-bit number cannot hold beside a large offset is lost.
    lost = 1e-5 * abs(offset) / factor
    assert np.abs(first - second).max() <= 0.01 + 10 * lost


def test_unknown_and_constant_features_are_the_usual() -> None:
    values = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    values[:, 1] = np.nan
    values[:, 2] = 7
    values[3, 0] = np.nan
    scaled = Standard([{"scores": values}]).scaled({"scores": values})
    assert np.isfinite(scaled).all()
    assert (scaled[:, 1:] == 0).all()
    assert scaled[3, 0] == 0


def test_outliers_are_cut_off() -> None:
    values = np.random.default_rng(0).normal(size=(100, 1)).astype(np.float32)
    standard = Standard([{"file": values}])
    assert standard.scaled({"file": np.array([[1e9]], np.float32)})[0, 0] == pytest.approx(4)


def test_the_same_sample_gives_the_same_space() -> None:
    block = block_of(random_looks(60))
    first, second = FeatureSpace([block]).rows(block), FeatureSpace([block]).rows(block)
    assert first.dtype == np.float32
    assert (first == second).all()


def test_groups_cover_every_column_once() -> None:
    block = block_of(random_looks(60))
    space = FeatureSpace([block])
    covered = np.concatenate([np.arange(p.start, p.stop) for p in space.groups.values()])
    assert sorted(covered.tolist()) == list(range(space.rows(block).shape[1]))


def test_shares_are_told_by_name_the_largest_first() -> None:
    assert shares_by_name({"layout": 0.2, "layout~": 0.1, "colours": 0.5, "together~": 0.2}) == {
        "colours": 0.5,
        "light and shade": pytest.approx(0.3),
        "all of it together": 0.2,
    }


def test_features_of_a_catalogue_come_in_order_of_id(drawn: DrawnCatalogue) -> None:
    ids = drawn.add_many(5)
    with drawn.open() as catalog:
        known = catalog.appearances.ids()
        assert known.tolist() == ids
        [block] = catalog.appearances.blocks(MEASURES)
        assert block.ids.tolist() == ids
        assert block.width.tolist() == [48] * 5
        some = list(catalog.appearances.of([ids[3], ids[1], 999], MEASURES))
        assert [b.ids.tolist() for b in some] == [[ids[1], ids[3]]]
        space = space_of(catalog, known)
        assert np.allclose(space.rows(block)[[1, 3]], space.rows(some[0]), atol=1e-5)
        sharpness = MEASURES.index("sharpness")
        assert block.scores[2, sharpness] == pytest.approx(
            catalog.images.quality(ids[2])["sharpness"]
        )


def test_what_an_older_version_hashed_is_left_out(drawn: DrawnCatalogue) -> None:
    a, b = drawn.add_many(2)
    with drawn.open() as catalog:
        catalog.images.set_fingerprint(a, "looks/0", b"x" * 5000)
        assert catalog.appearances.ids().tolist() == [b]
        catalog.images.set_fingerprint(b, "looks/1", b"short")
        assert catalog.appearances.ids().tolist() == []
        assert list(catalog.appearances.blocks(MEASURES)) == []


# ---------------------------------------------------------------- embeddings


def digests(count: int) -> tuple[NDArray[np.uint8], list[str]]:
    rows = np.random.default_rng(5).integers(0, 256, (count, 32), dtype=np.uint8)
    return rows, [row.tobytes().hex() for row in rows]


@pytest.mark.parametrize("kind", [np.float16, np.float32])
@pytest.mark.parametrize("pack", [np.savez, np.savez_compressed])
def test_vectors_are_found_by_digest(tmp_path: Path, kind: type, pack: object) -> None:
    rows, names = digests(30)
    vectors: NDArray[np.floating[Any]] = np.random.default_rng(6).normal(size=(30, 8)).astype(kind)
    path = tmp_path / "embeddings.npz"
    assert callable(pack)
    pack(path, sha256=rows, vectors=vectors)
    embeddings = Embeddings(path)
    assert len(embeddings) == 30
    assert embeddings.learn_axes(names) == 8
    features = embeddings.features([names[4], "0" * 64, names[2]])
    assert np.isnan(features[1]).all()
    # Turned and weighted: what lay apart lies apart, the same picture in the same place.
    assert np.allclose(features[0], embeddings.features([names[4]])[0])
    assert not np.allclose(features[0], features[2])


@pytest.mark.parametrize("broken", [np.inf, -np.inf, np.nan, 3e38])
def test_a_picture_with_a_broken_vector_counts_as_without(tmp_path: Path, broken: float) -> None:
    rows, names = digests(10)
    vectors = np.random.default_rng(6).normal(size=(10, 4)).astype(np.float32)
    vectors[3, 2] = broken
    np.savez(tmp_path / "e.npz", sha256=rows, vectors=vectors)
    embeddings = Embeddings(tmp_path / "e.npz")
    embeddings.learn_axes(names)
    features = embeddings.features(names)
    assert np.isnan(features[3]).all()
    assert np.isfinite(np.delete(features, 3, axis=0)).all()


def test_bad_embeddings_are_told_in_a_line(tmp_path: Path) -> None:
    rows, _names = digests(4)
    good = np.ones((4, 3), np.float32)
    path = tmp_path / "e.npz"
    bad: list[tuple[dict[str, NDArray[np.generic]], str]] = [
        ({"sha256": rows}, "no array 'vectors'"),
        ({"vectors": good}, "no array 'sha256'"),
        ({"sha256": rows[:3], "vectors": good}, "3 digests for 4 vectors"),
        ({"sha256": rows[:, :16], "vectors": good}, r"not \(N, 32\) uint8"),
        ({"sha256": rows, "vectors": good.astype(np.float64)}, "float16 or float32"),
        ({"sha256": rows, "vectors": good[:, 0]}, "float16 or float32"),
        ({"sha256": rows, "vectors": good[:, :0]}, "0 columns"),
        ({"sha256": rows, "vectors": np.array([{}] * 4, object)}, "Python objects"),
    ]
    for arrays, told in bad:
        np.savez(path, **arrays)  # type: ignore[arg-type]
        with pytest.raises(DataError, match=told):
            Embeddings(path)
    with pytest.raises(ConfigError, match="cannot read"):
        Embeddings(tmp_path / "absent.npz")
    for content in (b"", b"no zip at all", path.read_bytes()[:-40]):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"no whole \.npz"):
            Embeddings(path)


def test_vectors_that_are_all_alike_are_refused(tmp_path: Path) -> None:
    rows, names = digests(5)
    np.savez(tmp_path / "e.npz", sha256=rows, vectors=np.ones((5, 4), np.float16))
    with pytest.raises(DataError, match="all alike"):
        Embeddings(tmp_path / "e.npz").learn_axes(names)


def test_embeddings_of_other_pictures_are_refused(tmp_path: Path) -> None:
    rows, _names = digests(5)
    np.savez(tmp_path / "e.npz", sha256=rows, vectors=np.eye(5, dtype=np.float32))
    with pytest.raises(DataError, match="other pictures"):
        Embeddings(tmp_path / "e.npz").learn_axes(["1" * 64] * 3)
