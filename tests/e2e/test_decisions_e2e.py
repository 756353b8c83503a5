"""The life of a referral over real processes: two officers, an auditor, a witness, and the right to be forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from borderpost.cli.stack import Stack, environment
from borderpost.runtime.clock import new_id
from borderpost.runtime.settings import SERVICES
from fakes.command import Done, run

SECOND = ("--as", "officer/dev-second")
PURPOSE = ("--purpose", "case 4711/26")


@pytest.fixture(scope="module")
def files(travelers, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("pictures")
    for name, picture in {
        "page": travelers.page_b,
        "face": travelers.samples.b_live,
        "portrait": travelers.samples.b_portrait,
    }.items():
        (folder / f"{name}.jpg").write_bytes(picture)
    return {path.stem: str(path) for path in folder.iterdir()}


@pytest.fixture(scope="module")
def borderpost(stack: Stack):
    def command(*arguments: str) -> Done:
        done = run(environment(stack.settings), *arguments)
        assert done.status in (0, 1), done
        return done

    return command


@pytest.fixture(scope="module")
def candidate(borderpost, files) -> Iterator[tuple[str, str]]:
    """A list with the traveler's face on it: list and entry, which is gone again when other tests screen them."""
    name = f"Referrals {new_id()}"
    made = borderpost(
        *("watchlist", "create", "--name", name, "--authority", "Ministry", "--legal-basis", "Act"),
        *("--category", "wanted", "--handling", "Compare by eye", "--json"),
    ).json
    entry = borderpost(
        *(
            "watchlist",
            "add",
            "--list",
            name,
            "--reason",
            "T",
            "--source",
            "t/1",
            "--picture",
            files["portrait"],
        ),
        *("--surname", "Somebody", "--valid-until", "2030-12-31", "--json"),
    ).json["entry"]["entry_id"]
    assert borderpost("watchlist", "approve", entry).status == 0
    yield made["watchlist"]["list_id"], entry
    assert borderpost("watchlist", "remove", entry).status == 0


@pytest.fixture(scope="module")
def case(borderpost, files, candidate) -> dict[str, str]:
    """A referral with a candidate: its ids."""
    screened = borderpost("screen", "--document", files["page"], "--live", files["face"], "--json").json
    request_id = screened.get("request_id") or screened["answer"]["request_id"]
    found = borderpost("audit", "query", "--request", request_id, *PURPOSE, "--json").json["entries"]
    event = next(entry["event"] for entry in found if "traveler_screened" in entry["event"])
    assert event["traveler_screened"]["outcome"] == "OUTCOME_REFER"
    return {"case": event["event_id"], "request": request_id}


def find(case: str, candidate: tuple[str, str], verdict: str, *more: str) -> tuple[str, ...]:
    return (
        *(
            "review",
            "find",
            case,
            "--document",
            "same",
            "--candidate",
            f"{candidate[0]}:{candidate[1]}={verdict}",
        ),
        *("--disposition", "proceed", "--note", "looked twice", *more, "--json"),
    )


