"""Signed notes, checkpoints and cosignatures: as others write them, and nothing that is only nearly one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from borderpost.proofs.checkpoints import Checkpoint, open_checkpoint, parse_checkpoint, sign_checkpoint
from borderpost.proofs.cosignatures import cosign, find_cosignature, witness_verifier
from borderpost.proofs.notes import NoteError, Signer, Verifier, open_note, sign, split_note

GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "\N{EM DASH} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb"
    "6KE6RyyBwJnAM=\n"
)
"""The example of Go's golang.org/x/mod/sumdb/note, which the specification was made after."""

ONE = Signer("log.example/one", Ed25519PrivateKey.generate())
TWO = Signer("log.example/two", Ed25519PrivateKey.generate())
WITNESS = Signer("witness.example", Ed25519PrivateKey.generate())
TIME = datetime(2026, 11, 26, 12, tzinfo=UTC)
TEXTS = st.lists(
    st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1), min_size=1, max_size=5
).map(lambda lines: "".join(f"{line}\n" for line in lines))


def test_a_note_that_another_program_made_is_opened() -> None:
    verifier = Verifier.parse(GO_KEY)
    assert verifier.verifier_key == GO_KEY
    assert open_note(GO_NOTE, [verifier]).text.startswith("If you think")
    with pytest.raises(NoteError, match="altered"):
        open_note(GO_NOTE.replace("problem is", "problem was"), [verifier])


@given(TEXTS)
def test_what_is_signed_is_opened_by_its_keys_and_by_no_other(text: str) -> None:
    note = sign(text, [ONE, TWO])
    assert open_note(note, [TWO.verifier]).text == text
    assert open_note(note, [ONE.verifier, TWO.verifier]).verifiers == (ONE.verifier, TWO.verifier)
    with pytest.raises(NoteError, match="none of the keys"):
        open_note(note, [WITNESS.verifier])


@given(TEXTS, st.data())
def test_a_note_with_one_letter_changed_is_never_opened_as_another_text(
    text: str, data: st.DataObject
) -> None:
    note = sign(text, [ONE])
    place = data.draw(st.integers(0, len(note) - 1))
    letter = data.draw(st.characters(exclude_categories=("Cs",)).filter(lambda new: new != note[place]))
    changed = note[:place] + letter + note[place + 1 :]
    try:
        opened = open_note(changed, [ONE.verifier])
    except NoteError:
        return
    assert opened.text == text


@given(st.text())
def test_any_text_is_a_note_or_a_typed_error(text: str) -> None:
    for note in (text, f"a\n\n{text}", f"{text}\n\n\N{EM DASH} a b\n"):
        with pytest.raises(NoteError):
            open_note(note, [ONE.verifier])


@pytest.mark.parametrize(
    "note",
    [
        GO_NOTE * 400,
        GO_NOTE[:-1],
        GO_NOTE.replace("\n\n", "\n"),
        "a\x00b\n\n" + GO_NOTE.rpartition("\n\n")[2],
        "a\n\n" + GO_NOTE.rpartition("\n\n")[2] * 101,
        "\ud800\n\n" + GO_NOTE.rpartition("\n\n")[2],
    ],
)
def test_hostile_notes_are_typed_errors(note: str) -> None:
    with pytest.raises(NoteError):
        open_note(note, [Verifier.parse(GO_KEY)])


@pytest.mark.parametrize(
    "key", ["", "a", "a+b+c", GO_KEY[:-4], GO_KEY.replace("c74f", "c74e"), GO_KEY.replace("Peter", "Pater")]
)
def test_what_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(NoteError, match="verifier key"):
        Verifier.parse(key)


def test_a_checkpoint_is_three_lines_of_its_own_log() -> None:
    checkpoint = Checkpoint("log.example/one", 5, bytes(range(32)))
    note = sign_checkpoint(checkpoint, [ONE])
    assert open_checkpoint(note, [ONE.verifier], "log.example/one") == checkpoint
    with pytest.raises(NoteError, match="another log"):
        open_checkpoint(note, [ONE.verifier], "log.example/two")


@pytest.mark.parametrize(
    "text",
    ["", "a\n1\n", "a\n01\nAAAA\n", "a\n-1\nAAAA\n", "a\n1\nAAAA\n", "a\n\n1\n", "a\n1\n" + "A" * 44 + "\n"],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        parse_checkpoint(text)


def test_a_cosignature_says_who_and_when_and_is_of_this_checkpoint_alone() -> None:
    note = sign_checkpoint(Checkpoint("log.example/one", 5, bytes(32)), [ONE])
    text = split_note(note)[0]
    cosigned = note + cosign(text, WITNESS, TIME).line
    found = find_cosignature(cosigned, witness_verifier(WITNESS))
    assert found is not None
    assert found[1] == TIME
    assert open_note(cosigned, [ONE.verifier]).text == text
    assert find_cosignature(note, witness_verifier(WITNESS)) is None
    other = sign_checkpoint(Checkpoint("log.example/one", 6, bytes(32)), [ONE])
    with pytest.raises(NoteError, match="is not right"):
        find_cosignature(other + cosign(text, WITNESS, TIME).line, witness_verifier(WITNESS))
    with pytest.raises(NoteError, match="type 4"):
        find_cosignature(cosigned, WITNESS.verifier)
