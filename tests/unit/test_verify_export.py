"""An export is checked with its files alone: whatever was changed in it is found and named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from borderpost.proofs.bundle import BundleWriter, proof_of, read_events, read_proof
from borderpost.proofs.formats import BundleError, ExportRow
from borderpost.proofs.notes import NoteError, Signer, sign
from borderpost.proofs.pruned import Pruned, leaves_digest, pruned_text
from borderpost.proofs.readable import columns_of
from borderpost.proofs.tree import Frontier, leaf_hash
from borderpost.proofs.verify import Fault, FaultCode, Trust, Verdict, verify_export
from fakes.decisions import a_list_event, a_screening
from fakes.tampering import (
    CHANGES,
    LOGGED_AT,
    ORIGIN,
    SignedLog,
    changed,
    random_changes,
    rewritten,
    rows_of,
    with_lines,
)

LOG = SignedLog(350, 100)
FORMATS = ("jsonl", "csv", "parquet")


@pytest.fixture(params=FORMATS)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return LOG.export(tmp_path / f"log.{request.param}")


@pytest.fixture
def export(tmp_path: Path) -> Path:
    return LOG.export(tmp_path / "log.jsonl")


def check(path: Path, **trust: object) -> Verdict:
    return verify_export(path, Trust([LOG.signer.verifier], **trust))


def faults(path: Path) -> list[tuple[str, int, int]]:
    return [(fault.code, fault.first, fault.last) for fault in check(path).faults]


def tamper(path: Path, **todo: str) -> None:
    rewritten(path, changed(rows_of(path), {int(place[1:]): change for place, change in todo.items()}))


def test_what_was_not_changed_is_whole_in_every_format(path: Path) -> None:
    verdict = check(path)
    assert verdict.intact
    assert (verdict.events, verdict.size, verdict.complete, verdict.own_keys) == (350, 350, True, False)
    assert path.stat().st_mode & 0o077 == 0


def test_without_a_key_the_exports_own_are_used_and_it_says_so(export: Path) -> None:
    assert verify_export(export).own_keys
    stranger = Signer(ORIGIN, Ed25519PrivateKey.generate()).verifier
    verdict = verify_export(export, Trust([stranger]))
    assert verdict.counts[FaultCode.SIGNATURE_WRONG] == 4


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("bytes", [("EVENT_ALTERED", 130, 130)]),
        ("column", [("COLUMN_ALTERED", 130, 130)]),
        ("both", [("CHECKPOINT_WRONG", 100, 199)]),
        ("leaf", [("EVENT_ALTERED", 130, 130), ("CHECKPOINT_WRONG", 100, 199)]),
        ("delete", [("EVENT_MISSING", 130, 130)]),
        ("double", [("EVENT_REORDERED", 130, 130)]),
        ("swap", [("EVENT_MISSING", 130, 130), ("EVENT_REORDERED", 130, 130)]),
    ],
)
def test_a_change_is_named_in_every_format(
    path: Path, change: str, found: list[tuple[str, int, int]]
) -> None:
    tamper(path, _130=change)
    assert faults(path) == found
    wanted = None if change in ("bytes", "column", "double") else 200
    assert check(path).distrusted_from == wanted


def test_behind_a_change_what_follows_is_checked_from_the_next_checkpoint_on(export: Path) -> None:
    tamper(export, _130="both", _250="both", _320="bytes")
    assert faults(export) == [
        ("CHECKPOINT_WRONG", 100, 199),
        ("CHECKPOINT_WRONG", 200, 299),
        ("EVENT_ALTERED", 320, 320),
    ]


def test_without_the_peaks_all_behind_the_first_change_is_distrusted(export: Path) -> None:
    tamper(export, _130="both", _250="both")
    with_lines(export, lambda lines: lines.__delitem__(slice(1, None)))
    assert faults(export) == [("CHECKPOINT_WRONG", 100, 199)]
    assert check(export).distrusted_from == 200


def test_an_end_that_was_cut_off_is_missed(path: Path) -> None:
    rewritten(path, rows_of(path)[:320])
    assert faults(path) == [("TRUNCATED", 320, 349)]


def test_a_log_cut_off_with_its_checkpoint_is_caught_by_what_a_witness_kept(tmp_path: Path) -> None:
    shorter = SignedLog(300, 100, LOG.signer.key)
    path = shorter.export(tmp_path / "short.jsonl")
    assert check(path).intact
    verdict = check(path, witnessed=[LOG.notes[-1]])
    assert [(fault.code, fault.first, fault.last) for fault in verdict.faults] == [("TRUNCATED", 300, 349)]


def test_a_log_written_anew_by_who_holds_the_key_is_caught_by_what_a_witness_kept(tmp_path: Path) -> None:
    anew = SignedLog(350, 100, LOG.signer.key)
    anew.events[5] = a_list_event().SerializeToString()
    frontier = Frontier()
    for stored in anew.events:
        frontier = frontier.append(leaf_hash(stored))
    header = anew.header(checkpoint=anew.signed(350, frontier.root()), earlier_checkpoints=())
    path = anew.export(tmp_path / "anew.jsonl", header)
    assert check(path).intact
    assert FaultCode.FORKED in check(path, witnessed=[LOG.notes[-1]]).counts


def test_a_checkpoint_that_was_changed_or_forged_is_named(export: Path) -> None:
    forged = Signer(ORIGIN, Ed25519PrivateKey.generate())

    def forge(lines: list[dict]) -> None:
        lines[0]["earlier_checkpoints"][1] = sign(LOG.notes[1].partition("\n\n")[0] + "\n", [forged])
        lines[0]["earlier_checkpoints"][0] = LOG.notes[0].replace("100", "101")

    with_lines(export, forge)
    assert check(export).counts == {FaultCode.SIGNATURE_WRONG: 2}


def test_an_event_behind_the_checkpoint_is_not_proven(export: Path) -> None:
    stored = a_list_event().SerializeToString()
    more = ExportRow(350, LOGGED_AT, columns_of(stored) or {}, stored, leaf_hash(stored))
    rewritten(export, [*rows_of(export), more])
    assert faults(export) == [("EVENT_ADDED", 350, 350)]


def pruned(path: Path, stop: int, said: int) -> None:
    """Export with the bodies up to `stop` gone, and a range signed that says `said`."""
    leaves = [leaf_hash(stored) for stored in LOG.events]
    text = pruned_text(ORIGIN, Pruned(0, said, leaves_digest(leaves[:said])))
    header = LOG.header(pruned_ranges=(sign(text, [LOG.signer]),))
    with BundleWriter(path, header) as writer:
        for index, stored in enumerate(LOG.events):
            writer.add(index, b"" if index < stop else stored, leaves[index], LOGGED_AT)


def test_bodies_that_the_log_signed_away_are_no_fault_and_others_are(tmp_path: Path) -> None:
    pruned(tmp_path / "a.jsonl", 120, 120)
    assert check(tmp_path / "a.jsonl").intact
    pruned(tmp_path / "b.jsonl", 122, 120)
    assert faults(tmp_path / "b.jsonl") == [("PRUNED_UNSIGNED", 120, 120), ("PRUNED_UNSIGNED", 121, 121)]


def test_a_part_of_the_log_is_proven_event_by_event(tmp_path: Path) -> None:
    log = SignedLog(2, 2)
    leaves = [leaf_hash(stored) for stored in log.events]
    path = tmp_path / "part.csv"
    with BundleWriter(path, log.header(complete=False, filters=("reason",))) as writer:
        writer.add(1, log.events[1], leaves[1], LOGGED_AT, [leaves[0]])
    verdict = verify_export(path)
    assert verdict.intact
    assert not verdict.complete
    with_lines(path, lambda lines: lines[1].update(inclusion=[bytes(32).hex()]))
    assert verify_export(path).counts == {FaultCode.PROOF_WRONG: 1}


def test_three_hundred_single_changes_are_each_found_and_named(tmp_path: Path) -> None:
    log = SignedLog(1000, 50)
    path = log.export(tmp_path / "log.jsonl")
    original = rows_of(path)
    trust = Trust([log.signer.verifier])
    for seed in range(300):
        ((place, change),) = random_changes(log.size, 1, seed).items()
        block = place // 50 * 50
        rows = changed(original[block : block + 50], {place: change})
        rewritten(path, [*original[:block], *rows, *original[block + 50 :]])
        found = verify_export(path, trust).faults
        assert found, (seed, place, change)
        if change == "both":
            assert found == (Fault(FaultCode.CHECKPOINT_WRONG, block, block + 49),)
        else:
            assert any(fault.first <= place <= fault.last for fault in found), (seed, place, change)
            assert found[0].last - found[0].first == 0


@given(
    st.lists(
        st.tuples(
            st.text(max_size=20), st.sampled_from(["", "=1+1", "-2", "@x", "'", "'=1", "+", "a,b", 'a"b'])
        ),
        min_size=1,
        max_size=5,
    )
)
@settings(max_examples=25)
def test_any_text_goes_into_every_format_and_comes_back(
    tmp_path_factory: pytest.TempPathFactory, texts
) -> None:
    folder = tmp_path_factory.mktemp("bundle")
    events = []
    for text, start in texts:
        event = a_list_event()
        event.purpose = start + text.encode("utf-8", "replace").decode()
        event.traveler_screened.CopyFrom(a_screening())
        events.append(event.SerializeToString())
    for ending in FORMATS:
        path = folder / f"log.{ending}"
        with BundleWriter(path, LOG.header()) as writer:
            for index, stored in enumerate(events):
                writer.add(index, stored, leaf_hash(stored), LOGGED_AT)
        rows = rows_of(path)
        assert [row.event for row in rows] == events
        assert [dict(row.columns) for row in rows] == [columns_of(stored) for stored in events]


def test_a_spreadsheet_finds_no_formula(tmp_path: Path) -> None:
    event = a_list_event()
    event.purpose = "=HYPERLINK(1)"
    stored = event.SerializeToString()
    with BundleWriter(tmp_path / "log.csv", LOG.header()) as writer:
        writer.add(0, stored, leaf_hash(stored), LOGGED_AT)
    text = (tmp_path / "log.csv").read_text(encoding="utf-8")
    assert ",'=HYPERLINK" in text
    assert ",=" not in text


def test_an_export_that_fails_leaves_nothing_and_none_is_written_over(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with pytest.raises(AttributeError), BundleWriter(path, LOG.header()) as writer:
        writer.add(0, LOG.events[0], None, LOGGED_AT)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
    LOG.export(path)
    with pytest.raises(BundleError, match="there already"):
        LOG.export(path)
    with pytest.raises(BundleError, match="ending"):
        LOG.export(tmp_path / "log.txt")


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe\x00", b"{}\n", b"[" * 100_000, b'{"index": 1}', b"a,b\r\n1,2\r\n", b"PAR1" * 10],
    ids=["nothing", "bytes", "object", "brackets", "cut", "csv", "parquet"],
)
def test_files_of_something_else_are_typed_errors(tmp_path: Path, ending: str, content: bytes) -> None:
    path = LOG.export(tmp_path / f"log.{ending}")
    path.write_bytes(content)
    try:
        found = check(path).intact
    except BundleError as error:
        found = str(path) not in error.message
    assert not found
    LOG.export(tmp_path / f"other.{ending}")
    proof_of(tmp_path / f"other.{ending}").write_bytes(content)
    with pytest.raises((BundleError, NoteError)):
        check(tmp_path / f"other.{ending}")


@pytest.mark.parametrize("ending", FORMATS)
def test_a_file_that_was_cut_off_or_is_not_there_is_a_typed_error(tmp_path: Path, ending: str) -> None:
    path = LOG.export(tmp_path / f"log.{ending}")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(BundleError):
        list(read_events(path))
    proof_of(path).unlink()
    with pytest.raises(BundleError, match="two files"):
        read_proof(path)


def test_every_change_is_one_that_a_test_is_about() -> None:
    assert set(CHANGES) == {"bytes", "leaf", "both", "delete", "double", "swap", "column"}
    assert replace(LOG.header(), complete=False).complete is False
