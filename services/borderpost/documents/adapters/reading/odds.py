"""What a network's answer is worth, and what two networks' answers are worth together.

A network is surer than it is right. So its answer is turned into odds by what is known of its mistakes: among
lookalikes it may err more often than elsewhere. The two networks were trained on other print by other people: their
mistakes are taken for independent, and their odds are multiplied. Where they contradict each other, nothing is sure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from borderpost.documents import mrz
from borderpost.documents.domain import Line
from borderpost.documents.mrz import Kind

Floats = npt.NDArray[np.float32]

LOOKALIKES: Final = ("0OQD", "1IL", "2Z", "5S", "6G", "8B", "UV", "CG", "EF", "MNW", "KX", "38", "17", "4A")
"""Characters that readers of OCR-B mistake for one another."""

ELSEWHERE: Final = 0.004
"""Share of a network's sure answers that may be wrong in any way."""

AGAINST_HEIGHT: Final = 0.03
"""A character whose height is measured as the other kind's is less likely by this factor."""

_LETTERS: Final = [mrz.ALPHABET.index(letter) for letter in mrz.LETTERS]
_DIGITS: Final = [mrz.ALPHABET.index(digit) for digit in mrz.DIGITS]

KEPT: Final = 0.25
"""Of what was read where nothing is sure: the likeliest of 37 is then less than 20 times as likely as any other."""

NOTHING: Final = 1e-3
"""Odds below this are left out of a line."""


def mistakes(among_lookalikes: float, blind: Sequence[str] = ()) -> Floats:
    """Make a network's table of mistakes: 37 × 37, for each answer (row) what may be printed, summing to 1.

    It takes lookalikes for one another in a share of `among_lookalikes`, and tells those in a group of `blind`
    not at all.
    """
    size = len(mrz.ALPHABET)
    table = np.full((size, size), ELSEWHERE / size, dtype=np.float32)
    for groups, share in ((LOOKALIKES, among_lookalikes), (blind, 1.0)):
        for group in groups:
            for answer in group:
                for printed in group:
                    if answer != printed:
                        table[mrz.ALPHABET.index(answer), mrz.ALPHABET.index(printed)] = share
    np.fill_diagonal(table, 0)
    table /= np.maximum(1.0, 2 * table.sum(axis=1, keepdims=True))
    np.fill_diagonal(table, 1 - table.sum(axis=1))
    return table


def weighed(answers: Floats, table: Floats) -> Floats:
    """Turn answers (cells × 37, each row at most 1) into odds that sum to 1: what is missing says nothing."""
    known = answers.sum(axis=1, keepdims=True)
    return np.asarray(answers @ table + np.maximum(0, 1 - known) / answers.shape[1], dtype=np.float32)


def by_height(kinds: Sequence[Kind | None], size: int = len(mrz.ALPHABET)) -> Floats:
    """Odds of cells whose kind was measured, as a third reading: it tells twins such as O and 0 apart, and no more."""
    out = np.ones((len(kinds), size), dtype=np.float32)
    for cell, kind in enumerate(kinds):
        if kind is not None:
            out[cell, _LETTERS if kind is Kind.DIGITS else _DIGITS] = AGAINST_HEIGHT
    return out


def together(readings: Sequence[Floats]) -> Floats:
    """Multiply independent odds, cell by cell."""
    product = np.prod(np.stack(readings), axis=0)
    return np.asarray(product / product.sum(axis=1, keepdims=True), dtype=np.float32)


def alike(readings: Sequence[Floats]) -> Floats:
    """Average odds, cell by cell, where the readers' mistakes have the same cause: agreement makes nothing surer."""
    mean = np.prod(np.stack(readings), axis=0) ** np.float32(1 / len(readings))
    return np.asarray(mean / mean.sum(axis=1, keepdims=True), dtype=np.float32)


def doubted(cells: Floats, which: npt.NDArray[np.bool_]) -> Floats:
    """Take most of what was read in some cells back, so that any character counts as possible there (decide.CLEAR)."""
    open_ = cells * KEPT + (1 - KEPT) / cells.shape[1]
    return np.asarray(np.where(which[:, None], open_, cells), dtype=np.float32)


def to_line(odds: Floats) -> Line:
    """Make a line of odds, leaving out what is next to impossible."""
    return Line.of(
        [
            {mrz.ALPHABET[i]: float(cell[i]) for i in np.flatnonzero(cell >= min(NOTHING, cell.max()))}
            for cell in odds
        ]
    )
