"""Every method of every service: who may call it and how, and a request that it answers."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from PIL import Image

from borderpost.cli.people import token_of
from borderpost.policy.model import BUILT_IN
from borderpost.proofs.cosignatures import cosign, witness_verifier
from borderpost.proofs.notes import Signer, split_note
from borderpost.runtime.access import ACCESS
from borderpost.runtime.calls import PEOPLE, Actor, Call, Role
from borderpost.runtime.clock import new_id, to_timestamp
from borderpost.runtime.context import Metadata, new_traceparent, purpose_metadata, write_context
from borderpost.runtime.following import new_request
from borderpost.runtime.people import token_metadata
from borderpost.runtime.settings import ServiceName, Settings
from borderpost.runtime.spooling import seal_capture, sign
from borderpost.runtime.tls import load_credentials
from borderpost.v1 import (
    authority_pb2,
    cases_pb2,
    decisions_pb2,
    documents_pb2,
    faces_pb2,
    gateway_pb2,
    subjects_pb2,
    transparency_pb2,
    trust_pb2,
    types_pb2,
    watchlist_pb2,
)

OWNERS: Final[Mapping[ServiceName, Sequence[Any]]] = {
    "gateway": (gateway_pb2,),
    "authority": (authority_pb2,),
    "documents": (documents_pb2, trust_pb2),
    "faces": (faces_pb2,),
    "watchlist": (watchlist_pb2,),
    "decisions": (decisions_pb2, cases_pb2, subjects_pb2, transparency_pb2),
}

PARTNER: Final = "partner"
"""A partner that the settings of the end-to-end tests name."""

_BUNDLE_ID: Final = new_id()
"""Written again and again: the service holds few bundles that wait to be imported."""

_WATCHLISTS: Final = "/borderpost.v1.WatchlistService/"

IDENTITIES: Final[Mapping[Role, str]] = {
    **{Role(name): name for name in OWNERS},
    Role.KIOSK: "kiosk/north/1",
    Role.CONSOLE: "console",
    Role.OFFICER: "officer/dev",
    Role.SUPERVISOR: "supervisor/dev-third",
    Role.LIST_MANAGER: "list-manager/dev",
    Role.APPROVER: "approver/dev-second",
    Role.AUDITOR: "auditor/dev",
    Role.ADMINISTRATOR: "administrator/dev",
}
"""The development identity of each role: of a machine its certificate's name, of a person their role and name."""

FORWARDED: Final = frozenset(
    {
        "CreateWatchlist",
        "ChangeWatchlist",
        "ListWatchlists",
        "GetStatistics",
        "MeasureWatchlist",
        "ProposeEntry",
        "ApproveEntry",
        "WithdrawEntry",
        "GetEntry",
        "GetPictures",
        "ListEntries",
        "RemoveEntry",
        "Search",
        "ProposeSuppression",
        "ConfirmSuppression",
        "RevokeSuppression",
        "ListSuppressions",
        "BeginImport",
        "StageRows",
        "FinishImport",
        "ApproveImport",
        "CancelImport",
        "GetImport",
        "ListImports",
        "LocateEyes",
        "ExportEntries",
        "MakeBundle",
        "ReadBundle",
        "WriteBundle",
        "GetScreening",
        "QueryEvents",
        "VerifyLog",
        "ExportEvents",
        "GetFigures",
        "GetPolicy",
        "ListCases",
        "GetCase",
        "ClaimCase",
        "ReleaseCase",
        "EscalateCase",
        "RecordFirstLook",
        "GiveFinding",
        "CorrectFinding",
        "FindSubject",
        "EraseSubject",
        "RectifySubject",
        "GetRetention",
        "ApplyRetention",
        "GetCheckpoint",
        "GetInclusionProof",
        "GetConsistencyProof",
        "AddCosignature",
        "GuideCapture",
        "IssueChipChallenge",
        "InviteKiosk",
        "ListMachines",
        "RevokeMachine",
        "ImportTrust",
        "ListTrusted",
        "GetTrusted",
    }
)
"""What people and kiosks may call at the gateway, which passes it on."""

METHODS: Final[Mapping[str, tuple[ServiceName, MethodDescriptor]]] = {
    f"/{service.full_name}/{method.name}": (owner, method)
    for owner, modules in OWNERS.items()
    for module in modules
    for service in module.DESCRIPTOR.services_by_name.values()
    if service.name != "EnrolmentService"
    for method in service.methods
}
"""All methods by their path, as the descriptors have them, but for the one of the port for newcomers."""


