"""When the filters of a pack leave nothing, or name what is not there: which one, and what is."""

import difflib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from dataset.catalog import Catalog
from dataset.errors import ConfigError
from dataset.records import Status
from dataset.split_keys import licence_codes
from dataset.wording import seen

_MOST_NAMED = 5


def check_labels(asked: Iterable[str], known: Iterable[str]) -> None:
    """Raises ConfigError, with the nearest name there is, for a label that no picture has."""
    there = sorted(name for name in known if name)
    unknown = sorted(set(asked).difference(there))
    if not unknown:
        return
    near = difflib.get_close_matches(unknown[0], there, n=1, cutoff=0.5)
    if near:
        hint = f"did you mean {seen(near[0])}?"
    else:
        more = ", ..." if len(there) > _MOST_NAMED else ""
        hint = f"there are: {seen(', '.join(there[:_MOST_NAMED])) or 'none'}{more}"
    raise ConfigError(f"labels: no picture is labelled {', '.join(unknown)}; {hint}")


def frequent(counts: Mapping[str, int], nothing: str) -> str:
    """The five largest counts as text; what is empty goes by the name `nothing`."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    said = ", ".join(f"{seen(n)[:60] or nothing} {k}" for n, k in ordered[:_MOST_NAMED])
    return said + (", ..." if len(ordered) > _MOST_NAMED else "") if said else "none"


def no_licence(asked: Sequence[str], count: int, counts: Mapping[str, int]) -> str:
    """What to say when none of `count` pictures is under one of the licences asked for."""
    named = "; name unknown ones by import --licence" if counts.get("unknown") else ""
    wanted = json.dumps(list(asked), ensure_ascii=False)
    there = frequent(counts, "unknown")
    return f"none of the pictures ({count}) is under licences={wanted}; there are {there}{named}"


def too_small(least: int, counts: Mapping[str, int]) -> str:
    """What to say when every class has fewer than `least` pictures."""
    return (
        f"no class has min_per_class={least} pictures; there are {frequent(counts, '(no label)')}"
    )


def nothing_left(
    catalog: Catalog,
    *,
    statuses: Sequence[Status],
    labels: Sequence[str],
    licences: Sequence[str],
    least: int,
) -> str:
    """Which filter took all pictures, and what there is to choose from."""
    wanted = "/".join(statuses)
    ids, names = [np.zeros(0, np.int64)], list[str]()
    for block in catalog.packables.blocks(statuses):
        ids.append(block.id)
        names += block.label
    every, counts = np.concatenate(ids), Counter(names)
    if not len(every):
        have = catalog.images.counts("status").items()
        said = ", ".join(f"{n} {status}" for status, n in have) or "no pictures"
        return (
            f"nothing to pack: the catalogue has {said}, wanted {wanted}; judge pictures first "
            "(make curate, or python -m curate_app auto) or widen statuses"
        )
    if labels and not any(counts[name] for name in labels):
        return (
            f"nothing to pack: none of the pictures ({len(every)} {wanted}) is labelled "
            f"{', '.join(labels)}; there are {frequent(counts, '(no label)')}"
        )
    stays = np.array([not labels or name in labels for name in names], np.bool_)
    if licences:
        among = every[stays]
        stays = stays & np.isin(every, catalog.packables.licensed(licences))
        if not stays.any():
            codes, there = licence_codes(catalog, among)
            found = Counter(there[code] for code in codes.tolist())
            return f"nothing to pack: {no_licence(licences, len(among), found)}"
    left = Counter(name for name, stay in zip(names, stays.tolist(), strict=True) if stay)
    return f"nothing to pack: {too_small(least, left)}"
