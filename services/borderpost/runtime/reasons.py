"""What reason codes of screenings and of work on watchlists mean, in one plain sentence each.

The codes are the protocol and never change their meaning; the sentences are for reading. docs/reasons.md is
this table. Advice for travelers is another text, and each service's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_OUTCOME: Final = {
    "NOT_A_TRAVEL_DOCUMENT": "What was shown is no document to travel with, such as a visa without its passport.",
    "ATTEMPTS_EXHAUSTED": "The last attempt of this visit still had a picture that can't be used.",
}

_LOOKED_FOR: Final = {
    "WATCHLIST_CANDIDATE_BY_FACE": "A face on a watchlist is like the traveler's or the portrait's.",
    "WATCHLIST_CANDIDATE_BY_DOCUMENT": "The document's number is on a watchlist.",
    "WATCHLIST_CANDIDATE_BY_NAME": "Name and birth date are like those on a watchlist.",
    "WATCHLIST_DOCUMENT_SIMILAR": "A number on a watchlist differs in one character that readers mistake for this one.",
    "WATCHLIST_CANDIDATE_SUPPRESSED": "Officers found before that the document's holder isn't the person on the list.",
    "WATCHLIST_CANDIDATES_LEFT_OUT": "There are more watchlist candidates than an answer holds: it is unknown who.",
    "NO_WATCHLISTS": "There is no watchlist at all, so nobody could be looked for.",
    "WATCHLISTS_HOLD_ANOTHER_MODEL": "The watchlists' templates are of another face model: faces were not searched.",
    "WATCHLISTS_STALE": "What was searched may not be the present watchlists: too long since it was known to be.",
    "NOTHING_TO_SEARCH_BY": "Neither a face nor the document could be read, so the watchlists were not searched.",
    "NO_DOCUMENT_NUMBER": "No document number was read, so it was not looked for.",
    "NO_NAME": "No name was read, so it was not looked for.",
}

_LIST_WORK: Final = {
    "NOT_READY": "The index of the watchlists is being built: the same again in a moment.",
    "LIST_NOT_PERMITTED": "The person's rights name lists, and this is none of them.",
    "VERSION_NOT_REACHED": "This watchlist service is not yet at the version that was asked for.",
    "WATCHLIST_NOT_FOUND": "There is no list with this id.",
    "WATCHLIST_EXISTS": "Another list has this id or, with this authority, this name.",
    "ENTRY_NOT_FOUND": "There is no entry with this id; it may have been removed.",
    "ENTRY_EXISTS": "Another entry has this id, or had it before it was removed.",
    "ENTRY_EXPIRED": "The entry's validity ended before it was approved.",
    "ENTRY_WITHDRAWN": "The entry was withdrawn before it was approved.",
    "ENTRY_CHANGED": "The entry's templates are no longer those that were found: search again.",
    "SECOND_PERSON_NEEDED": "Who proposed something can't approve or confirm it: another person does.",
    "TEMPLATE_INVALID": "A template is none of a model that has a calibration.",
    "FACE_MODEL_CHANGED": "The face engine was exchanged while templates were made: begin again.",
    "PICTURE_UNUSABLE": "There is no usable face in a picture.",
    "PAIR_INVALID": "What should tell who was found was not made by a search of this installation.",
    "SUPPRESSION_NOT_FOUND": "There is no suppression with this id.",
    "SUPPRESSION_EXISTS": "Another suppression has this id, or is about the same document and entry.",
    "TOO_MANY_SUPPRESSIONS": "The list has as many suppressions as it may have at a time: revoke others first.",
    "IMPORT_NOT_FOUND": "There is no import with this id.",
    "IMPORT_EXISTS": "Another import has this id.",
    "IMPORT_CLOSED": "The import takes no rows any more: it was finished, applied or dropped.",
    "IMPORT_INCOMPLETE": "Rows of the import are missing: send them, then finish it.",
    "IMPORT_HAS_ERRORS": "Rows of the import are in error: mend them, or have them left out.",
    "IMPORT_NOT_FINISHED": "The import is not finished, or what it brings is approved as a whole.",
    "IMPORT_STALE": "Entries of this source, or those that the import brought, changed since: drop it and begin anew.",
    "BUNDLE_NOT_FOUND": "There is no such bundle; it may be too old, or an entry was removed since: make it again.",
    "BUNDLE_INVALID": "The bundle is not for this installation, not signed by a known partner, or damaged.",
    "BUNDLE_TOO_LARGE": "The bundle is larger than is taken.",
    "PARTNER_NOT_FOUND": "The settings name no such partner.",
}

_FACE: Final = {
    "FACE_NOT_THE_DOCUMENTS": "The live face is not like enough to the document's portrait.",
    "FMR_NOT_SUPPORTED": "The calibration can't tell the false-match rate that the policy asks for.",
    "NO_TEMPLATE": "No template could be made of the live face.",
    "NO_LIVE_TEMPLATE": "There was no live face to compare or to search by.",
    "PORTRAIT_NOT_FOUND": "The portrait was not found on the page.",
    "PORTRAIT_NOT_USABLE": "No face was found in the document's portrait.",
    "LIVENESS_NOT_PERFORMED": "Whether the face is a living person's was not checked.",
    "LIVENESS_UNDETERMINED": "Whether the face is a living person's could not be told.",
    "LIVENESS_FAILED": "The face may be a picture or a mask.",
    "CHALLENGE_OTHER_MOVEMENTS": "Again and again the traveler moved in another way than asked, as a recording would.",
    "CHALLENGE_TIMED_OUT": "The traveler did not do what was asked in time.",
    "CHALLENGE_NOT_FINISHED": "The capture ended before the traveler had done all that was asked.",
    "CHALLENGE_FACE_LOST": "During the challenge the face left the picture, or another one came into its place.",
    "CHALLENGE_FACE_CHANGED": "A face that did what was asked is not like enough to the captured one.",
    "PASSIVE_NOT_LIVE": "The agency's own liveness model took the face for a picture or a mask.",
    "CAPTURE_TOKEN_UNREADABLE": "What came as the token of the guided capture is none.",
    "CAPTURE_TOKEN_OF_ANOTHER_KEY": "The capture token is signed with a key that this installation doesn't use.",
    "CAPTURE_TOKEN_ALTERED": "The capture token is not as it was signed.",
    "CAPTURE_TOKEN_EXPIRED": "Too much time passed between the guided capture and the screening.",
    "CAPTURE_TOKEN_NOT_YET_VALID": "The capture token is from the future: the clocks of the services differ.",
    "CAPTURE_TOKEN_FOR_ANOTHER_VISIT": "The capture token was made for another visit.",
    "CAPTURE_TOKEN_FOR_ANOTHER_CALLER": "The capture token was made for another kiosk.",
    "CAPTURE_TOKEN_FOR_OTHER_FRAMES": "The live pictures are not the ones that the capture token was made for.",
    "NO_FACE": "No face was found in the live picture.",
    "FACE_TOO_SMALL": "The face was too small in the picture.",
    "SEVERAL_FACES": "More than one face was in the picture.",
    "TOO_BLURRED": "The picture of the face was blurred.",
    "TOO_DARK": "The face was too dark.",
    "TOO_BRIGHT": "The face was too bright.",
    "HEAD_TURNED": "The head was turned away.",
    "HEAD_TILTED": "The head was tilted.",
    "FACE_CUT_OFF": "Part of the face was outside the picture.",
    "FACE_TOO_LARGE": "The face was too close to the camera.",
    "HEAD_RAISED_OR_LOWERED": "The head was raised or lowered.",
    "EYES_CLOSED": "The eyes were closed.",
    "UNEVEN_LIGHT": "The light fell on one side of the face.",
    "LOW_CONTRAST": "The face had too little contrast.",
    "TOO_COMPRESSED": "The picture of the face was too strongly compressed.",
    "PICTURE_UNREADABLE": "The live picture could not be read.",
    "DIFFERENT_FACES": "The live pictures show different people.",
}

_DOCUMENT: Final = {
    "CHECK_DIGIT_REFUTED": "A check digit of the machine readable zone is wrong.",
    "BIRTH_DATE_NOT_A_DATE": "The birth date in the machine readable zone is no date.",
    "EXPIRY_DATE_NOT_A_DATE": "The expiry date in the machine readable zone is no date.",
    "EXPIRY_DATE_UNKNOWN": "The document's last day of validity can't be told.",
    "DOCUMENT_EXPIRED": "The document has expired.",
    "DOCUMENT_CODE_NOT_OF_ITS_FORMAT": "The document code is none that its format has.",
    "SPECIMEN_DOCUMENT": "The document is a specimen of Utopia.",
    "ISSUER_NOT_IN_CODE_LIST": "The issuing state is none of ICAO's codes.",
    "NATIONALITY_NOT_IN_CODE_LIST": "The nationality is none of ICAO's codes.",
    "NO_CHIP_FILES": "No files of the chip were read.",
    "MRZ_NOT_READ": "The machine readable zone was not read, so this was not checked.",
    "NO_MRZ": "No machine readable zone was found on the page.",
    "MRZ_CUT_OFF": "Part of the machine readable zone is outside the picture.",
    "MRZ_UNCERTAIN": "The machine readable zone could not be read with certainty.",
    "MRZ_TOO_SMALL": "The document was too small in the picture to be read.",
    "GLARE_ON_MRZ": "A reflection covered the machine readable zone.",
    "TWO_DOCUMENTS": "More than one document was in the picture.",
}

_CHIP: Final = {
    "SECURITY_OBJECT_MISSING": "The chip's security object was not read, so nothing on the chip can be believed.",
    "SECURITY_OBJECT_UNREADABLE": "The chip's security object is damaged or none.",
    "SIGNED_ATTRIBUTES_MISSING": "The chip's signature lacks the attributes that the standard wants.",
    "SIGNED_ATTRIBUTES_WRONG": "The list of the chip's contents is not the one that was signed.",
    "SIGNER_CERTIFICATE_MISSING": "The certificate of the chip's signer is not on the chip.",
    "SIGNER_CERTIFICATE_UNREADABLE": "The certificate of the chip's signer is damaged.",
    "ALGORITHM_NOT_SUPPORTED": "The chip is signed by an algorithm that is not known here.",
    "HASH_TOO_WEAK": "The chip is signed by a hash that anybody can forge and no document may have.",
    "KEY_TOO_WEAK": "The key of the chip's signer is too weak to prove anything.",
    "SIGNATURE_WRONG": "The chip's signature is wrong: its contents are not what a state signed.",
    "TRUST_ANCHOR_UNKNOWN": "The certificate of the state that signed the chip is not in the trust store.",
    "SIGNER_NOT_ISSUED_BY_CSCA": "The chip's signer names a state's certificate that did not issue it: a forgery.",
    "SIGNER_MAY_NOT_SIGN_DOCUMENTS": "The chip was signed with a certificate that is not for documents.",
    "SIGNER_EXPIRED": "The certificate of the chip's signer has expired, as documents signed with it should have.",
    "SIGNER_NOT_YET_VALID": "The certificate of the chip's signer is not valid yet.",
    "SIGNER_NOT_VALID_WHEN_SIGNING": "The chip was signed while its signer's certificate was not valid.",
    "SIGNED_IN_THE_FUTURE": "The chip says that it was signed after the present.",
    "CSCA_EXPIRED": "The state's certificate that stands behind the chip's signer has expired.",
    "CSCA_NOT_YET_VALID": "The state's certificate that stands behind the chip's signer is not valid yet.",
    "CSCA_NOT_VALID_WHEN_SIGNING": "The chip was signed while the state's certificate was not valid.",
    "SIGNER_REVOKED": "The state has revoked the certificate of the chip's signer.",
    "CSCA_REVOKED": "The state has revoked its certificate that stands behind the chip's signer.",
    "REVOCATION_UNKNOWN": "The trust store has no revocation list of the state that signed the chip.",
    "REVOCATION_LIST_STALE": "The revocation list of the state that signed the chip is out of date.",
    "SIGNER_OF_ANOTHER_COUNTRY": "The chip was signed by another country than the one that issued the document.",
    "COUNTRY_UNKNOWN": "Whether the chip's signer is of the issuing country can't be told.",
    "DG1_ALTERED": "The machine readable zone on the chip was altered after it was signed.",
    "DG2_ALTERED": "The portrait on the chip was altered or swapped after it was signed.",
    "DATA_GROUP_ALTERED": "A file on the chip was altered after it was signed.",
    "DATA_GROUP_NOT_SIGNED": "A file on the chip is not among those that were signed; nothing in it is believed.",
    "DATA_GROUP_NOT_READ": "A file that the chip has was not read, so not all could be checked.",
    "COMMON_DATA_UNREADABLE": "The chip's list of its own files is damaged.",
    "COMMON_DATA_DIFFERS": "The chip's list of its own files is not the signed one: files may be hidden or added.",
    "CHIP_MRZ_UNREADABLE": "The machine readable zone on the chip can't be read.",
    "CHIP_PORTRAIT_UNREADABLE": "The portrait on the chip can't be read.",
    "ACTIVE_AUTHENTICATION_WRONG": "The chip answered a challenge with a wrong signature: it is a copy, or faulty.",
    "ACTIVE_AUTHENTICATION_NOT_DONE": "The chip could prove that it is no copy, and no proof was made.",
    "ACTIVE_AUTHENTICATION_NO_KEY": "The chip answered a challenge, and the file with its key was not read.",
    "ACTIVE_AUTHENTICATION_KEY_NOT_AUTHENTIC": "The chip answered with a key that no trusted state has signed.",
    "ACTIVE_AUTHENTICATION_NOT_SUPPORTED": "The chip's key or algorithm for proving that it is no copy is not known.",
    "CHIP_AUTHENTICATION_CLAIMED": "Only the reader says that the chip is no copy; it can't be checked here.",
    "CHIP_AUTHENTICATION_NOT_DONE": "The chip could show its reader that it is no copy, and no proof was made.",
    "COULD_BE_A_CLONE": "The chip has nothing to prove that it is no copy.",
    "CHIP_CHALLENGE_UNREADABLE": "The chip's answer came with no challenge of ours.",
    "CHIP_CHALLENGE_OF_ANOTHER_KEY": "The chip answered a challenge that this installation did not make.",
    "CHIP_CHALLENGE_ALTERED": "The challenge that the chip answered is not as it was made.",
    "CHIP_CHALLENGE_EXPIRED": "Too much time passed between the chip's challenge and the screening.",
    "CHIP_CHALLENGE_NOT_YET_VALID": "The chip's challenge is from the future: the clocks of the services differ.",
    "CHIP_CHALLENGE_FOR_ANOTHER_VISIT": "The chip answered a challenge that was made for another visit.",
    "CHIP_CHALLENGE_FOR_ANOTHER_CALLER": "The chip answered a challenge that was made for another kiosk.",
    "CHIP_DATA_NOT_AUTHENTIC": "The chip's contents can't be believed, so the page was not held against them.",
    "MRZ_DIFFERS_FROM_CHIP": "The machine readable zone on the page is not the chip's.",
    "EXPIRY_DIFFERS_FROM_CHIP": "The last day of validity on the page is not the chip's.",
    "ISSUER_DIFFERS_FROM_CHIP": "The issuing state on the page is not the chip's.",
    "PORTRAITS_DIFFER": "The portrait on the page is not like enough to the chip's: one of them may have been swapped.",
    "FACE_NOT_THE_CHIPS": "The live face is not like enough to the chip's portrait.",
    "PAGE_PORTRAIT_IS_THE_CHIPS_NOT_CHECKED": "The portraits of page and chip could not be compared.",
    "LIVE_FACE_IS_THE_CHIPS_NOT_CHECKED": "The live face could not be compared with the chip's portrait.",
}

_NOT_CHECKED: Final = {
    f"{kind}_NOT_CHECKED": f"Not checked, because a service was down or too slow: {what}."
    for kind, what in {
        "DOCUMENT_OPTICAL": "the printed document",
        "DOCUMENT_ELECTRONIC": "the document's chip",
        "FACE_CAPTURE": "the live face",
        "FACE_MATCH": "whether the live face is the document's",
        "LIVENESS": "whether the face is a living person's",
        "WATCHLIST_FACE": "the watchlists by face",
        "WATCHLIST_DOCUMENT": "the watchlists by document",
        "WATCHLIST_NAME": "the watchlists by name",
        "CHIP_DATA": "whether the chip's contents are what a state signed",
        "DOCUMENT_CONSISTENT": "whether page, chip and live face belong together",
        "DOCUMENT_COMBINED": "the document as a whole",
    }.items()
}

REASONS: Final[Mapping[str, str]] = {
    **_OUTCOME,
    **_LOOKED_FOR,
    **_FACE,
    **_DOCUMENT,
    **_CHIP,
    **_NOT_CHECKED,
    **_LIST_WORK,
}
"""Every reason code of a screening, and those of work on watchlists, with what it means."""


def explain(code: str) -> str:
    """Return what a code means; a code of a newer version of Borderpost is its own explanation."""
    return REASONS.get(code, code.replace("_", " ").capitalize() + ".")