@dataclass(frozen=True, slots=True)
class Way:
    """A way to call a method: at which service, by which machine, with which metadata; at the gateway for the person
    who sits at it, at a service for the role that the gateway speaks for."""

    service: ServiceName
    identity: str
    metadata: Metadata = ()
    person: str = ""
    speaks_for: Role | None = None

    def sent(self, settings: Settings) -> Metadata:
        """The metadata, with what proves the person."""
        if self.speaks_for is not None:
            return (*self.metadata, *spoken_for(self.speaks_for, settings))
        if self.person:
            return (*self.metadata, *token_metadata(token_of(settings, self.person)))
        return self.metadata


def as_role(service: ServiceName, role: Role, metadata: Metadata = ()) -> Way:
    """The way of a machine of this role, or of a person of it who sits at the console."""
    if role in PEOPLE:
        return Way(service, "console", metadata, IDENTITIES[role])
    return Way(service, IDENTITIES[role], metadata)


def spoken_for(role: Role, settings: Settings) -> Metadata:
    """The metadata with which the gateway calls on behalf of a role."""
    actor = Actor("borderpost.local", IDENTITIES[role])
    token = token_of(settings, IDENTITIES[role]) if role in PEOPLE else ""
    return write_context(
        Call("", actor, role, actor, frozenset({role}), "a test", "", new_traceparent(), token=token),
    )


def ways(path: str) -> list[Way]:
    """Every way in which a method may be called, for one of its roles."""
    owner, method = METHODS[path]
    rule = ACCESS[path]
    role = min(rule.actors)
    if owner == "gateway" or rule.direct:
        return [as_role(owner, role, purpose_metadata("a test") if role in PEOPLE else ())]
    found = [Way(owner, "gateway", speaks_for=role)]
    if method.name in FORWARDED:
        found.append(as_role("gateway", min(rule.at_gateway), purpose_metadata("a test")))
    return found


# A request that is answered, for each method. `ask` sends a request in the first way and returns its answer.


@dataclass(frozen=True, slots=True)
class Ask:
    """Sends a request in the first way and returns its answer; `settings` are those of the services."""

    settings: Settings
    send: Callable[[str, Message], Message]

    def __call__(self, path: str, request: Message) -> Message:
        return self.send(path, request)


def good_request(path: str, ask: Ask) -> Message:
    """Make a request that the method answers; what it needs is made before."""
    return _GOOD[path.removeprefix("/borderpost.v1.")](ask)


def has_good_request(path: str) -> bool:
    return path.removeprefix("/borderpost.v1.") in _GOOD


def small_picture() -> bytes:
    """A picture with nothing on it."""
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48), "white").save(buffer, "PNG")
    return buffer.getvalue()


def template() -> types_pb2.Template:
    values = np.ones(512, "<f4") / np.float32(np.sqrt(512))
    return types_pb2.Template(
        model_id="mobilefacenet-v1",
        dimension=512,
        element_type=types_pb2.ELEMENT_TYPE_FLOAT32,
        normalisation=types_pb2.NORMALISATION_L2,
        values=values.tobytes(),
    )


def watchlist() -> watchlist_pb2.Watchlist:
    list_id = new_id()
    return watchlist_pb2.Watchlist(
        list_id=list_id,
        name=f"List {list_id}",
        authority="An authority",
        legal_basis="A law",
        category=watchlist_pb2.WATCHLIST_CATEGORY_WANTED,
        priority=9,
        handling_instruction="Nothing.",
        target_fpir=0.01,
    )


def entry(list_id: str) -> watchlist_pb2.Entry:
    return watchlist_pb2.Entry(
        entry_id=new_id(),
        list_id=list_id,
        names=[watchlist_pb2.PersonName(primary_identifier="Nobody", secondary_identifier="Real")],
        birth_date=types_pb2.PartialDate(year=1901, month=2, day=3),
        documents=[types_pb2.DocumentKey(document_code="P", issuing_state="UTO", number="NOSUCH1")],
        reason_code="T",
        source_reference="test/1",
        valid_from=_in(days=-1),
        valid_until=_in(days=1),
    )


