"""A million events: an export of them is checked in minutes, and whatever was changed in it is found."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from borderpost.proofs.bundle import read_events
from borderpost.proofs.verify import FaultCode, Trust, verify_export
from fakes.tampering import SignedLog, changed, random_changes, rewritten, with_lines

SIZE, EVERY = 1_000_000, 1_000
pytestmark = [pytest.mark.slow, pytest.mark.timeout(7200)]


@pytest.fixture(scope="module")
def log() -> SignedLog:
    return SignedLog(SIZE, EVERY)


def copy(path: Path, to: Path) -> Path:
    for end in ("", ".proof"):
        Path(f"{to}{end}").write_bytes(Path(f"{path}{end}").read_bytes())
    return to


@pytest.fixture(scope="module")
def path(log: SignedLog, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return log.export(tmp_path_factory.mktemp("million") / "log.jsonl")


def found_at(path: Path, log: SignedLog, todo: dict[int, str]) -> list[int]:
    """The places of `todo` that a check doesn't find: where they are, or in the interval between two checkpoints."""
    rewritten(path, changed(read_events(path), todo))
    verdict = verify_export(path, Trust([log.signer.verifier]))
    counts = verdict.counts
    assert sum(counts.values()) >= len({place // EVERY for place in todo})
    if len(todo) > 1:
        return []
    return [
        place for place in todo if not any(fault.first <= place <= fault.last for fault in verdict.faults)
    ]


def test_a_million_events_are_checked_in_minutes(path: Path, log: SignedLog) -> None:
    started = time.monotonic()
    verdict = verify_export(path, Trust([log.signer.verifier]))
    took = time.monotonic() - started
    assert verdict.intact
    assert took < 600, "minutes; `make bench` says how many"


def test_a_thousand_changes_at_once_are_all_found(path: Path, log: SignedLog, tmp_path: Path) -> None:
    todo = random_changes(SIZE, 1000, seed=1)
    bad = copy(path, tmp_path / "log.jsonl")
    rewritten(bad, changed(read_events(bad), todo))
    counts = verify_export(bad, Trust([log.signer.verifier])).counts
    of = {change: sum(1 for other in todo.values() if other == change) for change in set(todo.values())}
    # A leaf hash that was changed alone is an event that was altered; so is one whose bytes were.
    assert counts[FaultCode.EVENT_ALTERED] == of["bytes"] + of["leaf"]
    assert counts[FaultCode.COLUMN_ALTERED] == of["column"]
    assert counts[FaultCode.EVENT_MISSING] == of["delete"] + of["swap"]
    assert counts[FaultCode.EVENT_REORDERED] == of["double"] + of["swap"]
    # In an interval where an event is missing the checkpoint can't be held against anything else.
    gaps = {place // EVERY for place, change in todo.items() if change in ("delete", "swap")}
    wrong = {place // EVERY for place, change in todo.items() if change in ("both", "leaf")}
    assert counts[FaultCode.CHECKPOINT_WRONG] == len(wrong - gaps)


@pytest.mark.parametrize("seed", range(16))
def test_a_single_change_is_found_where_it_is(path: Path, log: SignedLog, tmp_path: Path, seed: int) -> None:
    todo = random_changes(SIZE, 1, seed)
    assert found_at(copy(path, tmp_path / "log.jsonl"), log, todo) == []


def test_an_end_that_was_cut_off_is_found(path: Path, log: SignedLog, tmp_path: Path) -> None:
    bad = copy(path, tmp_path / "log.jsonl")
    rewritten(bad, (row for row in read_events(bad) if row.index < SIZE - 7))
    (fault,) = verify_export(bad, Trust([log.signer.verifier])).faults
    assert (fault.code, fault.first, fault.last) == (FaultCode.TRUNCATED, SIZE - 7, SIZE - 1)


@pytest.mark.parametrize("what", ["checkpoint", "earlier", "peaks"])
def test_a_change_of_tree_or_checkpoints_is_found(
    path: Path, log: SignedLog, tmp_path: Path, what: str
) -> None:
    bad = copy(path, tmp_path / "log.jsonl")

    def spoil(lines: list[dict]) -> None:
        if what == "checkpoint":
            lines[0]["checkpoint"] = lines[0]["checkpoint"].replace("1000000", "1000001")
        elif what == "earlier":
            lines[0]["earlier_checkpoints"][500] = lines[0]["earlier_checkpoints"][499].replace("0", "1")
        else:  # peaks are believed only where they lead to a signed root
            lines[400]["peaks"] = [bytes(32).hex()] * len(lines[400]["peaks"])

    with_lines(bad, spoil)
    verdict = verify_export(bad, Trust([log.signer.verifier]))
    assert verdict.intact == (what == "peaks")
