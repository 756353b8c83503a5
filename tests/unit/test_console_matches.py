"""Candidates in words: never more than is known, and in an order that says nothing where the scores don't."""

from __future__ import annotations

import pytest

from borderpost.console.matches import base_words, in_fair_order, matches, odds_words, score_words
from borderpost.console.words import Words
from borderpost.v1 import types_pb2
from borderpost.v1 import watchlist_pb2 as pb

SAID = Words("en")


def result(*scores: tuple[str, float], suppressed: str = "") -> pb.ListResult:
    candidates = [
        pb.Candidate(
            entry_id=entry,
            kind=pb.MATCH_KIND_FACE,
            score=types_pb2.Score(value=score, fmr=1e-6, fmr_upper_95=2e-6),
            odds=pb.AlertOdds(probability=1 / 41, assumed_base_rate=1e-5, fpir=4e-4),
            suppressed=pb.SuppressionMark(suppression_id="s") if entry == suppressed else None,
        )
        for entry, score in scores
    ]
    return pb.ListResult(
        watchlist=pb.Watchlist(list_id="list", name="Wanted", handling_instruction="Call"),
        candidates=candidates,
    )


@pytest.mark.parametrize(
    ("probability", "said"),
    [
        (1 / 40, "About 1 in 40 such alerts is right"),
        (1 / 40.5, "About 1 in 41 such alerts is right"),
        (0.749, "About 74 in 100 such alerts are right"),
        (0.0, "No such alert is right"),
    ],
)
def test_odds_are_never_better_than_they_are(probability, said):
    assert odds_words(pb.AlertOdds(probability=probability), SAID).startswith(said)


def test_what_the_odds_rest_on_is_said():
    said = base_words(pb.AlertOdds(assumed_base_rate=1e-5, fpir=0.003, is_bound=True), SAID)
    assert "1 in 100,000 travelers" in said
    assert "at most 1 in 333" in said


def test_a_score_is_said_as_how_often_different_people_reach_it():
    assert "1 in 10" in score_words(types_pb2.Score(value=0.1, fmr=0.4), SAID)
    rare = score_words(types_pb2.Score(fmr=1e-6, fmr_upper_95=1 / 3000.7, fmr_worst_group=1e-3), SAID)
    assert "1 in 3,000 pairs" in rare
    assert "1 in 1,000" in rare


def test_nearly_equal_candidates_come_in_any_order_and_others_by_their_score():
    found = matches([result(("a", 0.61), ("b", 0.60), ("c", 0.59), ("d", 0.40))], SAID)
    orders = {tuple(each.entry_id for each in in_fair_order(found, str(seed))) for seed in range(60)}
    assert {order[3] for order in orders} == {"d"}
    assert {order[0] for order in orders} == {"a", "b", "c"}
    assert in_fair_order(found, "one seed") == in_fair_order(found, "one seed")


def test_a_suppressed_candidate_has_no_instruction_and_says_so():
    [hidden, shown] = matches([result(("a", 0.6), ("b", 0.5), suppressed="a")], SAID)
    assert (hidden.instruction, bool(hidden.suppressed)) == ("", True)
    assert (shown.instruction, shown.suppressed) == ("Call", "")


def test_an_entry_that_was_found_in_two_ways_is_one_match():
    found = result(("a", 0.6))
    found.candidates.add(entry_id="a", kind=pb.MATCH_KIND_DOCUMENT, number=pb.NumberMatch(exact=True))
    [match] = matches([found], SAID)
    assert [way.kind for way in match.ways] == ["face", "document"]