def screening() -> decisions_pb2.AppendScreeningRequest:
    return decisions_pb2.AppendScreeningRequest(
        screening=decisions_pb2.TravelerScreened(
            request_id=new_id(),
            visit_id=new_id(),
            attempt=1,
            kiosk_id=IDENTITIES[Role.KIOSK],
            crossing="north",
            direction=types_pb2.DIRECTION_ENTRY,
            kiosk_time=_in(),
            received_at=_in(),
            content_sha256=bytes(32),
            outcome=types_pb2.OUTCOME_REFER,
            reasons=["A_TEST"],
            checks=[types_pb2.Check(name="LIVENESS", status=types_pb2.CHECK_STATUS_NOT_PERFORMED)],
            versions=decisions_pb2.Versions(software="test"),
        ),
        payload=decisions_pb2.ScreeningPayload(schema_version=1),
    )


def _list(ask: Ask) -> str:
    request = watchlist_pb2.CreateWatchlistRequest(watchlist=watchlist())
    ask("/borderpost.v1.WatchlistService/CreateWatchlist", request)
    return request.watchlist.list_id


def _entry(ask: Ask) -> str:
    request = watchlist_pb2.ProposeEntryRequest(entry=entry(_list(ask)))
    ask("/borderpost.v1.WatchlistService/ProposeEntry", request)
    return request.entry.entry_id


def _approvable(ask: Ask) -> Message:
    # Proposed by the list manager and approved by the approver, as `ways` has it.
    return watchlist_pb2.ApproveEntryRequest(entry_id=_entry(ask))


def _changed(ask: Ask) -> Message:
    changed = watchlist()
    changed.list_id = _list(ask)
    return watchlist_pb2.ChangeWatchlistRequest(watchlist=changed)


def _template_to_add(ask: Ask) -> Message:
    return watchlist_pb2.AddTemplatesRequest(entry_id=_entry(ask), templates=[template()])


def _suppression_request(ask: Ask) -> watchlist_pb2.ProposeSuppressionRequest:
    """The pair of a name on a list that one officer is enough for, and the holder of a document that isn't theirs."""
    of = watchlist()
    of.suppression_people = 1
    ask(f"{_WATCHLISTS}CreateWatchlist", watchlist_pb2.CreateWatchlistRequest(watchlist=of))
    listed = entry(of.list_id)
    ask(f"{_WATCHLISTS}ProposeEntry", watchlist_pb2.ProposeEntryRequest(entry=listed))
    ask(f"{_WATCHLISTS}ApproveEntry", watchlist_pb2.ApproveEntryRequest(entry_id=listed.entry_id))
    search = watchlist_pb2.SearchRequest(
        templates=[template()],
        document=types_pb2.DocumentKey(document_code="P", issuing_state="UTO", number="NOSUCH3"),
        name=listed.names[0],
        birth_date=listed.birth_date,
        list_ids=[of.list_id],
    )
    found: Any = ask(f"{_WATCHLISTS}Search", search)
    [candidate] = found.results[0].candidates
    return watchlist_pb2.ProposeSuppressionRequest(
        suppression_id=new_id(), pair=candidate.pair, reason="Another person", expires_at=_in(days=30)
    )


def _suppression(ask: Ask) -> str:
    request = _suppression_request(ask)
    ask(f"{_WATCHLISTS}ProposeSuppression", request)
    return request.suppression_id


def _import_request(ask: Ask) -> watchlist_pb2.BeginImportRequest:
    return watchlist_pb2.BeginImportRequest(
        import_id=new_id(), list_id=_list(ask), source="A source", content_sha256=bytes(32), rows=1
    )


def _import(ask: Ask) -> str:
    request = _import_request(ask)
    ask(f"{_WATCHLISTS}BeginImport", request)
    return request.import_id


def _rows(ask: Ask) -> watchlist_pb2.StageRowsRequest:
    row = watchlist_pb2.ImportRow(row=1, record_id="r1", entry=entry(""))
    return watchlist_pb2.StageRowsRequest(import_id=_import(ask), rows=[row])


def _staged(ask: Ask) -> str:
    request = _rows(ask)
    ask(f"{_WATCHLISTS}StageRows", request)
    return request.import_id


def _finished(ask: Ask) -> str:
    import_id = _staged(ask)
    ask(f"{_WATCHLISTS}FinishImport", watchlist_pb2.FinishImportRequest(import_id=import_id))
    return import_id


def _rows_with_pictures(ask: Ask) -> Message:
    request = _rows(ask)
    return gateway_pb2.StageImportRowsRequest(import_id=request.import_id, rows=request.rows)


