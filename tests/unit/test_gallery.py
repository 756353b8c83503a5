"""The gallery of recent faces: who is found, who never, and that everybody is forgotten in time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from borderpost.decisions.patterns import gallery as room
from borderpost.decisions.patterns.domain import TWO_IDENTITIES, Seen, two_identities
from borderpost.decisions.patterns.gallery import Face, Gallery
from borderpost.runtime.calibration import load_calibrations

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
CALIBRATIONS = load_calibrations()
MODEL = "mobilefacenet-v1"
FMR = 1e-5


def like(vector, cosine):
    """A vector of length 1 at this cosine to another."""
    other = np.zeros_like(vector)
    other[int(np.argmin(np.abs(vector)))] = 1.0
    other -= (other @ vector) * vector
    return (cosine * vector + np.sqrt(1 - cosine**2) * other / np.linalg.norm(other)).astype(np.float32)


A = np.eye(128, dtype=np.float32)[0]
STRANGE = np.eye(128, dtype=np.float32)[2]
THRESHOLD = CALIBRATIONS[MODEL].mean_threshold_at(FMR).score


def face(event_id="e", vector=A, visit="before", holder=b"one", until=NOON + HOUR, model=MODEL):
    return Face(Seen(event_id, visit, "north", NOON), holder, model, vector, until)


def found(gallery, probe, now=NOON, fmr=FMR):
    return [seen.event_id for seen in gallery.of_others(probe, fmr, now)]


def gallery_with(*faces, **how):
    gallery = Gallery(CALIBRATIONS, **how)
    for one in faces:
        gallery.hold(one, NOON)
    return gallery


def test_a_face_that_came_with_another_holders_document_is_found_at_the_rate_that_is_asked_for():
    gallery = gallery_with(face("alike", like(A, THRESHOLD + 0.01)), face("not", like(A, THRESHOLD - 0.01)))
    assert found(gallery, face(visit="now", holder=b"two")) == ["alike"]
    assert found(gallery, face(visit="now", holder=b"two", vector=STRANGE)) == []


def test_one_person_with_two_documents_and_the_attempts_of_one_visit_are_no_pattern():
    gallery = gallery_with(face("e"))
    assert found(gallery, face(visit="now", holder=b"one")) == []
    assert found(gallery, face(visit="before", holder=b"two")) == []


def test_templates_of_another_model_are_never_compared():
    gallery = gallery_with(face("e"))
    assert found(gallery, face(visit="now", holder=b"two", model="dlib-resnet-v2")) == []


@pytest.mark.parametrize(("model", "fmr"), [("of-somebody", FMR), (MODEL, 1e-9)])
def test_at_a_rate_that_no_calibration_shows_nobody_is_found_and_the_log_says_so(model, fmr):
    gallery = gallery_with(face("e", model=model))
    with capture_logs() as logs:
        assert found(gallery, face(visit="now", holder=b"two", model=model), fmr=fmr) == []
    assert [line["event"] for line in logs] == ["gallery_rate_unsupported"]


def test_who_was_held_for_long_enough_is_forgotten_also_while_nobody_comes():
    gallery = gallery_with(face("e"), face("later", until=NOON + 2 * HOUR))
    assert found(gallery, face(visit="now", holder=b"two"), now=NOON + HOUR) == ["later"]
    gallery.forget_old(NOON + 2 * HOUR)
    assert len(gallery) == 0


def test_a_face_whose_time_is_over_is_not_even_held():
    assert len(gallery_with(face(until=NOON))) == 0


def test_a_forgotten_face_leaves_no_number_of_it_in_memory():
    gallery = gallery_with(face("e"), face("other", STRANGE))
    gallery.forget(["e", "e", "never there"])
    [rows] = gallery._models.values()
    assert np.count_nonzero(rows._matrix @ A) == 0
    assert len(gallery) == 1


def test_where_more_come_than_fit_those_go_first_whose_time_is_over_first():
    gallery = gallery_with(
        face("long", until=NOON + 3 * HOUR), face("short", until=NOON + HOUR), face("new"), most=2
    )
    assert sorted(found(gallery, face(visit="now", holder=b"two"))) == ["long", "new"]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.sampled_from("hfo"), st.integers(0, 8), st.integers(1, 5)), max_size=60))
def test_whatever_comes_and_goes_exactly_those_are_found_who_are_held(steps):
    room.FIRST_ROWS, before = 2, room.FIRST_ROWS
    try:
        gallery, held, now = Gallery(CALIBRATIONS), {}, NOON
        for step, name, hours in steps:
            if step == "h":
                gallery.hold(face(str(name), until=now + hours * HOUR), now)
                held.setdefault(str(name), now + hours * HOUR)
            elif step == "f":
                gallery.forget([str(name)])
                held.pop(str(name), None)
            else:
                now += hours * HOUR / 2
            held = {name: until for name, until in held.items() if until > now}
            assert sorted(found(gallery, face(visit="now", holder=b"two"), now)) == sorted(held)
    finally:
        room.FIRST_ROWS = before


def test_what_was_found_is_one_pattern_that_rests_on_the_newest():
    earlier = [Seen("a", "x", "north", NOON), Seen("b", "y", "south", NOON + HOUR)]
    [pattern] = two_identities(earlier)
    assert (pattern.code, pattern.newest.event_id, pattern.screenings) == (TWO_IDENTITIES, "b", 3)
    assert two_identities([]) == []
