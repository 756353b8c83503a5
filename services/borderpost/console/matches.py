"""Candidates of the watchlists in words: what agrees, how often that is chance, and what such an alert is worth."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from borderpost.console.words import Words
from borderpost.runtime import rates
from borderpost.runtime.clock import from_timestamp
from borderpost.v1 import faces_pb2, types_pb2, watchlist_pb2

SHOWN_DIGITS: Final = 8
"""Of a calibration's id, which is a digest: enough to tell calibrations apart."""

NEAR: Final = 0.02
"""Scores this close to one another are told apart by nothing but chance: their order means nothing."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way in which an entry was found: "face", "document" or "name"; in sentences, and the bare numbers."""

    kind: str
    sentences: tuple[str, ...]
    parts: tuple[tuple[str, str, str], ...] = ()
    numbers: str = ""


@dataclass(frozen=True, slots=True)
class Match:
    """An entry that was found. `key` names it in forms; `odds` say what such an alert is worth, `base` what that rests
    on; `suppressed` is empty unless officers found before that it isn't this traveler."""

    key: str
    list_id: str
    entry_id: str
    list_name: str
    authority: str
    category: str
    priority: int
    instruction: str
    legal_basis: str
    ways: tuple[Way, ...]
    odds: str
    base: str
    suppressed: str
    has_face: bool
    score: float


def matches(results: Sequence[watchlist_pb2.ListResult], spoken: Words) -> list[Match]:
    """Return every entry that was found, in the order of the answer."""
    return [
        _match(result, entry_id, spoken)
        for result in results
        for entry_id in dict.fromkeys(candidate.entry_id for candidate in result.candidates)
    ]


def in_fair_order(found: Sequence[Match], seed: str) -> list[Match]:
    """Return entries by falling score, those with nearly equal scores in random order: the first of several is not the
    likelier. The same for the same `seed`, so that nothing moves while somebody looks."""
    dice = random.Random(seed)  # noqa: S311  nobody gains by guessing it
    groups: list[list[Match]] = []
    for match in sorted(found, key=lambda each: -each.score):
        if groups and groups[-1][-1].score - match.score < NEAR:
            groups[-1].append(match)
        else:
            groups.append([match])
    for group in groups:
        dice.shuffle(group)
    return [match for group in groups for match in group]


def _match(result: watchlist_pb2.ListResult, entry_id: str, spoken: Words) -> Match:
    found = [candidate for candidate in result.candidates if candidate.entry_id == entry_id]
    of = result.watchlist
    category = watchlist_pb2.WatchlistCategory.Name(of.category).removeprefix("WATCHLIST_CATEGORY_")
    with_odds = [candidate.odds for candidate in found if candidate.HasField("odds")]
    best = max(with_odds, key=lambda odds: odds.probability, default=None)
    marks = [candidate.suppressed for candidate in found if candidate.HasField("suppressed")]
    all_marked = len(marks) == len(found)
    return Match(
        key=f"{of.list_id}:{entry_id}",
        list_id=of.list_id,
        entry_id=entry_id,
        list_name=of.name,
        authority=of.authority,
        category=spoken.named("category", category),
        priority=of.priority,
        instruction="" if all_marked else of.handling_instruction,
        legal_basis=of.legal_basis,
        ways=tuple(_way(candidate, result, spoken) for candidate in found),
        odds="" if best is None else odds_words(best, spoken),
        base="" if best is None else base_words(best, spoken),
        suppressed=_suppressed(marks[0], spoken) if all_marked else "",
        has_face=any(candidate.kind == watchlist_pb2.MATCH_KIND_FACE for candidate in found),
        score=max((candidate.score.value for candidate in found if candidate.HasField("score")), default=0.0),
    )


def odds_words(odds: watchlist_pb2.AlertOdds, spoken: Words) -> str:
    """Say how many such alerts are right: at best, were nobody missed; or at least, where the calibration ends before
    the score."""
    if odds.probability <= 0:
        return spoken("match.right_none")
    if odds.probability > rates.EVEN:
        said = spoken("match.right_percent", number=rates.right_percent(odds.probability))
    else:
        said = spoken("match.right_one_in", number=spoken.number(rates.right_in(odds.probability)))
    return f"{said} {spoken('match.or_more' if odds.is_bound else 'match.at_best')}"


