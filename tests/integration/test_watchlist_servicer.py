"""The watchlist service by its messages: what goes in and out, and what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import grpc
import numpy as np
import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from borderpost.runtime.calls import Actor, Call, Role, enter
from borderpost.runtime.clock import new_id, to_timestamp
from borderpost.runtime.errors import (
    BorderpostError,
    InvalidRequestError,
    PurposeMissingError,
    TemplateInvalidError,
)
from borderpost.runtime.pool import WorkPool
from borderpost.v1 import types_pb2
from borderpost.v1 import watchlist_pb2 as pb
from borderpost.watchlist import validate
from borderpost.watchlist.adapters.faiss_index import FaissIndex
from borderpost.watchlist.app import Watchlists
from borderpost.watchlist.domain import Caller, SearchQuery
from borderpost.watchlist.errors import NotReadyError, VersionNotReachedError
from borderpost.watchlist.keeper import Keeper
from borderpost.watchlist.persons import DocumentKey
from borderpost.watchlist.servicer import WatchlistServicer
from fakes.watchlist import (
    ANNA,
    BEN,
    CALIBRATIONS,
    MODEL,
    NOW,
    OTHER_MODEL,
    Agency,
    House,
    a_list,
    a_quick_house,
    a_template,
    an_entry,
    unit_vectors,
)

SURNAME = "ERIKSSON"


class Context:
    """Stands for gRPC's ServicerContext: a call with or without a deadline."""

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds

    def time_remaining(self) -> float | None:
        return self._seconds


class Client:
    """Calls the servicer's handlers as an actor."""

    def __init__(self, servicer: WatchlistServicer) -> None:
        self._servicer = servicer

    async def call(
        self,
        method: str,
        request: Message,
        by: Actor = ANNA,
        purpose: str = "case 4711",
        scopes: frozenset[str] = frozenset(),
        seconds: float | None = None,
    ) -> Any:
        is_kiosk = by.subject.startswith("kiosk/")
        roles = frozenset({Role.KIOSK} if is_kiosk else {Role.LIST_MANAGER, Role.APPROVER})
        enter(Call(method, by, Role.GATEWAY, by, roles, purpose, new_id(), "", scopes))
        return await getattr(self._servicer, method)(request, Context(seconds))


@pytest.fixture
def house() -> Iterator[House]:
    with a_quick_house() as house:
        yield house


@pytest.fixture
def client(house: House) -> Iterator[Client]:
    yield from a_client(house)


@pytest.fixture(scope="module")
def empty_house() -> Iterator[House]:
    """One for all requests that change nothing."""
    with a_quick_house() as house:
        yield house


@pytest.fixture
def refused(empty_house: House) -> Iterator[Client]:
    yield from a_client(empty_house)
    assert empty_house.keeper.view.version == 0
    assert empty_house.events() == []


def a_client(house: House) -> Iterator[Client]:
    pool = WorkPool(threads=2, queue=8)
    yield Client(WatchlistServicer(house.use_cases, pool, house.clock))
    pool.close()


def a_template_message(seed: int = 1, **changes: Any) -> types_pb2.Template:
    template = types_pb2.Template(
        model_id=MODEL.model_id,
        dimension=MODEL.dimension,
        element_type=types_pb2.ELEMENT_TYPE_FLOAT32,
        normalisation=types_pb2.NORMALISATION_L2,
        values=unit_vectors(1, MODEL.dimension, seed).tobytes(),
    )
    for field, value in changes.items():
        setattr(template, field, value)
    return template


def a_list_message(**changes: Any) -> pb.Watchlist:
    list_id = new_id()
    watchlist = pb.Watchlist(
        list_id=list_id,
        name=f"Wanted persons {list_id}",
        authority="Ministry of the Interior",
        legal_basis="Border Act, s. 12",
        category=pb.WATCHLIST_CATEGORY_WANTED,
        priority=2,
        handling_instruction="Call the shift leader.\nDo not tell.",
        target_fpir=0.01,
    )
    for field, value in changes.items():
        setattr(watchlist, field, value)
    return watchlist


def an_entry_message(list_id: str = "", **changes: Any) -> pb.Entry:
    entry = pb.Entry(
        entry_id=new_id(),
        list_id=list_id or new_id(),
        templates=[a_template_message()],
        names=[pb.PersonName(primary_identifier=SURNAME, secondary_identifier="ANNA MARIA")],
        birth_date=types_pb2.PartialDate(year=1974, month=8),
        documents=[types_pb2.DocumentKey(document_code="P", issuing_state="UTO", number="L898902C3")],
        reason_code="R1",
        source_reference="case 4711",
        valid_until=to_timestamp(NOW + timedelta(days=30)),
    )
    for field, value in changes.items():
        if isinstance(value, list):
            getattr(entry, field).extend(value)
        else:
            setattr(entry, field, value)
    return entry


