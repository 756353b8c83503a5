"""Error rates against brute force, and intervals that behave."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from borderpost.faces.evaluation import metrics
from borderpost.faces.evaluation.metrics import (
    FalseMatches,
    Searches,
    cmc,
    cosines,
    false_matches,
    fmr_estimates,
    fnir,
    fnmr,
    fnmr_curve,
    fold_accuracies,
    fpir,
    genuine_scores,
    impostor_scores,
    interval,
    search,
    share_reaching,
    threshold_at,
    upper_95,
)

QUICK = settings(deadline=None, max_examples=40)  # the first call of numpy is slow

# Coarse scores make ties, where off-by-one mistakes hide.
SCORES = st.lists(st.integers(-10, 10), min_size=1, max_size=60).map(
    lambda numbers: np.sort(np.asarray(numbers, np.float32) / 10)
)


@st.composite
def samples(draw):
    people = np.asarray(draw(st.lists(st.integers(0, 5), min_size=6, max_size=25)))
    people = np.unique(people, return_inverse=True)[1]
    assume(people.max() >= 2)
    vectors = np.random.default_rng(draw(st.integers(0, 99))).normal(size=(len(people), 3)).round(1) + 0.01
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), people


def all_pairs(vectors, people):
    table = cosines(vectors)(slice(0, len(people)))
    for i, j in itertools.combinations(range(len(people)), 2):
        yield float(table[i, j]), int(people[i]), int(people[j])


@QUICK
@given(SCORES, st.floats(0, 1))
def test_a_threshold_is_the_lowest_that_keeps_the_rate(scores, rate):
    threshold = threshold_at(scores, rate)
    assert (scores >= np.float32(threshold)).sum() <= rate * len(scores) + 1e-6
    lower = scores[scores < np.float32(threshold)]
    if len(lower):
        assert (scores >= lower.max()).sum() > rate * len(scores) - 1e-6


@QUICK
@given(SCORES, st.integers(-12, 12).map(lambda tenths: tenths / 10))
def test_the_share_that_reaches_a_threshold_is_counted(scores, threshold):
    assert share_reaching(scores, threshold) == pytest.approx((scores >= np.float32(threshold)).mean())


@QUICK
@given(samples(), st.integers(1, 7))
def test_every_pair_counts_once_and_in_its_kind(sample, block):
    vectors, people = sample
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, "BLOCK", block)
        impostors = impostor_scores(cosines(vectors), people)
        genuine = genuine_scores(cosines(vectors), people)
    pairs = list(all_pairs(vectors, people))
    assert impostors == pytest.approx(np.asarray(sorted(s for s, a, b in pairs if a != b)), abs=1e-6)
    mine = sorted(zip(genuine.people.tolist(), genuine.scores.tolist(), strict=True))
    assert np.asarray(mine).reshape(-1, 2) == pytest.approx(
        np.asarray(sorted((a, s) for s, a, b in pairs if a == b)).reshape(-1, 2), abs=1e-6
    )


@QUICK
@given(samples(), st.floats(-0.9, 0.99))
def test_false_matches_are_counted_for_both_people(sample, threshold):
    vectors, people = sample
    found = false_matches(cosines(vectors), people, [threshold])
    pairs = [(s, a, b) for s, a, b in all_pairs(vectors, people) if a != b]
    assert found.total == len(pairs)
    # Scores within rounding of the threshold may fall on either side, block by block.
    assume(all(abs(score - threshold) > 1e-6 for score, _, _ in pairs))
    matching = [(a, b) for s, a, b in pairs if s >= threshold]
    assert found.counts.tolist() == [len(matching)]
    for person in range(int(people.max()) + 1):
        assert found.matches[0, person] == sum(person in pair for pair in matching)
        assert found.pairs[person] == sum(person in (a, b) for _, a, b in pairs)


@QUICK
@given(samples(), st.floats(-0.5, 0.9))
def test_the_jackknife_is_that_of_leaving_people_out_one_by_one(sample, threshold):
    vectors, people = sample
    found = false_matches(cosines(vectors), people, [threshold])
    assume(found.counts[0] > 0)
    rates = []
    for person in range(int(people.max()) + 1):
        keep = people != person
        left = np.unique(people[keep], return_inverse=True)[1]
        rates.append(false_matches(cosines(vectors[keep]), left, [threshold]).rates[0])
    error = np.sqrt((len(rates) - 1) * np.var(rates))
    bound = min(1.0, found.rates[0] * np.exp(metrics.Z_95 * error / found.rates[0]))
    assert upper_95(found)[0] == pytest.approx(bound, rel=1e-3)


def test_the_bound_of_the_fmr_covers_the_truth_although_pairs_share_people():
    rng = np.random.default_rng(0)
    covered, truth = 0, 0.10
    for _ in range(200):
        likeness = rng.random(60) < np.sqrt(truth)  # pairs of two alike people match
        match = likeness[:, None] & likeness & ~np.eye(60, dtype=bool)
        found = FalseMatches(np.full(60, 59), match.sum(axis=1)[None])
        covered += fmr_estimates(found)[0].low <= truth <= fmr_estimates(found)[0].high
    assert covered >= 180


def test_without_a_false_match_the_bound_is_that_nothing_is_known():
    found = FalseMatches(np.asarray([1, 1, 2]), np.zeros((1, 3), np.int64))
    assert upper_95(found).tolist() == [1.0]


@QUICK
@given(samples(), st.floats(-1, 1, width=32))
def test_every_person_weighs_the_same_in_the_fnmr(sample, threshold):
    genuine = genuine_scores(cosines(sample[0]), sample[1])
    assume(len(genuine.scores))
    shares = [
        (genuine.scores[genuine.people == p] < np.float32(threshold)).mean()
        for p in np.unique(genuine.people)
    ]
    estimate = fnmr(genuine, threshold)
    assert estimate.rate == pytest.approx(np.mean(shares))
    assert estimate.low <= estimate.rate + 1e-6
    assert estimate.high >= estimate.rate - 1e-6
    assert fnmr_curve(genuine, [threshold])[0] == pytest.approx(np.mean(shares))


def test_where_nothing_failed_the_interval_follows_the_rule_of_three():
    estimate = interval(np.zeros(300), np.ones(300))
    assert (estimate.rate, estimate.low, estimate.high) == (0.0, 0.0, 0.01)
    assert interval(np.ones(300), np.ones(300)).low == pytest.approx(0.99)


def test_the_bootstrap_draws_people_and_not_tries():
    once = interval(np.asarray([1.0] * 10 + [0.0] * 90), np.ones(100))
    often = interval(np.asarray([20.0] * 10 + [0.0] * 90), np.full(100, 20.0))
    assert (often.low, often.high) == pytest.approx((once.low, once.high))


@QUICK
@given(st.integers(2, 8), st.integers(0, 999), st.integers(-9, 9).map(lambda tenths: tenths / 10))
def test_searches_are_those_of_looking_at_every_candidate(size, seed, threshold):
    rng = np.random.default_rng(seed)
    enrolled, whose = rng.permutation(12)[:size], rng.integers(0, 12, 15)
    assume(np.isin(whose, enrolled).any() and not np.isin(whose, enrolled).all())
    table = (rng.integers(-9, 10, (15, size)) / 10).astype(np.float32)
    found = search(np.empty((size, 1)), enrolled, np.empty((15, 1)), whose, table)
    missed, alarms = [], []
    for probe, person in enumerate(whose):
        own = [table[probe, column] for column in range(size) if enrolled[column] == person]
        if own:
            missed.append(own[0] < np.float32(threshold) or own[0] < table[probe].max())
        else:
            alarms.append(table[probe].max() >= np.float32(threshold))
    assert fnir(found, threshold).rate == pytest.approx(np.mean(missed))
    assert fpir(found, threshold).rate == pytest.approx(np.mean(alarms))


def test_the_cmc_counts_the_searches_found_up_to_each_rank():
    searches = Searches(
        np.zeros(4, np.float32),
        np.asarray([1, 1, 3, 9]),
        np.arange(4),
        np.empty(0, np.float32),
        np.empty(0, int),
    )
    assert cmc(searches, 4).tolist() == [0.5, 0.5, 0.75, 0.75]


def test_a_folds_threshold_comes_from_the_other_folds():
    scores = np.asarray([0.9, 0.1, 0.8, 0.2, 0.3, 0.7], np.float32)
    same = np.asarray([True, False, True, False, True, False])
    folds = np.asarray([0, 0, 1, 1, 2, 2])
    # The best threshold of the others is 0.8; in the last fold the wrong pair is the higher one, and below it.
    assert fold_accuracies(scores, same, folds).tolist() == [1.0, 1.0, 0.5]


@QUICK
@given(st.lists(st.tuples(st.integers(-5, 5), st.booleans()), min_size=1, max_size=30))
def test_the_best_threshold_is_the_best_of_all(pairs):
    scores = np.asarray([score for score, _ in pairs], np.float32)
    same = np.asarray([truth for _, truth in pairs])
    mine = ((scores >= metrics.best_threshold(scores, same)) == same).mean()
    assert mine == pytest.approx(max(((scores >= t) == same).mean() for t in scores))