def _bundle_request(ask: Ask) -> watchlist_pb2.MakeBundleRequest:
    return watchlist_pb2.MakeBundleRequest(list_id=_list(ask), partner=PARTNER)


def _bundle(ask: Ask) -> Message:
    made: Any = ask(f"{_WATCHLISTS}MakeBundle", _bundle_request(ask))
    return watchlist_pb2.ReadBundleRequest(bundle_id=made.bundle_id)


def _search(_: Ask) -> Message:
    return watchlist_pb2.SearchRequest(
        templates=[template()],
        document=types_pb2.DocumentKey(document_code="P", issuing_state="UTO", number="NOSUCH2"),
        name=watchlist_pb2.PersonName(primary_identifier="Nobody"),
        birth_date=types_pb2.PartialDate(year=1901),
    )


def _screened(ask: Ask) -> decisions_pb2.AppendScreeningRequest:
    request = screening()
    ask("/borderpost.v1.DecisionsService/AppendScreening", request)
    return request


def _of(made: type[Message]) -> Callable[[Ask], Message]:
    def request(ask: Ask) -> Message:
        kept = _screened(ask).screening
        return made(kiosk_id=kept.kiosk_id, request_id=kept.request_id)

    return request


def _events(_: Ask) -> Message:
    event = decisions_pb2.Event(
        schema_version=1,
        event_id=new_id(),
        time=_in(),
        actor=types_pb2.Actor(issuer="borderpost.local", subject="dev"),
        machine_changed=decisions_pb2.MachineChanged(machine="kiosk/north/9", action="INVITED"),
    )
    return decisions_pb2.RecordEventsRequest(events=[event])


def _query(_: Ask) -> Message:
    request = decisions_pb2.QueryEventsRequest(
        until=_in(days=1),
        kinds=[decisions_pb2.EVENT_KIND_TRAVELER_SCREENED],
        outcomes=[types_pb2.OUTCOME_REFER],
        reason="A_TEST",
        kiosk_id=IDENTITIES[Role.KIOSK],
        visit_id=new_id(),
        request_id=new_id(),
        page_size=10,
    )
    getattr(request, "from").CopyFrom(_in(days=-1))
    return request


def _screen(_: Ask) -> Message:
    return gateway_pb2.ScreenTravelerRequest(
        request_id=new_id(),
        visit_id=new_id(),
        attempt=1,
        direction=types_pb2.DIRECTION_ENTRY,
        kiosk_time=_in(),
        document_page=small_picture(),
        live_frames=[small_picture()],
    )


def _kept(ask: Ask) -> Message:
    kiosk = IDENTITIES[Role.KIOSK]
    key: Any = ask("/borderpost.v1.GatewayService/GetSpoolKey", gateway_pb2.GetSpoolKeyRequest())
    capture = gateway_pb2.SpooledCapture(schema_version=1, request=_screen(ask), kiosk_id=kiosk)
    sealed = seal_capture(key.public_key, capture)
    own = load_credentials(ask.settings, kiosk)
    private: Any = serialization.load_pem_private_key(own.key, password=None)
    certificate = x509.load_pem_x509_certificate(own.certificate)
    return gateway_pb2.SubmitSpooledRequest(
        key_id=key.key_id,
        sealed=sealed,
        signature=sign(private, sealed),
        certificate=certificate.public_bytes(serialization.Encoding.DER),
    )


def _invited(ask: Ask) -> str:
    name = f"kiosk/north/{new_id()}"
    ask("/borderpost.v1.AuthorityService/InviteKiosk", authority_pb2.InviteKioskRequest(kiosk=name))
    return name


def _looked_back(_: Ask) -> Message:
    return decisions_pb2.LookBackRequest(
        kiosk_id=IDENTITIES[Role.KIOSK],
        crossing="north",
        visit_id=new_id(),
        group_id=new_id(),
        request_id=new_id(),
        document=types_pb2.DocumentKey(document_code="P", issuing_state="UTO", number="NOSUCH2"),
        chip_portrait_sha256=bytes(32),
        holder_sha256=bytes(32),
        at=_in(),
        terms=decisions_pb2.PatternTerms(window_seconds=3600, most_visits=3, portrait_changed=True),
    )


