"""Another Pedigree data folder taken in, with its provenance: it is read, checked, never trusted.

Every picture is decoded anew here; of what the other side stored, only facts about origins,
captions, labels and, where asked for, judgements come along.
"""

import logging
import os
import re
import shutil
import stat
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dataset.catalog import Catalog
from dataset.catalog.guest import guest_catalog
from dataset.decoding import DecoderPool
from dataset.errors import ConfigError, DataError, PictureError
from dataset.image_store import ImageStore
from dataset.merged_judgements import merged_changes
from dataset.pixels import PixelLimits
from dataset.progress import Progress
from dataset.records import JUDGED_CAPTION, Caption, ImageRecord, NewImage, Origin
from dataset.wording import LONGEST_CAPTION, clean_label
from dataset.workspace import Workspace

log = logging.getLogger(__name__)

WHO = "merge"
# What was good enough to come in there is so here, unless it harms: bytes and pixels are limited.
_LIMITS = PixelLimits(min_side=1, max_aspect=1e9)
_SHA256 = re.compile("[0-9a-f]{64}")
# Pictures written to the catalogue at once, for each worker.
_CHUNK = 32
_Result = NewImage | PictureError | int


@dataclass
class MergeReport:
    """What came of a merge, or would come: `pictures` are there, `added` were new here, `known`
    had the same bytes or pixels; `origins` and `captions` are the facts that were new here;
    `rejected` counts pictures by reason, with one `example` of each."""

    pictures: int = 0
    added: int = 0
    known: int = 0
    origins: int = 0
    captions: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    judgements: int = 0
    batch: int | None = None

    def reject(self, error: PictureError) -> None:
        self.rejected[error.reason] += 1
        self.examples.setdefault(error.reason, str(error))
        log.debug("left out: %s", error)


@contextmanager
def guest_of(
    workspace: Workspace, other: Path, *, dry_run: bool = False
) -> Iterator[tuple[Catalog, ImageStore]]:
    """The catalogue (a copy) and the pictures of the data folder `other`, for one merge into
    `workspace` at a time; a dry run leaves that alone.

    Raises ConfigError when it is no data folder or the same one, DataError as `guest_catalog`
    and when its pictures are gone, WorldError while another process merges into `workspace`.
    """
    if not (other / workspace.catalog.name).is_file():
        raise ConfigError(_no_catalogue(other, workspace))
    theirs = Workspace(other)
    if workspace.catalog.exists() and theirs.catalog.samefile(workspace.catalog):
        raise ConfigError(f"{other} is the data folder itself; name another one to merge in")
    with (
        _scratch(workspace, dry_run=dry_run) as copies,
        guest_catalog(theirs.catalog, copies) as guest,
    ):
        if not theirs.images.is_dir() and guest.images.count():
            raise DataError(
                f"the pictures of {other} are not there ({theirs.images}); "
                "copy the whole data folder"
            )
        yield guest, ImageStore(theirs.images)


@contextmanager
def _scratch(workspace: Workspace, *, dry_run: bool) -> Iterator[Path]:
    """An empty folder for copies, gone in the end; where the pictures go there is room for it."""
    if dry_run:
        with tempfile.TemporaryDirectory(prefix="pedigree-merge-") as folder:
            yield Path(folder)
        return
    with workspace.locked("merging"):
        copies = workspace.root / ".merge"
        shutil.rmtree(copies, ignore_errors=True)  # left by a merge that was killed
        copies.mkdir()
        try:
            yield copies
        finally:
            shutil.rmtree(copies, ignore_errors=True)


def _no_catalogue(other: Path, workspace: Workspace) -> str:
    if other.name == workspace.catalog.name and other.is_file():
        return f"{other} is a catalogue; name its folder: {other.parent}"
    if other.exists():
        return (
            f"{other} holds no Pedigree catalogue; a folder or tar of pictures is taken in by: "
            f"python -m dataset import folder {other} --data {workspace.root}"
        )
    return f"no folder at {other}; check the path"


def merge(
    catalog: Catalog,
    store: ImageStore,
    guest: Catalog,
    pictures: ImageStore,
    *,
    judgements: bool = False,
    workers: int = 2,
    title: str = "merge",
) -> MergeReport:
    """Take every picture of `guest`, whose bytes lie in `pictures`, into `catalog`.

    Bytes are checked against their SHA-256 and decoded in `workers` processes; the same bytes or
    pixels again only add origins and captions. With `judgements`, what was judged there comes as
    one batch of WHO for pictures that are undecided here. Interrupted merges go on: what came in
    before is only compared.
    """
    report = MergeReport(pictures=guest.images.count())
    ids: dict[int, int] = {}
    with (
        Progress(title, report.pictures, "pictures") as progress,
        DecoderPool(workers, _LIMITS) as pool,
        ThreadPoolExecutor(workers, "merge") as threads,
    ):
        try:
            for records in _chunks(guest, _CHUNK * workers):
                found = list(threads.map(_reader(catalog, store, pictures, pool, records), records))
                with catalog.transaction():
                    _take(catalog, guest, list(zip(records, found, strict=True)), ids, report)
                progress.advance(len(records))
        except BaseException:  # nobody will ask for the rest of the chunk
            threads.shutdown(wait=False, cancel_futures=True)
            pool.stop()
            raise
    if judgements:
        with catalog.transaction():  # nobody who judges meanwhile is overruled
            changes = merged_changes(catalog, guest, ids)
            report.batch = catalog.judgements.apply(changes, who=WHO, verb="merge")
        report.judgements = len(changes) if report.batch is not None else 0
    return report


