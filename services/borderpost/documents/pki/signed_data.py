"""CMS SignedData as ICAO profiles it, for EF.SOD (9303-10, 4.6.2) and CSCA master lists (9303-12, 9).

Verified in numbered steps, RFC 5652, 5.4 and 5.6 in order. Everything is hashed as the bytes that came.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, Final

from asn1crypto import cms, core

from borderpost.documents.pki import names
from borderpost.documents.pki.algorithms import SignatureAlgorithm, digest, hash_of, signature_algorithm
from borderpost.documents.pki.certificates import Certificate, parse_certificate
from borderpost.documents.pki.errors import PkiError, SignedDataError, unreadable_as
from borderpost.documents.pki.keys import verify
from borderpost.documents.pki.octets import check_runs
from borderpost.documents.pki.times import utc_of

MAX_SIGNERS: Final = 8
"""ICAO 9303-10, 4.6.2.2 allows several signer infos; nobody writes more than two."""

MAX_CERTIFICATES: Final = 16
"""In a signed object itself: the signer's, and for master lists its CSCA's."""

_SIGNED_DATA: Final = "1.2.840.113549.1.7.2"
_CONTENT_TYPE: Final = "1.2.840.113549.1.9.3"
_MESSAGE_DIGEST: Final = "1.2.840.113549.1.9.4"
_SIGNING_TIME: Final = "1.2.840.113549.1.9.5"
_SET: Final = 0x31


@dataclass(frozen=True, slots=True)
class SignerId:
    """Whose signature it is: issuer (for look-up, pki/names.py) and serial number, or a subject key identifier."""

    issuer: bytes = b""
    serial: int = 0
    key_id: bytes | None = None

    def names(self, certificate: Certificate) -> bool:
        """Tell whether this is the certificate that is meant."""
        if self.key_id is not None:
            return certificate.key_id == self.key_id
        return (certificate.issuer, certificate.serial) == (self.issuer, self.serial)


@dataclass(frozen=True, slots=True)
class SignedAttributes:
    """What a signer signs beside the content's hash. `forms` are the bytes that the signature may be over.

    The first form is the attributes as they came, under the tag SET (RFC 5652, 5.4). Some signers write them
    in another order than DER's and sign the sorted form, which is the second where it differs.
    """

    forms: tuple[bytes, ...] = field(repr=False)
    content_type: str | None
    message_digest: bytes | None
    signing_time: datetime | None


@dataclass(frozen=True, slots=True)
class SignerInfo:
    """One signature. Its algorithms are its own, whatever the signer's certificate is signed with."""

    signer: SignerId
    digest_oid: str
    signature_oid: str
    signature_parameters: Any = field(repr=False)
    attributes: SignedAttributes | None
    signature: bytes = field(repr=False)

    def algorithm(self) -> SignatureAlgorithm:
        """Return the algorithm of the signature. Raises AlgorithmNotSupportedError."""
        return signature_algorithm(self.signature_oid, self.signature_parameters, hash_of(self.digest_oid))


@dataclass(frozen=True, slots=True)
class SignedData:
    """The structure, unverified: content type in dotted form, content bytes, certificates, signatures.

    `unreadable_certificates` are the reasons of those that were there and could not be read.
    """

    content_type: str
    content: bytes = field(repr=False)
    certificates: tuple[Certificate, ...]
    unreadable_certificates: tuple[str, ...]
    signers: tuple[SignerInfo, ...]


class Fault(Enum):
    """What is wrong with one signature, in the order of the steps."""

    SIGNER_CERTIFICATE_MISSING = "SIGNER_CERTIFICATE_MISSING"
    ATTRIBUTES_CONTENT_TYPE = "ATTRIBUTES_CONTENT_TYPE"
    ATTRIBUTES_DIGEST = "ATTRIBUTES_DIGEST"
    ATTRIBUTES_MISSING = "ATTRIBUTES_MISSING"
    ALGORITHM_NOT_SUPPORTED = "ALGORITHM_NOT_SUPPORTED"
    HASH_TOO_WEAK = "HASH_TOO_WEAK"
    SIGNATURE_WRONG = "SIGNATURE_WRONG"


@dataclass(frozen=True, slots=True)
class Verification:
    """How far one signature holds. `certificate` is the signer's, if it was found.

    The two faults are apart: the attributes can be signed rightly and tell of another content.
    """

    info: SignerInfo
    certificate: Certificate | None
    algorithm: SignatureAlgorithm | None
    attributes_fault: Fault | None
    signature_fault: Fault | None

    @property
    def fault(self) -> Fault | None:
        """The first fault, or None if the signature holds for the content."""
        return self.attributes_fault or self.signature_fault


def parse_signed_data(der: bytes) -> SignedData:
    """Step 1: read a ContentInfo of signedData, with nothing after it. Raises SignedDataError."""
    with unreadable_as(SignedDataError, "signed data"):
        outer = cms.ContentInfo.load(check_runs(der), strict=True)
        if outer["content_type"].dotted != _SIGNED_DATA:
            raise SignedDataError("signed data: got another content type")
        return _read(outer["content"])


def verify_signed_data(data: SignedData, extra: tuple[Certificate, ...] = ()) -> Verification:
    """Steps 2 to 5 for every signature; the first that holds counts, or else the first of all.

    `extra` are certificates that may be the signer's and need not be in the data.
    """
    results = []
    for info in data.signers:
        result = _verify(data, info, (*data.certificates, *extra))
        if result.fault is None:
            return result
        results.append(result)
    return results[0]


