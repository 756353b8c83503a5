"""Active authentication, proven here: the service's nonce, signed with the key of DG15 (ICAO 9303-11, 6.1).

ECDSA signatures come plain, r and s side by side (6.1.2.3; BSI TR-03111, 5.2.1). RSA signatures are ISO/IEC 9796-2
digital signature scheme 1 (6.1.2.2): what is signed can be recovered from the signature, and is taken apart here with
every octet accounted for.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Final

from borderpost.documents.chip.domain import ActiveAuthentication, ChipFiles, CloneProtection
from borderpost.documents.chip.errors import ChipFileError
from borderpost.documents.chip.passive import Passive
from borderpost.documents.chip.reasons import Why
from borderpost.documents.chip.security_infos import SecurityInfos, read_active_key, read_security_infos
from borderpost.documents.pki.algorithms import Scheme, digest, signature_algorithm
from borderpost.documents.pki.errors import AlgorithmNotSupportedError, KeyNotSupportedError
from borderpost.documents.pki.keys import EcKey, PublicKey, RsaKey, verify
from borderpost.documents.verdict import Check, CheckName, Result

NONCE_BYTES: Final = 8
"""RND.IFD (ICAO 9303-11, 6.1.1)."""

_INFOS_GROUP, _KEY_GROUP = 14, 15

_PARTIAL_RECOVERY: Final = 0x6A
"""First octet of the block: 01, then 1 because a part of the message (the nonce) is not in it, 0 and the nibble A that
ends the padding. The chip fills the block with its own random octets, so there is no more padding."""

_LAST_NIBBLE: Final = 0xC
_NIBBLE: Final = 16
_IMPLICIT_TRAILER: Final = 0xBC
_EXPLICIT_TRAILER: Final = 0xCC

_IMPLICIT_HASH: Final = "sha1"
"""ICAO 9303-11, 6.1.2.2: the trailer BC goes with SHA-1."""

_HASH_IDENTIFIERS: Final = {0x33: "sha1", 0x38: "sha224", 0x34: "sha256", 0x36: "sha384", 0x35: "sha512"}
"""ISO/IEC 10118-3: the octet before CC."""


@dataclass(frozen=True, slots=True)
class Authenticity:
    """Whether the chip could be a copy, and the check that says so."""

    protection: CloneProtection
    check: Check


def authenticate(files: ChipFiles, passive: Passive) -> Authenticity:
    """Judge whether the chip could be a copy, once passive authentication has told which files the state signed."""
    if files.active is not None:
        answered = _judge_answer(files, files.active, passive)
        if answered is not None:
            return answered
    return _without_proof(files, passive)


def _judge_answer(files: ChipFiles, answer: ActiveAuthentication, passive: Passive) -> Authenticity | None:
    """The steps of a proof; None if the chip has no key at all, so that its answer proves nothing."""
    # 1. DG15 came, and its hash is in the security object: anybody could write another key beside.
    if _KEY_GROUP not in files.data_groups:
        return _unverified(Why.ACTIVE_AUTHENTICATION_NO_KEY) if _is_signed(passive, _KEY_GROUP) else None
    if _KEY_GROUP not in passive.trusted_groups:
        state = _protected_or_not(files, passive)
        return _undetermined(state, Why.ACTIVE_AUTHENTICATION_KEY_NOT_AUTHENTIC)
    # 2. Key and algorithm are of a kind that ICAO allows.
    try:
        key = read_active_key(files.data_groups[_KEY_GROUP])
        proven = _proves(key, answer, _infos(files, passive))
    except (ChipFileError, KeyNotSupportedError, AlgorithmNotSupportedError):
        return _unverified(Why.ACTIVE_AUTHENTICATION_NOT_SUPPORTED)
    # 3. The signature over the nonce is this key's.
    if not proven:
        check = Check(CheckName.CLONE_PROTECTION, Result.FAILED, Why.ACTIVE_AUTHENTICATION_WRONG)
        return Authenticity(CloneProtection.REFUTED, check)
    # 4. The security object that names the key is a state's. Otherwise the key is its maker's, whoever that is.
    if not passive.anchored:
        return _unverified(Why.ACTIVE_AUTHENTICATION_KEY_NOT_AUTHENTIC)
    return Authenticity(CloneProtection.PROVEN, Check(CheckName.CLONE_PROTECTION, Result.PASSED))


def _without_proof(files: ChipFiles, passive: Passive) -> Authenticity:
    state = _protected_or_not(files, passive)
    if files.active_refused:
        return _undetermined(state, files.active_refused)
    infos = _infos(files, passive)
    chip_keys_possible = infos.chip_authentication if infos is not None else _is_signed(passive, _INFOS_GROUP)
    if files.chip_authentication_claimed and (chip_keys_possible or passive.security_object is None):
        return _unverified(Why.CHIP_AUTHENTICATION_CLAIMED)
    if state is CloneProtection.COULD_BE_A_CLONE:
        return _undetermined(state, Why.COULD_BE_A_CLONE)
    if _is_signed(passive, _KEY_GROUP):
        return _unverified(Why.ACTIVE_AUTHENTICATION_NOT_DONE)
    if infos is None:
        return _unverified(Why.DATA_GROUP_NOT_READ)
    return _unverified(Why.CHIP_AUTHENTICATION_NOT_DONE)


def _protected_or_not(files: ChipFiles, passive: Passive) -> CloneProtection:
    """A key that the security object names counts, whether it came or not: a copy would leave it out.

    Where no security object can be read, nothing is known to have no key.
    """
    infos = _infos(files, passive)
    has_chip_keys = infos.chip_authentication if infos is not None else _is_signed(passive, _INFOS_GROUP)
    if passive.security_object is None or has_chip_keys or _is_signed(passive, _KEY_GROUP):
        return CloneProtection.UNVERIFIED
    return CloneProtection.COULD_BE_A_CLONE


def _is_signed(passive: Passive, group: int) -> bool:
    return passive.security_object is not None and group in passive.security_object.hashes


def _infos(files: ChipFiles, passive: Passive) -> SecurityInfos | None:
    """DG14, if it came as it was signed and can be read."""
    if _INFOS_GROUP not in passive.trusted_groups:
        return None
    try:
        return read_security_infos(files.data_groups[_INFOS_GROUP])
    except ChipFileError:
        return None


def _unverified(why: str) -> Authenticity:
    return _undetermined(CloneProtection.UNVERIFIED, why)


def _undetermined(state: CloneProtection, why: str) -> Authenticity:
    return Authenticity(state, Check(CheckName.CLONE_PROTECTION, Result.UNDETERMINED, why))


def _proves(key: PublicKey, answer: ActiveAuthentication, infos: SecurityInfos | None) -> bool:
    if len(answer.nonce) != NONCE_BYTES:
        return False
    if isinstance(key, RsaKey):
        return recovers(key, answer.signature, answer.nonce)
    return _verify_ecdsa(key, answer, infos)


def _verify_ecdsa(key: EcKey, answer: ActiveAuthentication, infos: SecurityInfos | None) -> bool:
    """The hash is in DG14, which is mandatory with such keys (6.1.2.3). A longer hash than the curve is cut."""
    if infos is None or not infos.active_algorithm:
        raise AlgorithmNotSupportedError(
            "active authentication: got no algorithm in DG14, want one with an EC key"
        )
    algorithm = signature_algorithm(infos.active_algorithm)
    if algorithm.scheme is not Scheme.ECDSA_PLAIN:
        raise AlgorithmNotSupportedError(
            "active authentication: got another algorithm than plain ECDSA in DG14"
        )
    return verify(key, algorithm, answer.signature, answer.nonce)


def recovers(key: RsaKey, signature: bytes, nonce: bytes) -> bool:
    """Verify a signature of ISO/IEC 9796-2, scheme 1, with the nonce as the part that is not recoverable.

    Raises KeyNotSupportedError for a modulus that is no whole number of octets.
    """
    size, rest = divmod(key.n.bit_length(), 8)
    if rest:
        raise KeyNotSupportedError(
            "active authentication: got an RSA modulus that is no whole number of octets"
        )
    number = int.from_bytes(signature, "big")
    if len(signature) != size or not 0 < number < key.n:
        return False
    opened = _opened(key, number)
    return opened is not None and _holds(opened.to_bytes(size, "big"), nonce)


def _opened(key: RsaKey, number: int) -> int | None:
    """The number that was signed: it or its complement ends in the nibble C (ISO/IEC 9796-2, annex A)."""
    power = pow(number, key.e, key.n)
    if power % _NIBBLE == _LAST_NIBBLE:
        return power
    return key.n - power if (key.n - power) % _NIBBLE == _LAST_NIBBLE else None


def _holds(block: bytes, nonce: bytes) -> bool:
    """Header, the chip's own octets, hash over them and the nonce, trailer; nothing else."""
    if block[0] != _PARTIAL_RECOVERY:
        return False
    if block[-1] == _IMPLICIT_TRAILER:
        hash_name, end = _IMPLICIT_HASH, len(block) - 1
    elif block[-1] == _EXPLICIT_TRAILER and block[-2] in _HASH_IDENTIFIERS:
        hash_name, end = _HASH_IDENTIFIERS[block[-2]], len(block) - 2
    else:
        return False
    start = end - len(digest(hash_name, b""))
    return hmac.compare_digest(digest(hash_name, block[1:start] + nonce), block[start:end])
