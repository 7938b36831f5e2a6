"""Who made the pictures and under which licence: ATTRIBUTION.md, its summary, and a manifest.

A picture that was found in several places is listed once, under the licence of its best documented
origin (a known licence counts most, then author, licence address, page and the site's own line; the
first find among equals), with the other places and their licences named behind it. Everything that
sites said is hostile: text is escaped for Markdown, only http and https addresses become links.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from dataset.atomic_file import atomic_path
from dataset.catalog import Catalog
from dataset.records import Caption, ImageFilter, ImageRecord, Origin
from scrape.captions import clean_text
from scrape.json_answer import link_of
from scrape.licences import UNKNOWN, attribution_line, licence_name, licence_of

KEPT = ImageFilter(status="keep")

_BATCH = 500  # pictures held in memory at a time
_MOST_PLACES = 50  # further origins named in a line; the manifest has them all
_LONGEST_LINE = 1000
_LONGEST_ADDRESS = 1000
# What Markdown (CommonMark, and GitHub's with tables, mathematics and bare links) gives a meaning.
_MARKS = re.compile(r"([\\`*_{}\[\]<>()#|~&$@!:^=])|(?<=www)(?=\.)", re.IGNORECASE)
# Characters that JSON leaves as they are and that some readers take for the end of a line.
_LINE_ENDS = {code: f"\\u{code:04x}" for code in (0x85, 0x2028, 0x2029)}
_IS_TITLE = re.compile(r"\b(?:title|ObjectName|taxon)$")


@dataclass(frozen=True)
class Credited:
    """A picture with its `best` documented origin first and the `others` as they were found."""

    image: ImageRecord
    best: Origin
    others: tuple[Origin, ...]
    captions: tuple[Caption, ...]

    @property
    def title(self) -> str:
        """What the site called it, else the first thing that was said of it by no model."""
        said = [caption for caption in self.captions if not caption.origin.startswith("model ")]
        titles = [caption for caption in said if _IS_TITLE.search(caption.origin)]
        return clean_text((titles or said)[0].text, 200) if said else ""

    @property
    def licence_url(self) -> str:
        return _link(self.best.licence_url) or licence_of(self.best.licence).url

    @property
    def is_contradictory(self) -> bool:
        """Whether its origins state different licences."""
        return len({o.licence for o in (self.best, *self.others)} - {UNKNOWN}) > 1


def credited(catalog: Catalog, where: ImageFilter | None = None) -> Iterator[Credited]:
    """The pictures of `where` (kept ones by default), a batch at a time, in order of id."""
    images = catalog.images.all(where or KEPT)
    while batch := list(islice(images, _BATCH)):
        ids = [image.id for image in batch]
        origins, captions = catalog.images.origins_of(ids), catalog.images.captions_of(ids)
        for image in batch:
            found = origins.get(image.id) or [Origin(url="")]
            best = max(range(len(found)), key=lambda i: (_documented(found[i]), -i))
            others = (*found[:best], *found[best + 1 :])
            yield Credited(image, found[best], others, tuple(captions.get(image.id, ())))


def licence_summary(catalog: Catalog, where: ImageFilter | None = None) -> dict[str, int]:
    """Pictures by licence, as ATTRIBUTION.md groups them, most frequent first."""
    return _ordered(Counter(picture.best.licence for picture in credited(catalog, where)))


def attribution_md(catalog: Catalog, where: ImageFilter | None = None) -> str:
    """The text of ATTRIBUTION.md; for a large catalogue `write_attribution` needs less memory."""
    with TemporaryDirectory(prefix="attribution-") as folder:
        path = Path(folder) / "ATTRIBUTION.md"
        write_attribution(catalog, path, where)
        return path.read_text("utf-8")


def write_attribution(
    catalog: Catalog, path: Path, where: ImageFilter | None = None
) -> dict[str, int]:
    """Write ATTRIBUTION.md to `path`, whole or not at all; returns the pictures by licence.

    One pass over the catalogue in flat memory: the lines of each licence wait in a file of their
    own beside `path`, as a heading must know their number.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    counts: Counter[str] = Counter()
    numbers: dict[str, int] = {}  # names of the files: a licence's text is none
    contradictory = 0
    with TemporaryDirectory(prefix=".attribution-", dir=path.parent) as folder:
        pictures = credited(catalog, where)
        while batch := list(islice(pictures, _BATCH)):
            lines: dict[str, list[str]] = {}
            for picture in batch:
                lines.setdefault(picture.best.licence, []).append(credit_line(picture))
                contradictory += picture.is_contradictory
            for licence, written in lines.items():
                number = numbers.setdefault(licence, len(numbers))
                with (Path(folder) / str(number)).open("a", encoding="utf-8") as group:
                    group.writelines(f"{line}\n" for line in written)
                counts[licence] += len(written)
        with atomic_path(path) as partial, partial.open("w", encoding="utf-8") as whole:
            whole.writelines(_head(_ordered(counts), contradictory))
            for licence, count in _ordered(counts).items():
                whole.write(f"\n## {_heading(licence)}: {_pictures(count)}\n\n")
                with (Path(folder) / str(numbers[licence])).open(encoding="utf-8") as group:
                    whole.writelines(group)
    return _ordered(counts)


