"""What a score is said to mean: never better odds than were measured."""

from __future__ import annotations

import pytest

from borderpost.cli.show import comparison_words, one_in, score_words
from borderpost.v1 import faces_pb2, types_pb2


def test_the_odds_are_the_bounds_and_the_worst_groups():
    score = types_pb2.Score(value=0.52, fmr=5e-6, fmr_upper_95=8e-6, fmr_worst_group=4.7e-5)
    assert score_words(score, 0.389) == (
        "score 0.520 (threshold 0.389): at most 1 in 125,000 pairs of different people look this alike (95 % bound); "
        "in the worst measured group about 1 in 21,276 or fewer, in groups that nobody measured perhaps more"
    )


def test_without_measured_groups_it_says_so():
    words = score_words(types_pb2.Score(value=0.5, fmr=1e-3, fmr_upper_95=2e-3), 0.4)
    assert words.endswith(
        "at most 1 in 500 pairs of different people look this alike (95 % bound); no group of people "
        "was measured"
    )


def test_a_score_that_many_reach_has_no_bound_of_odds():
    words = score_words(types_pb2.Score(value=0.1, fmr=0.4, fmr_upper_95=0.41, fmr_worst_group=0.6), 0.4)
    assert words.endswith("more than 1 in 10 pairs of different people look this alike")
    assert "at most" not in words


def test_a_score_without_a_bound_is_shown_without_odds():
    assert "was not recorded" in score_words(types_pb2.Score(value=0.5, fmr=1e-3), 0.4)


@pytest.mark.parametrize(("rate", "words"), [(1e-5, "1 in 100,000"), (0.0015, "1 in 666"), (0.9, "1 in 1")])
def test_odds_are_never_rounded_to_rarer_ones(rate, words):
    assert one_in(rate) == words


def test_a_comparison_without_a_face_has_no_score():
    assert (
        comparison_words(faces_pb2.CompareResponse(threshold=0.4))
        == "no score: one of the pictures has no face"
    )
