"""The evaluation of the watchlist's thresholds: who is drawn, what is counted, and how sure that is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from borderpost.evaluation import report, study
from borderpost.evaluation.__main__ import fixed_thresholds, main
from borderpost.evaluation.lists import Setting, draws
from borderpost.evaluation.rates import Searched, fnir, fpir, of_list, widened
from borderpost.evaluation.study import Chosen, answered, compared, cosine_at, kept, measured_list
from borderpost.faces.evaluation.metrics import Estimate
from borderpost.faces.evaluation.protocols import Groups, Sample
from borderpost.runtime.calibration import load_calibration

NOBODY = np.empty(0, dtype=np.int64)


def a_sample(people=60, seed=1, dimension=16):
    """People with one to six pictures, alike within a person."""
    rng = np.random.default_rng(seed)
    pictures = 1 + np.arange(people) % 6
    of = np.repeat(np.arange(people), pictures)
    vectors = rng.normal(size=(people, dimension))[of] + 0.5 * rng.normal(size=(len(of), dimension))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    names = tuple(f"Person_{number}" for number in range(people))
    return Sample(vectors.astype(np.float32), of, names)


SAMPLE = a_sample()
SCORES = SAMPLE.vectors @ SAMPLE.vectors.T

SETTINGS = [Setting(20, several, probes) for several in (False, True) for probes in (1, 2)]


@pytest.mark.parametrize("setting", SETTINGS)
def test_nobody_who_is_listed_passes_by_as_a_stranger(setting):
    for drawn in draws(SAMPLE, setting, 5, 1):
        assert len(drawn.people) == len(set(drawn.people.tolist())) == setting.entries
        assert set(SAMPLE.people[drawn.strangers].ravel()).isdisjoint(drawn.people)
        assert (SAMPLE.people[drawn.strangers] == drawn.stranger_people[:, None]).all()
        assert len(set(drawn.stranger_people.tolist())) == len(drawn.stranger_people)


@pytest.mark.parametrize("setting", SETTINGS)
def test_who_is_listed_is_looked_for_by_pictures_that_are_not_on_the_list(setting):
    for drawn in draws(SAMPLE, setting, 5, 1):
        assert (SAMPLE.people[drawn.listed] == drawn.people[drawn.entry_of]).all()
        assert set(drawn.mated.ravel()).isdisjoint(drawn.listed)
        whose = drawn.people[drawn.mated_entries]
        assert (SAMPLE.people[drawn.mated] == whose[:, None]).all()
        assert drawn.mated.shape == (len(drawn.mated_entries), setting.probes)


def test_an_entry_has_one_template_or_all_pictures_but_the_probe_up_to_four():
    (single,) = draws(SAMPLE, Setting(20, several=False, probes=1), 1, 1)
    (several,) = draws(SAMPLE, Setting(20, several=True, probes=1), 1, 1)
    assert np.bincount(single.entry_of).tolist() == [1] * 20
    pictures = np.bincount(SAMPLE.people)[several.people]
    assert np.bincount(several.entry_of).tolist() == np.minimum(4, pictures - 1).tolist()


def test_lists_of_a_group_hold_its_people_and_all_others_pass_by():
    members = np.arange(60) < 25
    for drawn in draws(SAMPLE, Setting(20, several=False, probes=1), 3, 1, members):
        assert members[drawn.people].all()
        assert members[drawn.stranger_people].sum() == 5


def test_a_seed_draws_the_same_lists_again():
    first, again = ([drawn.listed.tolist() for drawn in draws(SAMPLE, SETTINGS[0], 3, 7)] for _ in range(2))
    assert first == again
    assert first[0] != first[1]


def test_answers_are_those_of_every_comparison_made_one_by_one():
    (drawn,) = draws(SAMPLE, Setting(20, several=True, probes=2), 1, 3)
    found = answered(compared(SCORES, drawn), 0.5)
    for place, traveler in enumerate(drawn.strangers):
        reached = {
            int(drawn.people[entry])
            for row, entry in zip(drawn.listed, drawn.entry_of, strict=True)
            for probe in traveler
            if SCORES[probe, row] >= np.float32(0.5)
        }
        assert found.alarms[place] == bool(reached)
        alone = found.alone[found.alone_strangers == drawn.stranger_people[place]].tolist()
        assert alone == (list(reached) if len(reached) == 1 else [])
    for place, (traveler, entry) in enumerate(zip(drawn.mated, drawn.mated_entries, strict=True)):
        own = drawn.listed[drawn.entry_of == entry]
        assert found.missed[place] == (SCORES[np.ix_(traveler, own)].max() < np.float32(0.5))


def searched(alarms, strangers=None, alone=NOBODY, missed=(False,), mated=(0,)):
    alarms = np.asarray(alarms, dtype=np.bool_)
    strangers = np.arange(len(alarms)) if strangers is None else np.asarray(strangers)
    return Searched(
        alarms=alarms,
        strangers=strangers,
        alone=np.asarray(alone, dtype=np.int64),
        alone_strangers=strangers[alarms][: len(alone)],
        missed=np.asarray(missed, dtype=np.bool_),
        mated=np.asarray(mated, dtype=np.int64),
    )


def test_the_rate_of_false_alarms_is_that_of_all_travelers_of_all_lists():
    rate = fpir([searched([True, False, False, False]), searched([True, True])])
    assert rate.rate == pytest.approx(3 / 6)
    assert rate.low < rate.rate < rate.high


def test_where_only_travelers_vary_the_interval_is_about_the_binomial_one():
    alarms = np.arange(2_000) % 20 == 0
    found = fpir([searched(alarms)])
    error = np.sqrt(0.05 * 0.95 / 2_000)
    assert np.log(found.high / found.rate) == pytest.approx(1.96 * error / 0.05, rel=0.01)


def test_an_entry_that_causes_all_alarms_makes_them_less_sure():
    alarms = np.arange(2_000) % 20 == 0
    by_many = fpir([searched(alarms, alone=np.arange(2_000, 2_100))])
    by_one = fpir([searched(alarms, alone=np.full(100, 2_000))])
    assert by_one.rate == by_many.rate
    assert by_one.high / by_one.rate > 2 * by_many.high / by_many.rate


def made_up_lists(rng, people=400, entries=60, lists=10):
    """Lists of people some of whom resemble many: the outcome of each pair is drawn once for all lists."""
    of_travelers, of_entries = rng.gamma(1.0, 1.0, people), rng.gamma(1.0, 1.0, people)
    match = rng.random((people, people)) < 0.002 * np.outer(of_travelers, of_entries)
    for _ in range(lists):
        order = rng.permutation(people)
        listed, passing = order[:entries], order[entries:]
        found = match[np.ix_(passing, listed)]
        one = found.sum(axis=1) == 1
        yield Searched(
            alarms=found.any(axis=1),
            strangers=passing,
            alone=listed[found[one].argmax(axis=1)],
            alone_strangers=passing[one],
            missed=np.zeros(1, dtype=np.bool_),
            mated=np.zeros(1, dtype=np.int64),
        )


def test_nineteen_of_twenty_intervals_hold_the_rate_where_lists_and_travelers_share_people():
    rng = np.random.default_rng(11)
    found = [fpir(list(made_up_lists(rng))) for _ in range(200)]
    true = np.mean([each.rate for each in found])
    assert 0.90 <= np.mean([each.low <= true <= each.high for each in found]) <= 0.99


def test_a_person_who_passes_by_several_lists_counts_as_one_person():
    alarms = np.arange(200) % 10 == 0
    apart = fpir([searched(alarms), searched(alarms, strangers=np.arange(200, 400))])
    same = fpir([searched(alarms), searched(alarms)])
    assert same.high - same.low > 1.3 * (apart.high - apart.low)


def test_without_an_alarm_the_rate_is_bounded_by_three_over_the_people():
    assert fpir([searched([False] * 300), searched([False] * 300)]) == Estimate(0.0, 0.0, 0.01)


def test_a_missed_person_is_counted():
    assert fnir([searched([False], missed=[True, False, False, False], mated=[0, 1, 2, 3])]).rate == 0.25


def test_a_single_lists_interval_is_wilsons():
    found = of_list(searched([True] * 10 + [False] * 90))
    assert (found.low, found.high) == (pytest.approx(0.0552, abs=1e-4), pytest.approx(0.1744, abs=1e-4))


def test_the_calibrations_error_widens_an_interval_and_none_leaves_it():
    estimate = Estimate(0.1, 0.08, 0.125)
    assert widened(estimate, 1.0) == estimate
    wide = widened(estimate, 1.25)
    assert wide.high == pytest.approx(0.1 * np.exp(np.hypot(np.log(1.25), np.log(1.25))))
    assert wide.low < estimate.low


def test_a_distance_is_a_cosine_of_embeddings_of_its_length():
    one, other = np.array([2.0, 0.0]), np.array([2 * np.cos(0.3), 2 * np.sin(0.3)])
    assert cosine_at(float(np.linalg.norm(one - other)), 2.0) == pytest.approx(np.cos(0.3))
    assert [each.score for each in fixed_thresholds("mobilefacenet", 3.0)] == [0.4, 0.6]
    assert fixed_thresholds("dlib", 1.0)[0].score == pytest.approx(0.82)


def test_a_list_is_compared_with_itself_by_its_scores():
    calibration = load_calibration("mobilefacenet-v1")
    (drawn,) = draws(SAMPLE, Setting(20, several=True, probes=1), 1, 3)
    own = measured_list(SAMPLE, SCORES, calibration, drawn)
    assert (own.templates, own.entries) == (len(drawn.listed), 20)
    assert 0 < own.comparisons <= len(drawn.listed) * 19


KEPT = kept([searched([True] * 10 + [False] * 90)], [Chosen(0.4, calibrated=1.3)], 0.1)


@pytest.mark.parametrize(
    ("interval", "target", "said"),
    [
        ((0.09, 0.12), 0.1, report.YES),
        ((0.075, 0.095), 0.1, report.WIDER),
        ((0.04, 0.05), 0.1, report.BELOW),
        ((0.3, 0.4), 0.1, report.ABOVE),
    ],
)
def test_the_report_says_where_a_target_lies(interval, target, said):
    low, high = interval
    estimate = Estimate((low * high) ** 0.5, low, high)
    assert report.verdict(replace(KEPT, fpir=estimate), target) == said


def test_the_report_never_calls_a_target_kept_that_is_not_supported():
    said = report.verdict(replace(KEPT, unsupported=3), 0.1)
    assert said == f"not supported for 3 of {study.DRAWS} lists"
    assert report.verdict(replace(KEPT, unsupported=study.DRAWS), 0.1) == "not supported"


@pytest.fixture
def small(monkeypatch):
    """Lists and travelers few enough for made-up people."""
    monkeypatch.setattr(study, "SIZES", (20,))
    monkeypatch.setattr(study, "MIN_STRANGERS", 10)
    monkeypatch.setattr(study, "DRAWS", 3)
    settings = tuple(Setting(20, several, 1) for several in (False, True))
    monkeypatch.setattr(study, "SETTINGS", settings)
    monkeypatch.setattr(study, "SIMPLE", settings[:1])


def tables(page):
    """The lines of each table."""
    parts = [part.strip().splitlines() for part in page.split("\n\n")]
    return [lines for lines in parts if lines[0].startswith("|")]


def test_a_page_has_every_part_and_marks_what_nobody_measured(small):
    calibration = load_calibration("mobilefacenet-v1")
    groups = Groups({"sex: female": frozenset(f"Person_{number}" for number in range(45))})
    found = study.study(
        SAMPLE, calibration, fixed_thresholds("mobilefacenet", 1.0), groups, frozenset({"Person_1"})
    )
    page = report.write_report("made up", [found], ["watchlist-accuracy/fpir.svg"])
    for title in ("In short", "mobilefacenet-v1", "Beside one threshold", "resemble", "Known label errors"):
        assert title in page
    predicted = page.partition("## Predicted, not measured")[2]
    assert "| mobilefacenet-v1 | 1,000,000 | 10.0% |" in predicted
    assert "at most" in predicted
    for lines in tables(page):
        assert len({line.count("|") for line in lines}) == 1


def test_a_setting_that_leaves_too_few_travelers_is_left_out(small, monkeypatch):
    monkeypatch.setattr(study, "MIN_STRANGERS", 41)
    calibration = load_calibration("mobilefacenet-v1")
    assert study.result(SAMPLE, SCORES, calibration, Setting(20, several=False, probes=1), []) is None


def test_data_that_is_not_there_is_said_in_a_sentence(tmp_path, capsys):
    assert main(["--data", str(tmp_path / "none"), "--docs", str(tmp_path)]) == 1
    assert "is not there" in capsys.readouterr().err
