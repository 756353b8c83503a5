"""`borderpost subject` and `borderpost retention`: what they ask for, what they write, what they show."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from borderpost.cli import retention, subject
from borderpost.cli.people import ADMINISTRATOR
from borderpost.runtime.clock import new_id, to_timestamp
from borderpost.runtime.errors import InvalidRequestError, UnavailableError
from borderpost.v1 import subjects_pb2 as pb
from borderpost.v1 import types_pb2
from fakes.people import FakeGateway, FakePerson, _Methods
from fakes.terminal import set_columns

NOW = datetime(2026, 11, 26, 8, 30, tzinfo=UTC)
DOCUMENT = ("--document", "P:UTO:L898902C3")
HELD = pb.HeldScreening(
    event_id=new_id(),
    request_id=new_id(),
    time=to_timestamp(NOW),
    crossing="north",
    outcome=types_pb2.OUTCOME_REFER,
    payload_held=True,
    evidence_held=True,
)


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeGateway:
    made = FakeGateway()
    monkeypatch.setattr(FakePerson, "subjects", _Methods(), raising=False)
    monkeypatch.setattr(subject, "Person", made.person)
    monkeypatch.setattr(retention, "Person", made.person)
    monkeypatch.setenv("BORDERPOST_STATE_DIR", str(tmp_path / "state"))
    set_columns(monkeypatch, 200)
    made.answers["FindSubject"] = lambda _: pb.FindSubjectResponse(screenings=[HELD])
    made.answers["EraseSubject"] = lambda _: pb.EraseSubjectResponse(receipt="the receipt\n", screenings=1)
    return made


def run(app: typer.Typer, *words: object, answers: str = "") -> Result:
    return CliRunner().invoke(app, [str(word) for word in words], input=answers)


def erase_words(receipt: Path, *more: str) -> tuple[str, ...]:
    return ("erase", "--basis", "court-order", "--purpose", "order 12/26", "--receipt", str(receipt), *more)


def test_what_is_held_of_a_document_is_shown_with_ids_that_can_be_copied(gateway):
    done = run(subject.app, "find", *DOCUMENT, "--purpose", "request 12/26")
    assert done.exit_code == 0, done.output
    asked = gateway.one("FindSubject")
    assert (asked.identity, asked.purpose) == (subject.SUPERVISOR, "request 12/26")
    assert asked.request.document.number == "L898902C3"
    for said in (HELD.event_id, HELD.request_id, "REFER", "data, pictures", "2026-11-26 08:30:00"):
        assert said in done.stdout
    assert "more" not in done.stdout


def test_nothing_held_and_more_than_is_shown_are_said(gateway):
    gateway.answers["FindSubject"] = lambda _: pb.FindSubjectResponse(screenings=[HELD], more=True)
    assert "There are more." in run(subject.app, "find", *DOCUMENT, "--purpose", "x").stdout
    gateway.answers["FindSubject"] = lambda _: pb.FindSubjectResponse()
    assert "Nothing is held" in run(subject.app, "find", *DOCUMENT, "--purpose", "x").stdout


def test_erasing_asks_first_and_writes_the_receipt_for_its_owner_alone(gateway, tmp_path):
    receipt = tmp_path / "receipt.txt"
    done = run(subject.app, *erase_words(receipt, *DOCUMENT), answers="y\n")
    assert done.exit_code == 0, done.output
    assert "1 screening for good?" in done.stderr
    asked = gateway.one("EraseSubject")
    assert (asked.identity, asked.purpose) == (subject.SUPERVISOR, "order 12/26")
    assert asked.request.basis == "COURT_ORDER"
    assert asked.request.document.number == "L898902C3"
    assert receipt.read_text() == "the receipt\n"
    assert stat.S_IMODE(receipt.stat().st_mode) == 0o600


def test_a_no_erases_nothing_and_leaves_no_file(gateway, tmp_path):
    receipt = tmp_path / "receipt.txt"
    done = run(subject.app, *erase_words(receipt, *DOCUMENT), answers="n\n")
    assert done.exit_code == 1
    assert [asked.method for asked in gateway.asked] == ["FindSubject"]
    assert not receipt.exists()


def test_with_yes_nobody_is_asked_and_json_has_the_receipt(gateway, tmp_path):
    first, second = new_id(), new_id()
    words = erase_words(tmp_path / "receipt.txt", "--event", first, "--event", second, "--yes", "--json")
    done = run(subject.app, *words)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == {"receipt": "the receipt\n", "screenings": 1}
    assert [asked.method for asked in gateway.asked] == ["EraseSubject"]
    assert list(gateway.one("EraseSubject").request.event_ids) == [first, second]


def test_a_receipt_is_never_written_over_and_nothing_is_erased_for_it(gateway, tmp_path):
    receipt = tmp_path / "receipt.txt"
    receipt.write_text("another one")
    done = run(subject.app, *erase_words(receipt, *DOCUMENT, "--yes"))
    assert isinstance(done.exception, InvalidRequestError)
    assert gateway.asked == []
    assert receipt.read_text() == "another one"


def test_an_erasure_that_fails_leaves_no_empty_receipt(gateway, tmp_path):
    def fails(_):
        raise UnavailableError("told to fail")

    gateway.answers["EraseSubject"] = fails
    receipt = tmp_path / "receipt.txt"
    assert isinstance(run(subject.app, *erase_words(receipt, *DOCUMENT, "--yes")).exception, UnavailableError)
    assert not receipt.exists()


@pytest.mark.parametrize("which", [(), (*DOCUMENT, "--event", new_id())], ids=["neither", "both"])
def test_one_of_document_and_events_is_wanted(gateway, tmp_path, which):
    done = run(subject.app, *erase_words(tmp_path / "receipt.txt", *which, "--yes"))
    assert done.exit_code == 2
    assert "want one of" in done.stderr


def a_status() -> pb.GetRetentionResponse:
    day = 86_400
    return pb.GetRetentionResponse(
        rules="default-1@0123456789abcdef",
        last_applied=to_timestamp(NOW),
        pruned_until=1200,
        classes=[
            pb.HeldClass(data_class="EVIDENCE", outcome=types_pb2.OUTCOME_CLEAR, counted_from="SCREENED"),
            pb.HeldClass(
                data_class="EVIDENCE",
                outcome=types_pb2.OUTCOME_REFER,
                held=3,
                keep_seconds=day,
                counted_from="CASE_CLOSED",
                oldest=to_timestamp(NOW),
                overdue=1,
            ),
            pb.HeldClass(data_class="EVENT", held=5000, keep_seconds=3 * 365 * day, counted_from="LOGGED"),
        ],
    )


def test_the_status_says_what_is_held_how_long_and_what_is_overdue(gateway):
    gateway.answers["GetRetention"] = lambda _: a_status()
    done = run(retention.app, "status")
    assert done.exit_code == 0, done.output
    assert gateway.one("GetRetention").identity == ADMINISTRATOR
    for said in (
        "default-1@0123456789abcdef",
        "2026-11-26 08:30:00 UTC",
        "events before 1,200",
        "not at all",
        "1 day after its case is closed",
        "3 years after it was logged",
        "5,000",
    ):
        assert said in done.stdout


def test_what_was_never_applied_and_never_pruned_is_said_so(gateway):
    gateway.answers["GetRetention"] = lambda _: pb.GetRetentionResponse(rules="x")
    done = run(retention.app, "status")
    assert "never" in done.stdout
    assert "no event" in done.stdout


@pytest.mark.parametrize(
    ("seconds", "counted_from", "words"),
    [
        (0, "SCREENED", "not at all"),
        (0, "CASE_CLOSED", "until its case is closed"),
        (3600, "SCREENED", "1 hour after the screening"),
        (25 * 3600, "SCREENED", "25 hours after the screening"),
        (30 * 86_400, "SCREENED", "30 days after the screening"),
        (365 * 86_400, "CASE_CLOSED", "1 year after its case is closed"),
    ],
)
def test_times_are_said_in_the_largest_unit_that_fits(seconds, counted_from, words):
    assert retention.keep_words(pb.HeldClass(keep_seconds=seconds, counted_from=counted_from)) == words


def test_what_was_erased_is_said(gateway):
    gateway.answers["ApplyRetention"] = lambda _: pb.ApplyRetentionResponse(
        evidence=1, payloads=2, events=3000
    )
    said = " ".join(run(retention.app, "apply").stdout.split())
    assert said == (
        "Erased: pictures and templates of 1 screening, what was read and found of 2; 3,000 events pruned."
    )
    gateway.answers["ApplyRetention"] = lambda _: pb.ApplyRetentionResponse()
    assert run(retention.app, "apply").stdout == "Nothing was overdue.\n"
