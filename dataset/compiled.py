"""Loops compiled by numba, with a cache of machine code that may be missing or damaged."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

from numba import njit

_P = ParamSpec("_P")
_T = TypeVar("_T")


def compiled(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """The function compiled at its first call, without the GIL.

    The machine code is kept in `__pycache__` (or NUMBA_CACHE_DIR, or the user's cache folder);
    where none of them can be written, or what lies there cannot be read, it is compiled anew.
    """
    try:
        dispatcher = njit(nogil=True, cache=True)(function)
    except (RuntimeError, OSError):
        dispatcher = njit(nogil=True)(function)
    cache = getattr(dispatcher, "_cache", None)
    for name in ("load_overload", "save_overload"):
        if hasattr(cache, name):
            setattr(cache, name, _forgiving(getattr(cache, name)))
    return cast(Callable[_P, _T], dispatcher)


def _forgiving(work: Callable[..., Any]) -> Callable[..., Any]:
    """A cache is there to be quick: a full disk or a damaged file only costs the compiling."""

    def tried(*arguments: Any) -> Any:
        try:
            return work(*arguments)
        except Exception:  # a cut file raises whatever its bytes happen to mean
            return None

    return tried
