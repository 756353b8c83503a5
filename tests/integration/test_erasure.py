"""Erasing from a real SQLite log with a real key store: no file holds a trace, and every proof is what it was."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from borderpost.decisions.domain import Part, key_id
from borderpost.decisions.subjects.app import SUBJECT_REQUEST, Subjects
from borderpost.decisions.subjects.retention import Retention
from borderpost.decisions.subjects.rules import load_rules
from borderpost.proofs.tree import reference_root
from borderpost.runtime.keys import open_sqlite_keys
from borderpost.runtime.sealing import SealedDamagedError, unseal
from borderpost.runtime.sqlite import Database
from borderpost.v1.decisions_pb2 import ScreeningPayload
from borderpost.v1.types_pb2 import Outcome
from fakes.subject_site import (
    CANARIES,
    DOCUMENT,
    ITSELF,
    NAME,
    Interrupted,
    LeafProver,
    Screened,
    Steps,
    SubjectSite,
    a_supervisor_call,
    signed,
    sqlite_database,
    stepped,
)

MANY = 30


@pytest.fixture
def site(tmp_path: Path) -> Iterator[SubjectSite]:
    keys = open_sqlite_keys(tmp_path / "keys" / "keys.sqlite")
    database = sqlite_database(tmp_path)
    yield SubjectSite(database, keys)
    database.close()
    keys.close()


def traces(folder: Path, screened: Screened) -> set[str]:
    """What the files of a folder, write-ahead logs and all, still hold of a screening."""
    wanted = {f"canary {number}": canary for number, canary in enumerate(CANARIES)}
    wanted |= {f"key of {part.name}": key for part, key in screened.keys.items()}
    for number, ciphertext in enumerate(screened.ciphertexts):
        # SQLite cuts what is long into pages: the pieces are looked for, too.
        pieces = [ciphertext[at : at + 32] for at in range(0, len(ciphertext) - 32, 32)]
        wanted |= {f"ciphertext {number}, {at}": piece for at, piece in enumerate(pieces)}
    files = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    return {name for name, what in wanted.items() if any(what in content for content in files)}


def subjects_of(site: SubjectSite, steps: Steps | None = None) -> Subjects:
    log, keys, store = stepped(steps or Steps(), site)
    prover = LeafProver(site)
    return Subjects(
        log, keys, store, site.lookups, prover, signed, "borderpost.local/decisions", site.clock, list
    )


def erase(site: SubjectSite, steps: Steps | None = None) -> str:
    return subjects_of(site, steps).erase(DOCUMENT, [], SUBJECT_REQUEST, a_supervisor_call()).receipt


def filled(site: SubjectSite) -> Screened:
    """A screening with a finding among many others."""
    for number in range(MANY):
        site.screen(number=f"OTHER{number}")
    screened = site.screen()
    site.find_in(screened)
    for number in range(MANY):
        site.screen(number=f"MORE{number}")
    return screened


def test_before_it_is_erased_ciphertexts_and_keys_are_in_the_files_and_nothing_is_in_clear(site, tmp_path):
    screened = filled(site)
    found = traces(tmp_path, screened)
    assert any(
        name.startswith("ciphertext") for name in found
    )  # or the tests below would find nothing anyway
    assert not any(name.startswith("canary") for name in found)


def test_no_file_holds_a_trace_of_what_was_erased(site, tmp_path):
    screened = filled(site)
    lookup = site.lookups.document(DOCUMENT).hash
    assert any(lookup in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    receipt = erase(site)
    assert traces(tmp_path, screened) == set()
    assert not any(lookup in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert not any(canary in receipt.encode() for canary in CANARIES)


def test_leaves_and_roots_are_what_they_were_and_others_can_still_be_read(site):
    screened = filled(site)
    leaves = site.leaves()
    erase(site)
    assert site.leaves()[: len(leaves)] == leaves
    assert reference_root(site.leaves()[: len(leaves)]) == reference_root(leaves)
    with site.database.read() as connection:
        rows = connection.execute("SELECT event_id, ciphertext FROM sealed WHERE part = 1").fetchall()
    assert len(rows) == 2 * MANY
    for row in rows:
        key = site.keys.get(row["event_id"])
        payload = ScreeningPayload.FromString(unseal(key, row["ciphertext"], row["event_id"].encode()))
        assert NAME in payload.mrz.lines[0]
    assert screened.event_id not in {row["event_id"] for row in rows}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", range(1, 5))
def test_interrupted_at_any_step_and_resumed_after_a_restart_no_file_holds_a_trace(
    site, tmp_path, step, after
):
    screened = filled(site)
    steps = Steps()
    steps.left, steps.after = step, after
    with pytest.raises(Interrupted):
        erase(site, steps)
    # What a crash leaves: the files as they are, write-ahead logs and all, opened anew.
    crashed = tmp_path / "crashed"
    shutil.copytree(tmp_path, crashed, ignore=shutil.ignore_patterns("crashed"))
    keys = open_sqlite_keys(crashed / "keys" / "keys.sqlite")
    database = sqlite_database(crashed)
    again = SubjectSite(database, keys)
    subjects_of(again).resume()
    found = traces(crashed, screened)
    database.close()
    keys.close()
    assert found == set()


def test_a_backup_of_the_log_alone_opens_nothing(site, tmp_path):
    screened = filled(site)
    backup = tmp_path / "backup.sqlite"
    site.database.truncate_wal()
    shutil.copy(tmp_path / "decisions.sqlite", backup)
    content = backup.read_bytes()
    assert not any(canary in content for canary in CANARIES)
    assert not any(key in content for key in screened.keys.values())
    erase(site)
    restored = Database(backup, ("",))
    with restored.read() as connection:
        rows = connection.execute(
            "SELECT part, ciphertext FROM sealed WHERE event_id = ?", (screened.event_id,)
        ).fetchall()
    restored.close()
    assert len(rows) == 2  # the backup brings them back, and there is no key for them
    for row in rows:
        name = key_id(screened.event_id, Part(row["part"]))
        assert site.keys.get(name) is None
        with pytest.raises(SealedDamagedError):
            unseal(bytes(32), row["ciphertext"], name.encode())


def test_retention_leaves_no_trace_in_the_files_either(site, tmp_path):
    screened = site.screen(Outcome.OUTCOME_CLEAR)
    site.find_in(screened)
    site.after(days=30)
    kept = site.screen(number="OTHER1234")
    site.open_case(kept)
    log, keys, store = stepped(Steps(), site)
    Retention(load_rules(None), log, keys, store, lambda *_: "note", site.clock).apply(ITSELF)
    assert traces(tmp_path, screened) == set()
    assert site.keys.get(kept.event_id) is not None
