"""The trusted certificates as they are looked up: by index, and each read when it is first needed.

Reading a certificate takes about 1.5 ms, so a thousand of them would hold up the start of the service; a chip needs
three. What the index needs (key identifier, names) is stored beside the certificate, and checked by a test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar, overload

from borderpost.documents.pki.certificates import Certificate, parse_certificate
from borderpost.documents.pki.crl import RevocationList, parse_crl
from borderpost.documents.trust.domain import TrustSnapshot

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class StoredCertificate:
    """A certificate and what it is found by; `key_id` is empty where it has none."""

    sha256: bytes
    key_id: bytes
    subject: bytes = field(repr=False)
    der: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class StoredRevocationList:
    """A revocation list and the name that it is found by."""

    issuer: bytes = field(repr=False)
    der: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Stored:
    """All that is trusted, at one version."""

    version: int
    certificates: tuple[StoredCertificate, ...]
    revocation_lists: tuple[StoredRevocationList, ...]


class Later(Generic[V]):
    """Something that is read when it is first asked for. Two threads may both read it: the results are equal."""

    __slots__ = ("_der", "_read", "_value")

    def __init__(self, der: bytes, read: Callable[[bytes], V], value: V | None = None) -> None:
        self._der = der
        self._read = read
        self._value = value

    def get(self) -> V:
        """Read it, or return what was read before."""
        value = self._value
        if value is None:
            value = self._value = self._read(self._der)
        return value


class _LaterMany(Sequence[Certificate]):
    """Certificates that are found by the same."""

    __slots__ = ("_items",)

    def __init__(self, items: Sequence[Later[Certificate]]) -> None:
        self._items = items

    @overload
    def __getitem__(self, index: int) -> Certificate: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Certificate]: ...

    def __getitem__(self, index: int | slice) -> Certificate | Sequence[Certificate]:
        if isinstance(index, slice):
            return _LaterMany(self._items[index])
        return self._items[index].get()

    def __len__(self) -> int:
        return len(self._items)


class _LaterEach(Mapping[bytes, RevocationList]):
    """Revocation lists by issuer."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[bytes, Later[RevocationList]]) -> None:
        self._items = items

    def __getitem__(self, issuer: bytes) -> RevocationList:
        return self._items[issuer].get()

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)


class View:
    """One version of the store: the snapshot for the chip's checks, and which certificates are in it."""

    def __init__(self, stored: Stored, before: View | None = None) -> None:
        """Build the indexes. What `before` has read need not be read again."""
        kept = before._certificates if before else {}
        self._certificates: dict[bytes, Later[Certificate]] = {
            each.sha256: kept.get(each.sha256) or Later(each.der, parse_certificate)
            for each in stored.certificates
        }
        by_key_id = self._grouped((each.key_id, each.sha256) for each in stored.certificates if each.key_id)
        by_subject = self._grouped((each.subject, each.sha256) for each in stored.certificates)
        lists = {each.issuer: Later(each.der, parse_crl) for each in stored.revocation_lists}
        self.snapshot = TrustSnapshot(stored.version, by_key_id, by_subject, _LaterEach(lists))

    @property
    def had(self) -> frozenset[bytes]:
        """SHA-256 of every certificate."""
        return frozenset(self._certificates)

    def _grouped(self, pairs: Iterable[tuple[bytes, bytes]]) -> Mapping[bytes, Sequence[Certificate]]:
        groups: dict[bytes, list[Later[Certificate]]] = {}
        for key, sha256 in pairs:
            groups.setdefault(key, []).append(self._certificates[sha256])
        return {key: _LaterMany(items) for key, items in groups.items()}
