"""Thresholds of lists: from a calibration, a list's size, and its own templates."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from borderpost.runtime.calibration import MAX_FMR_TARGET, MIN_FALSE_MATCHES, Calibration, Row, target_fmr
from borderpost.watchlist.thresholds import (
    MAX_ALIKE,
    AlikePair,
    FaceThreshold,
    OwnScores,
    alert_odds,
    face_threshold,
    fpir_of,
    measure,
    sample_size,
)

STRICTEST = 0.85


def row(fmr, score):
    return Row(fmr, score, round(fmr * 10**8), fmr, {})


CALIBRATION = Calibration(
    id="c" * 64,
    model_id="made-up-v1",
    card_sha256="f" * 64,
    metric="cosine",
    data="made up",
    method="made up",
    impostor_comparisons=10**8,
    groups=(),
    safety_factor=2.0,
    safety_reason="made up",
    rows=(
        row(1.0, -1.0),
        row(0.1, 0.3),
        row(1e-2, 0.5),
        row(1e-3, 0.65),
        row(1e-4, 0.75),
        row(1e-5, STRICTEST),
    ),
    checked_on={},
)

OWN = OwnScores(
    model_id=CALIBRATION.model_id,
    calibration_id=CALIBRATION.id,
    templates=200,
    entries=100,
    comparisons=19_800,
    reaching=59,
    score=0.65,
    factor=3.0,
)


@pytest.mark.parametrize(("fpir", "comparisons"), [(0.1, 1), (0.01, 1000), (0.001, 10**6), (0.01, 2.5)])
def test_the_rate_per_comparison_adds_up_to_the_rate_per_traveler(fpir, comparisons):
    assert 1 - (1 - target_fmr(fpir, comparisons)) ** comparisons == pytest.approx(fpir, rel=1e-6)
    assert fpir_of(target_fmr(fpir, comparisons), comparisons) == pytest.approx(fpir)


def test_a_score_that_everybody_reaches_alarms_for_everybody():
    assert fpir_of(1.0, 1.0) == 1.0


def test_a_threshold_grows_with_the_list_and_with_the_search():
    scores = [
        face_threshold(CALIBRATION, 0.01, templates, templates, probes, None).score
        for templates, probes in [(1, 1), (1, 2), (10, 1), (10, 8), (100, 8)]
    ]
    assert None not in scores
    assert scores == sorted(scores)
    assert len(set(scores)) == len(scores)


def test_a_list_that_was_not_measured_counts_each_template_as_another_person():
    threshold = face_threshold(CALIBRATION, 0.01, 60, 20, 1, None)
    assert (threshold.comparisons, threshold.factor) == (60.0, None)
    assert threshold.score == CALIBRATION.mean_threshold_at(target_fmr(0.01, 60)).score


def test_a_measured_list_counts_its_entries_times_its_factor():
    threshold = face_threshold(CALIBRATION, 0.01, 200, 100, 1, OWN)
    assert (threshold.comparisons, threshold.factor) == (300.0, 3.0)
    assert threshold.score == CALIBRATION.mean_threshold_at(target_fmr(0.01, 300)).score


def test_entries_that_got_more_templates_since_count_for_more_and_fewer_do_not_count_for_less():
    assert face_threshold(CALIBRATION, 0.01, 500, 125, 1, OWN).factor == pytest.approx(6.0)
    assert face_threshold(CALIBRATION, 0.01, 125, 125, 1, OWN).factor == pytest.approx(3.0)


@pytest.mark.parametrize("own", [replace(OWN, calibration_id="d" * 64), replace(OWN, factor=None)])
def test_a_measurement_by_another_calibration_or_of_too_few_pairs_is_not_used(own):
    assert face_threshold(CALIBRATION, 0.01, 200, 100, 1, own) == face_threshold(
        CALIBRATION, 0.01, 200, 100, 1, None
    )


def test_a_target_beyond_the_calibration_takes_its_strictest_threshold_and_says_what_to_expect():
    threshold = face_threshold(CALIBRATION, 0.001, 100_000, 100_000, 2, None)
    assert (threshold.score, threshold.supported) == (STRICTEST, False)
    assert threshold.expected_fpir == pytest.approx(1 - math.exp(-1e-5 * 200_000), rel=1e-3)


def test_a_target_within_the_calibration_is_supported_and_expects_nothing_else():
    threshold = face_threshold(CALIBRATION, 0.1, 100, 100, 1, None)
    assert (threshold.supported, threshold.expected_fpir) == (True, None)


def test_a_list_without_templates_has_no_threshold():
    threshold = face_threshold(CALIBRATION, 0.01, 0, 0, 1, None)
    assert (threshold.score, threshold.supported, threshold.comparisons) == (None, True, 0.0)


def test_the_loosest_target_of_a_single_comparison_has_a_threshold():
    assert face_threshold(CALIBRATION, 0.1, 1, 1, 1, None).score == pytest.approx(0.3)
    assert face_threshold(CALIBRATION, 0.5, 1, 1, 1, None).score == pytest.approx(0.3)


@given(
    fpir=st.floats(1e-6, 0.5),
    entries=st.integers(1, 10**7),
    each=st.integers(1, 10),
    probes=st.integers(1, 8),
    factor=st.none() | st.floats(1.0, 100.0),
)
@settings(max_examples=200)
def test_a_supported_threshold_keeps_the_target_and_any_other_says_so(fpir, entries, each, probes, factor):
    own = None if factor is None else replace(OWN, factor=factor)
    threshold = face_threshold(CALIBRATION, fpir, entries * each, entries, probes, own)
    fmr = CALIBRATION.fmr_at(threshold.score)
    reached = fpir_of(fmr.rate, threshold.comparisons * probes)
    assert threshold.supported == (threshold.expected_fpir is None)
    assert reached <= (fpir if threshold.supported else threshold.expected_fpir) * (1 + 1e-6)
    assert threshold.score <= STRICTEST
    assert threshold.comparisons >= entries


def test_the_odds_of_an_alert_follow_from_base_rate_and_false_alarms():
    threshold = face_threshold(CALIBRATION, 0.01, 100, 100, 1, None)
    odds = alert_odds(CALIBRATION, 0.75, threshold, 1, 1e-4)
    assert odds.fpir == pytest.approx(1 - (1 - 1e-4) ** 100)
    assert odds.probability == pytest.approx(1e-4 / (1e-4 + (1 - 1e-4) * odds.fpir))
    assert odds.base_rate == 1e-4


def test_an_alert_is_worth_less_the_more_is_compared_and_more_the_higher_its_score():
    small, large = (face_threshold(CALIBRATION, 0.01, n, n, 1, None) for n in (100, 10_000))
    of = [
        alert_odds(CALIBRATION, 0.75, large, 2, 1e-4),
        alert_odds(CALIBRATION, 0.75, large, 1, 1e-4),
        alert_odds(CALIBRATION, 0.75, small, 1, 1e-4),
        alert_odds(CALIBRATION, 0.80, small, 1, 1e-4),
    ]
    assert [each.probability for each in of] == sorted(each.probability for each in of)
    assert len({each.probability for each in of}) == len(of)


def test_above_the_calibrations_end_the_odds_stay_those_of_its_end_and_are_called_a_bound():
    threshold = face_threshold(CALIBRATION, 0.01, 100, 100, 1, None)
    at_end = alert_odds(CALIBRATION, STRICTEST, threshold, 1, 1e-4)
    assert not at_end.is_bound
    assert alert_odds(CALIBRATION, 0.99, threshold, 1, 1e-4) == replace(at_end, is_bound=True)


@pytest.mark.parametrize("score", [-1.0, 0.2, 0.99])
def test_if_everybody_is_listed_every_alert_is_right(score):
    threshold = FaceThreshold("made-up-v1", 1, 1, 0.3, True, CALIBRATION.id, 1.0, None, None)
    assert alert_odds(CALIBRATION, score, threshold, 1, 1.0).probability == 1.0


class MadeUpList:
    """A list whose scores between templates are given: what `measure` compares."""

    def __init__(self, scores, entry_of):
        self.scores = scores
        self.entry_of = np.asarray(entry_of, dtype=np.int64)
        self.entries = int(self.entry_of.max()) + 1
        self.looks = 0

    def measure(self, probes=None, order=None):
        chosen = np.arange(len(self.entry_of)) if probes is None else np.asarray(probes)

        def reach(vectors, score):
            self.looks += 1
            rows = vectors[:, 0].astype(np.int64)
            found, places = np.nonzero(self.scores[rows] >= score)
            if order is not None:
                mixed = order.permutation(len(found))
                found, places = found[mixed], places[mixed]
            return found, self.entry_of[places], self.scores[rows[found], places]

        return measure(
            CALIBRATION,
            chosen[:, None].astype(np.float32),
            self.entry_of[chosen],
            reach,
            len(self.entry_of),
            self.entries,
        )


def inverse(fmr):
    """The score that impostors of the calibration reach at this rate; beyond its end, on towards 1."""
    rows = CALIBRATION.rows
    logs = [-math.log(each.fmr) for each in rows] + [-math.log(1e-12)]
    return np.interp(-np.log(fmr), logs, [each.score for each in rows] + [1.0])


def like_the_calibration(rng, entries, times=1.0, each=1, same=0.0):
    """A list whose impostors' rate is `times` the calibration's; a share `same` of an entry's templates are copies."""
    people = np.repeat(np.arange(entries), each)
    draws = rng.random((len(people), len(people)))
    copied = (rng.random(len(people)) < same) & (np.arange(len(people)) % each > 0)
    source = np.where(copied, people * each, np.arange(len(people)))
    draws = np.triu(draws, 1)
    draws = (draws + draws.T)[np.ix_(source, source)]
    np.fill_diagonal(draws, 1.0)
    scores = inverse(np.clip(draws / times, 1e-12, 1.0))
    scores[people[:, None] == people] = 0.99
    return MadeUpList(scores, people)