def _verify(data: SignedData, info: SignerInfo, certificates: tuple[Certificate, ...]) -> Verification:
    # 2. The signer's certificate, by what the signer info says of it.
    certificate = next((found for found in certificates if info.signer.names(found)), None)
    # 3. The attributes, if there are any, name this content's type and its hash (RFC 5652, 11.1 and 11.2).
    attributes_fault = _attributes_fault(data, info)
    if certificate is None:
        return Verification(info, None, None, attributes_fault, Fault.SIGNER_CERTIFICATE_MISSING)
    try:
        algorithm = info.algorithm()
    except PkiError as error:
        return Verification(info, certificate, None, attributes_fault, _algorithm_fault(error))
    # 4. What the signature is over: the attributes, or without them the content (RFC 5652, 5.4).
    forms = info.attributes.forms if info.attributes else (data.content,)
    # 5. The signature, by the signer info's own algorithm.
    signature_fault = _signature_fault(certificate, algorithm, info.signature, forms)
    return Verification(info, certificate, algorithm, attributes_fault, signature_fault)


def _attributes_fault(data: SignedData, info: SignerInfo) -> Fault | None:
    attributes = info.attributes
    if attributes is None:
        # Content that looks like a set of attributes could be just that, signed beside another content.
        return Fault.ATTRIBUTES_MISSING if data.content[:1] == bytes([_SET]) else None
    if attributes.content_type != data.content_type:
        return Fault.ATTRIBUTES_CONTENT_TYPE
    try:
        expected = digest(hash_of(info.digest_oid), data.content)
    except PkiError as error:
        return _algorithm_fault(error)
    fits = hmac.compare_digest(attributes.message_digest or b"", expected)
    return None if fits else Fault.ATTRIBUTES_DIGEST


def _algorithm_fault(error: PkiError) -> Fault:
    weak = error.reason == Fault.HASH_TOO_WEAK.value
    return Fault.HASH_TOO_WEAK if weak else Fault.ALGORITHM_NOT_SUPPORTED


def _signature_fault(
    certificate: Certificate, algorithm: SignatureAlgorithm, signature: bytes, forms: tuple[bytes, ...]
) -> Fault | None:
    try:
        if any(verify(certificate.key, algorithm, signature, form) for form in forms):
            return None
    except PkiError:
        return Fault.ALGORITHM_NOT_SUPPORTED
    return Fault.SIGNATURE_WRONG


def _read(data: Any) -> SignedData:
    inner = data["encap_content_info"]
    content = inner["content"]
    if isinstance(content, core.Void):
        raise SignedDataError("signed data: got no content, want it inside")
    infos = data["signer_infos"]
    if not 1 <= len(infos) <= MAX_SIGNERS:
        raise SignedDataError(f"signed data: got {len(infos)} signatures, want 1 to {MAX_SIGNERS}")
    certificates, unreadable = _certificates(data["certificates"])
    return SignedData(
        content_type=inner["content_type"].dotted,
        content=check_runs(bytes(content)),  # it may have come in pieces
        certificates=certificates,
        unreadable_certificates=unreadable,
        signers=tuple(_signer_info(info) for info in infos),
    )


def _certificates(choices: Any) -> tuple[tuple[Certificate, ...], tuple[str, ...]]:
    if isinstance(choices, core.Void):
        return (), ()
    if len(choices) > MAX_CERTIFICATES:
        raise SignedDataError(
            f"signed data: got {len(choices)} certificates, want {MAX_CERTIFICATES} at most"
        )
    found, reasons = [], []
    for choice in choices:
        try:
            found.append(parse_certificate(choice.chosen.dump()))
        except PkiError as error:
            reasons.append(error.reason)
    return tuple(found), tuple(reasons)


def _signer_info(info: Any) -> SignerInfo:
    identifier = info["signature_algorithm"]
    parameters = identifier["parameters"]
    attributes = info["signed_attrs"]
    return SignerInfo(
        signer=_signer_id(info["sid"]),
        digest_oid=info["digest_algorithm"]["algorithm"].dotted,
        signature_oid=identifier["algorithm"].dotted,
        signature_parameters=None if isinstance(parameters, (core.Void, core.Null)) else parameters,
        attributes=None if isinstance(attributes, core.Void) else _signed_attributes(attributes),
        signature=bytes(info["signature"]),
    )


def _signer_id(sid: Any) -> SignerId:
    if sid.name == "subject_key_identifier":
        return SignerId(key_id=bytes(sid.chosen))
    return SignerId(names.normalised(sid.chosen["issuer"]), int(sid.chosen["serial_number"].native))


def _signed_attributes(attributes: Any) -> SignedAttributes:
    values: dict[str, Any] = {}
    for attribute in attributes:
        kind, members = attribute["type"].dotted, attribute["values"]
        if kind in values or len(members) != 1:
            if kind in (_CONTENT_TYPE, _MESSAGE_DIGEST, _SIGNING_TIME):
                raise SignedDataError(
                    "signed data: got a signed attribute twice, or without exactly one value"
                )
            continue
        values[kind] = members[0]
    content_type, message_digest = values.get(_CONTENT_TYPE), values.get(_MESSAGE_DIGEST)
    signing_time = values.get(_SIGNING_TIME)
    return SignedAttributes(
        forms=_forms(attributes),
        content_type=None if content_type is None else content_type.dotted,
        message_digest=None if message_digest is None else bytes(message_digest),
        signing_time=None if signing_time is None else utc_of(signing_time),
    )


def _forms(attributes: Any) -> tuple[bytes, ...]:
    as_they_came = names.tagged(_SET, bytes(attributes.contents))
    in_order = names.tagged(_SET, b"".join(sorted(attribute.dump() for attribute in attributes)))
    return (as_they_came,) if as_they_came == in_order else (as_they_came, in_order)
