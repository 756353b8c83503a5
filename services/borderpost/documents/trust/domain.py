"""The trust store as the chip's checks see it: one immutable version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from borderpost.documents.pki.certificates import Certificate
from borderpost.documents.pki.crl import RevocationList


@dataclass(frozen=True, slots=True)
class TrustSnapshot:
    """All trusted CSCA certificates, links among them, and the newest revocation list of every issuer.

    `version` names it in every verdict. Found by index, never by trying each: `by_key_id` by subject key
    identifier, `by_subject` by the normalised DER of the subject's name; `revocation_lists` by that of the
    issuer's name.
    """

    version: int
    by_key_id: Mapping[bytes, Sequence[Certificate]]
    by_subject: Mapping[bytes, Sequence[Certificate]]
    revocation_lists: Mapping[bytes, RevocationList]


NOTHING_TRUSTED = TrustSnapshot(0, {}, {}, {})
"""The store before anything was imported."""