def csca() -> bytes:
    """A self-signed CSCA certificate of Utopia with a key of its own: DER."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name(
        [x509.NameAttribute(NameOID.COUNTRY_NAME, "UT"), x509.NameAttribute(NameOID.COMMON_NAME, "CSCA Test")]
    )
    others = ["data_encipherment", "key_agreement", "encipher_only", "decipher_only"]
    usage = dict.fromkeys(["digital_signature", "content_commitment", "key_encipherment", *others], False)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(**usage, key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.DER)


def _trust_file() -> trust_pb2.ImportTrustRequest:
    return trust_pb2.ImportTrustRequest(file=csca(), source="a test")


def _trusted(ask: Ask) -> Message:
    request = _trust_file()
    ask("/borderpost.v1.TrustService/ImportTrust", request)
    return trust_pb2.GetTrustedRequest(id=hashlib.sha256(request.file).hexdigest()[:16])


def _policy(ask: Ask) -> str:
    """The policy that the gateway told the log."""
    query = decisions_pb2.QueryEventsRequest(kinds=[decisions_pb2.EVENT_KIND_POLICY_CHANGED], page_size=1)
    answer: Any = ask("/borderpost.v1.DecisionsService/QueryEvents", query)
    policy: str = answer.entries[0].event.policy_changed.policy
    return policy


def _replay(ask: Ask) -> Message:
    request = screening()
    request.screening.versions.policy = _policy(ask)
    ask("/borderpost.v1.DecisionsService/AppendScreening", request)
    return gateway_pb2.ReplayScreeningRequest(
        kiosk_id=request.screening.kiosk_id, request_id=request.screening.request_id
    )


def _export(_: Ask) -> Message:
    return decisions_pb2.ExportEventsRequest(
        filter=decisions_pb2.QueryEventsRequest(request_id=new_id()),
        format=decisions_pb2.EXPORT_FORMAT_JSONL,
    )


def _figures(_: Ask) -> Message:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    request = decisions_pb2.GetFiguresRequest(until=to_timestamp(today + timedelta(days=1)))
    getattr(request, "from").CopyFrom(to_timestamp(today))
    return request


def _case(ask: Ask) -> str:
    answer: Any = ask("/borderpost.v1.DecisionsService/AppendScreening", screening())
    event_id: str = answer.entry.event.event_id
    return event_id


def _claimed(ask: Ask) -> str:
    case_id = _case(ask)
    ask("/borderpost.v1.CasesService/ClaimCase", cases_pb2.ClaimCaseRequest(case_id=case_id))
    return case_id


def _first_look(ask: Ask) -> Message:
    request = screening()
    result = request.payload.watchlists.add()
    result.watchlist.list_id = new_id()
    candidate = result.candidates.add(entry_id=new_id(), kind=watchlist_pb2.MATCH_KIND_FACE)
    answer: Any = ask("/borderpost.v1.DecisionsService/AppendScreening", request)
    case_id = answer.entry.event.event_id
    ask("/borderpost.v1.CasesService/ClaimCase", cases_pb2.ClaimCaseRequest(case_id=case_id))
    said = decisions_pb2.CandidateFinding(
        list_id=result.watchlist.list_id,
        entry_id=candidate.entry_id,
        verdict=decisions_pb2.FINDING_VERDICT_CANNOT_TELL,
    )
    return cases_pb2.RecordFirstLookRequest(case_id=case_id, candidates=[said])


def _finding(ask: Ask) -> Message:
    return cases_pb2.GiveFindingRequest(
        case_id=_claimed(ask),
        document=decisions_pb2.FINDING_VERDICT_SAME_PERSON,
        disposition=decisions_pb2.DISPOSITION_PROCEED,
        reasons=["A_TEST"],
        note="a test",
    )


def _correction(ask: Ask) -> Message:
    finding = _finding(ask)
    ask("/borderpost.v1.CasesService/GiveFinding", finding)
    return cases_pb2.CorrectFindingRequest(finding=finding)


def _policy_file() -> bytes:
    """One that was never in force."""
    return BUILT_IN.read_bytes() + f"\n# {new_id()}\n".encode()


def _proposed(ask: Ask) -> str:
    request = gateway_pb2.ProposePolicyRequest(toml=_policy_file())
    answer: Any = ask("/borderpost.v1.GatewayService/ProposePolicy", request)
    policy: str = answer.policy
    return policy


def _cosignature(ask: Ask) -> Message:
    made: Any = ask(
        "/borderpost.v1.TransparencyService/GetCheckpoint", transparency_pb2.GetCheckpointRequest(make=True)
    )
    witness = Signer("witness.test", Ed25519PrivateKey.generate())
    line = cosign(split_note(made.checkpoint)[0], witness, datetime.now(UTC)).line
    return transparency_pb2.AddCosignatureRequest(
        checkpoint=made.checkpoint + line, verifier_key=witness_verifier(witness).verifier_key
    )


def _in(days: int = 0) -> object:
    return to_timestamp(datetime.now(UTC) + timedelta(days=days))


_GOOD: Final[Mapping[str, Callable[[Ask], Message]]] = {
    "AuthorityService/InviteKiosk": lambda _: authority_pb2.InviteKioskRequest(kiosk=f"kiosk/n/{new_id()}"),
    "AuthorityService/ListMachines": lambda _: authority_pb2.ListMachinesRequest(),
    "AuthorityService/RevokeMachine": lambda ask: authority_pb2.RevokeMachineRequest(
        machine=_invited(ask), reason="LOST"
    ),
    "AuthorityService/RenewCertificate": lambda _: authority_pb2.RenewCertificateRequest(
        request=new_request()[1]
    ),
    "AuthorityService/GetRevocations": lambda _: authority_pb2.GetRevocationsRequest(),
    "GatewayService/GetSpoolKey": lambda _: gateway_pb2.GetSpoolKeyRequest(),
    "GatewayService/SubmitSpooled": _kept,
    "DecisionsService/LookBack": _looked_back,
    "GatewayService/ScreenTraveler": _screen,
    "GatewayService/EnrolEntry": lambda ask: gateway_pb2.EnrolEntryRequest(entry=entry(_list(ask))),
    "GatewayService/StageImportRows": _rows_with_pictures,
    "GatewayService/MigrateEntries": lambda ask: gateway_pb2.MigrateEntriesRequest(list_id=_list(ask)),
    "DocumentsService/ReadDocument": lambda _: documents_pb2.ReadDocumentRequest(
        page=small_picture(), at=_in()
    ),
    "DocumentsService/IssueChipChallenge": lambda _: documents_pb2.IssueChipChallengeRequest(
        visit_id=new_id()
    ),
    "TrustService/ImportTrust": lambda _: _trust_file(),
    "TrustService/ListTrusted": lambda _: trust_pb2.ListTrustedRequest(
        country="UT", valid_at=_in(), page_size=10
    ),
    "TrustService/GetTrusted": _trusted,
    "FacesService/ExtractTemplate": lambda _: faces_pb2.ExtractTemplateRequest(
        frames=[small_picture()], profile=faces_pb2.CAPTURE_PROFILE_LIVE
    ),
    "FacesService/LocateEyes": lambda _: faces_pb2.LocateEyesRequest(pictures=[small_picture()]),
    "FacesService/GuideCapture": lambda _: faces_pb2.GuideCaptureRequest(
        start=faces_pb2.CaptureStart(visit_id=new_id(), language="de", challenge=True)
    ),
    "FacesService/Compare": lambda _: faces_pb2.CompareRequest(
        probe=template(), reference=template(), target_fmr=0.001
    ),
    "WatchlistService/CreateWatchlist": lambda _: watchlist_pb2.CreateWatchlistRequest(watchlist=watchlist()),
    "WatchlistService/ListWatchlists": lambda _: watchlist_pb2.ListWatchlistsRequest(),
    "WatchlistService/ProposeEntry": lambda ask: watchlist_pb2.ProposeEntryRequest(entry=entry(_list(ask))),
    "WatchlistService/ApproveEntry": _approvable,
    "WatchlistService/GetEntry": lambda ask: watchlist_pb2.GetEntryRequest(entry_id=_entry(ask)),
    "WatchlistService/ListEntries": lambda ask: watchlist_pb2.ListEntriesRequest(list_id=_list(ask)),
    "WatchlistService/RemoveEntry": lambda ask: watchlist_pb2.RemoveEntryRequest(entry_id=_entry(ask)),
    "WatchlistService/Search": _search,
    "WatchlistService/ChangeWatchlist": _changed,
    "WatchlistService/GetStatistics": lambda ask: watchlist_pb2.GetStatisticsRequest(list_id=_list(ask)),
    "WatchlistService/MeasureWatchlist": lambda ask: watchlist_pb2.MeasureWatchlistRequest(
        list_id=_list(ask)
    ),
    "WatchlistService/WithdrawEntry": lambda ask: watchlist_pb2.WithdrawEntryRequest(entry_id=_entry(ask)),
    "WatchlistService/GetPictures": lambda ask: watchlist_pb2.GetPicturesRequest(entry_id=_entry(ask)),
    "WatchlistService/AddTemplates": _template_to_add,
    "WatchlistService/ListWithoutModel": lambda ask: watchlist_pb2.ListWithoutModelRequest(
        list_id=_list(ask), model_id="mobilefacenet-v1"
    ),
    "WatchlistService/ProposeSuppression": _suppression_request,
    "WatchlistService/ConfirmSuppression": lambda ask: watchlist_pb2.ConfirmSuppressionRequest(
        suppression_id=_suppression(ask)
    ),
    "WatchlistService/RevokeSuppression": lambda ask: watchlist_pb2.RevokeSuppressionRequest(
        suppression_id=_suppression(ask)
    ),
    "WatchlistService/ListSuppressions": lambda ask: watchlist_pb2.ListSuppressionsRequest(
        list_id=_list(ask)
    ),
    "WatchlistService/BeginImport": _import_request,
    "WatchlistService/StageRows": _rows,
    "WatchlistService/FinishImport": lambda ask: watchlist_pb2.FinishImportRequest(import_id=_staged(ask)),
    "WatchlistService/ApproveImport": lambda ask: watchlist_pb2.ApproveImportRequest(
        import_id=_finished(ask)
    ),
    "WatchlistService/CancelImport": lambda ask: watchlist_pb2.CancelImportRequest(import_id=_import(ask)),
    "WatchlistService/ListImports": lambda ask: watchlist_pb2.ListImportsRequest(list_id=_list(ask)),
    "GatewayService/GetStatus": lambda _: gateway_pb2.GetStatusRequest(),
    "WatchlistService/GetImport": lambda ask: watchlist_pb2.GetImportRequest(import_id=_import(ask)),
    "WatchlistService/ExportEntries": lambda ask: watchlist_pb2.ExportEntriesRequest(list_id=_list(ask)),
    "WatchlistService/MakeBundle": _bundle_request,
    "WatchlistService/ReadBundle": _bundle,
    "WatchlistService/WriteBundle": lambda _: watchlist_pb2.WriteBundleRequest(
        bundle_id=_BUNDLE_ID, content=b"age"
    ),
    "DecisionsService/AppendScreening": lambda _: screening(),
    "DecisionsService/FindScreening": _of(decisions_pb2.FindScreeningRequest),
    "DecisionsService/RecordEvents": _events,
    "DecisionsService/GetScreening": _of(decisions_pb2.GetScreeningRequest),
    "DecisionsService/QueryEvents": _query,
    "DecisionsService/VerifyLog": lambda _: decisions_pb2.VerifyLogRequest(),
    "DecisionsService/ExportEvents": _export,
    "DecisionsService/GetFigures": _figures,
    "DecisionsService/GetPolicy": lambda ask: decisions_pb2.GetPolicyRequest(policy=_policy(ask)),
    "GatewayService/ReplayScreening": _replay,
    "CasesService/ListCases": lambda _: cases_pb2.ListCasesRequest(
        states=[cases_pb2.CASE_STATE_OPEN], crossing="north", reason="A_TEST", page_size=10
    ),
    "CasesService/GetCase": lambda ask: cases_pb2.GetCaseRequest(case_id=_case(ask), with_evidence=True),
    "CasesService/ClaimCase": lambda ask: cases_pb2.ClaimCaseRequest(case_id=_case(ask)),
    "CasesService/ReleaseCase": lambda ask: cases_pb2.ReleaseCaseRequest(case_id=_claimed(ask)),
    "CasesService/EscalateCase": lambda ask: cases_pb2.EscalateCaseRequest(
        case_id=_claimed(ask), reason="A_TEST"
    ),
    "CasesService/RecordFirstLook": _first_look,
    "CasesService/GiveFinding": _finding,
    "CasesService/CorrectFinding": _correction,
    "GatewayService/ProposePolicy": lambda _: gateway_pb2.ProposePolicyRequest(toml=_policy_file()),
    "GatewayService/ActivatePolicy": lambda ask: gateway_pb2.ActivatePolicyRequest(policy=_proposed(ask)),
    "DecisionsService/ListPolicies": lambda _: decisions_pb2.ListPoliciesRequest(),
    "SubjectsService/FindSubject": lambda _: subjects_pb2.FindSubjectRequest(
        document=types_pb2.DocumentKey(document_code="P", issuing_state="UTO", number="NOSUCH2")
    ),
    "SubjectsService/EraseSubject": lambda ask: subjects_pb2.EraseSubjectRequest(
        event_ids=[_case(ask)], basis="UNLAWFUL"
    ),
    "SubjectsService/RectifySubject": lambda ask: subjects_pb2.RectifySubjectRequest(
        event_ids=[_case(ask)], statement="a test"
    ),
    "SubjectsService/GetRetention": lambda _: subjects_pb2.GetRetentionRequest(),
    "SubjectsService/ApplyRetention": lambda _: subjects_pb2.ApplyRetentionRequest(),
    "TransparencyService/GetCheckpoint": lambda _: transparency_pb2.GetCheckpointRequest(make=True),
    "TransparencyService/GetInclusionProof": lambda _: transparency_pb2.GetInclusionProofRequest(size=1),
    "TransparencyService/GetConsistencyProof": lambda _: transparency_pb2.GetConsistencyProofRequest(
        from_size=1, to_size=2
    ),
    "TransparencyService/AddCosignature": _cosignature,
}

_OWN_IDS: Final[Mapping[str, Callable[[Any], str]]] = {
    "ScreenTraveler": lambda request: request.request_id,
    "EnrolEntry": lambda request: request.entry.entry_id,
    "CreateWatchlist": lambda request: request.watchlist.list_id,
    "ProposeEntry": lambda request: request.entry.entry_id,
    "ProposeSuppression": lambda request: request.suppression_id,
    "BeginImport": lambda request: request.import_id,
    "AppendScreening": lambda request: request.screening.request_id,
    "RecordEvents": lambda request: request.events[0].event_id,
}


def with_new_id(path: str, good: Message, request: bytes) -> bytes:
    """Give a request that was made from a good one an id of its own, so that it isn't refused as a repetition."""
    own = _OWN_IDS.get(path.rpartition("/")[2])
    return request.replace(own(good).encode(), new_id().encode()) if own else request


