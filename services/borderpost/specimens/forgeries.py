"""Every way in which a specimen chip can be forged, faulty or copied, one at a time.

Each member of Forgery says what is wrong and what a verifier must find. A forged chip differs from the genuine one of
the same order in that and in nothing else, and all of one order can be judged with the same trust: the state's master
list and revocation lists have the expired CSCA, the foreign one and the revoked signer in them already.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from asn1crypto import cms, core, parser
from PIL import Image, ImageDraw, ImageFont, ImageOps

from borderpost.documents.mrz import LETTERS, format_of
from borderpost.specimens.active import ACTIVE_ALGORITHMS, ChipKey
from borderpost.specimens.chip import (
    SECURITY_OBJECT,
    SOD_TAG,
    ChipOrder,
    Holder,
    Protection,
    SpecimenChip,
    SpecimenError,
    common_data,
    data_group_1,
    data_group_11,
    data_group_15,
    lds_security_object,
    make_chip,
    portrait_group,
    sealed,
    security_object,
    with_issuer,
)
from borderpost.specimens.cms import Signer
from borderpost.specimens.der import tlv
from borderpost.specimens.pki import (
    COUNTRY,
    CSCA_AGE,
    DAY,
    DOCUMENT_VALIDITY,
    SIGNER_AGE,
    Period,
    Pki,
    authority,
    distinguished_name,
    document_signer,
)
from borderpost.specimens.signing import ALGORITHMS, SigningKey, signing_key

STRANGER_NAME: Final = "Unknown CSCA SPECIMEN"
FORGED_SERIAL: Final = 0x6001
"""Serial number of every signer that is no usual one of Utopia."""

UNPUBLISHED_SERIAL: Final = 0x60
"""Serial number of every CSCA that nobody published."""

EXPIRED_AFTER: Final = DAY
"""The expired signer and the expired CSCA end so long after the chip was signed: judge it later."""

VALID_FROM: Final = 10 * DAY
"""The signer that isn't valid yet begins so long after the chip was signed: judge it later."""

SWAPPED_MARK: Final = "SWAPPED SPECIMEN"

WEAK_HASH: Final = "md5"
UNREAD_GROUPS: Final = b"\x63\x67"
"""Tags of data groups 3 and 7, which no specimen has."""


class Forgery(Enum):
    """What is wrong with a chip. The value is its name on the command line."""

    CHANGED_MRZ = "changed-mrz"
    """One letter of the name in DG1, and on the page, is another. The hash of DG1 is not the signed one."""

    SWAPPED_PORTRAIT = "swapped-portrait"
    """DG2 holds another portrait. The hash of DG2 is not the signed one."""

    UNSIGNED_GROUP = "unsigned-group"
    """DG11 was added, and to EF.COM too. The security object knows no DG11, so nothing of it may be believed."""

    MISSING_GROUP = "missing-group"
    """DG2 is gone, while EF.COM and the security object name it. The chip is incomplete."""

    HIDDEN_KEY = "hidden-key"
    """A copy that hides what it can't prove: DG14 and DG15 are gone, from EF.COM too. The security object has them."""

    SWAPPED_KEY = "swapped-key"
    """A copy with a key of its own in DG15: its answers fit, and the hash of DG15 is not the signed one."""

    SILENT_CLONE = "silent-clone"
    """A copy of all files. It has no private key and answers nothing: DG15 asks for a proof, and none is made."""

    ANSWERING_CLONE = "answering-clone"
    """A copy of all files that answers challenges with another key: the answer doesn't fit DG15."""

    WRONG_ISSUER = "wrong-issuer"
    """The signer's certificate names Utopia's CSCA and its key id; another key signed it. Its signature is wrong."""

    UNKNOWN_ISSUER_KEY = "unknown-issuer-key"
    """The signer's CSCA has the name of Utopia's and a key that nobody published: there is no trust anchor."""

    UNKNOWN_ISSUER = "unknown-issuer"
    """The signer's CSCA has a name that nobody published: there is no trust anchor."""

    EXPIRED_SIGNER = "expired-signer"
    """The signer's certificate was valid at signing and ended a day later."""

    SIGNER_NOT_YET_VALID = "signer-not-yet-valid"
    """The chip says that it was signed ten days before its signer's certificate began."""

    EXPIRED_CSCA = "expired-csca"
    """The signer's CSCA is a published one whose validity ended a day after signing."""

    REVOKED_SIGNER = "revoked-signer"
    """The signer's certificate is on its CSCA's revocation list."""

    FOREIGN_SIGNER = "foreign-signer"
    """A signer of another country (ZZ), whose CSCA is trusted, signed a passport of Utopia."""

    LIST_SIGNER = "list-signer"
    """Utopia's signer of master lists signed the chip: its extended key usage is for master lists only."""

    BROKEN_SIGNATURE = "broken-signature"
    """The security object was signed with another key than that of the certificate in it."""

    WRONG_DIGEST = "wrong-digest"
    """DG1 and its hash were changed; signed attributes and signature stayed. The message digest doesn't fit."""

    NO_SIGNED_ATTRIBUTES = "no-signed-attributes"
    """The signed attributes, which the signature is over, were taken out."""

    MISMATCHED_HASH = "mismatched-hash"
    """The security object names one hash function, and its values are of another: none fits. Signed genuinely."""

    WEAK_HASH = "weak-hash"
    """The hashes of the data groups are MD5, which no passport may use. They fit, and are signed genuinely."""

    TRUNCATED_SECURITY_OBJECT = "truncated-security-object"
    """Half of EF.SOD is there. It can't be parsed."""

    OTHER_COMMON_DATA = "other-common-data"
    """EF.COM, which nobody signs, names DG3 and DG7 and not DG2. It doesn't agree with the security object."""

    OTHER_PAGE = "other-page"
    """The chip is genuine and belongs to another page: one letter of the printed name is another."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a verifier must find: one of `checks` doesn't pass, and the verdict that it belongs to is `verdict`.

    The names are those of the contract (verdicts after BSI TR-03135). For MRZ_IS_THE_CHIPS it is the verdict of
    consistency, for all others the electronic one.
    """

    verdict: str
    checks: frozenset[str]


