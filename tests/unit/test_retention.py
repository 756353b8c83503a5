"""Retention: the rules, and applying them, with a clock that is set."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from borderpost.decisions.domain import Part, key_id
from borderpost.decisions.subjects import retention as retention_module
from borderpost.decisions.subjects.errors import RetentionRulesError
from borderpost.decisions.subjects.messages import retention_response
from borderpost.decisions.subjects.proving import LogProver, range_signer
from borderpost.decisions.subjects.retention import Applied, Retention
from borderpost.decisions.subjects.rules import BUILT_IN, duration, load_rules
from borderpost.proofs.pruned import Pruned, leaves_digest, parse_pruned
from borderpost.runtime.errors import UnavailableError
from borderpost.v1.decisions_pb2 import TravelerScreened
from borderpost.v1.types_pb2 import Outcome
from fakes.decisions import MemoryKeys
from fakes.subject_site import DOCUMENT, ITSELF, Interrupted, Steps, SubjectSite, sqlite_database, stepped

CLEAR, REFER, RETAKE = Outcome.OUTCOME_CLEAR, Outcome.OUTCOME_REFER, Outcome.OUTCOME_RETAKE
ORIGIN = "borderpost.local/decisions"
MICROSECOND = timedelta(microseconds=1)


sign = range_signer(ORIGIN, lambda text: text)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[SubjectSite]:
    database = sqlite_database(tmp_path)
    yield SubjectSite(database, MemoryKeys())
    database.close()


def retention_of(site: SubjectSite, steps: Steps | None = None) -> Retention:
    log, keys, store = stepped(steps or Steps(), site)
    return Retention(load_rules(None), log, keys, store, sign, site.clock)


def with_rules(tmp_path: Path, *changes: tuple[str, str]) -> Path:
    text = BUILT_IN.read_text()
    for before, after in changes:
        assert before in text
        text = text.replace(before, after, 1)
    path = tmp_path / "rules.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("0", timedelta(0)),
        ("1h", timedelta(hours=1)),
        ("24h", timedelta(days=1)),
        ("30d", timedelta(days=30)),
        ("3y", timedelta(days=3 * 365)),
        ("100y", timedelta(days=36_500)),
    ],
)
def test_durations_are_whole_hours_days_and_years_of_365_days(text, span):
    assert duration(text) == span


@pytest.mark.parametrize(
    "text",
    ["", "00", "0h", "1", "1m", "1.5h", "-1d", "+1d", " 1d", "1d ", "1D", "٣d", "101y", 24, None, True],
)
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="want"):
        duration(text)


@given(st.text())
def test_any_text_is_a_duration_or_a_value_error(text):
    with suppress(ValueError):
        assert duration(text) >= timedelta(0)


def test_the_built_in_rules_keep_no_pictures_but_those_of_referrals(site):
    retention = retention_of(site)
    kept = [
        retention.keeps_evidence(TravelerScreened(outcome=outcome, sampled=sampled))
        for outcome, sampled in ((CLEAR, False), (REFER, False), (REFER, True), (RETAKE, False))
    ]
    assert kept == [False, True, True, False]


def test_rules_are_named_by_their_name_and_the_hash_of_their_file(tmp_path):
    built_in = load_rules(None)
    assert built_in.version.startswith("default-1@")
    assert len(built_in.version) == len("default-1@") + 16
    other = load_rules(with_rules(tmp_path, ('"30d"', '"31d"')))
    assert other.version.startswith("default-1@")
    assert other.version != built_in.version


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('keep = "3y"', 'keep = "300d"', "longer than its event"),
        ('at_most = "30d"', 'at_most = "800d"', "longer than its payload"),
        ('keep = "24h"\n', 'keep = "400d"\n', "longer than its payload"),
        ('at_most = "30d"', "", "at_most"),
        ('[evidence.CLEAR]\nkeep = "0"', '[evidence.CLEAR]\nkeep = "0"\nat_most = "1d"', "at_most"),
        (
            '[payload.CLEAR]\nkeep = "30d"',
            '[payload.CLEAR]\nkeep = "1d"\ncounted_from = "CASE_CLOSED"\nat_most = "30d"',
            "for REFER and SAMPLED alone",
        ),
        ("[payload.RETAKE]", "[payload.OTHER]", "payload.RETAKE"),
        ('keep = "24h"', "keep = 24", "want"),
        ('name = "default-1"', 'name = "Default 1"', "name"),
        ('name = "default-1"', 'name = "default-1"\nforever = true', "forever"),
        ('name = "default-1"', "name = ", "not TOML"),
    ],
)
def test_rules_that_contradict_themselves_or_are_unknown_are_refused_and_say_where(
    tmp_path, before, after, said
):
    with pytest.raises(RetentionRulesError, match=said):
        load_rules(with_rules(tmp_path, (before, after)))


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(RetentionRulesError, match="can't read"):
        load_rules(tmp_path / "none.toml")


def test_what_is_overdue_is_destroyed_with_its_key_and_one_event_says_how_much(site):
    clear, refer = site.screen(CLEAR), site.screen(REFER)
    site.open_case(refer)
    retention = retention_of(site)
    assert retention.apply(ITSELF) == Applied(evidence=1, payloads=0, events=0)
    assert key_id(clear.event_id, Part.EVIDENCE) not in site.keys.keys
    assert clear.event_id in site.keys.keys
    assert set(site.keys.keys) >= {key_id(refer.event_id, part) for part in Part}
    (event,) = site.events("retention_applied")
    assert event.actor.subject == "decisions"
    assert event.retention_applied.rules == load_rules(None).version
    assert [(c.data_class, c.outcome, c.count) for c in event.retention_applied.erased] == [
        ("EVIDENCE", CLEAR, 1)
    ]


def test_applying_again_does_nothing_and_says_nothing(site):
    site.screen(CLEAR)
    retention = retention_of(site)
    retention.apply(ITSELF)
    assert retention.apply(ITSELF) == Applied(0, 0, 0)
    assert len(site.events("retention_applied")) == 1


def test_a_payload_goes_at_its_limit_and_not_before(site):
    screened = site.screen(CLEAR, evidence=False)
    retention = retention_of(site)
    site.clock.advance(timedelta(days=30) - MICROSECOND)
    assert retention.apply(ITSELF) == Applied(0, 0, 0)
    site.clock.advance(MICROSECOND)
    assert retention.apply(ITSELF) == Applied(0, 1, 0)
    assert screened.event_id not in site.keys.keys
    assert site.count("sealed") == site.count("lookups") == 0


def test_events_are_pruned_after_three_years_with_a_signed_note_and_the_event_says_which(site):
    for _ in range(3):
        site.screen(CLEAR, evidence=False)
    leaves = site.leaves()
    retention = retention_of(site)
    site.clock.advance(timedelta(days=3 * 365) - MICROSECOND)
    assert retention.apply(ITSELF) == Applied(0, 3, 0)
    site.clock.advance(MICROSECOND)
    assert retention.apply(ITSELF) == Applied(0, 0, 3)
    assert site.leaves()[:3] == leaves
    with site.database.read() as connection:
        (row,) = connection.execute("SELECT start, stop, note FROM pruned").fetchall()
    assert (row["start"], row["stop"]) == (0, 3)
    assert parse_pruned(row["note"], ORIGIN) == Pruned(0, 3, leaves_digest(leaves))
    last = site.events("retention_applied")[-1].retention_applied
    assert (last.pruned_from, last.pruned_until) == (0, 3)


def test_an_open_case_holds_back_its_event_and_those_after_it_until_it_is_closed(site):
    site.screen(CLEAR, evidence=False)
    held = site.screen(REFER)
    site.screen(CLEAR, evidence=False)
    site.open_case(held)
    site.after(days=4 * 365)
    retention = retention_of(site)
    assert retention.apply(ITSELF).events == 1
    status = retention_response(retention.status())
    assert status.pruned_until == 1
    overdue = {c.outcome: c.overdue for c in status.classes if c.data_class == "EVENT"}
    assert overdue == {CLEAR: 1, REFER: 1, RETAKE: 0, 0: 0}
    site.close_case(held)
    assert retention.apply(ITSELF).events == 2


def test_many_are_erased_and_pruned_in_small_parts(site, monkeypatch):
    monkeypatch.setattr(retention_module, "PIECES_AT_ONCE", 2)
    monkeypatch.setattr(retention_module, "BODIES_AT_ONCE", 2)
    for _ in range(5):
        site.screen(CLEAR)
    site.after(days=3 * 365)
    steps = Steps()
    assert retention_of(site, steps).apply(ITSELF) == Applied(5, 5, 5)
    assert steps.taken.count("delete_pieces") == 5
    assert steps.taken.count("prune") == 3
    assert not site.keys.keys


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", range(8))
def test_interrupted_at_any_step_it_is_finished_by_the_next_run_and_every_erasure_has_its_event(
    site, step, after
):
    screened = site.screen(CLEAR)
    site.find_in(screened)
    site.after(days=3 * 365)
    steps = Steps()
    steps.left, steps.after = step, after
    names = ["append", "destroy_many", "delete_pieces", "delete_strays", "append", "prune", "scrub"]
    if step < len(names):
        with pytest.raises(Interrupted):
            retention_of(site, steps).apply(ITSELF)
    else:
        retention_of(site, steps).apply(ITSELF)
    again = Steps()
    retention_of(site, again).apply(ITSELF)
    assert again.taken[-1] == "scrub"
    assert not site.keys.keys
    assert site.count("sealed") == site.count("lookups") == 0
    counted = [c.count for event in site.events("retention_applied") for c in event.retention_applied.erased]
    assert sum(counted) in (2, 4)  # told once, or twice: never not at all
    ranges = [event.retention_applied.pruned_until for event in site.events("retention_applied")]
    assert max(ranges) == 2
    assert retention_of(site).status().held.pruned_until == 2


def test_the_event_comes_before_what_it_tells_of(site):
    site.screen(CLEAR)
    site.after(days=3 * 365)
    steps = Steps()
    retention_of(site, steps).apply(ITSELF)
    assert steps.taken == [
        "append",
        "destroy_many",
        "delete_pieces",
        "delete_strays",
        "append",
        "prune",
        "scrub",
    ]


def test_a_key_store_that_is_away_leaves_ciphertexts_to_be_found_again(site):
    site.screen(CLEAR)
    site.keys.down = True
    retention = retention_of(site)
    with pytest.raises(UnavailableError):
        retention.apply(ITSELF)
    assert site.count("sealed") == 2
    site.keys.down = False
    assert retention.apply(ITSELF).evidence == 1


def test_files_are_scrubbed_at_the_first_run_and_then_only_after_something_was_deleted(site):
    steps = Steps()
    retention = retention_of(site, steps)
    for _ in range(3):
        retention.apply(ITSELF)
    assert steps.taken.count("scrub") == 1
    site.screen(CLEAR)
    retention.apply(ITSELF)
    assert steps.taken.count("scrub") == 2


def test_a_scrub_that_readers_kept_from_being_done_is_tried_again(site):
    retention = retention_of(site)
    site.screen(CLEAR)
    with site.database.snapshot() as reader:
        reader.execute("SELECT count(*) FROM sealed").fetchone()
        retention.apply(ITSELF)
    steps = Steps()
    retention._store = steps.wrap(site.store, "scrub")
    retention.apply(ITSELF)
    assert steps.taken == ["scrub"]


def test_two_that_prune_at_once_prune_once(site, monkeypatch):
    site.screen(CLEAR, evidence=False)
    site.store.delete_screenings([site.store.find(site.lookups.document(DOCUMENT), 1)[0].event_id])
    site.after(days=3 * 365)
    first, second = retention_of(site), retention_of(site)
    prunable = site.store.prunable
    ran = []

    def raced(*args):
        found = prunable(*args)
        if not ran:
            ran.append(0)
            ran[0] = second.apply(ITSELF).events
        return found

    monkeypatch.setattr(site.store, "prunable", raced)
    assert first.apply(ITSELF).events == 0
    assert ran == [1]
    assert site.count("pruned") == 1


def test_the_status_says_of_every_class_what_is_held_how_long_it_is_kept_and_what_is_overdue(site):
    site.screen(CLEAR)
    site.open_case(site.screen(REFER))
    answer = retention_response(retention_of(site).status())
    assert answer.rules == load_rules(None).version
    assert not answer.HasField("last_applied")
    rows = {
        (c.data_class, "SAMPLED" if c.sampled else c.outcome): (
            c.held,
            c.keep_seconds,
            c.counted_from,
            c.overdue,
        )
        for c in answer.classes
    }
    day = 86_400
    assert rows == {
        ("EVIDENCE", CLEAR): (1, 0, "SCREENED", 1),
        ("EVIDENCE", REFER): (1, day, "CASE_CLOSED", 0),
        ("EVIDENCE", "SAMPLED"): (0, day, "CASE_CLOSED", 0),
        ("EVIDENCE", RETAKE): (0, 0, "SCREENED", 0),
        ("PAYLOAD", CLEAR): (1, 30 * day, "SCREENED", 0),
        ("PAYLOAD", REFER): (1, 365 * day, "CASE_CLOSED", 0),
        ("PAYLOAD", "SAMPLED"): (0, 365 * day, "SCREENED", 0),
        ("PAYLOAD", RETAKE): (0, 30 * day, "SCREENED", 0),
        ("EVENT", CLEAR): (1, 3 * 365 * day, "LOGGED", 0),
        ("EVENT", REFER): (1, 3 * 365 * day, "LOGGED", 0),
        ("EVENT", RETAKE): (0, 3 * 365 * day, "LOGGED", 0),
        ("EVENT", 0): (0, 3 * 365 * day, "LOGGED", 0),
    }
    assert answer.classes[0].oldest.ToDatetime(tzinfo=site.clock.now().tzinfo) == site.clock.now()


def test_the_status_knows_when_rules_were_last_applied_after_a_restart_too(site):
    site.screen(CLEAR)
    retention = retention_of(site)
    retention.apply(ITSELF)
    applied = site.clock.now()
    assert retention_of(site).status().last_applied == applied
    later = site.after(hours=1)
    retention.apply(ITSELF)
    assert retention.status().last_applied == later


def test_a_prover_gives_proofs_in_the_tree_of_the_checkpoint_that_it_had_made():
    prover = LogProver(lambda: (7, b"root"), lambda index, size: (b"%d" % index, [b"in %d" % size]))
    covered = prover.cover([2, 5])
    assert (covered.size, covered.root) == (7, b"root")
    assert [(each.index, each.leaf, each.hashes) for each in covered.events] == [
        (2, b"2", (b"in 7",)),
        (5, b"5", (b"in 7",)),
    ]
