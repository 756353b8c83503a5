"""Kiosks without a connection, with a chip alone, and with travelers who decline: over the real services."""

from __future__ import annotations

import json
from pathlib import Path

from borderpost.cli.people import AUDITOR, OFFICER, Person
from borderpost.cli.stack import environment
from borderpost.kiosk import Captured, Kiosk, Next, Spool, Visit
from borderpost.v1 import decisions_pb2, types_pb2
from fakes.command import run

KIOSK = "kiosk/north/1"


def record_of(stack, request_id):
    with Person(stack.settings, OFFICER, "a test") as officer:
        request = decisions_pb2.GetScreeningRequest(kiosk_id=KIOSK, request_id=request_id)
        return officer.ask(officer.decisions.GetScreening, request)


def screened_in(stack, visit):
    with Person(stack.settings, AUDITOR, "a test") as auditor:
        request = decisions_pb2.QueryEventsRequest(visit_id=visit.visit_id)
        return [
            entry.event.traveler_screened
            for entry in auditor.ask(auditor.decisions.QueryEvents, request).entries
        ]


def test_what_is_captured_while_the_gateway_is_away_is_screened_later_and_clears_nobody(
    stack, travelers, away, tmp_path
):
    spool = Spool(tmp_path / "spool", stack.settings, KIOSK)
    visit = Visit()
    captured = Captured(travelers.page_a, (travelers.samples.a_live,))
    with Kiosk(stack.settings, KIOSK, spool=spool) as kiosk:
        kiosk.submit_kept()
        with away("gateway"):
            told = kiosk.screen(visit, captured, seconds=4.0)
        assert (told.next, told.kept) == (Next.OFFICER, True)
        for file in spool._folder.iterdir():
            assert travelers.samples.a_live[:2000] not in file.read_bytes()
        assert kiosk.submit_kept() == 1
    [screening] = screened_in(stack, visit)
    assert screening.inputs.late
    assert screening.outcome == types_pb2.OUTCOME_CLEAR  # in the record; the kiosk was told nothing of it
    assert record_of(stack, screening.request_id).payload.mrz.document.number == "U1CANARY1"


def test_who_declines_face_matching_goes_to_an_officer_whose_case_has_no_template(stack, kiosk, travelers):
    told = kiosk.screen(Visit(), Captured(travelers.page_a, declined=True))
    assert told.next is Next.OFFICER
    record = record_of(stack, told.answer.request_id)
    screening = record.entry.event.traveler_screened
    assert list(screening.reasons) == ["FACE_MATCHING_DECLINED"]
    assert not screening.versions.model_id
    assert not record.payload.HasField("comparison")


def test_one_document_at_two_crossings_is_told_to_the_officer_and_clears_all_the_same(
    stack, kiosk, travelers
):
    captured = Captured(travelers.page_b, (travelers.samples.b_live,))
    assert kiosk.screen(Visit(), captured).next is Next.GO
    with Kiosk(stack.settings, "kiosk/south/1") as south:
        told = south.screen(Visit(), captured)
    assert told.next is Next.GO
    with Person(stack.settings, OFFICER, "a test") as officer:
        request = decisions_pb2.GetScreeningRequest(request_id=told.answer.request_id)
        record = officer.ask(officer.decisions.GetScreening, request)
    found = {pattern.code: pattern.crossing for pattern in record.payload.patterns}
    assert found["DOCUMENT_IN_TWO_PLACES"] == "north"


def test_a_simulated_kiosk_screens_the_travelers_of_a_folder(stack, travelers, tmp_path):
    folder = tmp_path / "travelers"
    _pose(folder / "1-anna", travelers.page_a, travelers.samples.a_live)
    _pose(folder / "2-other", travelers.page_a, travelers.samples.b_live)
    _pose(folder / "3-declines", travelers.page_a, None)
    ran = run(environment(stack.settings), "kiosk", "simulate", "--camera", str(folder), "--json")
    assert ran.status == 0, ran.err
    lines = [json.loads(line) for line in ran.out.splitlines()]
    assert [(line["traveler"], line["next"]) for line in lines] == [
        ("1-anna", "GO"),
        ("2-other", "OFFICER"),
        ("3-declines", "OFFICER"),
    ]
    shown = run(environment(stack.settings), "kiosk", "spool", "--json")
    assert shown.json == {"waiting": 0, "submitted": 0, "refused": [], "dropped": 0}


def test_a_folder_without_travelers_is_said_to_be_one(stack, tmp_path):
    ran = run(environment(stack.settings), "kiosk", "simulate", "--camera", str(tmp_path))
    assert ran.status == 1
    assert "want sub-folders with page.jpg" in ran.err


def _pose(folder: Path, page: bytes, live: bytes | None) -> None:
    folder.mkdir(parents=True)
    (folder / "page.jpg").write_bytes(page)
    if live is None:
        (folder / "declined").touch()
    else:
        (folder / "live.jpg").write_bytes(live)