def _fail(*checks: str) -> Finding:
    return Finding("FAIL", frozenset(checks))


def _undetermined(*checks: str) -> Finding:
    return Finding("UNDETERMINED", frozenset(checks))


FINDINGS: Final[Mapping[Forgery, Finding]] = {
    Forgery.CHANGED_MRZ: _fail("DATA_GROUP_HASHES"),
    Forgery.SWAPPED_PORTRAIT: _fail("DATA_GROUP_HASHES"),
    Forgery.UNSIGNED_GROUP: _fail("DATA_GROUP_HASHES", "DATA_GROUPS_COMPLETE"),
    Forgery.MISSING_GROUP: _undetermined("DATA_GROUPS_COMPLETE", "CHIP_PORTRAIT"),
    Forgery.HIDDEN_KEY: _undetermined("DATA_GROUPS_COMPLETE", "CLONE_PROTECTION"),
    Forgery.SWAPPED_KEY: _fail("DATA_GROUP_HASHES"),
    Forgery.SILENT_CLONE: _undetermined("CLONE_PROTECTION"),
    Forgery.ANSWERING_CLONE: _fail("CLONE_PROTECTION"),
    Forgery.WRONG_ISSUER: _fail("SIGNER_ISSUER"),
    Forgery.UNKNOWN_ISSUER_KEY: _undetermined("SIGNER_ISSUER"),
    Forgery.UNKNOWN_ISSUER: _undetermined("SIGNER_ISSUER"),
    Forgery.EXPIRED_SIGNER: _fail("SIGNER_VALIDITY"),
    Forgery.SIGNER_NOT_YET_VALID: _fail("SIGNER_VALIDITY"),
    Forgery.EXPIRED_CSCA: _fail("SIGNER_VALIDITY", "SIGNER_ISSUER"),
    Forgery.REVOKED_SIGNER: _fail("SIGNER_REVOCATION"),
    Forgery.FOREIGN_SIGNER: _fail("SIGNER_COUNTRY"),
    Forgery.LIST_SIGNER: _fail("SIGNER_ISSUER", "SIGNATURE"),
    Forgery.BROKEN_SIGNATURE: _fail("SIGNATURE"),
    Forgery.WRONG_DIGEST: _fail("SIGNED_ATTRIBUTES", "SIGNATURE"),
    Forgery.NO_SIGNED_ATTRIBUTES: _fail("SIGNED_ATTRIBUTES", "SIGNATURE"),
    Forgery.MISMATCHED_HASH: _fail("DATA_GROUP_HASHES", "SECURITY_OBJECT"),
    Forgery.WEAK_HASH: _fail("DATA_GROUP_HASHES", "SECURITY_OBJECT"),
    Forgery.TRUNCATED_SECURITY_OBJECT: _fail("SECURITY_OBJECT"),
    Forgery.OTHER_COMMON_DATA: _fail("DATA_GROUPS_COMPLETE"),
    Forgery.OTHER_PAGE: _fail("MRZ_IS_THE_CHIPS"),
}


