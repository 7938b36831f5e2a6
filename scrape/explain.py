"""Why a picture is in the set, or is not: the whole story of one address in a few lines."""

from dataset.catalog import Catalog
from dataset.errors import ConfigError, DataError, DisallowedError
from dataset.records import AddressRecord, Candidate, ImageRecord, Origin
from scrape.addresses import canonical_address
from scrape.reasons import advice, sentence

_MOST = 3


def explain(catalog: Catalog, what: str) -> list[str]:
    """The story of an address, or of picture `#12`; lines for a person.

    Raises ConfigError when `what` is neither, DataError when nothing is known of it.
    """
    if what.removeprefix("#").isdigit():
        number = int(what.removeprefix("#"))
        image = catalog.images.get(number) if number < 1 << 63 else None
        if image is None:
            raise DataError(f"there is no picture {what}; `scrape status` counts what there is")
        return [f"picture #{image.id}", *_picture(catalog, image, "")]
    address = what if what.startswith(("file:", "data:")) else _canonical(what)
    record = catalog.ledger.get(address)
    if record is not None:
        return [address, *_asked(catalog, record)]
    found = catalog.images.at_address(address)
    if found:
        return [address, *(line for image in found for line in _picture(catalog, image, address))]
    raise DataError(f"{address} was never named by any source of this catalogue")


def _canonical(what: str) -> str:
    try:
        return canonical_address(what)
    except DisallowedError as error:
        raise ConfigError(f"{error}; give a web address or the number of a picture") from None


def _asked(catalog: Catalog, record: AddressRecord) -> list[str]:
    """The ledger's part, then that of the picture if there is one."""
    named = catalog.ledger.candidates([record.id]).get(record.id, [])
    lines = [_naming(candidate) for candidate in named[:_MOST]]
    if len(named) > _MOST:
        lines.append(f"named {len(named) - _MOST} times more")
    image = catalog.images.by_sha256(record.sha256) if record.sha256 else None
    lines.append(_outcome(record))
    if record.final_url and record.final_url != record.url:
        lines.append(f"it was found at {record.final_url}")
    if image is not None:
        return lines + _picture(catalog, image, record.url)
    if record.state == "new":
        lines += _sleep(catalog, record)
    if record.state in ("rejected", "failed", "refused"):
        todo = advice(record.reason)
        lines += [f"to do: {todo}"] if todo else []
        lines.append(f"asked again only by: scrape retry --reason {record.reason}")
    return [*lines, "not in the set"]


def _outcome(record: AddressRecord) -> str:
    tries = "once" if record.attempts == 1 else f"{record.attempts} times"
    http = f", HTTP {record.http_status}" if record.http_status else ""
    asked = f"asked {tries}{http}, last at {record.updated_at}" if record.attempts else "not asked"
    if record.state == "new":
        return "waiting to be asked for the first time"
    if record.state == "fetched":
        return f"fetched: {asked}"
    due = f"; next try from {record.next_try_at}" if record.next_try_at else ""
    told = f" ({record.message})" if record.message and record.state != "refused" else ""
    word = "to be tried again" if record.state == "retry" else record.state
    return f"{word}, {record.reason}: {sentence(record.reason)}{told}; {asked}{due}"


def _sleep(catalog: Catalog, record: AddressRecord) -> list[str]:
    rest = catalog.ledger.resting_hosts().get(record.host)
    return [f"its host is left alone until {rest[0]}: {rest[1]}"] if rest else []


def _picture(catalog: Catalog, image: ImageRecord, address: str) -> list[str]:
    """What the picture is, where else it was found, and how it was judged."""
    origins = catalog.images.origins(image.id)
    captions = catalog.images.captions(image.id)
    text = f", “{captions[0].text[:80]}”" if captions else ""
    lines = [
        f"picture #{image.id}: {image.format} {image.width}x{image.height}, "
        f"{image.byte_count} bytes, label {image.label or '(none)'}{text}"
    ]
    here = [origin for origin in origins if origin.url == address] or origins
    lines += [_origin(origin) for origin in here[:_MOST]]
    others = sorted({origin.url for origin in origins} - {origin.url for origin in here})
    if others:
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        lines.append(f"the same picture is at {others[0]}{more}")
    events = catalog.judgements.of_image(image.id)
    for event in events[-_MOST:]:
        why = f" ({event.reason_after})" if event.reason_after else ""
        lines.append(f"{event.at}: {event.who} set {event.field} to {event.after}{why}")
    if image.status == "keep":
        return [*lines, "in the set: kept"]
    why = f": {image.reason}" if image.reason else ""
    return [*lines, f"not in the set: {image.status}{why}"]


def _naming(candidate: Candidate) -> str:
    query = f" for “{candidate.query}”" if candidate.query else ""
    return f"named by {candidate.source}{query} on {candidate.page_url}"


def _origin(origin: Origin) -> str:
    query = f" for “{origin.query}”" if origin.query else ""
    author = f" by {origin.author}" if origin.author else ""
    page = f" on {origin.page_url}" if origin.page_url else ""
    return f"found by {origin.source}{query}{page}; licence {origin.licence}{author}"