def test_a_referral_is_worked_on_by_two_officers_then_checked_decided_again_and_erased(
    borderpost, case, candidate, stack: Stack, tmp_path: Path
) -> None:
    case_id, request_id = case["case"], case["request"]
    # The queue has it, urgent; one officer takes it and another one can't.
    queue = borderpost("review", "list", "--json", "--limit", "500").json["cases"]
    assert next(each for each in queue if each["case_id"] == case_id)["priority"] == 2
    assert borderpost("review", "claim", case_id, "--json").json["case"]["state"] == "CASE_STATE_CLAIMED"
    assert borderpost("review", "claim", case_id, *SECOND, "--json").error["reason"] == "CASE_HELD"

    # What it rests on is shown, pictures too; a verdict is wanted of the candidate.
    shown = borderpost("review", "show", case_id, *PURPOSE, "--pictures", str(tmp_path / "case"))
    assert "live-1.jpg" in shown.out
    assert (tmp_path / "case" / "page.jpg").stat().st_mode & 0o077 == 0
    bare = borderpost("review", "find", case_id, "--document", "same", "--disposition", "proceed", "--json")
    assert bare.error["reason"] == "INVALID_REQUEST"

    # The first finding; the same officer can't give the second, and the second doesn't see the first.
    assert borderpost(*find(case_id, candidate, "not-same")).json["case"]["state"] == "CASE_STATE_FOUND"
    assert borderpost("review", "claim", case_id, "--json").error["reason"] == "FINDING_ALREADY_YOURS"
    borderpost("review", "claim", case_id, *SECOND)
    assert "looked twice" not in borderpost("review", "show", case_id, *PURPOSE, *SECOND).out
    too_early = borderpost(
        "subject", "erase", "--event", case_id, "--basis", "subject-request", *PURPOSE, "--yes",
        "--receipt", str(tmp_path / "early"), "--json",
    )  # fmt: skip
    assert too_early.error["reason"] == "CASE_OPEN"
    closed = borderpost(*find(case_id, candidate, "not-same", *SECOND)).json["case"]
    assert closed["state"] == "CASE_STATE_CLOSED"

    # It is decided again from the record; everything about it is found by who asks.
    assert borderpost("audit", "replay", request_id, *PURPOSE, "--json").json["same"]
    about = borderpost("audit", "query", "--screening", case_id, *PURPOSE, "--json").json["entries"]
    kinds = {next(iter(set(entry["event"]) - PLAIN)) for entry in about}
    assert kinds >= {
        "referral_opened",
        "finding_given",
        "second_finding_given",
        "referral_closed",
        "record_consulted",
    }

    # It is counted, and nobody is in the counts.
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    report = ("audit", "report", "--since", today, "--until", today, *PURPOSE)
    counted = borderpost(*report, "--html", str(tmp_path / "report.html"), "--json").json
    assert sum(int(day.get("closed", 0)) for day in counted["days"]) >= 1
    assert {"list_id": candidate[0], "refuted": "1"} in counted["lists"]
    assert "data:image/png" in (tmp_path / "report.html").read_text(encoding="utf-8")

    # A witness has seen it; an export is whole, by the key that the witness knows.
    witness = ("audit", "witness", "--key", str(tmp_path / "w.pem"), "--state", str(tmp_path / "w"), "--json")
    assert borderpost(*witness).json["size"] > 5
    for name in ("log.jsonl", "log.csv", "log.parquet"):
        assert borderpost("audit", "export", str(tmp_path / name), *PURPOSE).status == 0
        checked = borderpost(
            "audit", "verify", str(tmp_path / name), "--witness", str(tmp_path / "w"), "--json"
        )
        assert checked.json["intact"], checked
        text = (tmp_path / name).read_bytes()
        assert b"Canaryname" not in text
        assert b"U2CANARY2" not in text

    # The traveler asks to be forgotten: a receipt, nothing left, every proof as before.
    erased = borderpost(
        "subject", "erase", "--document", "P:UTO:U2CANARY2", "--basis", "unlawful", *PURPOSE, "--yes",
        "--receipt", str(tmp_path / "receipt"), "--json",
    )  # fmt: skip
    assert erased.json["screenings"] >= 1
    key = borderpost("audit", "checkpoint", "--json").json["verifier_keys"][0]
    assert borderpost("subject", "check-receipt", str(tmp_path / "receipt"), "--log-key", key).status == 0
    again = borderpost("audit", "show", request_id, *PURPOSE, "--json").json
    assert "payload" not in again
    replayed = borderpost("audit", "replay", request_id, *PURPOSE, "--json").json
    assert replayed["same"]
    assert replayed["computed_from"] == "CHECKS"
    assert borderpost("audit", "verify", "--json").json["intact"]
    assert borderpost(*witness).json["former"] > 5
    assert borderpost("audit", "verify", str(tmp_path / "log.csv"), "--json").json["intact"]


PLAIN = {
    *("schema_version", "event_id", "time", "actor", "purpose", "subject", "versions"),
    *("payload_sha256", "evidence_sha256"),
}


def test_what_services_are_and_decide_by_is_in_the_log(borderpost) -> None:
    found = borderpost(
        *("audit", "query", "--kind", "service-started", "--kind", "policy-changed", *PURPOSE, "--json"),
        *("--limit", "500"),
    ).json["entries"]
    started = {
        entry["event"]["service_started"]["service"]: entry["event"]["versions"]
        for entry in found
        if "service_started" in entry["event"]
    }
    assert set(started) == set(SERVICES)
    assert started["faces"]["model_id"] == "mobilefacenet-v1"
    assert started["gateway"]["policy"].startswith("default-5@")
    policies = [entry["event"] for entry in found if "policy_changed" in entry["event"]]
    # Others activate policies at the same services: the first of them all is the one that the gateway started with.
    assert policies[-1]["policy_changed"]["policy"] == started["gateway"]["policy"]


def test_key_encryption_keys_are_changed_while_the_services_run(borderpost, files) -> None:
    before = borderpost("keys", "status", "--json").json
    assert borderpost("keys", "rotate").status == 0
    after = borderpost("keys", "status", "--json").json
    assert after["current"] != before["current"]
    assert all(set(counts) <= {after["current"]} for counts in after["stores"].values())
    assert borderpost("screen", "--document", files["page"], "--live", files["face"], "--json").status == 0
    assert borderpost("keys", "retire", before["current"]).status == 0
    status = borderpost("keys", "status", "--json").json
    assert status["keks"] == [after["current"]]
    assert borderpost("keys", "retire", after["current"]).status == 1