def base_words(odds: watchlist_pb2.AlertOdds, spoken: Words) -> str:
    """Say what the odds rest on: how many travelers are on the list, and how many of the others give such an alert."""
    if odds.assumed_base_rate <= 0 or odds.fpir <= 0:
        return spoken("match.base_nobody")
    return spoken(
        "match.base_bound" if odds.is_bound else "match.base",
        listed=spoken.number(rates.one_in(odds.assumed_base_rate)),
        others=spoken.number(rates.one_in(odds.fpir)),
    )


def score_words(score: types_pb2.Score, spoken: Words) -> str:
    """Say how often two different people look this alike: by the upper end of the rate's 95 % interval."""
    if score.fmr > rates.COMMON_RATE:
        return spoken("score.common")
    if not score.fmr_upper_95:
        return spoken("score.unknown")
    said = spoken("score.rare", number=spoken.number(rates.one_in(score.fmr_upper_95)))
    if not score.fmr_worst_group:
        return f"{said} {spoken('score.no_group')}"
    return f"{said} {spoken('score.worst_group', number=spoken.number(rates.one_in(score.fmr_worst_group)))}"


def comparison_words(comparison: faces_pb2.CompareResponse, spoken: Words) -> tuple[str, str]:
    """Say what a comparison of two pictures came to, and its bare numbers."""
    if not comparison.HasField("score"):
        return spoken("score.none"), ""
    return score_words(comparison.score, spoken), _numbers(comparison.score, comparison.threshold, spoken)


def _numbers(score: types_pb2.Score, threshold: float, spoken: Words) -> str:
    return spoken(
        "score.numbers",
        score=f"{score.value:.3f}",
        threshold=f"{threshold:.3f}",
        of=score.calibration_id[:SHOWN_DIGITS],
    )


def _way(candidate: watchlist_pb2.Candidate, result: watchlist_pb2.ListResult, spoken: Words) -> Way:
    if candidate.kind == watchlist_pb2.MATCH_KIND_FACE:
        numbers = _numbers(candidate.score, result.threshold.score, spoken)
        return Way("face", (score_words(candidate.score, spoken),), numbers=numbers)
    if candidate.kind == watchlist_pb2.MATCH_KIND_DOCUMENT:
        return Way("document", (_number_words(candidate.number, spoken),))
    return _name_way(candidate.name, result.name_threshold.score, spoken)


def _number_words(match: watchlist_pb2.NumberMatch, spoken: Words) -> str:
    if match.exact:
        return spoken("match.number_same")
    return spoken("match.number_similar", position=match.position + 1, here=match.given, there=match.listed)


def _name_way(match: watchlist_pb2.NameMatch, threshold: float, spoken: Words) -> Way:
    dates = watchlist_pb2.DateAgreement.Name(match.birth_date).removeprefix("DATE_AGREEMENT_")
    rate = spoken("match.name_unknown")
    if match.fmr > 0:
        key = "match.name_bound" if match.fmr_is_upper_bound else "match.name_rate"
        rate = spoken(key, number=spoken.number(rates.one_in(match.fmr)))
    sentences = [rate, spoken.named("dates", dates)]
    if match.swapped:
        sentences.append(spoken("match.swapped"))
    parts = tuple(
        (
            part.given or "–",
            part.listed or "–",
            spoken.named(
                "parts", watchlist_pb2.PartAgreement.Name(part.agreement).removeprefix("PART_AGREEMENT_")
            ),
        )
        for part in match.parts
    )
    numbers = spoken("match.name_numbers", score=f"{match.score:.2f}", threshold=f"{threshold:.2f}")
    return Way("name", tuple(sentences), parts, numbers)


def _suppressed(mark: watchlist_pb2.SuppressionMark, spoken: Words) -> str:
    until = from_timestamp(mark.expires_at).strftime("%Y-%m-%d")
    return spoken("match.suppressed", until=until)