async def test_an_entry_goes_its_whole_way_over_the_messages(client: Client):
    made = await client.call("CreateWatchlist", pb.CreateWatchlistRequest(watchlist=a_list_message()))
    entry = an_entry_message(made.watchlist.list_id)
    proposed = (await client.call("ProposeEntry", pb.ProposeEntryRequest(entry=entry))).entry
    assert (proposed.state, proposed.template_count, len(proposed.templates)) == (
        pb.ENTRY_STATE_PROPOSED,
        1,
        0,
    )
    assert proposed.proposed_by.subject == ANNA.subject
    assert not proposed.HasField("approved_by")
    assert not proposed.HasField("valid_from")
    for field in ("names", "birth_date", "documents", "reason_code", "source_reference", "valid_until"):
        assert getattr(proposed, field) == getattr(entry, field)

    approved = await client.call("ApproveEntry", pb.ApproveEntryRequest(entry_id=entry.entry_id), by=BEN)
    assert (approved.version, approved.entry.state) == (3, pb.ENTRY_STATE_ACTIVE)
    assert approved.entry.approved_by.subject == BEN.subject
    got = await client.call("GetEntry", pb.GetEntryRequest(entry_id=entry.entry_id))
    assert got.entry == approved.entry

    request = pb.SearchRequest(
        templates=entry.templates, document=entry.documents[0], name=entry.names[0], min_version=3
    )
    answer = await client.call("Search", request)
    (result,) = answer.results
    assert [c.kind for c in result.candidates] == [
        pb.MATCH_KIND_FACE,
        pb.MATCH_KIND_DOCUMENT,
        pb.MATCH_KIND_NAME,
    ]
    assert [c.HasField("score") for c in result.candidates] == [True, False, False]
    assert result.candidates[0].score.value == pytest.approx(1.0, abs=1e-6)
    assert result.candidates[0].HasField("template_index")
    assert (result.version, result.entries_searched, answer.version) == (3, 1, 3)
    assert (result.threshold.templates, result.threshold.model_id) == (1, MODEL.model_id)
    assert list(answer.searched_by) == [pb.MATCH_KIND_FACE, pb.MATCH_KIND_DOCUMENT, pb.MATCH_KIND_NAME]

    lists = await client.call("ListWatchlists", pb.ListWatchlistsRequest())
    assert lists.watchlists[0].active_entries == 1
    assert lists.watchlists[0].thresholds[0] == result.threshold
    removed = await client.call("RemoveEntry", pb.RemoveEntryRequest(entry_id=entry.entry_id))
    assert removed.version == 4
    answer = await client.call("Search", request)
    assert (answer.version, len(answer.results[0].candidates)) == (4, 0)


async def test_pages_follow_their_tokens_to_the_end(client: Client):
    watchlist = a_list_message()
    await client.call("CreateWatchlist", pb.CreateWatchlistRequest(watchlist=watchlist))
    ids = []
    for _ in range(5):
        entry = an_entry_message(watchlist.list_id)
        await client.call("ProposeEntry", pb.ProposeEntryRequest(entry=entry))
        ids.append(entry.entry_id)
    everything = await client.call("ListEntries", pb.ListEntriesRequest(list_id=watchlist.list_id))
    assert ([e.entry_id for e in everything.entries], everything.next_page_token) == (ids, "")
    seen, token = [], ""
    while True:
        request = pb.ListEntriesRequest(list_id=watchlist.list_id, page_size=2, page_token=token)
        page = await client.call("ListEntries", request)
        seen += [e.entry_id for e in page.entries]
        token = page.next_page_token
        if not token:
            break
    assert seen == ids


async def test_what_is_not_there_is_not_found(client: Client):
    for method, request in (
        ("ProposeEntry", pb.ProposeEntryRequest(entry=an_entry_message())),
        ("ApproveEntry", pb.ApproveEntryRequest(entry_id=new_id())),
        ("GetEntry", pb.GetEntryRequest(entry_id=new_id())),
        ("ListEntries", pb.ListEntriesRequest(list_id=new_id())),
        ("RemoveEntry", pb.RemoveEntryRequest(entry_id=new_id())),
    ):
        with pytest.raises(BorderpostError) as caught:
            await client.call(method, request)
        assert caught.value.code is grpc.StatusCode.NOT_FOUND


async def test_a_search_waits_for_its_version_and_is_refused_if_that_does_not_come(
    client: Client, house: House
):
    request = pb.SearchRequest(templates=[a_template_message()], min_version=1)
    with pytest.raises(VersionNotReachedError, match="min_version: got 1, want at most 0"):
        await client.call("Search", request, seconds=0.1)
    waiting = asyncio.ensure_future(client.call("Search", request, seconds=60))
    while not (waiting.done() or house.keeper.view.version):
        await asyncio.sleep(0)
        await asyncio.to_thread(house.new_list)
    assert (await waiting).version == 1


async def test_a_person_searches_for_a_purpose_only_and_it_is_an_event(client: Client, house: House):
    watchlist = house.new_list()
    request = pb.SearchRequest(templates=[a_template_message()])
    with pytest.raises(PurposeMissingError):
        await client.call("Search", request, purpose=" ")
    assert house.bodies("watchlist_searched") == []
    answer = await client.call("Search", request, purpose="case 4711")
    (event,) = house.bodies("watchlist_searched")
    assert list(event.list_ids) == [watchlist.list_id]
    assert (event.version, event.candidates) == (answer.version, 0)
    assert list(event.searched_by) == [pb.MATCH_KIND_FACE]
    assert house.events()[-1].purpose == "case 4711"


async def test_a_kiosk_searches_the_lists_of_its_crossing_without_a_purpose_and_is_no_event(
    client: Client, house: House
):
    north = house.new_list(crossings=("north",), name="A")
    everywhere = house.new_list(name="B")
    house.new_list(crossings=("south", "east"), name="C")
    kiosk = Actor("borderpost.test", "kiosk/north/1")
    request = pb.SearchRequest(templates=[a_template_message()])
    answer = await client.call("Search", request, by=kiosk, purpose="")
    assert [result.watchlist.list_id for result in answer.results] == [north.list_id, everywhere.list_id]
    assert house.bodies("watchlist_searched") == []
    assert len((await client.call("Search", request)).results) == 3


