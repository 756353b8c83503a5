"""Who a certificate names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from cryptography import x509

from borderpost.runtime.calls import PEOPLE, Actor, Role
from borderpost.runtime.errors import NotAuthenticatedError

SCHEME: Final = "spiffe://"

MACHINES: Final = frozenset(set(Role) - PEOPLE - {Role.KIOSK, Role.NEWCOMER})
"""Machines that are named by their role alone, or by it and an id of their own."""

_PART: Final = re.compile(r"[A-Za-z0-9._-]{1,60}")
"""What a name may be made of: it goes into the log, and others check it there."""


def identity_of(uris: Iterable[bytes], trust_domain: str) -> tuple[Actor, Role]:
    """Return the actor and role that the URIs of a verified certificate name. Raises NotAuthenticatedError.

    `kiosk/CROSSING/ID` is a kiosk, `console` or `console/ID` a machine that people sit at, a service's name that
    service, and `SERVICE/ID` a replica of it. People have tokens (`people`).
    """
    names = [uri.decode("utf-8", "replace") for uri in uris]
    if len(names) != 1:  # SPIFFE X.509-SVID, section 2: exactly one
        raise NotAuthenticatedError(f"certificate: got {len(names)} URIs in it, want the SPIFFE URI alone")
    prefix = f"{SCHEME}{trust_domain}/"
    subjects = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
    if len(subjects) != 1:
        raise NotAuthenticatedError(
            f"certificate: got {len(subjects)} names of trust domain {trust_domain}, want one SPIFFE URI in it"
        )
    parts = subjects[0].split("/")
    if not all(map(is_name_part, parts)):
        raise NotAuthenticatedError(
            "certificate: want parts of 1 to 60 letters, digits, dots, hyphens and underscores"
        )
    return Actor(trust_domain, subjects[0]), _role(parts)


def uris_of(certificate: x509.Certificate) -> list[bytes]:
    """Return the URIs in a certificate's subject alternative name. Raises ValueError if it can't be read."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [uri.encode() for uri in names.get_values_for_type(x509.UniformResourceIdentifier)]


def is_name_part(text: str) -> bool:
    """Tell whether a name may have this as a part between slashes."""
    return _PART.fullmatch(text) is not None


def kiosk_of(actor: Actor) -> tuple[str, str]:
    """Return a kiosk's id and its crossing: the whole name is the id, so that ids are unique over crossings."""
    return actor.subject, actor.subject.split("/")[1]


def is_same_person(one: Actor, other: Actor) -> bool:
    """Tell whether two actors are one person, whatever their roles."""
    return one == other


def _role(parts: Sequence[str]) -> Role:
    match parts:
        case ["kiosk", crossing, number] if crossing and number:
            return Role.KIOSK
        case [name] | [name, _] if name in MACHINES:
            return Role(name)
        case _:
            raise NotAuthenticatedError(
                "certificate: got a name of no known kind, want kiosk/CROSSING/ID, console or a service"
            )