def with_pairs_at(score, count):
    """A list of 400 entries of whom so many pairs have this score, and all others 0."""
    scores = np.zeros((400, 400))
    for place in range(count):
        one, other = 2 * place, 2 * place + 1
        scores[one, other] = scores[other, one] = score
    return MadeUpList(scores, range(400))


@pytest.mark.parametrize("times", [1.0, 3.0, 8.0])
def test_entries_that_resemble_each_other_so_many_times_as_often_give_that_factor(times):
    own, alike = like_the_calibration(np.random.default_rng(1), 600, times).measure()
    assert own.factor == pytest.approx(times, rel=0.45)
    assert own.comparisons + 2 * len(alike) == 600 * 599
    assert own.reaching >= 2 * MIN_FALSE_MATCHES


def test_a_list_less_alike_than_the_calibrations_people_gets_no_milder_threshold_for_it():
    own, _ = like_the_calibration(np.random.default_rng(2), 600, 0.6).measure()
    assert own.factor == 1.0


def test_chance_alone_makes_a_list_hardly_stricter():
    factors = [
        like_the_calibration(np.random.default_rng(seed), 300).measure()[0].factor for seed in range(20)
    ]
    assert np.mean(factors) < 1.05
    assert np.median(factors) == 1.0


def test_what_chance_explains_is_taken_off_by_the_number_of_pairs():
    own, _ = with_pairs_at(0.66, 110).measure()
    times = 220 / (400 * 399) / (1e-3 - 1e-5)
    left = 1 - (1 / 110) / math.log(times) ** 2
    assert own.factor == pytest.approx(times**left)