async def test_scopes_limit_a_call_to_the_lists_that_they_name(client: Client, house: House):
    mine, _ = house.new_list(), house.new_list()
    scopes = frozenset({f"list:{mine.list_id}"})
    answer = await client.call("Search", pb.SearchRequest(templates=[a_template_message()]), scopes=scopes)
    assert [result.watchlist.list_id for result in answer.results] == [mine.list_id]
    lists = await client.call("ListWatchlists", pb.ListWatchlistsRequest(), scopes=scopes)
    assert [each.watchlist.list_id for each in lists.watchlists] == [mine.list_id]


def with_values(values: Any) -> types_pb2.Template:
    return a_template_message(values=np.asarray(values, dtype=np.float32).tobytes())


def nested(message: Message, path: str, value: Any) -> Message:
    *parents, last = path.split(".")
    target: Any = message
    for parent in parents:
        target = getattr(target, parent)
    setattr(target, last, value)
    return message


UNIT = [1.0] + [0.0] * 15

BAD_TEMPLATES: dict[str, types_pb2.Template] = {
    "empty": types_pb2.Template(),
    "no model": a_template_message(model_id=""),
    "long model": a_template_message(model_id="m" * 101),
    "no dimension": a_template_message(dimension=0),
    "huge dimension": a_template_message(dimension=4097),
    "no element type": a_template_message(element_type=0),
    "unknown element type": a_template_message(element_type=99),
    "no normalisation": a_template_message(normalisation=0),
    "too few bytes": a_template_message(values=b"\0" * 63),
    "too many bytes": a_template_message(values=b"\0" * 68),
    "not normalised": with_values(np.array(UNIT) * 1.01),
    "zero": with_values([0.0] * 16),
    "not a number": with_values([float("nan"), *UNIT[1:]]),
    "infinite": with_values([float("inf"), *UNIT[1:]]),
}

LONG = "x" * 1001
DOCUMENT = {"document_code": "P", "issuing_state": "UTO", "number": "L898902C3"}