@dataclass(frozen=True, slots=True)
class Bench:
    """What a forger works with: the order, the genuine chip of it, and perhaps another person's portrait."""

    order: ChipOrder
    genuine: SpecimenChip
    other_portrait: bytes | None

    @property
    def state(self) -> Pki:
        """Who signs."""
        return self.order.state()

    @property
    def groups(self) -> dict[int, bytes]:
        """The genuine data groups by number."""
        files = self.genuine.files.items()
        return {int(name.removeprefix("DG")): content for name, content in files if name.startswith("DG")}

    def with_files(self, **changed: bytes | None) -> SpecimenChip:
        """Return the chip with other files; None takes one away."""
        files = {**self.genuine.files, **changed}
        return replace(
            self.genuine, files={name: content for name, content in files.items() if content is not None}
        )

    def signed_by(
        self, signer: Signer, *, csca: Signer | None = None, crl: bytes | None = None
    ) -> SpecimenChip:
        """Return the chip with another signer's security object."""
        chip = self.with_files(SOD=security_object(self.order, self.groups, signer))
        return with_issuer(chip, self.state, signer, csca=csca, crl=crl)


def forge(
    forgery: Forgery,
    order: ChipOrder,
    *,
    genuine: SpecimenChip | None = None,
    other_portrait: bytes | None = None,
) -> SpecimenChip:
    """Make the forged chip of an order.

    `genuine` is the order's genuine chip where there is one already; the forged chip then shares its key.
    `other_portrait` is whom SWAPPED_PORTRAIT shows, otherwise the same picture mirrored and marked. Raises
    SpecimenError where the order doesn't allow the forgery: copies are of chips with active authentication, and a
    signer that isn't valid yet needs a signing time.
    """
    if forgery in NEED_ACTIVE and order.protection is not Protection.ACTIVE:
        raise SpecimenError(f"{forgery.value}: got a chip without active authentication, want one with it")
    if forgery is Forgery.SIGNER_NOT_YET_VALID and not order.signing_time:
        raise SpecimenError(f"{forgery.value}: got no signing time, want one that is too early")
    chip = genuine or make_chip(order)
    return _MAKERS[forgery](Bench(order, chip, other_portrait))


NEED_ACTIVE: Final = frozenset(
    {Forgery.HIDDEN_KEY, Forgery.SWAPPED_KEY, Forgery.SILENT_CLONE, Forgery.ANSWERING_CLONE}
)
"""Forgeries of chips with active authentication."""


def _another(portrait: bytes) -> bytes:
    """Make another portrait of a portrait: mirrored, and saying so, since some faces are symmetrical."""
    out = io.BytesIO()
    with Image.open(io.BytesIO(portrait)) as picture:
        other = ImageOps.mirror(picture.convert("RGB"))
    place = (other.width / 2, other.height / 2)
    font = ImageFont.load_default(size=other.width / len(SWAPPED_MARK))
    ImageDraw.Draw(other).text(place, SWAPPED_MARK, "black", font, "mm", stroke_width=1, stroke_fill="white")
    other.save(out, "PNG")
    return out.getvalue()


def _with_another_name(lines: tuple[str, ...]) -> tuple[str, ...]:
    """Change the first letter of the name, which no check digit covers."""
    place = format_of(lines).field("names").span
    line = lines[place.line]
    letter = LETTERS[(LETTERS.index(line[place.start]) + 1) % len(LETTERS)]
    changed = line[: place.start] + letter + line[place.start + 1 :]
    return (*lines[: place.line], changed, *lines[place.line + 1 :])


def _changed_mrz(bench: Bench) -> SpecimenChip:
    lines = _with_another_name(bench.order.lines)
    return replace(bench.with_files(DG1=data_group_1(lines)), printed=lines)


def _swapped_portrait(bench: Bench) -> SpecimenChip:
    other = _another(bench.order.portrait) if bench.other_portrait is None else bench.other_portrait
    return bench.with_files(DG2=portrait_group(replace(bench.order, portrait=other)))


