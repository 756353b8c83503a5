"""Signed notes (C2SP signed-note, https://c2sp.org/signed-note): a text, a blank line, and lines of signatures.

Signatures are Ed25519 (RFC 8032) over the text with its last newline. A key has a name, which is part of its hash; a
verifier's key is written `NAME+HASH+BASE64` (a vkey), so that tools outside this project read and check the notes.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from borderpost.runtime.errors import InvalidRequestError

ED25519: Final = 1
"""The signature type of an Ed25519 key that signs the text as it is."""

MAX_NOTE_BYTES: Final = 64 * 1024
"""A checkpoint with a hundred cosignatures has 20 KB; a receipt of a thousand screenings 60 KB."""

MAX_SIGNATURES: Final = 100

KEY_HASH_BYTES: Final = 4
KEY_BYTES: Final = 32

_MARK: Final = "\N{EM DASH} "
_NAME: Final = re.compile(r"[^\s+]{1,200}")
_SIGNATURE: Final = re.compile(r"\N{EM DASH} ([^\s+]+) ([A-Za-z0-9+/=]+)")
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


class NoteError(InvalidRequestError):
    """A note is none, or isn't signed by a key that is trusted; or what should be a key isn't."""

    reason = "NOTE_WRONG"


@dataclass(frozen=True, slots=True)
class Signature:
    """A line of signature: whose name it bears, the hash of its key, and its bytes; not yet checked."""

    name: str
    key_hash: bytes
    signature: bytes

    @property
    def line(self) -> str:
        """The line, with its newline."""
        return f"{_MARK}{self.name} {base64.b64encode(self.key_hash + self.signature).decode()}\n"


@dataclass(frozen=True, slots=True)
class Verifier:
    """A key that notes are checked with."""

    name: str
    key: bytes
    kind: int = ED25519

    @property
    def key_hash(self) -> bytes:
        """What its signatures are known by: the first four bytes of SHA-256 over name, newline, type and key."""
        return sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.key).digest()[:KEY_HASH_BYTES]

    @property
    def verifier_key(self) -> str:
        """Its text form, a vkey."""
        encoded = base64.b64encode(bytes([self.kind]) + self.key).decode()
        return f"{self.name}+{self.key_hash.hex()}+{encoded}"

    @classmethod
    def parse(cls, verifier_key: str) -> Verifier:
        """Read a vkey. NoteError."""
        name, _, rest = verifier_key.strip().partition("+")
        digest, _, encoded = rest.partition("+")
        key = _decoded(encoded)
        if not _NAME.fullmatch(name) or key is None or len(key) != KEY_BYTES + 1:
            raise NoteError("verifier key: want NAME+HASH+BASE64, as `borderpost audit checkpoint` prints it")
        verifier = cls(name, key[1:], key[0])
        if verifier.key_hash.hex() != digest:
            raise NoteError("verifier key: its hash is not that of its name and key: a letter may be missing")
        return verifier

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Tell whether a signature is this key's over a message."""
        try:
            Ed25519PublicKey.from_public_bytes(self.key).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class Signer:
    """A named key that signs notes."""

    name: str
    key: Ed25519PrivateKey

    @property
    def verifier(self) -> Verifier:
        """The key that its notes are checked with."""
        return Verifier(self.name, self.key.public_key().public_bytes_raw())

    @property
    def verifier_key(self) -> str:
        """The same as text, a vkey."""
        return self.verifier.verifier_key


@dataclass(frozen=True, slots=True)
class OpenedNote:
    """A note's text, and the keys, of those that are trusted, that have signed it."""

    text: str
    verifiers: tuple[Verifier, ...]


def sign(text: str, signers: Sequence[Signer]) -> str:
    """Sign a text, which ends with a newline, with every signer. NoteError: it is none that can be signed."""
    _want_text(text)
    lines = [
        Signature(signer.name, signer.verifier.key_hash, signer.key.sign(text.encode())).line
        for signer in signers
    ]
    return f"{text}\n{''.join(lines)}"


def split_note(note: str) -> tuple[str, list[Signature]]:
    """Split a note into its text and its signatures, which are not checked. NoteError: it is no note."""
    if len(note.encode("utf-8", "replace")) > MAX_NOTE_BYTES:
        raise NoteError(f"note: got more than {MAX_NOTE_BYTES:,} bytes")
    text, blank, rest = note.rpartition("\n\n")
    if not blank:
        raise NoteError("note: want a text, a blank line, and lines of signatures")
    _want_text(text := text + "\n")
    signatures = list(_signatures(rest))
    if not 1 <= len(signatures) <= MAX_SIGNATURES:
        raise NoteError(f"note: got {len(signatures)} signatures, want 1 to {MAX_SIGNATURES}")
    return text, signatures


def open_note(note: str, verifiers: Sequence[Verifier]) -> OpenedNote:
    """Return a note's text once at least one of these keys has signed it.

    Signatures by other keys are passed over. NoteError: it is no note, none of the keys has signed it, or a signature
    that bears the name and hash of one of them is not its own.
    """
    text, signatures = split_note(note)
    known = {
        (verifier.name, verifier.key_hash): verifier for verifier in verifiers if verifier.kind == ED25519
    }
    signed: dict[Verifier, None] = {}
    for signature in signatures:
        verifier = known.get((signature.name, signature.key_hash))
        if verifier is None or verifier in signed:
            continue
        if not verifier.verify(signature.signature, text.encode()):
            raise NoteError(
                f"note: the signature of {verifier.name} is not right: it or the text was altered"
            )
        signed[verifier] = None
    if not signed:
        raise NoteError("note: none of the keys that are trusted has signed it")
    return OpenedNote(text, tuple(signed))


def _signatures(lines: str) -> Iterator[Signature]:
    if not lines.endswith("\n"):
        raise NoteError("note: its last line has no end: it was cut off")
    for line in lines[:-1].split("\n"):
        parts = _SIGNATURE.fullmatch(line)
        value = _decoded(parts[2]) if parts else None
        if parts is None or value is None or len(value) <= KEY_HASH_BYTES:
            raise NoteError("note: want lines of signatures only, behind the blank line")
        yield Signature(parts[1], value[:KEY_HASH_BYTES], value[KEY_HASH_BYTES:])


def _want_text(text: str) -> None:
    encodable = not any("\ud800" <= letter <= "\udfff" for letter in text)
    if not text.endswith("\n") or _CONTROL.search(text) or not encodable:
        raise NoteError("note: want lines of text, the last one ended, without control characters")


def _decoded(text: str) -> bytes | None:
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return value if base64.b64encode(value).decode() == text else None