BAD_REQUESTS: dict[str, tuple[str, Callable[[], Message]]] = {
    "list: none": ("CreateWatchlist", pb.CreateWatchlistRequest),
    **{
        f"list: {field} {value!r:.20}": (
            "CreateWatchlist",
            lambda field=field, value=value: pb.CreateWatchlistRequest(
                watchlist=a_list_message(**{field: value})
            ),
        )
        for field, value in [
            ("list_id", ""),
            ("list_id", "01A20FEC-B5D7-7744-8000-0123456789AB"),
            ("list_id", "0e37df36-f698-11e6-8dd4-cb9ced3df976"),
            ("name", ""),
            ("name", "   "),
            ("name", "x" * 101),
            ("name", "a\0b"),
            ("authority", ""),
            ("legal_basis", ""),
            ("handling_instruction", ""),
            ("handling_instruction", LONG),
            ("category", 0),
            ("category", 99),
            ("priority", 0),
            ("priority", 10),
            ("target_fpir", 0.0),
            ("target_fpir", -0.1),
            ("target_fpir", 0.11),
            ("target_fpir", float("nan")),
            ("target_fpir", float("inf")),
            ("name_target_fpir", -0.1),
            ("name_target_fpir", 0.11),
            ("name_target_fpir", float("nan")),
            ("retention_days", 3651),
            ("assumed_base_rate", 1.1),
            ("assumed_base_rate", float("nan")),
            ("suppression_people", 3),
        ]
    },
    "list: ends before it begins": (
        "CreateWatchlist",
        lambda: pb.CreateWatchlistRequest(
            watchlist=nested(nested(a_list_message(), "valid_from.seconds", 20), "valid_until.seconds", 10)
        ),
    ),
    "list: empty crossing": (
        "CreateWatchlist",
        lambda: pb.CreateWatchlistRequest(watchlist=with_crossings([""])),
    ),
    "list: too many crossings": (
        "ChangeWatchlist",
        lambda: pb.ChangeWatchlistRequest(watchlist=with_crossings(["north"] * 101)),
    ),
    "entry: none": ("ProposeEntry", pb.ProposeEntryRequest),
    **{
        f"entry: {path} {value!r:.20}": (
            "ProposeEntry",
            lambda path=path, value=value: pb.ProposeEntryRequest(
                entry=nested(an_entry_message(), path, value)
            ),
        )
        for path, value in [
            ("entry_id", "1"),
            ("list_id", "1"),
            ("reason_code", ""),
            ("reason_code", "x" * 65),
            ("source_reference", ""),
            ("birth_date.month", 13),
            ("birth_date.month", 0),
            ("birth_date.day", 32),
            ("birth_date.year", 0),
            ("birth_date.year", 2**32 - 1),
            ("valid_until.seconds", 2**62),
            ("valid_until.seconds", -(2**62)),
            ("valid_until.nanos", -1),
            ("valid_from.seconds", 2**34),
            ("sex", "W"),
        ]
    },
    "entry: no end": (
        "ProposeEntry",
        lambda: without(pb.ProposeEntryRequest(entry=an_entry_message()), "valid_until"),
    ),
    "entry: too many templates": ("ProposeEntry", lambda: proposal(templates=[a_template_message()] * 17)),
    "entry: too many names": (
        "ProposeEntry",
        lambda: proposal(names=[pb.PersonName(primary_identifier="A")] * 17),
    ),
    "entry: too many documents": (
        "ProposeEntry",
        lambda: proposal(documents=[types_pb2.DocumentKey(**DOCUMENT)] * 17),
    ),
    "entry: name without letter": (
        "ProposeEntry",
        lambda: proposal(names=[pb.PersonName(primary_identifier="<<12")]),
    ),
    "entry: empty name": ("ProposeEntry", lambda: proposal(names=[pb.PersonName()])),
    "entry: 31 February": (
        "ProposeEntry",
        lambda: proposal(birth_date=types_pb2.PartialDate(month=2, day=30)),
    ),
    "entry: nothing to find it by": ("ProposeEntry", lambda: proposal(reason_code="R")),
    "entry: name without birth year": (
        "ProposeEntry",
        lambda: proposal(
            names=[pb.PersonName(primary_identifier=SURNAME)], birth_date=types_pb2.PartialDate(month=1)
        ),
    ),
    **{
        f"document: {field} {value!r}": (
            "ProposeEntry",
            lambda field=field, value=value: proposal(
                documents=[types_pb2.DocumentKey(**(DOCUMENT | {field: value}))]
            ),
        )
        for field, value in [
            ("document_code", ""),
            ("document_code", "PAS"),
            ("issuing_state", ""),
            ("issuing_state", "UTOP"),
            ("number", ""),
            ("number", "<<<"),
            ("number", "L" * 25),
            ("number", "L-1"),
            ("number", "Ⅷ"),
        ]
    },
    "entry: too many nationalities": (
        "ProposeEntry",
        lambda: pb.ProposeEntryRequest(entry=many(an_entry_message(), "nationalities", ["UTO"] * 9)),
    ),
    "entry: a nationality that is none": (
        "ProposeEntry",
        lambda: pb.ProposeEntryRequest(entry=many(an_entry_message(), "nationalities", ["UTOP"])),
    ),
    "entry: too many pictures": (
        "ProposeEntry",
        lambda: pb.ProposeEntryRequest(entry=many(an_entry_message(), "pictures", [b"x"] * 5)),
    ),
    "entry: an empty picture": (
        "ProposeEntry",
        lambda: pb.ProposeEntryRequest(entry=many(an_entry_message(), "pictures", [b""])),
    ),
    "entry: too large a picture": (
        "ProposeEntry",
        lambda: pb.ProposeEntryRequest(entry=many(an_entry_message(), "pictures", [b"x" * (2**20 + 1)])),
    ),
    **{
        f"{method}: no id": (method, kind)
        for method, kind in [
            ("WithdrawEntry", pb.WithdrawEntryRequest),
            ("GetPictures", pb.GetPicturesRequest),
            ("AddTemplates", pb.AddTemplatesRequest),
            ("ListWithoutModel", pb.ListWithoutModelRequest),
            ("GetStatistics", pb.GetStatisticsRequest),
            ("MeasureWatchlist", pb.MeasureWatchlistRequest),
            ("ProposeSuppression", pb.ProposeSuppressionRequest),
            ("ConfirmSuppression", pb.ConfirmSuppressionRequest),
            ("RevokeSuppression", pb.RevokeSuppressionRequest),
            ("ListSuppressions", pb.ListSuppressionsRequest),
            ("BeginImport", pb.BeginImportRequest),
            ("StageRows", pb.StageRowsRequest),
            ("FinishImport", pb.FinishImportRequest),
            ("ApproveImport", pb.ApproveImportRequest),
            ("CancelImport", pb.CancelImportRequest),
            ("GetImport", pb.GetImportRequest),
            ("ExportEntries", pb.ExportEntriesRequest),
            ("MakeBundle", pb.MakeBundleRequest),
            ("ReadBundle", pb.ReadBundleRequest),
            ("WriteBundle", pb.WriteBundleRequest),
        ]
    },
    "templates: none to add": ("AddTemplates", lambda: pb.AddTemplatesRequest(entry_id=new_id())),
    "without model: no model": ("ListWithoutModel", lambda: pb.ListWithoutModelRequest(list_id=new_id())),
    "without model: page too large": (
        "ListWithoutModel",
        lambda: pb.ListWithoutModelRequest(list_id=new_id(), model_id="m", page_size=21),
    ),
    **{
        f"suppression: {what}": (
            "ProposeSuppression",
            lambda changes=changes: nested(
                pb.ProposeSuppressionRequest(
                    suppression_id=new_id(),
                    pair=b"x",
                    reason="not the person",
                    expires_at=to_timestamp(NOW + timedelta(days=30)),
                ),
                *changes,
            ),
        )
        for what, changes in {
            "no pair": ("pair", b""),
            "no reason": ("reason", " "),
            "past": ("expires_at.seconds", 0),
            "in three years": ("expires_at.seconds", int((NOW + timedelta(days=3 * 366)).timestamp())),
            "at no time": ("expires_at.seconds", 2**62),
        }.items()
    },
    "suppression: for ever": (
        "ProposeSuppression",
        lambda: pb.ProposeSuppressionRequest(suppression_id=new_id(), pair=b"x", reason="not the person"),
    ),
    "suppressions: page too large": (
        "ListSuppressions",
        lambda: pb.ListSuppressionsRequest(list_id=new_id(), page_size=501),
    ),
    **{
        f"import: {field} {value!r:.20}": (
            "BeginImport",
            lambda field=field, value=value: nested(an_import_message(), field, value),
        )
        for field, value in [
            ("source", ""),
            ("content_sha256", b"x" * 31),
            ("rows", 0),
            ("rows", 10**7 + 1),
            ("bundle_id", "1"),
        ]
    },
    "rows: none": ("StageRows", lambda: pb.StageRowsRequest(import_id=new_id())),
    "rows: too many": (
        "StageRows",
        lambda: pb.StageRowsRequest(import_id=new_id(), rows=[pb.ImportRow(row=1)] * 501),
    ),
    "rows: no number": (
        "StageRows",
        lambda: pb.StageRowsRequest(import_id=new_id(), rows=[pb.ImportRow()]),
    ),
    "bundle: no partner": ("MakeBundle", lambda: pb.MakeBundleRequest(list_id=new_id())),
    "bundle: too large a part": (
        "WriteBundle",
        lambda: pb.WriteBundleRequest(bundle_id=new_id(), content=b"x" * (2**20 + 1)),
    ),
    "approve: no id": ("ApproveEntry", pb.ApproveEntryRequest),
    "get: no id": ("GetEntry", pb.GetEntryRequest),
    "remove: no id": ("RemoveEntry", pb.RemoveEntryRequest),
    "entries: no id": ("ListEntries", pb.ListEntriesRequest),
    "entries: page too large": (
        "ListEntries",
        lambda: pb.ListEntriesRequest(list_id=new_id(), page_size=501),
    ),
    **{
        f"entries: token {token!r}": (
            "ListEntries",
            lambda token=token: pb.ListEntriesRequest(list_id=new_id(), page_token=token),
        )
        for token in ("nonsense", "ä", "AAAA", "__________8=")
    },
    "search: too many lists": (
        "Search",
        lambda: pb.SearchRequest(templates=[a_template_message()], list_ids=[new_id()] * 1001),
    ),
    "search: a list that is none": (
        "Search",
        lambda: pb.SearchRequest(templates=[a_template_message()], list_ids=["1"]),
    ),
    "search: nothing": ("Search", pb.SearchRequest),
    "search: birth date alone": (
        "Search",
        lambda: pb.SearchRequest(birth_date=types_pb2.PartialDate(year=1974)),
    ),
    "search: too many templates": ("Search", lambda: pb.SearchRequest(templates=[a_template_message()] * 9)),
    "search: two models": (
        "Search",
        lambda: pb.SearchRequest(templates=[a_template_message(), a_template_message(model_id="another")]),
    ),
    "search: empty document": ("Search", lambda: pb.SearchRequest(document=types_pb2.DocumentKey())),
    "search: empty name": ("Search", lambda: pb.SearchRequest(name=pb.PersonName())),
}


