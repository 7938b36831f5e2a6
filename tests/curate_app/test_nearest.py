"""The nearest pictures follow new pictures and new hashes."""

from curate_app.nearest import Codes, nearest
from dataset.catalog import Catalog
from dataset.phash import PHASH
from tests.curate_app.conftest import Judge
from tests.curate_app.drawn_catalogue import DrawnCatalogue


def ids_and_bits(judge: Judge, catalog: Catalog) -> list[tuple[int, int]]:
    with judge.app.app_context():
        return [(one.id, one.bits) for one in nearest(catalog, 1)]


def test_pictures_that_were_hashed_anew_are_compared_by_their_new_hashes(
    judge: Judge, drawn: DrawnCatalogue
) -> None:
    drawn.add_many(8)
    with drawn.open() as catalog:
        before = ids_and_bits(judge, catalog)
        third = catalog.images.hashes_of(3)[PHASH]
        with catalog.transaction():
            catalog.images.set_hashes(1, {PHASH: third})
            catalog.scores.note_measured()
        after = ids_and_bits(judge, catalog)
    assert after != before
    assert after[0] == (3, 0)


def test_new_pictures_are_read_on_each_once(judge: Judge, drawn: DrawnCatalogue) -> None:
    codes = Codes()
    for count in (3, 2, 0):
        if count:
            drawn.add_many(count)
        with drawn.open() as catalog:
            codes.refresh(catalog)
    assert codes.ids.tolist() == [1, 2, 3, 4, 5]
    assert len(codes.codes) == 5