def write_manifest(catalog: Catalog, path: Path, where: ImageFilter | None = None) -> int:
    """Write one JSON object a line and picture, with all origins and captions; returns how many."""
    count = 0
    with atomic_path(path) as partial, partial.open("w", encoding="utf-8") as manifest:
        for picture in credited(catalog, where):
            line = json.dumps(_entry(picture), ensure_ascii=False, sort_keys=True)
            manifest.write(f"{line.translate(_LINE_ENDS)}\n")
            count += 1
    return count


def credit_line(picture: Credited) -> str:
    """One item of a Markdown list that credits a picture: the beginning of its SHA-256, title,
    author, licence, page, and the other places where it was found."""
    best, title = picture.best, picture.title
    page = _link(best.page_url) or _link(best.url)
    author, licence = _link(best.author_url), picture.licence_url
    line = clean_text(best.attribution, _LONGEST_LINE)
    if line:
        line = line if not title or title in line else f'"{title}": {line}'
        line += f" ({licence})" if licence and licence not in line else ""
        line += f", from {page}" if page and page not in line else ""
    else:
        id = clean_text(best.licence, 100)
        line = attribution_line(title, best.author, id, licence, page, author)
    text = _markdown(line, (page, author, licence))
    return f"- `{picture.image.sha256[:12]}` {text}{_places(picture, page)}"


def _places(picture: Credited, page: str) -> str:
    """The further origins, each address with each licence once."""
    stated = {(page, picture.best.licence): ""}
    for origin in picture.others:
        address = _link(origin.page_url) or _link(origin.url)
        name = f"<{address}>" if address else _markdown(clean_text(origin.source, 100))
        licence = _markdown(clean_text(licence_name(origin.licence), 200))
        stated.setdefault((address or name, origin.licence), f"{name} ({licence})")
    places = [text for text in stated.values() if text]
    more = len(places) - _MOST_PLACES
    shown = ", ".join(places[:_MOST_PLACES]) + (f" and {more} more" if more > 0 else "")
    return f"; also found at {shown}" if shown else ""


def _head(counts: dict[str, int], contradictory: int) -> Iterable[str]:
    yield f"# Attribution\n\n{_pictures(sum(counts.values()))}, each under its licence.\n"
    if contradictory:
        yield (
            f"\nOf {_pictures(contradictory)} the origins state different licences; "
            "look at the pages named before you rely on either.\n"
        )
    yield "\n| pictures | licence |\n| ---: | --- |\n"
    for licence, count in counts.items():
        yield f"| {count} | {_heading(licence)} |\n"


def _heading(licence: str) -> str:
    id = clean_text(licence, 100)
    name = clean_text(licence_name(licence), 200)
    return _markdown(name if name == id else f"{name}, {id}")


def _pictures(count: int) -> str:
    return f"{count} picture" if count == 1 else f"{count} pictures"


def _markdown(text: str, addresses: Sequence[str] = ()) -> str:
    """`text` so that Markdown shows it as it is, but for `addresses` in it, which become links."""
    known = sorted((re.escape(address) for address in addresses if address), key=len, reverse=True)
    parts = re.split(f"({'|'.join(known)})", text) if known else [text]
    return "".join(
        f"<{part}>" if number % 2 else _MARKS.sub(lambda found: f"\\{found[0]}", part)
        for number, part in enumerate(parts)
    )


def _link(address: str) -> str:
    """An address that may become a link, or ""; one that names a user pretends to be another."""
    found = link_of(address)
    is_plain = "@" not in urlsplit(found).netloc and len(found) <= _LONGEST_ADDRESS
    return found if is_plain else ""


def _documented(origin: Origin) -> tuple[bool, ...]:
    return (
        origin.licence != UNKNOWN,
        bool(origin.author.strip()),
        bool(_link(origin.licence_url)),
        bool(_link(origin.page_url)),
        bool(origin.attribution.strip()),
    )


def _ordered(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])))


def _entry(picture: Credited) -> dict[str, Any]:
    image, best = picture.image, picture.best
    return {
        "sha256": image.sha256,
        "format": image.format,
        "width": image.width,
        "height": image.height,
        "label": image.label,
        "status": image.status,
        "stars": image.stars,
        "title": picture.title,
        "author": best.author,
        "licence": best.licence,
        "licence_url": picture.licence_url,
        "page_url": best.page_url,
        "captions": [{"text": c.text, "origin": c.origin} for c in picture.captions],
        "origins": [_origin_entry(origin) for origin in (best, *picture.others) if origin.url],
    }


def _origin_entry(origin: Origin) -> dict[str, str]:
    return {
        "url": origin.url,
        "page_url": origin.page_url,
        "source": origin.source,
        "query": origin.query,
        "author": origin.author,
        "author_url": origin.author_url,
        "licence": origin.licence,
        "licence_url": origin.licence_url,
        "attribution": origin.attribution,
        "fetched_at": origin.fetched_at,
    }
