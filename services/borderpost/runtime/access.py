"""Who may call what. A method that is not in the table is closed to everybody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from borderpost.runtime.calls import PEOPLE, Role
from borderpost.runtime.errors import NotPermittedError

EVERYBODY: Final = frozenset(Role) - {Role.NEWCOMER}
MACHINES: Final = EVERYBODY - PEOPLE
NOT_KIOSKS: Final = EVERYBODY - {Role.KIOSK}
"""A kiosk stands in public: it may ask once whether a service serves, not hold a stream open or read the protos."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Opens one method.

    `actors`: the roles on whose behalf it may be called.
    `direct`: at a service other than the gateway, whether the actor calls it itself. If not, only the gateway
    may call it, and names the actor. `internal`: those of the actors for whom only the gateway calls it, while it
    screens, enrols or migrates for them; at the gateway it is closed to them.
    """

    actors: frozenset[Role]
    direct: bool = False
    internal: frozenset[Role] = frozenset()

    @property
    def at_gateway(self) -> frozenset[Role]:
        """The roles that may call it at the gateway themselves."""
        return self.actors - self.internal


def _only(*roles: Role) -> Rule:
    return Rule(frozenset(roles))


def _internal(*roles: Role, open_to: Role | None = None) -> Rule:
    """Opens a method to the gateway, for these roles; and to `open_to` at the gateway."""
    internal = frozenset(roles)
    return Rule(internal | ({open_to} if open_to else frozenset()), internal=internal)


_PACKAGE: Final = "/borderpost.v1."

ACCESS: Final[Mapping[str, Rule]] = {
    f"{_PACKAGE}GatewayService/ScreenTraveler": _only(Role.KIOSK),
    f"{_PACKAGE}GatewayService/GetSpoolKey": _only(Role.KIOSK),
    f"{_PACKAGE}GatewayService/SubmitSpooled": _only(Role.KIOSK),
    f"{_PACKAGE}GatewayService/ProposePolicy": _only(Role.ADMINISTRATOR),
    f"{_PACKAGE}GatewayService/ActivatePolicy": _only(Role.APPROVER),
    f"{_PACKAGE}GatewayService/GetStatus": _only(
        Role.ADMINISTRATOR, Role.APPROVER, Role.SUPERVISOR, Role.AUDITOR
    ),
    f"{_PACKAGE}GatewayService/EnrolEntry": _only(Role.LIST_MANAGER),
    f"{_PACKAGE}GatewayService/StageImportRows": _only(Role.LIST_MANAGER),
    f"{_PACKAGE}GatewayService/MigrateEntries": _only(Role.LIST_MANAGER),
    f"{_PACKAGE}DocumentsService/ReadDocument": _internal(Role.KIOSK),
    f"{_PACKAGE}DocumentsService/IssueChipChallenge": _only(Role.KIOSK),
    f"{_PACKAGE}TrustService/ImportTrust": _only(Role.ADMINISTRATOR),
    f"{_PACKAGE}TrustService/ListTrusted": _only(Role.ADMINISTRATOR, Role.OFFICER, Role.AUDITOR),
    f"{_PACKAGE}TrustService/GetTrusted": _only(Role.ADMINISTRATOR, Role.OFFICER, Role.AUDITOR),
    f"{_PACKAGE}FacesService/ExtractTemplate": _internal(Role.KIOSK, Role.LIST_MANAGER),
    f"{_PACKAGE}FacesService/Compare": _internal(Role.KIOSK, Role.AUDITOR),
    f"{_PACKAGE}FacesService/GuideCapture": _only(Role.KIOSK),
    f"{_PACKAGE}FacesService/LocateEyes": _only(
        Role.OFFICER, Role.SUPERVISOR, Role.AUDITOR, Role.LIST_MANAGER, Role.APPROVER
    ),
    f"{_PACKAGE}WatchlistService/CreateWatchlist": _only(Role.LIST_MANAGER),
    f"{_PACKAGE}WatchlistService/ChangeWatchlist": _only(Role.LIST_MANAGER),
    f"{_PACKAGE}WatchlistService/ListWatchlists": _only(
        Role.LIST_MANAGER, Role.APPROVER, Role.OFFICER, Role.SUPERVISOR, Role.AUDITOR, Role.ADMINISTRATOR
    ),
    f"{_PACKAGE}WatchlistService/GetStatistics": _only(
        Role.LIST_MANAGER, Role.APPROVER, Role.OFFICER, Role.AUDITOR
    ),
    f"{_PACKAGE}WatchlistService/MeasureWatchlist": _only(Role.LIST_MANAGER),
    f"{_PACKAGE}WatchlistService/ProposeEntry": _only(Role.LIST_MANAGER),
    f"{_PACKAGE}WatchlistService/ApproveEntry": _only(Role.APPROVER),
    f"{_PACKAGE}WatchlistService/WithdrawEntry": _only(Role.LIST_MANAGER),
    f"{_PACKAGE}WatchlistService/GetEntry": _only(
        Role.LIST_MANAGER, Role.APPROVER, Role.OFFICER, Role.SUPERVISOR
    ),
    f"{_PACKAGE}WatchlistService/GetPictures": _only(
        Role.LIST_MANAGER, Role.APPROVER, Role.OFFICER, Role.SUPERVISOR
    ),
    f"{_PACKAGE}WatchlistService/ListEntries": _only(Role.LIST_MANAGER, Role.APPROVER),
    f"{_PACKAGE}WatchlistService/RemoveEntry": _only(Role.LIST_MANAGER),
    f"{_PACKAGE}WatchlistService/AddTemplates": _internal(Role.LIST_MANAGER),
    f"{_PACKAGE}WatchlistService/ListWithoutModel": _internal(Role.LIST_MANAGER),
    f"{_PACKAGE}WatchlistService/Search": _internal(Role.KIOSK, open_to=Role.OFFICER),
    f"{_PACKAGE}WatchlistService/ProposeSuppression": _only(Role.OFFICER),
    f"{_PACKAGE}WatchlistService/ConfirmSuppression": _only(Role.OFFICER),
    f"{_PACKAGE}WatchlistService/RevokeSuppression": _only(Role.OFFICER, Role.LIST_MANAGER),
    f"{_PACKAGE}WatchlistService/ListSuppressions": _only(Role.OFFICER, Role.LIST_MANAGER, Role.AUDITOR),
    f"{_PACKAGE}WatchlistService/BeginImport": _only(Role.LIST_MANAGER),
    f"{_PACKAGE}WatchlistService/StageRows": _only(Role.LIST_MANAGER),
    f"{_PACKAGE}WatchlistService/FinishImport": _only(Role.LIST_MANAGER),
    f"{_PACKAGE}WatchlistService/ApproveImport": _only(Role.APPROVER),
    f"{_PACKAGE}WatchlistService/CancelImport": _only(Role.LIST_MANAGER),
    f"{_PACKAGE}WatchlistService/GetImport": _only(Role.LIST_MANAGER, Role.APPROVER),
    f"{_PACKAGE}WatchlistService/ListImports": _only(Role.LIST_MANAGER, Role.APPROVER),
    f"{_PACKAGE}WatchlistService/ExportEntries": _only(Role.LIST_MANAGER, Role.AUDITOR),
    f"{_PACKAGE}WatchlistService/MakeBundle": _only(Role.LIST_MANAGER),
    f"{_PACKAGE}WatchlistService/ReadBundle": _only(Role.LIST_MANAGER),
    f"{_PACKAGE}WatchlistService/WriteBundle": _only(Role.LIST_MANAGER),
    f"{_PACKAGE}DecisionsService/AppendScreening": _internal(Role.KIOSK),
    f"{_PACKAGE}DecisionsService/FindScreening": _internal(Role.KIOSK),
    f"{_PACKAGE}DecisionsService/LookBack": _internal(Role.KIOSK),
    f"{_PACKAGE}DecisionsService/RecordEvents": Rule(
        frozenset({Role.WATCHLIST, Role.DOCUMENTS, Role.FACES, Role.GATEWAY, Role.AUTHORITY}), direct=True
    ),
    f"{_PACKAGE}DecisionsService/GetScreening": _only(Role.OFFICER, Role.SUPERVISOR, Role.AUDITOR),
    f"{_PACKAGE}DecisionsService/QueryEvents": _only(Role.AUDITOR),
    f"{_PACKAGE}DecisionsService/VerifyLog": _only(Role.AUDITOR),
    f"{_PACKAGE}DecisionsService/ExportEvents": _only(Role.AUDITOR),
    f"{_PACKAGE}DecisionsService/GetFigures": _only(
        Role.AUDITOR, Role.SUPERVISOR, Role.LIST_MANAGER, Role.APPROVER
    ),
    f"{_PACKAGE}DecisionsService/GetPolicy": _only(Role.AUDITOR, Role.ADMINISTRATOR),
    f"{_PACKAGE}DecisionsService/ListPolicies": Rule(frozenset({Role.GATEWAY}), direct=True),
    f"{_PACKAGE}GatewayService/ReplayScreening": _only(Role.AUDITOR),
    f"{_PACKAGE}TransparencyService/GetCheckpoint": _only(Role.AUDITOR),
    f"{_PACKAGE}TransparencyService/GetInclusionProof": _only(Role.AUDITOR),
    f"{_PACKAGE}TransparencyService/GetConsistencyProof": _only(Role.AUDITOR),
    f"{_PACKAGE}TransparencyService/AddCosignature": _only(Role.AUDITOR),
    f"{_PACKAGE}CasesService/ListCases": _only(Role.OFFICER, Role.SUPERVISOR, Role.AUDITOR),
    f"{_PACKAGE}CasesService/GetCase": _only(Role.OFFICER, Role.SUPERVISOR, Role.AUDITOR),
    f"{_PACKAGE}CasesService/ClaimCase": _only(Role.OFFICER, Role.SUPERVISOR),
    f"{_PACKAGE}CasesService/ReleaseCase": _only(Role.OFFICER, Role.SUPERVISOR),
    f"{_PACKAGE}CasesService/EscalateCase": _only(Role.OFFICER, Role.SUPERVISOR),
    f"{_PACKAGE}CasesService/RecordFirstLook": _only(Role.OFFICER, Role.SUPERVISOR),
    f"{_PACKAGE}CasesService/GiveFinding": _only(Role.OFFICER, Role.SUPERVISOR),
    f"{_PACKAGE}CasesService/CorrectFinding": _only(Role.SUPERVISOR),
    f"{_PACKAGE}SubjectsService/FindSubject": _only(Role.SUPERVISOR, Role.AUDITOR),
    f"{_PACKAGE}SubjectsService/EraseSubject": _only(Role.SUPERVISOR),
    f"{_PACKAGE}SubjectsService/RectifySubject": _only(Role.SUPERVISOR),
    f"{_PACKAGE}SubjectsService/GetRetention": _only(Role.SUPERVISOR, Role.AUDITOR, Role.ADMINISTRATOR),
    f"{_PACKAGE}SubjectsService/ApplyRetention": _only(Role.ADMINISTRATOR),
    f"{_PACKAGE}AuthorityService/InviteKiosk": _only(Role.ADMINISTRATOR),
    f"{_PACKAGE}AuthorityService/ListMachines": _only(Role.ADMINISTRATOR, Role.AUDITOR),
    f"{_PACKAGE}AuthorityService/RevokeMachine": _only(Role.ADMINISTRATOR),
    f"{_PACKAGE}AuthorityService/RenewCertificate": Rule(MACHINES, direct=True),
    f"{_PACKAGE}AuthorityService/GetRevocations": Rule(MACHINES, direct=True),
    f"{_PACKAGE}EnrolmentService/EnrolKiosk": Rule(frozenset({Role.NEWCOMER}), direct=True),
    "/grpc.health.v1.Health/Check": Rule(EVERYBODY, direct=True),
    "/grpc.health.v1.Health/List": Rule(EVERYBODY, direct=True),
    "/grpc.health.v1.Health/Watch": Rule(NOT_KIOSKS, direct=True),
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": Rule(NOT_KIOSKS, direct=True),
}
"""The whole table. A test walks every method of every descriptor and wants each one here."""


_BY_CROSSING: Final = frozenset(
    {
        f"{_PACKAGE}DecisionsService/GetScreening",
        f"{_PACKAGE}DecisionsService/QueryEvents",
        f"{_PACKAGE}DecisionsService/ExportEvents",
        f"{_PACKAGE}DecisionsService/GetFigures",
        f"{_PACKAGE}GatewayService/ReplayScreening",
        f"{_PACKAGE}SubjectsService/FindSubject",
        f"{_PACKAGE}SubjectsService/EraseSubject",
        f"{_PACKAGE}SubjectsService/RectifySubject",
    }
)


def scope_of(method: str) -> str:
    """Return which scopes of a person limit a method: "crossing" (`scopes`), "list" (the watchlist service), or
    none."""
    if method in _BY_CROSSING or method.startswith(f"{_PACKAGE}CasesService/"):
        return "crossing"
    return "list" if method.startswith(f"{_PACKAGE}WatchlistService/") else ""


def authorize(method: str, roles: frozenset[Role], at_gateway: bool = False) -> None:
    """Raise NotPermittedError unless the table opens `method` to an actor of these roles.

    `at_gateway`: the actor called the gateway for it.
    """
    rule = ACCESS.get(method)
    if rule is None:
        raise NotPermittedError("this method is closed: it is not in the access table", method=method)
    may = rule.at_gateway if at_gateway else rule.actors
    if not may & roles:
        raise NotPermittedError(
            f"this method is not open to {_join(roles)}, but to {_join(may)}: call it as one of these",
            method=method,
        )


def speaks_directly(method: str, at_gateway: bool) -> bool:
    """Tell whether the peer of this call is itself the actor, rather than the gateway speaking for one."""
    rule = ACCESS.get(method)
    return at_gateway or (rule is not None and rule.direct)


def _join(roles: frozenset[Role]) -> str:
    return ", ".join(sorted(roles)) or "nobody"
