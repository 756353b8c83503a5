"""What the drawn lines say: lines as the five formats have them, and as many that no format would have.

A network that saw only valid lines would learn to invent them, so half of the text is random. Check digits are
random everywhere: the network must not know the rule by which its reading will be checked.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from borderpost.documents.mrz import ALPHABET, DIGITS, FILLER, LETTERS

LENGTHS: Final = (30, 36, 44)
"""Characters of a line of TD1, of TD2 and MRV-B, of TD3 and MRV-A (ICAO Doc 9303, parts 4 to 7)."""

LOOKALIKES: Final = ("O0QD", "I1LT", "S5", "B8", "Z27", "G6C", "UVW", "MNH", "<KX", "EF", "PR", "A4")
"""Characters that are easily mixed up: a part of the random text is made of one group's only."""

VOWELS: Final = "AEIOU"
CONSONANTS: Final = "BCDFGHJKLMNPQRSTVWXYZ"

_TEMPLATES: Final = (
    "IALLLMMMMMMMMMDXXXXXXXXXXXXXXX",
    "DDDDDDDSDDDDDDDLLLXXXXXXXXXXXD",
    "MMMMMMMMMDLLLDDDDDDDSDDDDDDDXXXXXXXD",
    "MMMMMMMMMDLLLDDDDDDDSDDDDDDDXXXXXXXXXXXXXXDD",
)
"""Fields by position: D digit, L letter, M document number, S sex, X optional data; other letters stand as they are."""

_FIELDS: Final = {"D": DIGITS, "L": LETTERS, "S": "MF<"}


def line(rng: np.random.Generator) -> str:
    """Return the text of one line, 30, 36 or 44 characters long."""
    kind = rng.random()
    if kind < 0.27:
        return _names(rng)
    if kind < 0.54:
        return _numbers(rng)
    return _random(rng)


def _pick(rng: np.random.Generator, characters: str, count: int = 1) -> str:
    return "".join(characters[i] for i in rng.integers(0, len(characters), count))


def word(rng: np.random.Generator) -> str:
    """Return something like a name: consonants and vowels by turns, with slips."""
    letters = ""
    for place in range(int(rng.integers(2, 12))):
        usual = VOWELS if place % 2 else CONSONANTS
        letters += _pick(rng, LETTERS if rng.random() < 0.25 else usual)
    return letters


def _names(rng: np.random.Generator) -> str:
    length = int(rng.choice(LENGTHS))
    head = "" if length == LENGTHS[0] else _pick(rng, "PVIAC") + _pick(rng, LETTERS + FILLER * 26)
    surname = FILLER.join(word(rng) for _ in range(int(rng.integers(1, 3))))
    given = FILLER.join(word(rng) for _ in range(int(rng.integers(0, 4))))
    text = head + (_pick(rng, LETTERS, 3) if head else "") + surname + FILLER * 2 + given
    return text[:length].ljust(length, FILLER)


def _numbers(rng: np.random.Generator) -> str:
    template = _TEMPLATES[int(rng.integers(len(_TEMPLATES)))]
    numbers = DIGITS if rng.random() < 0.5 else DIGITS + LETTERS
    optional = FILLER if rng.random() < 0.6 else DIGITS + LETTERS + FILLER * 20
    fields = _FIELDS | {"M": numbers, "X": optional}
    return "".join(_pick(rng, fields[mark]) if mark in fields else mark for mark in template)


def _random(rng: np.random.Generator) -> str:
    """Return text without any order: from all characters, or runs of digits, fillers and lookalikes."""
    length = int(rng.choice(LENGTHS))
    text = ""
    while len(text) < length:
        source = (ALPHABET, LETTERS, DIGITS, FILLER, str(rng.choice(LOOKALIKES)))[
            rng.choice(5, p=(0.35, 0.2, 0.15, 0.05, 0.25))
        ]
        text += _pick(rng, source, int(rng.integers(1, 12)))
    return text[:length]