def with_crossings(crossings: list[str]) -> pb.Watchlist:
    return many(a_list_message(), "crossings", crossings)


def an_import_message() -> pb.BeginImportRequest:
    return pb.BeginImportRequest(
        import_id=new_id(), list_id=new_id(), source="Europol", content_sha256=b"x" * 32, rows=1
    )


def many(message: Any, field: str, values: list[Any]) -> Any:
    getattr(message, field).extend(values)
    return message


def proposal(**fields: Any) -> pb.ProposeEntryRequest:
    """An entry with these ways to find it and no other."""
    entry = an_entry_message()
    for field in ("templates", "names", "documents", "birth_date"):
        entry.ClearField(field)
    entry.MergeFrom(pb.Entry(**fields))
    return pb.ProposeEntryRequest(entry=entry)


def without(request: pb.ProposeEntryRequest, field: str) -> pb.ProposeEntryRequest:
    request.entry.ClearField(field)
    return request


@pytest.mark.parametrize("case", BAD_REQUESTS)
async def test_a_bad_request_is_refused_by_field_and_nothing_is_changed(refused: Client, case: str):
    method, make = BAD_REQUESTS[case]
    with pytest.raises(InvalidRequestError, match=r"^[a-z_\[\]0-9.]+: got .+, want ") as caught:
        await refused.call(method, make())
    assert SURNAME not in caught.value.message


@pytest.mark.parametrize("case", BAD_TEMPLATES)
async def test_a_bad_template_is_refused_by_field(refused: Client, case: str):
    template = BAD_TEMPLATES[case]
    for method, request, field in (
        ("ProposeEntry", proposal(templates=[a_template_message(), template]), r"entry.templates\[1\]"),
        ("AddTemplates", pb.AddTemplatesRequest(entry_id=new_id(), templates=[template]), r"templates\[0\]"),
        ("Search", pb.SearchRequest(templates=[template]), r"templates\[0\]"),
    ):
        with pytest.raises(TemplateInvalidError, match=rf"^{field}\.\w+: got .+, want "):
            await refused.call(method, request)


async def test_templates_of_one_model_must_have_one_dimension(refused: Client):
    short = a_template_message(dimension=1, values=np.ones(1, dtype=np.float32).tobytes())
    with pytest.raises(TemplateInvalidError, match=r"templates\[1\]\.dimension: got 1, want 16"):
        await refused.call("Search", pb.SearchRequest(templates=[a_template_message(), short]))


async def test_a_document_entry_alone_and_a_name_with_birth_year_alone_are_kept(client: Client):
    watchlist = a_list_message()
    await client.call("CreateWatchlist", pb.CreateWatchlistRequest(watchlist=watchlist))
    for request in (
        proposal(documents=[types_pb2.DocumentKey(**DOCUMENT)]),
        proposal(
            names=[pb.PersonName(primary_identifier="Müller")], birth_date=types_pb2.PartialDate(year=1974)
        ),
    ):
        request.entry.list_id = watchlist.list_id
        assert (await client.call("ProposeEntry", request)).entry.template_count == 0


