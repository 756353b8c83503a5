"""A witness cosigns a log that only grew, and catches one that was rewritten, cut, or shown in two ways."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from borderpost.decisions.domain import new_event
from borderpost.decisions.errors import LogDamagedError
from borderpost.decisions.transparency.app import Transparency
from borderpost.decisions.transparency.errors import CheckpointNotFoundError, CosignatureWrongError
from borderpost.proofs.checkpoints import open_checkpoint, sign_checkpoint
from borderpost.proofs.cosignatures import witness_verifier
from borderpost.proofs.notes import NoteError, Signer, Verifier, split_note
from borderpost.proofs.tree import consistency_proof
from borderpost.proofs.witness import LogCaughtError, Seen, Witness, cosigned, kept_checkpoints
from borderpost.runtime.calls import Actor, Role
from fakes.decisions import START, MemoryLog, TickingClock, a_call, a_list_event

ORIGIN = "log.example/decisions"
KEY, NEXT = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
EYE = Signer("witness.example", Ed25519PrivateKey.generate())
AUDITOR = a_call("", Role.AUDITOR)


class MemoryCheckpoints:
    """A `CheckpointStore`."""

    def __init__(self):
        self.notes = {}

    def add(self, size, note, made_at):
        return self.notes.setdefault(size, note)

    def newest(self):
        return max(self.notes.items(), default=None)

    def of(self, size):
        return self.notes.get(size)

    def change(self, size, changed):
        self.notes[size] = changed(self.notes[size])
        return self.notes[size]


class Log:
    """A log with its transparency, signed with these keys."""

    def __init__(self, *keys, log=None, notes=None):
        self.log = log or MemoryLog(TickingClock())
        self.checkpoints = MemoryCheckpoints()
        self.checkpoints.notes.update(notes or {})
        signers = [Signer(ORIGIN, key) for key in keys or (KEY,)]
        itself = Actor("borderpost.test", "decisions")
        self.transparency = Transparency(
            self.log, self.log, self.log, self.checkpoints, signers, itself, TickingClock()
        )

    def grow(self, count=1):
        self.log.append([new_event(a_list_event()) for _ in range(count)])
        return self

    def shown_to(self, witness: Witness) -> Seen:
        said = list(self.transparency.verifiers)
        if not witness.verifiers:
            witness.believe(said)
        return witness.see(
            self.transparency.make(), said, lambda former, size: consistency_proof(self.log, former, size)
        )

    def with_keys(self, *keys):
        """The same log, started anew with other keys."""
        again = Log(*keys, log=self.log, notes=self.checkpoints.notes)
        again.transparency.note_keys()
        return again


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness(tmp_path / "witness")


def test_a_checkpoint_is_made_only_when_the_log_has_grown() -> None:
    log = Log().grow(3)
    first = log.transparency.make()
    assert log.transparency.make() == first
    log.grow()
    assert log.transparency.made()[1].size == 4
    assert log.transparency.checkpoint(3) == first
    with pytest.raises(CheckpointNotFoundError):
        log.transparency.checkpoint(2)


def test_a_history_that_was_rewritten_is_not_signed() -> None:
    log = Log().grow(3)
    log.transparency.make()
    other = Log(notes=log.checkpoints.notes).grow(5)
    with pytest.raises(LogDamagedError):
        other.transparency.make()
    shorter = Log(notes=log.checkpoints.notes).grow(2)
    with pytest.raises(LogDamagedError):
        shorter.transparency.make()


def test_keys_are_recorded_once_and_when_they_change() -> None:
    log = Log().grow()
    for _ in range(2):
        log.transparency.note_keys()
    log = log.with_keys(KEY, NEXT).with_keys(NEXT).with_keys(NEXT)
    changes = [
        record.event().log_key_changed
        for record in log.log.records(0, log.log.size())
        if record.event().HasField("log_key_changed")
    ]
    assert [(len(change.former_verifier_keys), len(change.verifier_keys)) for change in changes] == [
        (0, 1),
        (1, 2),
        (2, 1),
    ]


def test_during_a_change_of_keys_both_open_a_checkpoint_and_then_the_new_one_alone() -> None:
    old, new = Signer(ORIGIN, KEY).verifier, Signer(ORIGIN, NEXT).verifier
    log = Log(KEY).grow()
    log.transparency.note_keys()
    log.transparency.make()
    both = log.with_keys(KEY, NEXT).transparency.make()
    assert open_checkpoint(both, [old], ORIGIN) == open_checkpoint(both, [new], ORIGIN)
    alone = log.with_keys(NEXT).transparency.made()[0]
    open_checkpoint(alone, [new], ORIGIN)
    with pytest.raises(NoteError):
        open_checkpoint(alone, [old], ORIGIN)


def test_a_witness_sees_a_log_grow_and_keeps_what_it_saw(witness: Witness, tmp_path: Path) -> None:
    log = Log().grow(3)
    assert (log.shown_to(witness).checkpoint.size, log.shown_to(witness).former) == (3, 3)
    log.grow(300)
    seen = log.shown_to(witness)
    assert (seen.checkpoint.size, seen.former) == (303, 3)
    assert len(kept_checkpoints(tmp_path / "witness")) == 2


@pytest.mark.parametrize("size", [3, 5, 2])
def test_a_log_that_is_another_one_is_caught_and_both_notes_are_kept(
    witness: Witness, tmp_path: Path, size: int
) -> None:
    Log().grow(3).shown_to(witness)
    with pytest.raises(LogCaughtError, match="rewritten"):
        Log().grow(size).shown_to(witness)
    assert len(list((tmp_path / "witness" / "evidence").iterdir())) == 2
    assert len(kept_checkpoints(tmp_path / "witness")) == 1


def test_a_false_proof_of_consistency_is_no_excuse(witness: Witness) -> None:
    Log().grow(3).shown_to(witness)
    other = Log().grow(6)
    with pytest.raises(LogCaughtError):
        witness.see(other.transparency.make(), list(other.transparency.verifiers), lambda *_: [bytes(32)] * 3)


def test_a_key_that_no_known_key_vouches_for_is_not_believed(witness: Witness) -> None:
    log = Log(KEY).grow()
    log.shown_to(witness)
    with pytest.raises(NoteError, match="none of the keys"):
        log.with_keys(NEXT).shown_to(witness)
    with pytest.raises(NoteError):
        Log(NEXT).grow(9).shown_to(witness)


def test_a_key_that_the_former_vouches_for_is_believed_from_then_on(witness: Witness) -> None:
    log = Log(KEY).grow()
    log.shown_to(witness)
    log.with_keys(KEY, NEXT).shown_to(witness)
    assert [key.key for key in witness.verifiers] == [Signer(ORIGIN, key).verifier.key for key in (KEY, NEXT)]
    log.with_keys(NEXT).grow().shown_to(witness)


def test_a_cosignature_is_kept_and_recorded_once(witness: Witness) -> None:
    log = Log().grow(3)
    note = cosigned(log.shown_to(witness), EYE, START)
    key = witness_verifier(EYE).verifier_key
    for _ in range(2):
        log.transparency.add_cosignature(note, key, AUDITOR)
    assert len(split_note(log.transparency.checkpoint(3))[1]) == 2
    assert log.log.size() == 4
    event = next(iter(log.log.records(3, 4))).event()
    assert (event.checkpoint_witnessed.size, event.checkpoint_witnessed.witness) == (3, key)


def test_no_number_of_witnesses_makes_a_checkpoint_that_the_log_cant_read_again(witness: Witness) -> None:
    log = Log().grow(3)
    seen = log.shown_to(witness)
    refused = 0
    for number in range(120):
        eye = Signer(f"witness-{number}", Ed25519PrivateKey.generate())
        try:
            log.transparency.add_cosignature(
                cosigned(seen, eye, START), witness_verifier(eye).verifier_key, AUDITOR
            )
        except CosignatureWrongError:
            refused += 1
    assert refused == 120 - 49
    log.grow()
    assert log.transparency.made()[1].size > 3


def test_a_cosignature_that_is_none_or_of_another_log_is_refused(witness: Witness) -> None:
    log = Log().grow(3)
    seen = log.shown_to(witness)
    key = witness_verifier(EYE).verifier_key
    note = cosigned(seen, EYE, START)
    wrong = [
        (seen.note, key, CosignatureWrongError),
        (note[:-6] + "AAA=\n", key, CosignatureWrongError),
        (note, EYE.verifier_key, CosignatureWrongError),
        (note, "nobody", CosignatureWrongError),
        (sign_checkpoint(seen.checkpoint, [Signer(ORIGIN, NEXT)]), key, CosignatureWrongError),
    ]
    for text, verifier_key, error in wrong:
        with pytest.raises(error):
            log.transparency.add_cosignature(text, verifier_key, AUDITOR)
    assert log.log.size() == 3


def test_what_lies_in_its_folder_and_is_no_key_is_a_typed_error(witness: Witness, tmp_path: Path) -> None:
    log = Log().grow(3)
    log.shown_to(witness)
    (tmp_path / "witness" / "log.keys").write_text("no key\n", encoding="utf-8")
    with pytest.raises(NoteError):
        log.shown_to(witness)
    with pytest.raises(NoteError):
        Verifier.parse((tmp_path / "witness" / "log.keys").read_text(encoding="utf-8"))
