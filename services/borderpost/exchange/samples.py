"""Entries of people who don't exist, as JSON Lines, for tests and benchmarks: the same seed makes the same file."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import BinaryIO, Final

import numpy as np

from borderpost.exchange.fields import make_template
from borderpost.exchange.jsonl import write_entries
from borderpost.runtime.clock import to_timestamp
from borderpost.v1 import types_pb2, watchlist_pb2

FIRST_BIRTH: Final = date(1940, 1, 1)
BIRTH_DAYS: Final = 25_000
VALID_UNTIL: Final = datetime(2099, 12, 31, 23, 59, 59, tzinfo=UTC)
STATE: Final = "UTO"
"""Utopia (ICAO Doc 9303-3, section 5, part G): nobody is from there."""

_ONSETS: Final = (
    "b",
    "br",
    "d",
    "dr",
    "f",
    "g",
    "gl",
    "h",
    "j",
    "k",
    "kr",
    "l",
    "m",
    "n",
    "p",
    "pr",
    "r",
    "s",
    "st",
    "t",
    "z",
)
_VOWELS: Final = ("a", "e", "i", "o", "u", "ai", "ei", "ou")
_NUMBER_CHARACTERS: Final = "CFGHJKLMNPRTVWXYZ0123456789"


def sample_entries(
    count: int, seed: int, dimension: int = 0, model_id: str = ""
) -> Iterator[watchlist_pb2.Entry]:
    """Make entries with a name of random syllables, a birth date, a passport of Utopia, and a random template.

    Without a dimension they have no template. Entry ids are "sample-1" and so on: no ids of the service's.
    """
    choose = random.Random(seed)  # noqa: S311  nothing secret
    numbers = np.random.default_rng(seed)
    for place in range(1, count + 1):
        entry = watchlist_pb2.Entry(
            entry_id=f"sample-{place}",
            names=[
                watchlist_pb2.PersonName(
                    primary_identifier=_word(choose, 3).upper(),
                    secondary_identifier=f"{_word(choose, 2)} {_word(choose, 2)}".upper(),
                )
            ],
            birth_date=_birth_date(choose),
            sex=choose.choice("FMX"),
            nationalities=[STATE],
            documents=[types_pb2.DocumentKey(document_code="P", issuing_state=STATE, number=_number(choose))],
            reason_code="SAMPLE",
            source_reference=f"sample {seed}/{place}",
            valid_until=to_timestamp(VALID_UNTIL),
        )
        if dimension:
            entry.templates.append(make_template("templates[0]", model_id, _template(numbers, dimension)))
        yield entry


def write_samples(out: BinaryIO, count: int, seed: int, dimension: int = 0, model_id: str = "") -> None:
    """Write such entries as JSON Lines."""
    write_entries(out, sample_entries(count, seed, dimension, model_id))


def _word(choose: random.Random, syllables: int) -> str:
    return "".join(choose.choice(_ONSETS) + choose.choice(_VOWELS) for _ in range(syllables))


def _number(choose: random.Random) -> str:
    return "".join(choose.choices(_NUMBER_CHARACTERS, k=9))


def _birth_date(choose: random.Random) -> types_pb2.PartialDate:
    day = FIRST_BIRTH + timedelta(days=choose.randrange(BIRTH_DAYS))
    return types_pb2.PartialDate(year=day.year, month=day.month, day=day.day)


def _template(numbers: np.random.Generator, dimension: int) -> bytes:
    values = numbers.standard_normal(dimension)
    return (values / np.linalg.norm(values)).astype("<f4").tobytes()
