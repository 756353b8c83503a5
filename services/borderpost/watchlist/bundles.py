"""Bundles of entries between agencies: encrypted to one partner (age), signed by the other (Ed25519, RFC 8032).

Inside the encryption stand, one after the other:

1. `borderpost bundle 1` and a newline.
2. The header: `H`, its length (4 bytes, big endian), and JSON: the `issuer` and what `BundleHeader` says.
3. Each row: `R`, its length, and a serialised ImportRow, numbered from 1.
4. The trailer: `T`, its length, the number of rows (8 bytes, big endian), SHA-256 of 1 to 3, and the signature.

Signed is `borderpost watchlist bundle 1`, a newline, the recipient (`age1…`), a newline, the number of rows, and the
SHA-256. The recipient is in it so that no partner can encrypt what it was sent to somebody else, in the issuer's name.
A bundle is read twice: `check_bundle` to its signed end, and only then `read_rows`. Neither holds more than one row.
"""

from __future__ import annotations

import hashlib
import json
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import BinaryIO, Final

import grpc
import pyrage
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp

from borderpost.runtime.errors import BorderpostError
from borderpost.v1 import watchlist_pb2
from borderpost.watchlist.partners import Partner, recipient_of

MAGIC: Final = b"borderpost bundle 1\n"
SIGNED_AS: Final = b"borderpost watchlist bundle 1\n"

MAX_HEADER_BYTES: Final = 64 * 1024
MAX_ROW_BYTES: Final = 6 * 1024 * 1024
"""Four pictures of 1 MiB, sixteen templates of 16 KiB, and text."""

MAX_ROWS: Final = 5_000_000
"""Of a bundle: as many as one host's index is meant for."""

MAX_AGE_HEADER: Final = 16 * 1024
"""Bytes before the encrypted part. One recipient has 200, and what age adds to be ignored a few hundred more."""

MAX_HEADER_TEXT: Final = 1000
"""Characters of a text of the header."""

MAX_VERSION: Final = 2**64 - 1
LENGTH_BYTES: Final = 4
COUNT_BYTES: Final = 8
DIGEST_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
TRAILER_BYTES: Final = COUNT_BYTES + DIGEST_BYTES + SIGNATURE_BYTES

QUEUED_ROWS: Final = 8
"""Rows that wait to be taken while the next are decrypted; 48 MiB at most."""

_AGE_START: Final = b"age-encryption.org/v1\n"
_AGE_END: Final = b"\n---"
_ISSUER: Final = "issuer"
_HEADER, _ROW, _TRAILER = b"H", b"R", b"T"

_SET_BY_SERVICE: Final = (
    "entry_id",
    "list_id",
    "state",
    "proposed_by",
    "approved_by",
    "template_count",
    "picture_count",
    "withdrawn_at",
    "provenance",
)
"""Fields of an entry that don't leave the house: who approved it, among others."""


