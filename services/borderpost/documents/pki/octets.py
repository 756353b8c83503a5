"""A bound on how much work a few bytes can make, checked before they are parsed."""

from __future__ import annotations

from typing import Final

MAX_RUN: Final = 1024
"""Octets with their top bit set in a row. Object identifiers and long tags are written 7 bits an octet, all but the
last with that bit set (X.690, 8.1.2.4 and 8.19), and are read in time that grows with the square of their length."""

_HIGH: Final = b"\1" * MAX_RUN
_TOP_BITS: Final = bytes(octet >> 7 for octet in range(256))


def check_runs(data: bytes) -> bytes:
    """Return `data` as it is, once nothing in it can be a number of MAX_RUN octets or more. Raises ValueError.

    Wherever such a number hides, it is found; real files have keys of 66 such octets at the very most.
    """
    if _HIGH in data.translate(_TOP_BITS):
        raise ValueError(f"got {MAX_RUN:,} octets in a row with their top bit set")
    return data