def _unsigned_group(bench: Bench) -> SpecimenChip:
    signed = {number: content for number, content in bench.groups.items() if number != 11}
    added = data_group_11(bench.order.holder or Holder(full_name="SPECIMEN<<ADDED"))
    sod = bench.genuine.files["SOD"]
    if len(signed) < len(bench.groups):  # the genuine chip has signed details
        sod = security_object(bench.order, signed, bench.state.signer)
    return bench.with_files(
        SOD=sod,
        COM=common_data({**signed, 11: added}, bench.order.lds_version),
        DG11=added,
    )


def _missing_group(bench: Bench) -> SpecimenChip:
    return bench.with_files(DG2=None)


def _hidden_key(bench: Bench) -> SpecimenChip:
    shown = {number: content for number, content in bench.groups.items() if number not in (14, 15)}
    chip = bench.with_files(COM=common_data(shown, bench.order.lds_version), DG14=None, DG15=None)
    return replace(chip, key=None)


def _swapped_key(bench: Bench) -> SpecimenChip:
    key = _another_key(bench)
    return replace(bench.with_files(DG15=data_group_15(key)), key=key)


def _another_key(bench: Bench) -> ChipKey:
    return ACTIVE_ALGORITHMS[bench.order.active].new_key()


def _silent_clone(bench: Bench) -> SpecimenChip:
    return replace(bench.genuine, key=None)


def _answering_clone(bench: Bench) -> SpecimenChip:
    return replace(bench.genuine, key=_another_key(bench))


def _wrong_issuer(bench: Bench) -> SpecimenChip:
    forger = signing_key(ALGORITHMS[bench.order.algorithm], "forged csca")
    return bench.signed_by(_signer(bench, bench.state.csca, issuer_key=forger))


def _unknown_issuer_key(bench: Bench) -> SpecimenChip:
    since = bench.state.at - CSCA_AGE
    name = bench.state.csca.certificate.subject
    unpublished = authority(bench.order.algorithm, "unpublished csca", name, since, UNPUBLISHED_SERIAL)
    return bench.signed_by(_signer(bench, unpublished))


def _unknown_issuer(bench: Bench) -> SpecimenChip:
    since = bench.state.at - CSCA_AGE
    name = distinguished_name(STRANGER_NAME, COUNTRY)
    stranger = authority(bench.order.algorithm, "strange csca", name, since, UNPUBLISHED_SERIAL)
    return bench.signed_by(_signer(bench, stranger))


def _expired_signer(bench: Bench) -> SpecimenChip:
    at = bench.order.moment()
    return bench.signed_by(_signer(bench, bench.state.csca, Period(at - SIGNER_AGE, at + EXPIRED_AFTER)))


def _signer_not_yet_valid(bench: Bench) -> SpecimenChip:
    start = bench.order.moment() + VALID_FROM
    return bench.signed_by(_signer(bench, bench.state.csca, Period(start, start + DOCUMENT_VALIDITY)))


def _expired_csca(bench: Bench) -> SpecimenChip:
    expired = bench.state.expired
    return bench.signed_by(_signer(bench, expired), csca=expired)


def _revoked_signer(bench: Bench) -> SpecimenChip:
    return bench.signed_by(bench.state.revoked_signer)


def _foreign_signer(bench: Bench) -> SpecimenChip:
    foreign = bench.state.foreign
    return bench.signed_by(_signer(bench, foreign), csca=foreign, crl=bench.state.foreign_revocation_list)


def _list_signer(bench: Bench) -> SpecimenChip:
    return bench.signed_by(bench.state.list_signer)


def _signer(
    bench: Bench, csca: Signer, valid: Period | None = None, issuer_key: SigningKey | None = None
) -> Signer:
    """Make a signer that is no usual one of the state."""
    return document_signer(
        bench.order.algorithm,
        "forged document signer",
        csca,
        bench.order.moment(),
        FORGED_SERIAL,
        valid=valid,
        issuer_key=issuer_key,
    )


def _broken_signature(bench: Bench) -> SpecimenChip:
    signer = bench.state.signer
    forger = Signer(signing_key(signer.key.algorithm, "forged document signer"), signer.certificate)
    return bench.with_files(SOD=security_object(bench.order, bench.groups, forger))