class BundleInvalidError(BorderpostError):
    """A bundle isn't for this installation, of no partner that the settings name, damaged, cut short or forged."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "BUNDLE_INVALID"


@dataclass(frozen=True, slots=True)
class BundleHeader:
    """What a bundle says of the list that it is of. `created_at` is a time by RFC 3339 (UTC)."""

    list_name: str
    category: str
    authority: str
    legal_basis: str
    version: int
    created_at: str


@dataclass(frozen=True, slots=True)
class BundleInfo:
    """A bundle that was written: its length in bytes, its SHA-256, and how many rows it has."""

    size: int
    sha256: bytes
    rows: int


@dataclass(frozen=True, slots=True)
class Opened:
    """A bundle whose signature holds. `sha256` is of the encrypted file, as `BundleInfo.sha256`."""

    partner: Partner
    header: BundleHeader
    rows: int
    sha256: bytes


def write_bundle(
    out: BinaryIO,
    header: BundleHeader,
    rows: Iterable[watchlist_pb2.ImportRow],
    signing_key: Ed25519PrivateKey,
    issuer_name: str,
    recipient: str,
) -> BundleInfo:
    """Write rows, in the order given and numbered anew, for the one who has the recipient's identity.

    Of an entry only what a partner needs goes with it; a row without record id has the entry's id as one. Raises
    BundleInvalidError for a row or header that no reader would take, and whatever `rows` raises.
    """
    to = recipient_of(recipient)
    plain = _PlainReader(_plain_text(_write_header(issuer_name, header), rows, signing_key, str(to)))
    written = _Counted(out)
    try:
        pyrage.encrypt_io(plain, written, [to])
    except Exception:
        if plain.problem is not None:
            raise plain.problem from None
        raise
    return BundleInfo(written.size, written.digest.digest(), plain.rows)


def check_bundle(path: Path, identity: pyrage.x25519.Identity, partners: Iterable[Partner]) -> Opened:
    """Read a bundle to its end and check it. Raises BundleInvalidError: then nothing of it may be used.

    In this order: it is encrypted to this identity; it has the form above, within bounds; it names a partner; number
    and digest are the trailer's; the partner signed them for this recipient.
    """
    parser = _Parser(lambda _row: None)
    sha256 = _decrypt(path, identity, parser)
    issuer, header, count, signature = parser.finished()
    partner = next((each for each in partners if each.name == issuer), None)
    if partner is None:
        raise BundleInvalidError("bundle: got one of an issuer that the settings don't name as a partner")
    signed = _signed_bytes(str(identity.to_public()), count, parser.digest)
    try:
        partner.verify_key.verify(signature, signed)
    except InvalidSignature:
        raise BundleInvalidError(
            "bundle: got a signature that isn't the partner's over this content and this recipient"
        ) from None
    return Opened(partner, header, count, sha256)


def read_rows(
    path: Path, identity: pyrage.x25519.Identity, opened: Opened | None = None
) -> Iterator[watchlist_pb2.ImportRow]:
    """Yield the rows of a bundle that `check_bundle` has opened, numbered from 1. Raises BundleInvalidError.

    Given what was opened, it is an error at the end if the file is another one by now: use nothing of it then.
    """
    reading = _Reading(path, identity)
    try:
        yield from reading.rows()
    finally:
        reading.stop()
    if opened is not None and reading.sha256 != opened.sha256:
        raise BundleInvalidError("bundle: it changed after it was checked")


def _plain_text(
    header: bytes,
    rows: Iterable[watchlist_pb2.ImportRow],
    key: Ed25519PrivateKey,
    recipient: str,
) -> Iterator[tuple[int, bytes]]:
    """Yield what is encrypted, piece by piece, each with the number of rows up to it."""
    digest = hashlib.sha256()
    count = 0
    for piece in (MAGIC, _frame(_HEADER, header)):
        digest.update(piece)
        yield count, piece
    for row in rows:
        count += 1
        content = _outgoing(row, count).SerializeToString()
        if len(content) > MAX_ROW_BYTES or count > MAX_ROWS:
            raise BundleInvalidError(
                f"row {count}: got {len(content):,} bytes, want at most {MAX_ROW_BYTES:,}"
            )
        piece = _frame(_ROW, content)
        digest.update(piece)
        yield count, piece
    signature = key.sign(_signed_bytes(recipient, count, digest.digest()))
    yield count, _frame(_TRAILER, count.to_bytes(COUNT_BYTES, "big") + digest.digest() + signature)


def _outgoing(row: watchlist_pb2.ImportRow, number: int) -> watchlist_pb2.ImportRow:
    if not row.HasField("entry"):
        raise BundleInvalidError(f"row {number}: got no entry, want one")
    sent = watchlist_pb2.ImportRow(row=number, record_id=row.record_id or row.entry.entry_id, entry=row.entry)
    for field in _SET_BY_SERVICE:
        sent.entry.ClearField(field)
    return sent


def _frame(kind: bytes, content: bytes) -> bytes:
    return kind + len(content).to_bytes(LENGTH_BYTES, "big") + content


def _signed_bytes(recipient: str, count: int, digest: bytes) -> bytes:
    return SIGNED_AS + recipient.encode() + b"\n" + count.to_bytes(COUNT_BYTES, "big") + digest


class _PlainReader:
    """Gives pieces to age as a file would. What the pieces' maker raises is kept: age would turn it into words."""

    def __init__(self, pieces: Iterator[tuple[int, bytes]]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")
        self.rows = 0
        self.problem: BaseException | None = None

    def read(self, size: int) -> bytes:
        if not self._rest:
            try:
                self.rows, piece = next(self._pieces, (self.rows, b""))
            except BaseException as error:
                self.problem = error
                raise
            self._rest = memoryview(piece)
        given, self._rest = bytes(self._rest[:size]), self._rest[size:]
        return given


class _Counted:
    """Passes on what is written, counted and hashed."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self.size = 0
        self.digest = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self._out.write(data)
        self.size += len(data)
        self.digest.update(data)
        return len(data)

    def flush(self) -> None:
        self._out.flush()


class _Hashed:
    """Reads a file for age, and hashes what was read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self.digest.update(data)
        return data


class _Parser:
    """Takes the decrypted bytes as they come, and gives each row to `take`. Holds one frame at most."""

    def __init__(self, take: Callable[[watchlist_pb2.ImportRow], None]) -> None:
        self._take = take
        self._held = bytearray()
        self._digest = hashlib.sha256()
        self._begun = False
        self._issuer = ""
        self._header: BundleHeader | None = None
        self._count = 0
        self._signature: bytes | None = None
        self.problem: BaseException | None = None

    @property
    def digest(self) -> bytes:
        """SHA-256 of everything before the trailer."""
        return self._digest.digest()

    def write(self, data: bytes) -> int:
        try:
            self._held += data
            while self._step():
                pass
        except BaseException as error:  # kept: age would turn it into words
            self.problem = error
            raise
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def finished(self) -> tuple[str, BundleHeader, int, bytes]:
        """Return issuer, header, number of rows and signature. Raises BundleInvalidError if there is no trailer yet."""
        if self._header is None or self._signature is None or self._held:
            raise _cut_short()
        return self._issuer, self._header, self._count, self._signature

    def _step(self) -> bool:
        """Take the next frame, if all of it is there."""
        if not self._begun:
            return self._begin()
        if self._signature is not None and self._held:
            raise BundleInvalidError("bundle: got bytes behind its trailer")
        start = 1 + LENGTH_BYTES
        if len(self._held) < start:
            return False
        kind = bytes(self._held[:1])
        length = int.from_bytes(self._held[1:start], "big")
        self._check_frame(kind, length)
        if len(self._held) < start + length:
            return False
        frame = bytes(self._held[: start + length])
        del self._held[: start + length]
        self._take_frame(kind, frame, frame[start:])
        return True

    def _begin(self) -> bool:
        if not MAGIC.startswith(self._held[: len(MAGIC)]):
            raise BundleInvalidError("bundle: got another content, want a bundle of Borderpost, version 1")
        if len(self._held) < len(MAGIC):
            return False
        self._digest.update(MAGIC)
        del self._held[: len(MAGIC)]
        self._begun = True
        return True

    def _check_frame(self, kind: bytes, length: int) -> None:
        """Raise for a frame that can't be here or is too long, before any of it is held."""
        wanted = (_HEADER,) if self._header is None else (_ROW, _TRAILER)
        longest = {_HEADER: MAX_HEADER_BYTES, _ROW: MAX_ROW_BYTES, _TRAILER: TRAILER_BYTES}
        too_many = kind == _ROW and self._count >= MAX_ROWS
        if kind not in wanted or length > longest[kind] or too_many:
            raise BundleInvalidError("bundle: got a part that can't be there or is too long")

    def _take_frame(self, kind: bytes, frame: bytes, content: bytes) -> None:
        if kind == _TRAILER:
            self._end(content)
            return
        self._digest.update(frame)
        if kind == _HEADER:
            self._issuer, self._header = _read_header(content)
            return
        self._count += 1
        self._take(_read_row(content, self._count))

    def _end(self, content: bytes) -> None:
        expected = self._count.to_bytes(COUNT_BYTES, "big") + self.digest
        if len(content) != TRAILER_BYTES or content[: len(expected)] != expected:
            raise BundleInvalidError("bundle: got rows that aren't those that its trailer tells of")
        self._signature = content[len(expected) :]


class _Reading:
    """Reads rows in a thread of its own: age hands out what it decrypts, and can't be asked for the next piece."""

    def __init__(self, path: Path, identity: pyrage.x25519.Identity) -> None:
        self._path = path
        self._identity = identity
        self._queue: queue.Queue[watchlist_pb2.ImportRow | BaseException | None] = queue.Queue(QUEUED_ROWS)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bundle", daemon=True)
        self.sha256 = b""

    def rows(self) -> Iterator[watchlist_pb2.ImportRow]:
        self._thread.start()
        while (item := self._queue.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item

    def stop(self) -> None:
        """End the thread, wherever it is."""
        self._stopped.set()
        while self._thread.is_alive():
            self._make_room()
            self._thread.join(_STOP_SECONDS)

    def _make_room(self) -> None:
        while not self._queue.empty():
            self._queue.get_nowait()

    def _run(self) -> None:
        parser = _Parser(self._put)
        try:
            self.sha256 = _decrypt(self._path, self._identity, parser)
            parser.finished()
            end: BaseException | None = None
        except BaseException as error:  # raised again where the rows are taken
            end = error
        if not self._stopped.is_set():
            self._queue.put(end)

    def _put(self, row: watchlist_pb2.ImportRow) -> None:
        if self._stopped.is_set():
            raise _StoppedError
        self._queue.put(row)


_STOP_SECONDS: Final = 0.05
"""How often it is looked whether the thread has ended."""


class _StoppedError(Exception):
    """Nobody takes the rows any more."""


def _decrypt(path: Path, identity: pyrage.x25519.Identity, parser: _Parser) -> bytes:
    """Decrypt a file into the parser; returns its SHA-256. Raises BundleInvalidError, and OSError for the file."""
    with path.open("rb") as file:
        # A file of nothing but recipients would be held whole by age; the end of its header must be near.
        head = file.read(MAX_AGE_HEADER)
        if not head.startswith(_AGE_START) or _AGE_END not in head:
            raise BundleInvalidError("bundle: got no file that is encrypted by age to one recipient")
        file.seek(0)
        hashed = _Hashed(file)
        try:
            pyrage.decrypt_io(hashed, parser, [identity])
        except Exception:
            if parser.problem is not None:
                raise parser.problem from None
            raise BundleInvalidError(
                "bundle: can't be decrypted: it isn't encrypted to this installation, is damaged or cut short"
            ) from None
    return hashed.digest.digest()


def _write_header(issuer: str, header: BundleHeader) -> bytes:
    content = json.dumps({_ISSUER: issuer} | asdict(header)).encode()
    _read_header(content)
    return content


def _read_header(content: bytes) -> tuple[str, BundleHeader]:
    """Return the issuer's name and the header. Raises BundleInvalidError."""
    try:
        values = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError):
        raise _bad_header() from None
    kinds = {field.name: int if field.name == "version" else str for field in fields(BundleHeader)}
    kinds[_ISSUER] = str
    if not isinstance(values, dict) or values.keys() != kinds.keys():
        raise _bad_header()
    if any(type(values[name]) is not kind for name, kind in kinds.items()):
        raise _bad_header()
    texts = [value for value in values.values() if isinstance(value, str)]
    if max(map(len, texts)) > MAX_HEADER_TEXT or not 0 <= values["version"] <= MAX_VERSION:
        raise _bad_header()
    try:
        "".join(texts).encode("utf-8")
        Timestamp().FromJsonString(values["created_at"])
    except ValueError:
        raise _bad_header() from None
    return values.pop(_ISSUER), BundleHeader(**values)


def _read_row(content: bytes, number: int) -> watchlist_pb2.ImportRow:
    try:
        row = watchlist_pb2.ImportRow.FromString(content)
    except DecodeError:
        raise BundleInvalidError(f"row {number}: got bytes that are no row") from None
    if row.row != number or not row.HasField("entry") or row.HasField("error"):
        raise BundleInvalidError(f"row {number}: got one out of order or without an entry")
    return row


def _bad_header() -> BundleInvalidError:
    return BundleInvalidError("bundle: got a header that isn't of version 1")


def _cut_short() -> BundleInvalidError:
    return BundleInvalidError("bundle: it ends before its trailer")
