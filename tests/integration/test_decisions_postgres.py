"""The whole service on PostgreSQL: log and keys in a database each, everything that it does on SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from borderpost.decisions.__main__ import House
from borderpost.decisions.domain import EventFilter, Part
from borderpost.proofs.checkpoints import open_checkpoint
from borderpost.runtime.calls import Role
from borderpost.runtime.errors import UnavailableError
from borderpost.v1.decisions_pb2 import AppendScreeningRequest, ExportFormat, ScreeningEvidence
from borderpost.v1.types_pb2 import DocumentKey
from fakes.decisions import NAME, a_call, a_list_event, a_payload, a_screening
from fakes.decisions_house import append, open_house
from fakes.postgres import shared_postgres

AUDITOR = a_call("case 4711", Role.AUDITOR)
DOCUMENT = DocumentKey(document_code="P", issuing_state="UTO", number="L898902C3")


@pytest.fixture
def databases() -> dict[str, str]:
    return {"database": shared_postgres().new_database(), "key_database": shared_postgres().new_database()}


@pytest.fixture
def house(tmp_path: Path, databases: dict[str, str]) -> Iterator[House]:
    with open_house(tmp_path, **databases) as opened:
        yield opened


def with_document() -> AppendScreeningRequest:
    payload = a_payload()
    payload.mrz.document.CopyFrom(DOCUMENT)
    evidence = ScreeningEvidence(schema_version=1, page=b"the page")
    return AppendScreeningRequest(screening=a_screening(), payload=payload, evidence=evidence)


def test_a_screening_goes_in_is_found_shown_proven_and_checked(house: House) -> None:
    request = with_document()
    record = house.decisions.append_screening(request, a_call()).record
    house.recording.record_events([a_list_event()])
    wanted = EventFilter(document=house.lookups.document(DOCUMENT))
    assert house.index.query(wanted, None, 10).records == (record,)
    got = house.decisions.get_screening(None, request.screening.request_id, True, AUDITOR)
    assert got == (record, request.payload, request.evidence)
    note, checkpoint = house.transparency.made()
    transparency = house.transparency
    assert open_checkpoint(note, transparency.verifiers, transparency.origin) == checkpoint
    found = house.verify()
    assert found.intact, found.faults
    assert found.trusted_until == checkpoint.size == 4


def test_two_replicas_keep_one_log_and_one_key_of_look_ups(
    tmp_path: Path, databases: dict[str, str], house: House
) -> None:
    with open_house(tmp_path, **databases) as other:
        assert other.lookups.document(DOCUMENT) == house.lookups.document(DOCUMENT)
        for _ in range(5):
            append(house, a_screening())
            append(other, a_screening())
        assert house.transparency.made() == other.transparency.made()
        assert [record.index for record in other.index.query(EventFilter(), None, 100).records] == list(
            range(19, -1, -1)
        )
        assert house.verify().intact


def test_an_erasure_leaves_ciphertext_nowhere_and_every_proof_as_it_was(
    house: House, databases: dict[str, str]
) -> None:
    request = with_document()
    record = house.decisions.append_screening(request, a_call()).record
    event_id = record.event().event_id
    _, before = house.transparency.made()
    supervisor = a_call("request 12", Role.SUPERVISOR)
    erased = house.subjects.erase(None, [event_id], "UNLAWFUL", supervisor)
    assert erased.screenings == 1
    for part in Part:
        assert house.log.ciphertext(event_id, part) is None
    assert house.decisions.open_screening(record, True) == (record, None, None)
    wanted = EventFilter(document=house.lookups.document(DOCUMENT))
    assert house.index.query(wanted, None, 10).records == ()
    found = house.verify()
    assert found.intact
    assert found.trusted_until >= before.size
    for conninfo in databases.values():
        with psycopg.connect(conninfo) as connection:
            for (table,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"):
                rows = connection.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608
                assert NAME not in repr(rows)
                assert "L898902C3" not in repr(rows)


def test_retention_exports_and_figures_work_there_too(house: House) -> None:
    append(house, a_screening())
    house.retention.apply(house.itself)
    assert {found.held for found in house.retention.status().held.counts} == {1}
    chunks = list(house.exporting.export(EventFilter(), (), ExportFormat.EXPORT_FORMAT_JSONL, AUDITOR))
    assert sum(len(chunk.entries.entries) for chunk in chunks) == 2


def test_a_server_that_is_away_is_unavailable_and_comes_back(house: House, databases: dict[str, str]) -> None:
    append(house, a_screening())
    shared_postgres().refuse(databases["database"])
    try:
        with pytest.raises(UnavailableError):
            append(house, a_screening())
    finally:
        shared_postgres().refuse(databases["database"], refused=False)
    append(house, a_screening())
    assert house.log.size() == 4
