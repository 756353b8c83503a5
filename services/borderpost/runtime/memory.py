"""What the process keeps of the memory that it has used."""

from __future__ import annotations

import ctypes
from typing import Final

_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
"""glibc `malloc.h`: M_TRIM_THRESHOLD, M_MMAP_THRESHOLD."""

KEPT_BYTES: Final = 64 * 1024 * 1024
"""Freed memory that each of glibc's arenas may keep: a few decoded pictures."""

LARGEST_KEPT_BYTES: Final = 32 * 1024 * 1024
"""Larger pieces go back to the system at once; glibc allows no more. A picture of 10 million pixels."""


def keep_memory() -> None:
    """Keep a few pictures' memory instead of giving it back after each: on the C library of glibc, elsewhere nothing.

    A picture of 1,350 pixels takes 7 MB, and touching as much fresh memory takes the kernel as long as decoding
    takes libjpeg, where a virtual machine makes page faults dear.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, KEPT_BYTES)
        mallopt(_MMAP_THRESHOLD, LARGEST_KEPT_BYTES)