PICTURE_FIELDS: Final[Mapping[str, Sequence[str]]] = {
    "/borderpost.v1.GatewayService/ScreenTraveler": ("document_page", "live_frames", "portrait_page"),
    "/borderpost.v1.GatewayService/EnrolEntry": ("pictures",),
    "/borderpost.v1.DocumentsService/ReadDocument": ("page", "portrait_page"),
    "/borderpost.v1.FacesService/ExtractTemplate": ("frames",),
    "/borderpost.v1.FacesService/LocateEyes": ("pictures",),
}
"""Every field that holds a picture."""

MAY_BE_EMPTY: Final = frozenset({"portrait_page"})
"""Those that a request need not have."""

TOKEN_FIELDS: Final = frozenset(
    {
        ("/borderpost.v1.GatewayService/ScreenTraveler", "capture_token"),
        ("/borderpost.v1.FacesService/ExtractTemplate", "capture_token"),
    }
)
"""Every field that holds a capture token: whatever bytes are in it, they are no error."""

TRUST_FIELDS: Final = frozenset(
    {
        ("/borderpost.v1.TrustService/ImportTrust", "file"),
        ("/borderpost.v1.TrustService/ImportTrust", "issuer_sha256"),
    }
)
"""Every field that holds what an administrator wants trusted; integration/test_trust_hostile.py is about them."""