def test_entries_with_many_copies_that_resemble_each_other_count_once_each():
    entry_of = np.repeat(np.arange(200), [9] * 100 + [1] * 100)
    scores = np.zeros((200, 200))
    for one in range(0, 80, 2):
        scores[one, one + 1] = scores[one + 1, one] = 0.66
    own, _ = MadeUpList(scores[np.ix_(entry_of, entry_of)], entry_of).measure()
    assert own.factor == pytest.approx(own.reaching / own.comparisons / (1e-3 - 1e-5), rel=0.05)
    assert own.factor < 5


def test_a_factor_is_never_below_one_however_many_copies_an_entry_has():
    entry_of = np.repeat(np.arange(400), [3] * 80 + [1] * 320)
    made = with_pairs_at(0.66, MIN_FALSE_MATCHES)
    own, _ = MadeUpList(made.scores[np.ix_(entry_of, entry_of)], entry_of).measure()
    assert own.reaching / own.comparisons < 1e-3 - 1e-5
    assert own.factor == 1.0


def test_matches_that_one_entry_makes_with_all_others_weigh_less_than_as_many_of_different_entries():
    factors = []
    for pairs in (
        [(0, other) for other in range(1, 41)],
        [(2 * place, 2 * place + 1) for place in range(40)],
    ):
        scores = np.zeros((400, 400))
        for one, other in pairs:
            scores[one, other] = scores[other, one] = 0.76
        factors.append(MadeUpList(scores, range(400)).measure()[0].factor)
    by_one, by_many = factors
    assert by_many == pytest.approx(80 / (400 * 399) / (1e-4 - 1e-5), rel=0.03)
    assert 1.0 < by_one < by_many / 1.5


def test_different_pictures_of_a_person_count_as_so_many_and_copies_of_one_as_one():
    factors = [
        like_the_calibration(np.random.default_rng(3), 300, each=4, same=same).measure()[0].factor
        for same in (0.0, 1.0)
    ]
    assert factors == pytest.approx([4.0, 1.0], rel=0.4)


