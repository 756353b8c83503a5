"""Measuring: what a list's own templates say of false matches, and what that does to its threshold."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import pytest

from borderpost.runtime.clock import new_id
from borderpost.watchlist import measuring
from borderpost.watchlist.domain import Import, SearchQuery
from borderpost.watchlist.errors import ListNotPermittedError, WatchlistNotFoundError
from borderpost.watchlist.measuring import GROWTH, LEAST_ENTRIES
from borderpost.watchlist.templates import Template
from borderpost.watchlist.thresholds import face_threshold
from fakes.watchlist import (
    ANNA,
    BEN,
    CALIBRATION,
    MODEL,
    House,
    a_house,
    a_list,
    a_quick_house,
    a_template,
    an_entry,
    by,
    near,
    unit_vectors,
)

ENTRIES = 120


@pytest.fixture
def house() -> Iterator[House]:
    with a_quick_house() as house:
        yield house


def similar(count: int, seed: int = 1) -> list[Template]:
    """Faces that have much in common, as those of one origin do."""
    vectors = unit_vectors(count, MODEL.dimension, seed) + 0.75 * unit_vectors(1, MODEL.dimension, 99)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return [Template(MODEL, row.astype(np.float32).tobytes()) for row in vectors]


def add_all(house: House, list_id: str, templates: list[Template]) -> list[str]:
    """Add an entry for each, at once; return their ids."""
    asked = Import(new_id(), list_id, new_id(), b"x" * 32, False, len(templates), ANNA)
    begun = house.importing.begin(asked, by(ANNA))
    contents = [an_entry("", entry_id="", templates=(template,)) for template in templates]
    rows = [(row, f"record {row}", content) for row, content in enumerate(contents, 1)]
    house.importing.stage(begun.import_id, rows, by(ANNA))
    house.importing.finish(begun.import_id, by(ANNA), skip_errors=False, dry_run=False)
    house.importing.approve(begun.import_id, by(BEN))
    return list(house.bodies("watchlist_imported")[-1].added_entry_ids)


def threshold(house: House, list_id: str):
    query = SearchQuery((a_template(1),), list_ids=frozenset({list_id}))
    (result,) = house.search(query).results
    return result.threshold


def test_a_list_of_people_who_are_alike_gets_a_factor_and_a_stricter_threshold(house: House):
    watchlist = house.new_list(target_fpir=0.1)
    add_all(house, watchlist.list_id, similar(ENTRIES))
    before = threshold(house, watchlist.list_id)
    (measured,), version = house.measuring.measure(watchlist.list_id, by(ANNA, "check"))
    after = threshold(house, watchlist.list_id)
    assert measured.own.factor is not None
    assert measured.own.factor > 1.5
    assert (before.factor, after.factor) == (None, measured.own.factor)
    assert before.score < after.score
    assert after.comparisons == pytest.approx(ENTRIES * measured.own.factor)
    assert after == face_threshold(CALIBRATION, 0.1, ENTRIES, ENTRIES, 1, measured.own)
    assert house.version_of(watchlist.list_id) == version
    assert house.app.statistics(watchlist.list_id, by(ANNA)).measured == (measured,)


def test_a_measurement_is_an_event_and_outlives_a_restart(house: House):
    list_id = house.new_list(target_fpir=0.1).list_id
    add_all(house, list_id, similar(ENTRIES))
    (measured,), version = house.measuring.measure(list_id, by(ANNA, "check"))
    event = house.bodies("watchlist_changed")[-1]
    assert (event.what, event.list_id, event.version) == ("THRESHOLDS", list_id, version)
    assert (event.model_id, event.factor) == (MODEL.model_id, pytest.approx(measured.own.factor))
    with a_house(house.folder) as again:
        assert threshold(again, list_id) == threshold(house, list_id)


def test_a_small_list_is_not_measured(house: House):
    list_id = house.new_list().list_id
    add_all(house, list_id, similar(LEAST_ENTRIES - 1))
    version = house.version_of(list_id)
    assert house.measuring.measure(list_id, by(ANNA)) == ((), version)
    assert house.measuring.measure_due(by(ANNA)) == 0
    assert house.version_of(list_id) == version
    add_all(house, list_id, similar(1, seed=2))
    assert house.measuring.measure_due(by(ANNA)) == 1


def test_entries_that_may_be_one_person_are_named_until_one_is_removed(house: House):
    list_id = house.new_list().list_id
    add_all(house, list_id, [a_template(seed) for seed in range(100, 140)])
    (one,) = add_all(house, list_id, [a_template(1)])
    (other,) = add_all(house, list_id, [near(a_template(1), 0.97, seed=1)])
    (measured,), _ = house.measuring.measure(list_id, by(ANNA))
    (pair,) = [each for each in measured.alike if each.score > 0.96]
    assert {pair.entry_id, pair.other_entry_id} == {one, other}
    assert pair.score == pytest.approx(0.97, abs=1e-5)
    house.app.remove_entry(other, by(ANNA))
    (kept,) = house.app.statistics(list_id, by(ANNA)).measured
    assert not any(other in (each.entry_id, each.other_entry_id) for each in kept.alike)


def test_a_list_is_measured_again_only_once_it_has_grown_by_a_quarter(house: House):
    list_id = house.new_list().list_id
    add_all(house, list_id, similar(40))
    assert house.measuring.measure_due(by(ANNA)) == 1
    assert house.measuring.measure_due(by(ANNA)) == 0
    add_all(house, list_id, similar(9, seed=2))
    assert house.measuring.measure_due(by(ANNA)) == 0
    assert 40 * GROWTH == 50
    last = add_all(house, list_id, similar(1, seed=3))
    assert house.measuring.measure_due(by(ANNA)) == 1
    assert house.measuring.measure_due(by(ANNA)) == 0
    for entry_id in (*last, *house.keeper.view.lists[list_id].blocks[0].block.entries.entry_ids[:9]):
        house.app.remove_entry(entry_id, by(ANNA))
    assert house.measuring.measure_due(by(ANNA)) == 1  # it shrank from 50 to 40


def test_only_entries_that_are_searched_count(house: House):
    list_id = house.new_list().list_id
    add_all(house, list_id, similar(40))
    for template in similar(10, seed=2):
        house.app.propose_entry(an_entry(list_id, templates=(template,)), by(ANNA))
    late = an_entry(list_id, templates=(a_template(5),), valid_from=house.clock.now() + timedelta(days=1))
    house.add(late)
    (measured,), _ = house.measuring.measure(list_id, by(ANNA))
    assert (measured.own.entries, measured.own.templates) == (40, 40)


def test_lists_are_measured_one_by_one_each_by_its_own_people(house: House):
    alike, varied = house.new_list(target_fpir=0.1), house.new_list(target_fpir=0.1)
    add_all(house, alike.list_id, similar(ENTRIES))
    add_all(house, varied.list_id, [a_template(seed) for seed in range(500, 500 + ENTRIES)])
    assert house.measuring.measure_due(by(ANNA)) == 2
    factors = [threshold(house, each.list_id).factor for each in (alike, varied)]
    assert None not in factors
    assert factors[0] > factors[1] >= 1.0


def test_scopes_limit_measuring_to_the_lists_that_they_name(house: House):
    list_id = house.new_list().list_id
    add_all(house, list_id, similar(40))
    other = by(ANNA, scopes=frozenset({f"list:{house.new_list().list_id}"}))
    for act in (house.measuring.measure, house.app.statistics):
        with pytest.raises(ListNotPermittedError):
            act(list_id, other)
        with pytest.raises(WatchlistNotFoundError):
            act(a_list().list_id, other)
    assert house.measuring.measure_due(by(ANNA)) == 1


def test_a_list_that_has_one_face_many_times_is_measured_with_fewer_probes(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(measuring, "MOST_PAIRS", 2_000)
    looked_at = []
    some_reaching = measuring._some_reaching

    def counted(*arguments):
        for reached in some_reaching(*arguments):
            looked_at.append(len(reached[0]))
            yield reached

    monkeypatch.setattr(measuring, "_some_reaching", counted)
    watchlist = house.new_list()
    add_all(house, watchlist.list_id, [a_template(1)] * 300)
    (found,), _ = house.measuring.measure(watchlist.list_id, by(ANNA))
    assert found.alike
    assert found.own.templates == 300
    assert sum(looked_at) < 10 * measuring.MOST_PAIRS < 300 * 300
