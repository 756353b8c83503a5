"""Names with birth dates, compared: which parts agree and how, how much that weighs, and how often it is chance.

The door of naming/, whose rooms nobody else enters. Nothing here reads the clock or a database; docs/names.md has the
rules in short.
"""

from __future__ import annotations

from borderpost.watchlist.naming.calibration import (
    NameCalibration,
    NameFalseMatchRate,
    NameThreshold,
    load_name_calibration,
    name_fmr_at,
    name_threshold,
)
from borderpost.watchlist.naming.dates import DateAgreement
from borderpost.watchlist.naming.index import NameIndex
from borderpost.watchlist.naming.matching import NameMatch, PartAgreement, PartMatch, match_names

__all__ = [
    "DateAgreement",
    "NameCalibration",
    "NameFalseMatchRate",
    "NameIndex",
    "NameMatch",
    "NameThreshold",
    "PartAgreement",
    "PartMatch",
    "load_name_calibration",
    "match_names",
    "name_fmr_at",
    "name_threshold",
]
