"""Counts and names as a dataset card says them."""

from collections.abc import Sequence

import numpy as np


def number(value: int) -> str:
    """A count with commas: 1,234."""
    return f"{value:,}"


def plural(count: int, noun: str) -> str:
    """A count of a noun: "1 class", "2 classes"."""
    ending = "" if count == 1 else "es" if noun.endswith("s") else "s"
    return f"{number(count)} {noun}{ending}"


def share(count: int, total: int) -> str:
    """A count of pictures with its share of all: "3 pictures (12.5 %)"."""
    return f"{plural(count, 'picture')} ({np.round(100 * count / max(total, 1), 1):g} %)"


def class_name(names: Sequence[str], label: int) -> str:
    """The name of a class; of -1 the last one of `names`."""
    return names[label] if -1 <= label < len(names) else f"class {label}"
