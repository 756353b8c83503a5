"""Rates as whole numbers that people can picture: "1 in 40", never as less likely than they are."""

from __future__ import annotations

import math
from typing import Final

ROUNDING: Final = 1e-6
"""Of a division: 1 / 1e-5 is a little less than 100,000."""

COMMON_RATE: Final = 0.1
"""A score that more pairs of different people reach says nothing that a number could make clearer."""

EVEN: Final = 0.5
"""Odds better than this are said in per cent: "1 in 1" would be more than they are."""

Z95: Final = 1.959964
"""Of the normal distribution, for 95 % intervals."""


def one_in(rate: float) -> int:
    """Return n of "1 in n" for a rate above 0, which is then never said as a smaller one."""
    return math.floor(1 / rate + ROUNDING)


def right_in(probability: float) -> int:
    """Return n of "1 in n is right" for a probability above 0: never more than are right."""
    return math.ceil(1 / probability - ROUNDING)


def right_percent(probability: float) -> int:
    """Return how many of 100 are right: never more than are."""
    return math.floor(100 * probability + ROUNDING)


def wilson(hits: int, total: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927); (0, 1) of none at all."""
    if not total:
        return 0.0, 1.0
    share, z2 = hits / total, Z95 * Z95
    middle = share + z2 / (2 * total)
    spread = Z95 * math.sqrt(share * (1 - share) / total + z2 / (4 * total * total))
    return (middle - spread) / (1 + z2 / total), (middle + spread) / (1 + z2 / total)
