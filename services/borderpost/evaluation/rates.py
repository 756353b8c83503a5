"""False alarms and misses over several lists, with intervals that respect that travelers and lists share people."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from borderpost.faces.evaluation.metrics import Z_95, Counts, Estimate, by_person


@dataclass(frozen=True, slots=True)
class Searched:
    """What one list answered at its threshold.

    `alarms`: of each stranger, whether anybody was a candidate; `strangers`: who they are. `alone`: people of the list
    who were the only candidate of a stranger, once for each, and `alone_strangers` these strangers. `missed`: of each
    search for a listed person, whether that person was no candidate; `mated`: who.
    """

    alarms: npt.NDArray[np.bool_]
    strangers: Counts
    alone: Counts
    alone_strangers: Counts
    missed: npt.NDArray[np.bool_]
    mated: Counts


def fpir(lists: Sequence[Searched]) -> Estimate:
    """The share of strangers with a false alarm, and its 95 % interval by a delete-one-person jackknife.

    All travelers of a list meet the same entries, and most people are travelers of one list and entries of another, so
    searches aren't independent. Leaving out a person leaves out the searches for that person, and the alarms that only
    that person's entry caused. Such an alarm is left out with either of its two people, which would count its chance
    twice: once is taken off again. Normal on the logarithm of the rate; without any alarm its upper end follows the
    rule of three over the people searched.
    """
    people = 1 + max(int(max(each.strangers.max(), each.alone.max(initial=0))) for each in lists)
    tries, alarms, alone = np.zeros(people), np.zeros(people), np.zeros(people)
    for each in lists:
        tries += np.bincount(each.strangers, minlength=people)
        alarms += np.bincount(each.strangers, each.alarms, people)
        alone += np.bincount(each.alone, minlength=people)
    rate = float(alarms.sum() / tries.sum())
    if rate == 0.0:
        return Estimate(0.0, 0.0, min(1.0, 3 / int((tries > 0).sum())))
    there = (tries > 0) | (alone > 0)
    without = (alarms.sum() - alarms[there] - alone[there]) / (tries.sum() - tries[there])
    size = len(without)
    spread = float(((without - without.mean()) ** 2).sum())
    twice = float((_of_pairs(lists, people) ** 2).sum()) / tries.sum() ** 2
    error = math.sqrt((size - 1) / size * max(spread - twice, spread / 2))
    factor = math.exp(Z_95 * error / rate)
    return Estimate(rate, rate / factor, min(1.0, rate * factor))


def _of_pairs(lists: Sequence[Searched], people: int) -> Counts:
    """How many alarms each pair of people made alone, one as traveler and the other as entry."""
    one = np.concatenate([each.alone for each in lists])
    other = np.concatenate([each.alone_strangers for each in lists])
    _, counts = np.unique(np.minimum(one, other) * people + np.maximum(one, other), return_counts=True)
    return np.asarray(counts, dtype=np.int64)


def fnir(lists: Sequence[Searched]) -> Estimate:
    """The share of searches for listed people that miss them; the interval by bootstrap over people."""
    missed = np.concatenate([each.missed for each in lists])
    return by_person(missed, np.concatenate([each.mated for each in lists]))


def of_list(searched: Searched) -> Estimate:
    """The false alarms of one list, which it has by itself: its travelers are independent of each other.

    The interval is Wilson's (1927), for 95 %.
    """
    tries = len(searched.alarms)
    rate = float(searched.alarms.mean())
    middle = (rate + Z_95**2 / (2 * tries)) / (1 + Z_95**2 / tries)
    half = Z_95 / (1 + Z_95**2 / tries) * math.sqrt(rate * (1 - rate) / tries + Z_95**2 / (4 * tries**2))
    return Estimate(rate, max(0.0, middle - half), middle + half)


def widened(estimate: Estimate, factor: float) -> Estimate:
    """The interval where the threshold, too, is known only within a factor: both errors add up as independent ones."""
    if estimate.rate == 0.0 or factor == 1.0:
        return estimate
    low, high = (
        math.hypot(math.log(estimate.rate / end), math.log(factor)) for end in (estimate.low, estimate.high)
    )
    return Estimate(estimate.rate, estimate.rate * math.exp(-low), min(1.0, estimate.rate * math.exp(high)))
