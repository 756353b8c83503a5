"""Who a certificate names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from borderpost.runtime.calls import PEOPLE, Actor, Role
from borderpost.runtime.errors import NotAuthenticatedError

SCHEME: Final = "spiffe://"


def identity_of(uris: Iterable[bytes], trust_domain: str) -> tuple[Actor, Role]:
    """Return the actor and role that the URIs of a verified certificate name. Raises NotAuthenticatedError.

    `kiosk/CROSSING/ID` is a kiosk, `operator/ROLE/NAME` a person, a service's name that service.
    """
    names = [uri.decode("utf-8", "replace") for uri in uris]
    prefix = f"{SCHEME}{trust_domain}/"
    subjects = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
    if len(subjects) != 1:
        raise NotAuthenticatedError(
            f"certificate: got {len(subjects)} names of trust domain {trust_domain}, want one SPIFFE URI in it"
        )
    return Actor(trust_domain, subjects[0]), _role(subjects[0].split("/"))


def kiosk_of(actor: Actor) -> tuple[str, str]:
    """Return a kiosk's id and its crossing: the whole name is the id, so that ids are unique over crossings."""
    return actor.subject, actor.subject.split("/")[1]


def _role(parts: Sequence[str]) -> Role:
    match parts:
        case ["kiosk", crossing, number] if crossing and number:
            return Role.KIOSK
        case ["operator", role, name] if name and role in PEOPLE:
            return Role(role)
        case [("gateway" | "documents" | "faces" | "watchlist" | "decisions") as service]:
            return Role(service)
        case _:
            raise NotAuthenticatedError(
                "certificate: got a name of no known kind, want kiosk/CROSSING/ID, operator/ROLE/NAME or a service"
            )