def preview(catalog: Catalog | None, guest: Catalog, pictures: ImageStore) -> MergeReport:
    """What a merge would find, without decoding a picture: those with the same bytes are `known`,
    all others whose files are there count as `added`. `catalog` is None where there is none yet."""
    report = MergeReport()
    for record in guest.images.all():
        report.pictures += 1
        if not _SHA256.fullmatch(record.sha256):
            report.reject(_no_hash(record))
        elif catalog is not None and catalog.images.by_sha256(record.sha256):
            report.known += 1
        elif pictures.path(record.sha256).is_file():
            report.added += 1
        else:
            report.reject(_missing(record))
    return report


def _chunks(guest: Catalog, size: int) -> Iterator[list[ImageRecord]]:
    after = 0
    while records := guest.images.page(after=after, limit=size):
        yield records
        after = records[-1].id


def _reader(
    catalog: Catalog,
    store: ImageStore,
    pictures: ImageStore,
    pool: DecoderPool,
    records: Sequence[ImageRecord],
) -> Callable[[ImageRecord], _Result]:
    """A function for any thread that reads and stores one of `records`: the id of one that is here
    already, the measured picture, or why it cannot be used."""
    here = {r.sha256: catalog.images.by_sha256(r.sha256) for r in records}

    def read(record: ImageRecord) -> _Result:
        known = here[record.sha256]
        if known is not None:
            return known.id
        try:
            content = _content(pictures, record)
            image = pool.measure(content, label=clean_label(record.label))
        except PictureError as error:
            return error
        if image.sha256 != record.sha256:
            return PictureError(
                "altered", f"{pictures.path(record.sha256)} is not what was stored there"
            )
        store.put(content, image.sha256)
        return image

    return read


def _content(pictures: ImageStore, record: ImageRecord) -> bytes:
    """The stored bytes, whatever lies there: no device is read, and no more than the limit."""
    if not _SHA256.fullmatch(record.sha256):
        raise _no_hash(record)
    path = pictures.path(record.sha256)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        raise _missing(record) from None
    except OSError as error:
        raise PictureError("unreadable", f"{path} cannot be read ({error.strerror})") from None
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise PictureError("no-file", f"{path} is no plain file")
        if facts.st_size > _LIMITS.max_bytes:
            raise PictureError(
                "too-many-bytes", f"{path}: {facts.st_size} bytes, over {_LIMITS.max_bytes}"
            )
        try:
            return file.read(_LIMITS.max_bytes)
        except OSError as error:
            raise PictureError("unreadable", f"{path} cannot be read ({error.strerror})") from None


def _missing(record: ImageRecord) -> PictureError:
    return PictureError("missing", f"picture {record.sha256[:12]} is not in the other store")


def _no_hash(record: ImageRecord) -> PictureError:
    return PictureError("no-hash", f"picture #{record.id} there has no SHA-256 as its name")


def _take(
    catalog: Catalog,
    guest: Catalog,
    found: Sequence[tuple[ImageRecord, _Result]],
    ids: dict[int, int],
    report: MergeReport,
) -> None:
    """Write one chunk into the catalogue; `ids` gets the numbers here by the numbers there."""
    usable = [record.id for record, result in found if not isinstance(result, PictureError)]
    origins, captions = guest.images.origins_of(usable), guest.images.captions_of(usable)
    for record, result in found:
        if isinstance(result, PictureError):
            report.reject(result)
            continue
        # Whoever made this catalogue may have left a picture without an origin.
        those = origins.get(record.id) or [Origin(url=f"sha256:{record.sha256}", source=WHO)]
        is_new = False
        if isinstance(result, NewImage):
            image_id, is_new = catalog.images.add(result, those[0])
        else:
            image_id = result
        ids[record.id] = image_id
        report.added += is_new
        report.known += not is_new
        texts = [c for c in captions.get(record.id, []) if _is_found(c)]
        _add_facts(catalog, image_id, those, texts, report, is_new=is_new)


def _is_found(caption: Caption) -> bool:
    """Whether a caption is a fact; what a person wrote there is a judgement."""
    return caption.origin != JUDGED_CAPTION and len(caption.text) <= LONGEST_CAPTION


def _add_facts(
    catalog: Catalog,
    image_id: int,
    origins: Sequence[Origin],
    captions: Sequence[Caption],
    report: MergeReport,
    *,
    is_new: bool,
) -> None:
    """Add origins and captions that are not here yet, and count them."""
    images = catalog.images
    places = set() if is_new else {_place(origin) for origin in images.origins(image_id)}
    texts = {(caption.text, caption.origin) for caption in images.captions(image_id)}
    for origin in origins:
        if _place(origin) not in places:
            places.add(_place(origin))
            images.add_origin(image_id, origin)
            report.origins += 1
    for caption in captions:
        if caption.text.strip() and (caption.text, caption.origin) not in texts:
            texts.add((caption.text, caption.origin))
            images.add_caption(image_id, caption)
            report.captions += 1


def _place(origin: Origin) -> tuple[str, str, str, str]:
    return origin.url, origin.page_url, origin.source, origin.query