@pytest.mark.parametrize(("score", "row"), [(0.66, 0.65), (0.76, 0.75), (0.84, 0.75)])
def test_the_rate_is_taken_at_the_strictest_row_that_thirty_pairs_of_entries_reach(score, row):
    own, _ = with_pairs_at(score, MIN_FALSE_MATCHES).measure()
    assert (own.score, own.reaching) == (row, 2 * MIN_FALSE_MATCHES)


def test_a_list_less_alike_than_enough_to_tell_has_no_factor_and_takes_one_look():
    made = with_pairs_at(0.84, MIN_FALSE_MATCHES - 1)
    own, _ = made.measure()
    assert (own.factor, made.looks) == (None, 1)


def test_several_templates_of_the_same_two_entries_are_one_pair_of_the_rule_of_thirty():
    scores = np.zeros((40, 40))
    scores[:20, 20:] = scores[20:, :20] = 0.7
    own, _ = MadeUpList(scores, [0] * 20 + [1] * 20).measure()
    assert own.factor is None
    assert own.reaching == 0


def test_a_list_too_small_to_tell_has_no_factor():
    own, alike = like_the_calibration(np.random.default_rng(4), 5).measure()
    assert own.factor is None
    assert alike == ()
    assert (own.templates, own.entries) == (5, 5)


def test_a_list_of_one_entry_has_nothing_to_compare():
    own, alike = MadeUpList(np.full((3, 3), 0.99), [0, 0, 0]).measure()
    assert (own.comparisons, own.reaching, own.factor, alike) == (0, 0, None, ())


def test_an_empty_list_has_nothing_to_compare():
    nothing = np.empty(0, dtype=np.int64)
    own, alike = measure(
        CALIBRATION,
        np.empty((0, 4), dtype=np.float32),
        nothing,
        lambda *_: (nothing, nothing, np.empty(0)),
        0,
        0,
    )
    assert (own.comparisons, own.factor, alike) == (0, None, ())


def test_entries_that_may_be_one_person_are_answered_and_left_out_of_the_rate():
    of = like_the_calibration(np.random.default_rng(5), 300)
    people = np.clip(of.scores, None, STRICTEST - 0.01)
    before, none = MadeUpList(people, of.entry_of).measure()
    twins = people.copy()
    twins[7, 3] = twins[3, 7] = 0.95
    twins[100, 200] = twins[200, 100] = STRICTEST
    after, alike = MadeUpList(twins, of.entry_of).measure()
    assert none == ()
    assert alike == (AlikePair(3, 7, 0.95), AlikePair(100, 200, STRICTEST))
    assert after.comparisons == before.comparisons - 4
    assert abs(after.reaching - before.reaching) <= 4


def test_of_very_many_alike_the_likest_are_answered():
    entries = 40
    scores = np.full((entries, entries), 0.9)
    scores[5, 6] = scores[6, 5] = 0.97
    _, alike = MadeUpList(scores, range(entries)).measure()
    assert len(alike) == MAX_ALIKE
    assert alike[0] == AlikePair(5, 6, 0.97)
    assert [(pair.entry, pair.other) for pair in alike[1:3]] == [(0, 1), (0, 2)]


def test_the_order_in_which_pairs_are_found_changes_nothing():
    made = like_the_calibration(np.random.default_rng(6), 200, 2.0, each=2)
    assert made.measure() == made.measure(order=np.random.default_rng(7))


def test_a_sample_of_a_list_gives_about_the_factor_of_all_of_it():
    made = like_the_calibration(np.random.default_rng(8), 900, 4.0)
    own, _ = made.measure(probes=range(0, 900, 3))
    assert own.factor == pytest.approx(4.0, rel=0.4)
    assert own.comparisons <= 300 * 899


def test_a_sample_is_the_whole_list_up_to_ten_thousand_and_a_bounded_effort_beyond():
    assert [sample_size(n) for n in (0, 1, 10_000)] == [0, 1, 10_000]
    assert sample_size(10**6) * 10**6 == 10**8
    assert sample_size(10**8) == 100


def test_scores_at_which_no_threshold_is_set_say_nothing_of_a_list():
    own, _ = like_the_calibration(np.random.default_rng(10), 12).measure()
    assert own.factor is None
    alike, _ = like_the_calibration(np.random.default_rng(10), 12, 8.0).measure()
    assert CALIBRATION.fmr_at(alike.score).rate == MAX_FMR_TARGET
    assert alike.factor == pytest.approx(8.0, rel=0.4)
