"""What is shown of databases and files: the numbers are those of what lies there, in either database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from borderpost.decisions.adapters.sql_checkpoints import SqlCheckpoints
from borderpost.decisions.adapters.sql_measures import log_reading, overdue_reading
from borderpost.decisions.subjects.retention import RetentionStatus
from borderpost.decisions.subjects.rules import load_rules
from borderpost.documents.trust.measures import trust_reading
from borderpost.runtime.clock import new_id, to_timestamp
from borderpost.runtime.metric_table import (
    CASES_OLDEST,
    CASES_OPEN,
    CERTIFICATE_BEGINS,
    CERTIFICATE_EXPIRES,
    ENTRIES,
    LISTS,
    LISTS_AS_OF,
    LISTS_VERSION,
    LOG_CHECKPOINT,
    LOG_COVERED,
    LOG_EVENTS,
    OUTBOX_OLDEST,
    OUTBOX_WAITING,
    RETENTION_OVERDUE,
    TEMPLATES,
    TRUST_CERTIFICATES,
    TRUST_CHANGED,
    TRUST_LISTS,
    TRUST_LISTS_STALE,
)
from borderpost.runtime.metrics import Reading
from borderpost.runtime.outbox import OUTBOX_SCHEMA, Outbox, enqueue
from borderpost.runtime.own_numbers import certificates, outbox_reading
from borderpost.runtime.settings import Settings
from borderpost.runtime.sqlite import Database
from borderpost.runtime.tls import ensure_development_certificates
from borderpost.v1.decisions_pb2 import Event
from borderpost.v1.types_pb2 import Outcome
from borderpost.watchlist.measures import lists_reading
from fakes import trust as trust_fakes
from fakes.decisions import MemoryKeys, SettableClock
from fakes.outbox import FakeLog
from fakes.subject_site import DATABASES, SubjectSite
from fakes.watchlist import NOW, a_quick_house, a_template, an_entry


def seen(reading: Reading) -> dict[str | tuple[str, str], float]:
    """What a reading gives, by name and label; and that it gives nothing else than it says."""
    samples = list(reading.read())
    assert {metric for metric, _, _ in samples} <= set(reading.metrics)
    return {(metric.name, *labels) if labels else metric.name: value for metric, labels, value in samples}


@pytest.fixture(params=DATABASES)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SubjectSite]:
    database = DATABASES[request.param](tmp_path)
    yield SubjectSite(database, MemoryKeys())
    database.close()


def test_the_log_shows_its_size_its_checkpoint_and_the_cases_that_are_open(site: SubjectSite) -> None:
    assert seen(log_reading(site.database)) == {
        LOG_EVENTS.name: 0,
        LOG_COVERED.name: 0,
        LOG_CHECKPOINT.name: 0,
    }
    opened_at = site.clock.now().timestamp()
    first, second, closed = (site.screen(Outcome.OUTCOME_REFER) for _ in range(3))
    site.open_case(first)
    site.after(minutes=5)
    site.open_case(second)
    site.open_case(closed)
    site.close_case(closed)
    SqlCheckpoints(site.database).add(1, "a note", site.clock.now())
    SqlCheckpoints(site.database).add(2, "a note", site.clock.now() + timedelta(seconds=2))
    assert seen(log_reading(site.database)) == {
        LOG_EVENTS.name: 3,
        LOG_COVERED.name: 2,
        LOG_CHECKPOINT.name: opened_at + 302,
        (CASES_OPEN.name, "9"): 2,
        (CASES_OLDEST.name, "9"): opened_at,
    }


def test_what_is_held_too_long_is_shown_by_what_it_is(site: SubjectSite) -> None:
    version = load_rules(None)

    def status() -> RetentionStatus:
        now = site.clock.now()
        held = site.store.counts(version.rules.limits(now), now - version.rules.events.keep)
        return RetentionStatus(version, held, None)

    site.screen(Outcome.OUTCOME_REFER)
    kept = {(RETENTION_OVERDUE.name, held): 0 for held in ("evidence", "payload", "events")}
    assert seen(overdue_reading(status)) == kept
    site.after(days=365 * 40)
    assert seen(overdue_reading(status)) == dict.fromkeys(kept, 1)


def test_the_watchlist_shows_how_much_is_searched_and_since_when() -> None:
    with a_quick_house() as house:
        reading = lists_reading(house.keeper)
        first, other = house.new_list().list_id, house.new_list().list_id
        for list_id, templates in ((first, 2), (first, 1), (other, 0)):
            house.add(an_entry(list_id, templates=tuple(a_template(seed) for seed in range(templates))))
        found = seen(reading)
        assert (found[LISTS.name], found[ENTRIES.name], found[TEMPLATES.name]) == (2, 3, 3)
        assert found[LISTS_VERSION.name] == house.keeper.view.version
        assert found[LISTS_AS_OF.name] == NOW.timestamp()


def test_the_trust_store_shows_what_it_holds_and_what_is_out_of_date(tmp_path: Path) -> None:
    with trust_fakes.a_house(tmp_path) as house:
        reading = trust_reading(house.app, house.clock)
        assert set(seen(reading).values()) == {0}
        house.take(trust_fakes.utopia().csca.der)
        house.take(trust_fakes.utopia().revocation_list)
        fresh = {TRUST_CERTIFICATES.name: 1, TRUST_LISTS.name: 1, TRUST_LISTS_STALE.name: 0}
        changed = {TRUST_CHANGED.name: trust_fakes.NOW.timestamp()}
        assert seen(reading) == fresh | changed
        house.clock.time += timedelta(days=10_000)
        assert seen(reading) == fresh | changed | {TRUST_LISTS_STALE.name: 1}


def test_an_outbox_shows_how_much_waits_and_how_long(tmp_path: Path) -> None:
    database = Database(tmp_path / "it.sqlite", [OUTBOX_SCHEMA])
    reading = outbox_reading(Outbox(database, FakeLog().deliver))
    assert seen(reading) == {OUTBOX_WAITING.name: 0, OUTBOX_OLDEST.name: 0}
    with database.transaction() as connection:
        for age in (5000, 10):
            made = SettableClock().now() - timedelta(seconds=age)
            enqueue(connection, Event(event_id=new_id(), time=to_timestamp(made)))
    found = seen(reading)
    assert found[OUTBOX_WAITING.name] == 2
    assert found[OUTBOX_OLDEST.name] >= 5000
    database.close()


def test_certificates_show_their_life_as_the_files_have_it(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path)
    ensure_development_certificates(settings)
    found = seen(certificates(settings, "faces"))
    for what, name in (("own", "faces"), ("authority", "ca")):
        read = x509.load_pem_x509_certificate((settings.certificates / f"{name}.pem").read_bytes())
        assert found[CERTIFICATE_BEGINS.name, what] == read.not_valid_before_utc.timestamp()
        assert found[CERTIFICATE_EXPIRES.name, what] == read.not_valid_after_utc.timestamp()