CHECKS: dict[Any, Callable[[Any], object]] = {
    pb.CreateWatchlistRequest: validate.check_create_watchlist,
    pb.ProposeEntryRequest: validate.check_propose_entry,
    pb.ChangeWatchlistRequest: validate.check_change_watchlist,
    pb.ApproveEntryRequest: validate.check_entry_id,
    pb.AddTemplatesRequest: validate.check_add_templates,
    pb.ListWithoutModelRequest: validate.check_list_without_model,
    pb.ListEntriesRequest: validate.check_list_entries,
    pb.SearchRequest: validate.check_search,
    pb.ProposeSuppressionRequest: lambda request: validate.check_propose_suppression(request, NOW),
    pb.ListSuppressionsRequest: validate.check_list_suppressions,
    pb.BeginImportRequest: validate.check_begin_import,
    pb.StageRowsRequest: validate.check_stage_rows,
    pb.ImportRow: validate.row_error,
    pb.GetImportRequest: validate.check_get_import,
    pb.ExportEntriesRequest: validate.check_export_entries,
    pb.MakeBundleRequest: validate.check_make_bundle,
    pb.ReadBundleRequest: validate.check_bundle_id,
    pb.WriteBundleRequest: validate.check_write_bundle,
}


@given(st.sampled_from(sorted(CHECKS, key=str)), st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_bytes_that_parse_as_a_request_are_refused_with_a_typed_error_or_taken(kind: Any, data: bytes):
    try:
        request = kind.FromString(data)
    except Exception:  # gRPC refuses what doesn't parse
        return
    assert refusal(CHECKS[kind], request) in (None, grpc.StatusCode.INVALID_ARGUMENT)


def refusal(check: Callable[[Any], object], request: Any) -> grpc.StatusCode | None:
    try:
        check(request)
    except BorderpostError as error:
        return error.code
    return None


# Whole ways over the messages


async def a_list_with_an_entry(client: Client, **changes: Any) -> pb.Entry:
    made = await client.call(
        "CreateWatchlist", pb.CreateWatchlistRequest(watchlist=a_list_message(**changes))
    )
    entry = an_entry_message(made.watchlist.list_id)
    await client.call("ProposeEntry", pb.ProposeEntryRequest(entry=entry))
    await client.call("ApproveEntry", pb.ApproveEntryRequest(entry_id=entry.entry_id), by=BEN)
    return entry


def a_search_for(entry: pb.Entry) -> pb.SearchRequest:
    return pb.SearchRequest(
        templates=entry.templates,
        document=entry.documents[0],
        name=entry.names[0],
        birth_date=entry.birth_date,
    )


async def test_a_list_is_kept_with_all_that_is_said_of_it_and_what_is_left_out_has_its_default(
    client: Client,
):
    message = a_list_message(
        name_target_fpir=0.02,
        retention_days=30,
        assumed_base_rate=0.001,
        suppression_people=1,
    )
    message.valid_from.CopyFrom(to_timestamp(NOW))
    message.valid_until.CopyFrom(to_timestamp(NOW + timedelta(days=1)))
    message.crossings.extend(["north", "south"])
    made = await client.call("CreateWatchlist", pb.CreateWatchlistRequest(watchlist=message))
    assert made.watchlist == message
    plain = await client.call("CreateWatchlist", pb.CreateWatchlistRequest(watchlist=a_list_message()))
    kept = plain.watchlist
    assert (kept.name_target_fpir, kept.assumed_base_rate) == (kept.target_fpir, 1e-5)
    assert (kept.suppression_people, kept.retention_days) == (2, 0)
    assert not kept.HasField("valid_from")
    message.priority = 1
    changed = await client.call("ChangeWatchlist", pb.ChangeWatchlistRequest(watchlist=message))
    assert (changed.watchlist, changed.version) == (message, 2)


async def test_an_entry_is_kept_with_all_that_is_said_of_it(client: Client):
    made = await client.call("CreateWatchlist", pb.CreateWatchlistRequest(watchlist=a_list_message()))
    entry = an_entry_message(made.watchlist.list_id, sex="F")
    entry.names[0].native = "Эрикссон Анна"
    entry.nationalities.extend(["UTO", "D"])
    entry.pictures.append(b"picture")
    entry.valid_from.CopyFrom(to_timestamp(NOW))
    await client.call("ProposeEntry", pb.ProposeEntryRequest(entry=entry))
    got = (await client.call("GetEntry", pb.GetEntryRequest(entry_id=entry.entry_id))).entry
    assert (got.template_count, got.picture_count, list(got.pictures)) == (1, 1, [])
    for field in ("names", "sex", "nationalities", "valid_from", "documents", "birth_date"):
        assert getattr(got, field) == getattr(entry, field)
    pictures = await client.call("GetPictures", pb.GetPicturesRequest(entry_id=entry.entry_id))
    assert list(pictures.pictures) == [b"picture"]


async def test_a_withdrawn_entry_says_since_when(client: Client):
    entry = await a_list_with_an_entry(client)
    answer = await client.call("WithdrawEntry", pb.WithdrawEntryRequest(entry_id=entry.entry_id))
    assert (answer.entry.state, answer.version) == (pb.ENTRY_STATE_WITHDRAWN, 4)
    assert answer.entry.withdrawn_at == to_timestamp(NOW)


async def test_a_candidate_says_what_it_rests_on_and_what_an_alert_is_worth(client: Client):
    entry = await a_list_with_an_entry(client, assumed_base_rate=0.01)
    request = a_search_for(entry)
    request.document.number = entry.documents[0].number.replace("8", "B", 1)
    (result,) = (await client.call("Search", request)).results
    face, document, name = result.candidates
    assert 0.0 < face.odds.fpir < 0.01
    assert 0.5 < face.odds.probability < 1.0
    assert face.odds.assumed_base_rate == 0.01
    assert (document.number.exact, document.number.given, document.number.listed) == (False, "B", "8")
    assert document.number.position == 1
    assert [part.agreement for part in name.name.parts] == [pb.PART_AGREEMENT_EXACT] * 3
    assert name.name.birth_date in (pb.DATE_AGREEMENT_SAME, pb.DATE_AGREEMENT_POSSIBLE)
    assert name.name.score >= result.name_threshold.score
    assert result.name_threshold.names == 1


async def test_a_suppression_goes_its_whole_way_over_the_messages(client: Client):
    entry = await a_list_with_an_entry(client)
    request, kiosk = a_search_for(entry), Actor("borderpost.test", "kiosk/north/1")
    (result,) = (await client.call("Search", request, by=kiosk)).results
    until = to_timestamp(NOW + timedelta(days=30))
    proposal = pb.ProposeSuppressionRequest(
        suppression_id=new_id(), pair=result.candidates[0].pair, reason="not the person", expires_at=until
    )
    asked = (await client.call("ProposeSuppression", proposal)).suppression
    assert (asked.state, asked.entry_id) == (pb.SUPPRESSION_STATE_PROPOSED, entry.entry_id)
    assert not asked.HasField("confirmed_by")
    confirm = pb.ConfirmSuppressionRequest(suppression_id=asked.suppression_id)
    kept = (await client.call("ConfirmSuppression", confirm, by=BEN)).suppression
    assert (kept.state, kept.confirmed_by.subject) == (pb.SUPPRESSION_STATE_ACTIVE, BEN.subject)
    (result,) = (await client.call("Search", request, by=kiosk)).results
    assert [each.HasField("suppressed") for each in result.candidates] == [True, False, True]
    assert result.candidates[0].suppressed.suppression_id == asked.suppression_id
    assert result.candidates[0].suppressed.expires_at == until
    listed = await client.call("ListSuppressions", pb.ListSuppressionsRequest(list_id=entry.list_id))
    assert list(listed.suppressions) == [kept]
    assert listed.suppressions[0].document == entry.documents[0]
    revoke = pb.RevokeSuppressionRequest(suppression_id=asked.suppression_id)
    assert (await client.call("RevokeSuppression", revoke)).suppression.state == pb.SUPPRESSION_STATE_REVOKED
    statistics = await client.call("GetStatistics", pb.GetStatisticsRequest(list_id=entry.list_id))
    assert statistics.suppressions == 0


async def test_an_import_goes_its_whole_way_over_the_messages(client: Client):
    made = await client.call("CreateWatchlist", pb.CreateWatchlistRequest(watchlist=a_list_message()))
    begin = an_import_message()
    begin.list_id, begin.rows = made.watchlist.list_id, 4
    begun = getattr(await client.call("BeginImport", begin), "import")
    assert (begun.state, begun.next_row) == (pb.IMPORT_STATE_STAGING, 1)
    good = an_entry_message()
    bad = proposal(reason_code="R").entry
    rows = [
        pb.ImportRow(row=1, record_id="a", entry=good),
        pb.ImportRow(row=2, record_id="b", entry=bad),
        pb.ImportRow(row=3, record_id="", entry=good),
        pb.ImportRow(
            row=4,
            record_id="d",
            error=pb.RowError(row=9, reason="NO_FACE" + "x" * 99, field="pictures[0]", message="no\0 face"),
        ),
    ]
    staged = await client.call("StageRows", pb.StageRowsRequest(import_id=begin.import_id, rows=rows))
    assert [(each.row, each.reason[:15]) for each in staged.errors] == [
        (2, "INVALID_REQUEST"),
        (3, "INVALID_REQUEST"),
        (4, "NO_FACExxxxxxxx"),
    ]
    assert staged.errors[0].field == "entry"
    assert len(staged.errors[2].reason) == 64
    assert "\0" not in staged.errors[2].message
    assert getattr(staged, "import").errors == 3
    got = await client.call("GetImport", pb.GetImportRequest(import_id=begin.import_id))
    assert list(got.errors) == list(staged.errors)
    assert got.next_page_token == ""
    finish = pb.FinishImportRequest(import_id=begin.import_id, skip_errors=True, dry_run=True)
    assert getattr(await client.call("FinishImport", finish), "import").state == pb.IMPORT_STATE_STAGING
    finish.dry_run = False
    assert getattr(await client.call("FinishImport", finish), "import").state == pb.IMPORT_STATE_PROPOSED
    approve = pb.ApproveImportRequest(import_id=begin.import_id)
    applied = getattr(await client.call("ApproveImport", approve, by=BEN), "import")
    assert (applied.state, applied.added, applied.approved_by.subject) == (
        pb.IMPORT_STATE_APPLIED,
        1,
        BEN.subject,
    )
    entries = (await client.call("ListEntries", pb.ListEntriesRequest(list_id=begin.list_id))).entries
    (entry,) = entries
    assert entry.entry_id not in ("", good.entry_id)
    assert (entry.provenance.import_id, entry.provenance.record_id) == (begin.import_id, "a")
    (result,) = (await client.call("Search", a_search_for(good))).results
    assert {each.entry_id for each in result.candidates} == {entry.entry_id}
    again = pb.BeginImportRequest()
    again.CopyFrom(begin)
    again.import_id = new_id()
    await client.call("BeginImport", again)
    cancelled = await client.call("CancelImport", pb.CancelImportRequest(import_id=again.import_id))
    assert getattr(cancelled, "import").state == pb.IMPORT_STATE_CANCELLED


async def test_errors_of_an_import_are_paged(client: Client):
    made = await client.call("CreateWatchlist", pb.CreateWatchlistRequest(watchlist=a_list_message()))
    begin = an_import_message()
    begin.list_id, begin.rows = made.watchlist.list_id, 600
    await client.call("BeginImport", begin)
    rows = [pb.ImportRow(row=row, record_id=str(row)) for row in range(1, 601)]
    for first in (0, 300):
        request = pb.StageRowsRequest(import_id=begin.import_id, rows=rows[first : first + 300])
        await client.call("StageRows", request)
    seen, token = [], ""
    while True:
        request = pb.GetImportRequest(import_id=begin.import_id, page_token=token)
        page = await client.call("GetImport", request)
        seen.append([each.row for each in page.errors])
        token = page.next_page_token
        if not token:
            break
    assert seen == [list(range(1, 501)), list(range(501, 601))]


async def test_entries_are_exported_and_bundled_over_the_messages():
    partner = Agency("arcadia.test")
    with a_quick_house(partners=(partner,)) as house:
        pool = WorkPool(threads=2, queue=8)
        client = Client(WatchlistServicer(house.use_cases, pool, house.clock))
        entry = await a_list_with_an_entry(client)
        page = await client.call("ExportEntries", pb.ExportEntriesRequest(list_id=entry.list_id))
        assert ([each.entry_id for each in page.entries], page.next_page_token) == ([entry.entry_id], "")
        assert page.version == 3
        assert not page.entries[0].templates
        request = pb.MakeBundleRequest(list_id=entry.list_id, partner=partner.name)
        bundle = await client.call("MakeBundle", request)
        assert (bundle.entries, bundle.version, len(bundle.sha256)) == (1, 3, 32)
        read = pb.ReadBundleRequest(bundle_id=bundle.bundle_id)
        content = (await client.call("ReadBundle", read)).content
        assert len(content) == bundle.size
        read.offset = bundle.size
        assert (await client.call("ReadBundle", read)).content == b""
        pool.close()
    with a_quick_house(agency=partner, partners=(house.agency,)) as theirs:
        pool = WorkPool(threads=2, queue=8)
        client = Client(WatchlistServicer(theirs.use_cases, pool, theirs.clock))
        made = await client.call("CreateWatchlist", pb.CreateWatchlistRequest(watchlist=a_list_message()))
        write = pb.WriteBundleRequest(bundle_id=new_id(), content=content[:100])
        first = await client.call("WriteBundle", write)
        assert (first.offset, first.partner) == (100, "")
        write.offset, write.content, write.last = 100, content[100:], True
        last = await client.call("WriteBundle", write)
        assert (last.offset, last.partner, last.rows) == (len(content), house.agency.name, 1)
        begin = pb.BeginImportRequest(
            import_id=new_id(), list_id=made.watchlist.list_id, bundle_id=write.bundle_id
        )
        begun = getattr(await client.call("BeginImport", begin), "import")
        assert (begun.source, begun.rows) == (house.agency.name, 1)
        while begun.next_row <= begun.rows:
            await asyncio.sleep(0.01)
            got = await client.call("GetImport", pb.GetImportRequest(import_id=begin.import_id))
            begun = getattr(got, "import")
        assert (begun.added, begun.errors) == (1, 0)
        pool.close()


async def test_a_list_is_measured_and_its_statistics_told_over_the_messages(client: Client, house: House):
    entry = await a_list_with_an_entry(client)
    for seed in range(2, 40):
        house.add(an_entry(entry.list_id, templates=(a_template(seed),)))
    measured = await client.call("MeasureWatchlist", pb.MeasureWatchlistRequest(list_id=entry.list_id))
    (own,) = measured.own_scores
    assert (own.entries, own.templates, own.model_id) == (39, 39, MODEL.model_id)
    assert own.measured_at == to_timestamp(NOW)
    statistics = await client.call("GetStatistics", pb.GetStatisticsRequest(list_id=entry.list_id))
    assert list(statistics.own_scores) == [own]
    assert (statistics.names, statistics.documents, statistics.blocks) == (1, 1, 1)
    assert statistics.status.version == measured.version
    assert statistics.index_version == house.keeper.view.version
    assert statistics.status.active_entries == 39


async def test_entries_without_a_model_are_told_with_their_pictures_and_get_templates_of_it(client: Client):
    made = await client.call("CreateWatchlist", pb.CreateWatchlistRequest(watchlist=a_list_message()))
    entry = an_entry_message(made.watchlist.list_id, pictures=[b"one", b"two"])
    await client.call("ProposeEntry", pb.ProposeEntryRequest(entry=entry))
    ask = pb.ListWithoutModelRequest(list_id=entry.list_id, model_id=OTHER_MODEL.model_id)
    (waiting,) = (await client.call("ListWithoutModel", ask)).entries
    assert (waiting.entry_id, list(waiting.pictures)) == (entry.entry_id, [b"one", b"two"])
    other = a_template_message(
        model_id=OTHER_MODEL.model_id,
        dimension=OTHER_MODEL.dimension,
        values=unit_vectors(1, OTHER_MODEL.dimension, 1).tobytes(),
    )
    add = pb.AddTemplatesRequest(entry_id=entry.entry_id, templates=[other])
    answer = await client.call("AddTemplates", add)
    assert (answer.entry.template_count, answer.version) == (2, 3)
    assert len((await client.call("ListWithoutModel", ask)).entries) == 0


async def test_nothing_is_answered_while_the_index_is_built(client: Client, house: House):
    clock = house.clock
    not_loaded = Keeper(house.store, FaissIndex, CALIBRATIONS, clock)
    watchlists = Watchlists(not_loaded, house.meaning, house.pairs.seal)
    with pytest.raises(NotReadyError, match="0 of 0 entries are loaded") as caught:
        watchlists.search([SearchQuery(document=DocumentKey("P", "UTO", "L898902C3"))])
    assert caught.value.code is grpc.StatusCode.UNAVAILABLE
    with pytest.raises(NotReadyError):
        watchlists.create_watchlist(a_list(), Caller(ANNA))
    assert house.keeper.view.version == 0
