"""Reason codes of what a trust file has and the trust store doesn't take, and what they mean to an administrator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TRUST_REASONS: Final[Mapping[str, str]] = {
    # Certificates
    "CERTIFICATE_UNREADABLE": "it is no X.509 certificate, or a damaged one",
    "KEY_NOT_SUPPORTED": "its key is of a kind or on a curve that is not taken, or its explicit curve is none of them",
    "KEY_TOO_WEAK": "its key is too short to prove anything",
    "ALGORITHM_NOT_SUPPORTED": "its signature is made by an algorithm that is not taken",
    "NOT_A_CSCA": "it is not the certificate of an authority: its basic constraints or key usage say otherwise",
    "SELF_SIGNATURE_WRONG": "its own key did not sign it: it was altered, or is no CSCA's",
    "LINK_ISSUER_UNKNOWN": "its own key did not sign it, and no trusted one has the key that did: import that first",
    "LINK_SIGNATURE_WRONG": "the trusted certificate that it names as its issuer did not sign it",
    "LINK_OF_OTHER_COUNTRY": "it is signed by the CSCA of another country",
    "COUNTRY_MISSING": "its subject has no country of two letters",
    "SPECIMEN": "it is Utopia's, a specimen, which production doesn't trust",
    # Master lists
    "MASTER_LIST_UNREADABLE": "it is no CSCA master list, or a damaged one",
    "MASTER_LIST_SIGNER_UNKNOWN": "no trusted certificate issued its signer's: import that CSCA certificate first",
    "SIGNER_CERTIFICATE_MISSING": "its signer's certificate is not in it",
    "ATTRIBUTES_MISSING": "its signature is not over what it has to be",
    "ATTRIBUTES_CONTENT_TYPE": "its signature is for another kind of content",
    "ATTRIBUTES_DIGEST": "its content is not the one that was signed: it was altered",
    "HASH_TOO_WEAK": "it is signed over a hash that anybody can find another content for",
    "SIGNATURE_WRONG": "its signature is wrong: it was altered",
    "SIGNER_PURPOSE": "its signer's certificate is not for signing master lists",
    "SIGNER_VALIDITY": "its signer's certificate was not valid when it signed",
    "SIGNER_REVOKED": "its signer's certificate is revoked",
    # Revocation lists
    "REVOCATION_LIST_UNREADABLE": "it is no whole revocation list, or a damaged one",
    "CRL_ISSUER_UNKNOWN": "no trusted certificate is its issuer's: import the CSCA certificate first",
    "CRL_SIGNATURE_WRONG": "no trusted certificate of its issuer has the key that signed it",
    "CRL_NOT_YET_VALID": "it is from a time to come: compare the clocks",
    "CRL_NOT_NEWER": "the store has a newer one of this issuer",
    # Files
    "TOO_MUCH_TO_CHECK": "it has more to check than any published file has by far",
}
"""Codes never change their meaning; new ones may come."""