SPOOL_FIELDS: Final = frozenset(
    {
        ("/borderpost.v1.GatewayService/SubmitSpooled", "sealed"),
        ("/borderpost.v1.GatewayService/SubmitSpooled", "signature"),
        ("/borderpost.v1.GatewayService/SubmitSpooled", "certificate"),
        ("/borderpost.v1.DecisionsService/LookBack", "chip_portrait_sha256"),
        ("/borderpost.v1.DecisionsService/LookBack", "holder_sha256"),
        ("/borderpost.v1.AuthorityService/RenewCertificate", "request"),
    }
)
"""Every field of a kept capture, and the digest of a portrait; unit/test_late.py is about the former."""

POLICY_FIELDS: Final = frozenset({("/borderpost.v1.GatewayService/ProposePolicy", "toml")})
"""Every field that holds a policy's text: unit/test_gateway_policies.py is about it."""

WATCHLIST_FIELDS: Final = frozenset(
    {
        (f"{_WATCHLISTS}ProposeSuppression", "pair"),
        (f"{_WATCHLISTS}BeginImport", "content_sha256"),
        (f"{_WATCHLISTS}WriteBundle", "content"),
    }
)
"""Every field that holds a pair of a search, a digest or a part of a bundle: the watchlist's tests are about them."""