def _wrong_digest(bench: Bench) -> SpecimenChip:
    lines = _with_another_name(bench.order.lines)
    groups = {**bench.groups, 1: data_group_1(lines)}
    content = _lds_security_object(bench, groups)
    signed = _opened(bench.genuine.files["SOD"])
    signed["content"]["encap_content_info"] = cms.EncapsulatedContentInfo(
        {"content_type": SECURITY_OBJECT, "content": core.ParsableOctetString(content)}
    )
    return replace(bench.with_files(DG1=groups[1], SOD=_closed(signed)), printed=lines)


def _no_signed_attributes(bench: Bench) -> SpecimenChip:
    signed = _opened(bench.genuine.files["SOD"])
    (info,) = signed["content"]["signer_infos"]
    del info["signed_attrs"]
    signed["content"]["signer_infos"] = [info]
    return bench.with_files(SOD=_closed(signed))


def _opened(sod: bytes) -> cms.ContentInfo:
    return cms.ContentInfo.load(parser.parse(sod)[4])


def _closed(signed: cms.ContentInfo) -> bytes:
    return tlv(SOD_TAG, signed.dump(force=True))


def _mismatched_hash(bench: Bench) -> SpecimenChip:
    named = bench.state.signer.key.algorithm.hash
    used = "sha512" if named != "sha512" else "sha384"
    return _resealed(bench, _lds_security_object(bench, bench.groups, named, used))


def _weak_hash(bench: Bench) -> SpecimenChip:
    return _resealed(bench, _lds_security_object(bench, bench.groups, WEAK_HASH, WEAK_HASH))


def _resealed(bench: Bench, content: bytes) -> SpecimenChip:
    return bench.with_files(SOD=sealed(bench.order, content, bench.state.signer))


def _lds_security_object(
    bench: Bench, groups: Mapping[int, bytes], named: str | None = None, used: str | None = None
) -> bytes:
    """Write an LDSSecurityObject that names one hash function and uses another; the signer's if none are given."""
    usual = bench.state.signer.key.algorithm.hash
    values = {
        number: hashlib.new(used or usual, content, usedforsecurity=False).digest()
        for number, content in groups.items()
    }
    return lds_security_object(named or usual, values, bench.order.lds_version)


def _truncated_security_object(bench: Bench) -> SpecimenChip:
    sod = bench.genuine.files["SOD"]
    return bench.with_files(SOD=sod[: len(sod) // 2])


def _other_common_data(bench: Bench) -> SpecimenChip:
    without_portrait = {number: content for number, content in bench.groups.items() if number != 2}
    return bench.with_files(COM=common_data(without_portrait, bench.order.lds_version, more=UNREAD_GROUPS))


def _other_page(bench: Bench) -> SpecimenChip:
    return replace(bench.genuine, printed=_with_another_name(bench.order.lines))


_MAKERS: Final[Mapping[Forgery, Callable[[Bench], SpecimenChip]]] = {
    Forgery.CHANGED_MRZ: _changed_mrz,
    Forgery.SWAPPED_PORTRAIT: _swapped_portrait,
    Forgery.UNSIGNED_GROUP: _unsigned_group,
    Forgery.MISSING_GROUP: _missing_group,
    Forgery.HIDDEN_KEY: _hidden_key,
    Forgery.SWAPPED_KEY: _swapped_key,
    Forgery.SILENT_CLONE: _silent_clone,
    Forgery.ANSWERING_CLONE: _answering_clone,
    Forgery.WRONG_ISSUER: _wrong_issuer,
    Forgery.UNKNOWN_ISSUER_KEY: _unknown_issuer_key,
    Forgery.UNKNOWN_ISSUER: _unknown_issuer,
    Forgery.EXPIRED_SIGNER: _expired_signer,
    Forgery.SIGNER_NOT_YET_VALID: _signer_not_yet_valid,
    Forgery.EXPIRED_CSCA: _expired_csca,
    Forgery.REVOKED_SIGNER: _revoked_signer,
    Forgery.FOREIGN_SIGNER: _foreign_signer,
    Forgery.LIST_SIGNER: _list_signer,
    Forgery.BROKEN_SIGNATURE: _broken_signature,
    Forgery.WRONG_DIGEST: _wrong_digest,
    Forgery.NO_SIGNED_ATTRIBUTES: _no_signed_attributes,
    Forgery.MISMATCHED_HASH: _mismatched_hash,
    Forgery.WEAK_HASH: _weak_hash,
    Forgery.TRUNCATED_SECURITY_OBJECT: _truncated_security_object,
    Forgery.OTHER_COMMON_DATA: _other_common_data,
    Forgery.OTHER_PAGE: _other_page,
}
