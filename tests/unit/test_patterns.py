"""What a document's screenings say together: against a plain statement of the same for random ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from borderpost.decisions.patterns.domain import (
    IN_TWO_PLACES,
    MANY_VISITS,
    PORTRAIT_CHANGED,
    Seen,
    Terms,
    patterns,
)

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
TERMS = Terms(timedelta(hours=24), timedelta(minutes=30), most_visits=3, portrait_changed=True)
NOW = Seen("", "now", "north", NOON, b"one")


def seen(visit="before", crossing="north", minutes=10, portrait=b"one", event_id="e"):
    return Seen(event_id, visit, crossing, NOON - timedelta(minutes=minutes), portrait)


def codes(*earlier, now=NOW, terms=TERMS):
    return [pattern.code for pattern in patterns(now, earlier, terms)]


def test_a_document_at_two_crossings_within_less_time_than_the_way_takes():
    assert codes(seen(crossing="south", minutes=29)) == [IN_TWO_PLACES]
    assert codes(seen(crossing="south", minutes=30)) == []
    assert codes(seen(crossing="north", minutes=1)) == []


def test_attempts_of_one_visit_are_no_pattern_whatever_they_say():
    assert codes(*[seen(visit="now", crossing="south", portrait=b"two")] * 9) == []


def test_more_visits_with_one_document_than_the_policy_takes_for_usual():
    assert codes(seen("a"), seen("b"), seen("c")) == [MANY_VISITS]
    assert codes(seen("a"), seen("b"), seen("b")) == []


def test_another_portrait_on_the_chip_than_before_and_none_is_no_other():
    assert codes(seen(portrait=b"two")) == [PORTRAIT_CHANGED]
    assert codes(seen(portrait=None)) == []
    assert codes(seen(portrait=b"two"), now=Seen("", "now", "north", NOON, None)) == []


def test_what_is_switched_off_is_not_found_and_what_is_outside_the_window_neither():
    off = Terms(timedelta(hours=24), timedelta(0), most_visits=0, portrait_changed=False)
    everything = [seen(visit, "south", 1, b"two") for visit in "abcdef"]
    assert codes(*everything, terms=off) == []
    assert codes(*[seen(visit, "south", 25 * 60, b"two") for visit in "abcdef"]) == []


def test_a_pattern_names_the_newest_screening_that_it_rests_on_and_counts_the_new_one():
    old, new = seen("a", "south", 20, event_id="old"), seen("b", "east", 5, event_id="new")
    [pattern] = patterns(NOW, [old, new, seen("c", "north", 1, event_id="here")], TERMS)[:1]
    assert (pattern.code, pattern.newest, pattern.screenings) == (IN_TWO_PLACES, new, 3)


EARLIER = st.lists(
    st.builds(
        seen,
        visit=st.sampled_from(["now", "a", "b", "c"]),
        crossing=st.sampled_from(["north", "south"]),
        minutes=st.integers(-60, 48 * 60),
        portrait=st.sampled_from([None, b"one", b"two"]),
    ),
    max_size=8,
)


@given(EARLIER)
def test_each_pattern_is_there_exactly_if_its_plain_statement_holds(earlier):
    near = [
        one for one in earlier if one.visit_id != "now" and abs((one.at - NOON).total_seconds()) <= 24 * 3600
    ]
    wanted = {
        IN_TWO_PLACES: any(
            one.crossing == "south" and abs((one.at - NOON).total_seconds()) < 1800 for one in near
        ),
        MANY_VISITS: len({one.visit_id for one in near}) >= 3,
        PORTRAIT_CHANGED: any(one.portrait == b"two" for one in near),
    }
    assert set(codes(*earlier)) == {code for code, holds in wanted.items() if holds}


@given(EARLIER, st.randoms())
def test_the_order_of_what_is_known_does_not_matter(earlier, random):
    shuffled = list(earlier)
    random.shuffle(shuffled)
    assert codes(*earlier) == codes(*shuffled)
