"""Who is calling, on whose behalf, and why: one value per call, made by the interceptors."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum

from borderpost.runtime.errors import PurposeMissingError


class Role(StrEnum):
    """What an actor may be. The first group are machines, the second people."""

    KIOSK = "kiosk"
    GATEWAY = "gateway"
    DOCUMENTS = "documents"
    FACES = "faces"
    WATCHLIST = "watchlist"
    DECISIONS = "decisions"
    AUTHORITY = "authority"
    CONSOLE = "console"
    NEWCOMER = "newcomer"

    OFFICER = "officer"
    SUPERVISOR = "supervisor"
    LIST_MANAGER = "list-manager"
    APPROVER = "approver"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"


PEOPLE = frozenset(
    {Role.OFFICER, Role.SUPERVISOR, Role.LIST_MANAGER, Role.APPROVER, Role.AUDITOR, Role.ADMINISTRATOR}
)
"""Roles that only people have."""


@dataclass(frozen=True, slots=True)
class Actor:
    """A person or machine: who vouches for it, and its name there."""

    issuer: str
    subject: str


@dataclass(frozen=True, slots=True)
class Call:
    """One call, after identity and access were checked.

    `actor` is on whose behalf it is made: the peer itself, or the one that the gateway speaks for. `scopes` are what
    its roles are limited to, such as "list:LIST_ID"; none means not limited. `token` is a person's original token,
    which services verify again; empty for machines.
    """

    method: str
    peer: Actor
    peer_role: Role
    actor: Actor
    roles: frozenset[Role]
    purpose: str
    request_id: str
    traceparent: str
    scopes: frozenset[str] = frozenset()
    token: str = ""


_current: ContextVar[Call] = ContextVar("borderpost_call")


def current() -> Call:
    """Return the call that is being handled. Only within a handler."""
    return _current.get()


def enter(call: Call) -> None:
    """Make `call` the current one, for this task and what it starts."""
    _current.set(call)


def stated_purpose(call: Call) -> str:
    """Return why the person asks, or raise PurposeMissingError: personal data needs a reason on record."""
    if not call.purpose.strip():
        raise PurposeMissingError(
            "purpose: got none, want the reason for looking (CLI: --purpose 'case 4711')"
        )
    return call.purpose
