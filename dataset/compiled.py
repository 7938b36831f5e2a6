"""Loops compiled by numba, with a cache of machine code that may be missing."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

from numba import njit

_P = ParamSpec("_P")
_T = TypeVar("_T")


def compiled(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """The function compiled at its first call, without the GIL.

    The machine code is kept in `__pycache__` (or NUMBA_CACHE_DIR, or the user's cache folder);
    where none of them can be written it is compiled anew in every process.
    """
    try:
        return cast(Callable[_P, _T], njit(nogil=True, cache=True)(function))
    except (RuntimeError, OSError):
        return cast(Callable[_P, _T], njit(nogil=True)(function))
