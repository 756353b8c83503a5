"""`borderpost watchlist`: what the commands ask the gateway, as whom, and what they show. No service is needed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from borderpost.cli import show, show_watchlist, watchlist_entries, watchlist_lists, watchlist_search
from borderpost.cli.people import LIST_MANAGER, LONG_SECONDS, OFFICER, SECOND_OFFICER
from borderpost.cli.show_matches import candidate_blocks, odds_words
from borderpost.cli.show_record import record_view
from borderpost.cli.watchlist import app
from borderpost.runtime.calls import Actor
from borderpost.runtime.clock import new_id, to_timestamp
from borderpost.runtime.errors import InvalidRequestError
from borderpost.runtime.identity import is_same_person
from borderpost.v1 import decisions_pb2, gateway_pb2, types_pb2, watchlist_pb2
from borderpost.watchlist import measuring
from fakes.decisions import watchlist_events
from fakes.people import FakeGateway
from fakes.terminal import set_columns

LIST_ID, ENTRY_ID, OTHER_ID = new_id(), new_id(), new_id()
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.fixture
def gateway(monkeypatch):
    made = FakeGateway()
    for module in (watchlist_lists, watchlist_entries, watchlist_search):
        monkeypatch.setattr(module, "Person", made.person)
    return made


@pytest.fixture(autouse=True)
def _wide(monkeypatch):
    set_columns(monkeypatch, 300)


def run(*arguments):
    done = CliRunner().invoke(app, arguments)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def shown(*arguments):
    with show.console.capture() as capture:
        done = run(*arguments)
    assert done.exit_code == 0, done.output
    return " ".join(capture.get().split())


def plain(*arguments):
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def shown_help(command):
    return " ".join(run(command, "--help").output.replace("│", " ").split())


def a_list(**changes):
    return watchlist_pb2.Watchlist(
        **{
            "list_id": LIST_ID,
            "name": "Wanted",
            "authority": "Ministry",
            "legal_basis": "Act",
            "category": watchlist_pb2.WATCHLIST_CATEGORY_WANTED,
            "priority": 2,
            "handling_instruction": "Compare by eye.",
            "target_fpir": 0.001,
            **changes,
        }
    )


CREATE = (
    *("create", "--name", "Wanted", "--authority", "Ministry", "--legal-basis", "Act"),
    *("--category", "wanted", "--handling", "Compare"),
)


def test_a_list_is_made_with_all_its_terms(gateway):
    gateway.answers["CreateWatchlist"] = lambda request: watchlist_pb2.CreateWatchlistResponse(
        watchlist=request.watchlist
    )
    terms = "--valid-until 2027-12-31 --retention-days 90 --crossing north --crossing south --name-target-fpir 0.002"
    plain(*CREATE, *terms.split(), "--suppression-people", "1", "--base-rate", "1 in 40,000")
    asked = gateway.one("CreateWatchlist")
    made = asked.request.watchlist
    assert asked.identity == LIST_MANAGER
    assert made.valid_until.ToDatetime(UTC) == datetime(2027, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert (made.retention_days, list(made.crossings)) == (90, ["north", "south"])
    assert (made.target_fpir, made.name_target_fpir) == (0.01, 0.002)
    assert (made.suppression_people, made.assumed_base_rate) == (1, 1 / 40_000)


def test_a_list_that_says_nothing_more_is_made_with_the_defaults_that_the_help_names(gateway):
    gateway.answers["CreateWatchlist"] = lambda request: watchlist_pb2.CreateWatchlistResponse()
    plain(*CREATE)
    made = gateway.one("CreateWatchlist").request.watchlist
    assert not made.HasField("valid_until")
    assert (made.retention_days, made.assumed_base_rate, made.suppression_people) == (30, 0, 2)
    assert not made.crossings
    text = shown_help("create")
    for option, default in (
        ("--retention-days ", "[default: 30]"),
        ("--suppression-people ", "[default: 2]"),
    ):
        _, _, after = text.partition(option)
        assert default in after.partition("--")[0]


@pytest.mark.parametrize("text", ["40000", "1 in 0", "2 in 5", "1 in many", "1 in 0.5"])
def test_a_base_rate_that_is_none_is_a_wrong_command_line(gateway, text):
    assert run(*CREATE, "--base-rate", text).exit_code == 2
    assert not gateway.asked


def test_changing_a_list_sends_all_of_it_and_changes_what_was_named_alone(gateway):
    before = a_list(crossings=["north"], retention_days=30, suppression_people=2)
    before.valid_until.CopyFrom(to_timestamp(NOW))
    status = watchlist_pb2.WatchlistStatus(watchlist=before)
    gateway.answers["ListWatchlists"] = lambda _: watchlist_pb2.ListWatchlistsResponse(watchlists=[status])
    gateway.answers["ChangeWatchlist"] = lambda request: watchlist_pb2.ChangeWatchlistResponse(
        watchlist=request.watchlist, version=9
    )
    text = shown("change", "--list", "Wanted", "--target-fpir", "0.01", "--base-rate", "1 in 500")
    assert "from version 9 on" in text
    assert "1 in 500 travelers" in text
    asked = gateway.one("ChangeWatchlist").request.watchlist
    assert asked == a_list(
        crossings=["north"],
        retention_days=30,
        suppression_people=2,
        valid_until=to_timestamp(NOW),
        target_fpir=0.01,
        assumed_base_rate=1 / 500,
    )
    gateway.asked.clear()
    plain("change", "--list", LIST_ID, "--no-end", "--all-crossings", "--retention-days", "0")
    assert gateway.one("ChangeWatchlist").request.watchlist == a_list(suppression_people=2)


def test_a_list_that_isnt_there_cant_be_changed(gateway):
    gateway.answers["ListWatchlists"] = lambda _: watchlist_pb2.ListWatchlistsResponse()
    with pytest.raises(InvalidRequestError, match=r"^--list: 0 lists have this id"):
        run("change", "--list", LIST_ID, "--priority", "1")


def statistics():
    answer = watchlist_pb2.GetStatisticsResponse(
        names=3,
        documents=1,
        suppressions=2,
        blocks=4,
        tombstones=1,
        index_version=21,
        as_of=to_timestamp(NOW),
    )
    answer.status.CopyFrom(
        watchlist_pb2.WatchlistStatus(
            watchlist=a_list(),
            active_entries=1_000_000,
            proposed_entries=2,
            ended_entries=3,
            version=17,
            changed_at=to_timestamp(NOW),
        )
    )
    answer.status.thresholds.add(
        score=0.71,
        target_supported=False,
        templates=1_000_000,
        calibration_id="c1",
        model_id="net-v1",
        comparisons=2e6,
        factor=2.0,
        expected_fpir=0.032,
    )
    answer.status.thresholds.add(
        score=0.5, target_supported=True, templates=10, calibration_id="c2", model_id="net-v2", comparisons=10
    )
    answer.status.thresholds.add(model_id="net-v3")
    own = answer.own_scores.add(
        model_id="net-v1",
        templates=1_000_000,
        entries=900_000,
        comparisons=5_000_000,
        reaching=31,
        score=0.68,
        factor=2.0,
        version=16,
        measured_at=to_timestamp(NOW),
    )
    for _ in range(12):
        own.alike.add(entry_id=ENTRY_ID, other_entry_id=OTHER_ID, score=types_pb2.Score(value=0.93))
    answer.name_threshold.CopyFrom(
        watchlist_pb2.NameThreshold(score=9.5, target_supported=False, names=3, calibration_id="names-1")
    )
    return answer


def test_the_statistics_of_a_list_say_what_its_thresholds_rest_on_and_what_they_cant_hold(gateway):
    gateway.answers["GetStatistics"] = lambda _: statistics()
    text = shown("stats", "--list", LIST_ID)
    for words in (
        "1,000,000 active, 2 proposed, 3 ended",
        "3 names, 1 document; 2 suppressions in force",
        "this model can't hold 0.1 % at 1,000,000 templates: expect up to 3.2 %",
        "two of its entries match falsely 2.00 times as often",
        "a search counts as 2,000,000 comparisons",
        "the target of 0.1 % false alarms per traveler is kept",
        "face, net-v3 no templates yet",
        "its own scores were not measured, or it is too small to tell",
        "31 reached 0.6800",
        "12 pairs of entries may be one person",
        f"{ENTRY_ID} and {OTHER_ID}: 0.930",
        "and 2 more",
        "the calibration can't hold 0.1 % at 3 names",
        "4 blocks, 1 template removed and not yet merged away",
        "17 of 2026-11-24 12:00:00 UTC; all lists together 21, as of 2026-11-24 12:00:00 UTC",
        "1 in 100,000 travelers is on it",
        "takes 2 officers",
    ):
        assert words in text, words


def test_lists_say_which_targets_they_cant_hold(gateway):
    answer = watchlist_pb2.ListWatchlistsResponse(watchlists=[statistics().status])
    gateway.answers["ListWatchlists"] = lambda _: answer
    text = shown("lists")
    assert "1,000,000 active net-v1:" in text
    assert "0.710 at 1,000,000 templates" in text
    assert "net-v2: 0.500 at 10 templates" in text
    assert "expect up to 3.2 %" in text
    assert "net-v3: no templates yet" in text


def test_lists_lose_nothing_on_a_narrow_terminal(gateway, monkeypatch):
    answer = watchlist_pb2.ListWatchlistsResponse(watchlists=[statistics().status])
    gateway.answers["ListWatchlists"] = lambda _: answer
    wide = shown("lists").replace("─", "")
    set_columns(monkeypatch, 80)
    assert set(wide.split()) <= set(narrow("lists").split())


def test_where_there_is_no_list_it_says_how_to_make_one(gateway):
    gateway.answers["ListWatchlists"] = lambda _: watchlist_pb2.ListWatchlistsResponse()
    text = shown("lists")
    assert text.startswith("There is no list yet. Make one with: borderpost watchlist create --name")


def test_the_statistics_cut_the_digest_of_a_calibration(gateway):
    answer = statistics()
    answer.name_threshold.calibration_id = answer.status.thresholds[0].calibration_id = "0123456789abcdef" * 4
    gateway.answers["GetStatistics"] = lambda _: answer
    text = shown("stats", "--list", LIST_ID)
    assert text.count("by calibration 0123456789ab ") == 2
    assert "0123456789abc" not in text


def test_measuring_has_the_time_that_a_whole_list_takes(gateway):
    answer = watchlist_pb2.MeasureWatchlistResponse(own_scores=statistics().own_scores, version=18)
    gateway.answers["MeasureWatchlist"] = lambda _: answer
    assert "18: from here on the thresholds rest on this" in shown("measure", "--list", LIST_ID)
    assert gateway.one("MeasureWatchlist").seconds == LONG_SECONDS


def test_a_list_that_is_too_small_to_measure_says_from_how_many_entries_it_is(gateway):
    gateway.answers["MeasureWatchlist"] = lambda _: watchlist_pb2.MeasureWatchlistResponse(version=18)
    text = shown("measure", "--list", LIST_ID)
    assert "too small to measure: fewer than 25 entries with a face" in text
    assert "thresholds rest on this" not in text
    answer = statistics()
    answer.ClearField("own_scores")
    gateway.answers["GetStatistics"] = lambda _: answer
    assert "own scores not measured yet, or too small to measure" in shown("stats", "--list", LIST_ID)
    answer.status.active_entries = 24
    assert "own scores too small to measure: fewer than 25" in shown("stats", "--list", LIST_ID)


def test_the_cli_and_the_service_agree_on_the_least_entries_that_are_measured():
    assert show_watchlist.LEAST_ENTRIES == measuring.LEAST_ENTRIES


def test_an_entry_is_proposed_with_everything_that_is_known_of_the_person(gateway, tmp_path):
    picture = tmp_path / "face.jpg"
    picture.write_bytes(b"\xff\xd8face")
    gateway.answers["EnrolEntry"] = lambda request: gateway_pb2.EnrolEntryResponse(entry=request.entry)
    plain(
        *("add", "--list", LIST_ID, "--reason", "A1", "--source", "1/26", "--valid-until", "2027-12-31"),
        *("--picture", str(picture), "--keep-pictures", "--surname", "Ivanov", "--given", "Ivan"),
        *("--native", "Иванов Иван", "--sex", "m", "--nationality", "uto", "--nationality", "XXA"),
        *("--born", "1980-XX-XX", "--document", "P:UTO:L1"),
    )
    asked = gateway.one("EnrolEntry").request
    assert (asked.keep_pictures, list(asked.pictures)) == (True, [b"\xff\xd8face"])
    [name] = asked.entry.names
    assert (name.primary_identifier, name.native) == ("Ivanov", "Иванов Иван")
    assert (asked.entry.sex, list(asked.entry.nationalities)) == ("M", ["UTO", "XXA"])
    assert asked.entry.birth_date == types_pb2.PartialDate(year=1980)


def test_who_proposes_is_told_how_a_second_person_looks_and_approves(gateway):
    entry = watchlist_pb2.Entry(entry_id=ENTRY_ID)
    gateway.answers["EnrolEntry"] = lambda _: gateway_pb2.EnrolEntryResponse(entry=entry)
    command = ("add", "--list", LIST_ID, "--reason", "A1", "--source", "1/26", "--valid-until", "2027-12-31")
    text = shown(*command, "--document", "P:UTO:L1")
    assert text.index(f"watchlist show {ENTRY_ID}") < text.index(f"watchlist approve {ENTRY_ID}")


def an_entry(state, **changes):
    return watchlist_pb2.Entry(
        **{
            "entry_id": ENTRY_ID,
            "list_id": LIST_ID,
            "state": watchlist_pb2.EntryState.Value(f"ENTRY_STATE_{state}"),
            "names": [
                watchlist_pb2.PersonName(
                    primary_identifier="Ivanov", secondary_identifier="Ivan", native="Иванов Иван"
                ),
                watchlist_pb2.PersonName(primary_identifier="Petrov"),
            ],
            "birth_date": types_pb2.PartialDate(year=1980, month=7),
            "documents": [types_pb2.DocumentKey(document_code="P", issuing_state="UTO", number="L1")],
            "sex": "M",
            "nationalities": ["UTO", "XXA"],
            "reason_code": "A1",
            "source_reference": "4711/26",
            "picture_count": 2,
            "template_count": 1,
            "valid_from": to_timestamp(NOW),
            "valid_until": to_timestamp(NOW + timedelta(days=60)),
            "proposed_by": types_pb2.Actor(subject=LIST_MANAGER),
            "provenance": watchlist_pb2.Provenance(
                source="Partner", record_id="r7", import_id=OTHER_ID, content_sha256=b"x" * 32
            ),
            **changes,
        }
    )


def with_the_list(gateway, **changes):
    status = watchlist_pb2.WatchlistStatus(watchlist=a_list(**changes))
    gateway.answers["ListWatchlists"] = lambda _: watchlist_pb2.ListWatchlistsResponse(watchlists=[status])


def narrow(*arguments):
    """The page as it is, on a terminal of 80 columns."""
    with show.console.capture() as capture:
        assert run(*arguments).exit_code == 0
    page = capture.get()
    assert max(map(len, page.splitlines())) <= 80
    return page


EVERYTHING = (
    *(
        ENTRY_ID,
        "Wanted; Ministry",
        "Ivanov, Ivan (Иванов Иван)",
        "Petrov",
        "1980-07-XX",
        "M",
        "UTO, XXA",
        "P:UTO:L1",
    ),
    *("1 template, 2 pictures kept", "A1", "4711/26", "from 2026-11-24 until 2027-01-23", LIST_MANAGER),
    *("from Partner, record r7", f"import {OTHER_ID}"),
)


def test_an_entrys_page_says_all_that_an_approver_has_to_know_on_80_columns(gateway, monkeypatch):
    set_columns(monkeypatch, 80)
    with_the_list(gateway)
    gateway.answers["GetEntry"] = lambda _: watchlist_pb2.GetEntryResponse(entry=an_entry("PROPOSED"))
    page = narrow("show", ENTRY_ID)
    for words in (*EVERYTHING, "proposed: not searched before a second person approves it"):
        assert words in page, words
    kept = plain("show", ENTRY_ID)["entry"]
    assert kept["provenance"]["import_id"] == OTHER_ID


def test_what_is_not_known_of_an_entry_is_said_to_be_unknown(gateway):
    with_the_list(gateway)
    entry = watchlist_pb2.Entry(entry_id=ENTRY_ID, list_id=LIST_ID, state=watchlist_pb2.ENTRY_STATE_ACTIVE)
    gateway.answers["GetEntry"] = lambda _: watchlist_pb2.GetEntryResponse(entry=entry)
    text = shown("show", ENTRY_ID)
    for words in ("name no name", "born not known", "sex not known", "document none", "approved by nobody"):
        assert words in text, words


@pytest.mark.parametrize(
    ("entry", "retention", "says"),
    [
        (an_entry("ACTIVE"), 30, "active until 2027-01-23"),
        (an_entry("APPROVED"), 30, "approved: searched from 2026-11-24 until 2027-01-23"),
        (an_entry("EXPIRED"), 30, "expired on 2027-01-23, kept until 2027-02-22"),
        (
            an_entry("WITHDRAWN", withdrawn_at=to_timestamp(NOW)),
            30,
            "withdrawn on 2026-11-24, kept until 2026-12-24",
        ),
        (
            an_entry("WITHDRAWN", withdrawn_at=to_timestamp(NOW)),
            0,
            "withdrawn on 2026-11-24, and about to be erased",
        ),
    ],
)
def test_an_entry_says_when_it_ended_and_until_when_it_is_kept(gateway, entry, retention, says):
    with_the_list(gateway, retention_days=retention)
    gateway.answers["GetEntry"] = lambda _: watchlist_pb2.GetEntryResponse(entry=entry)
    assert says in shown("show", ENTRY_ID)


def pages_of_entries(request):
    pages = {
        "": watchlist_pb2.ListEntriesResponse(entries=[an_entry("ACTIVE")]),
        "2": watchlist_pb2.ListEntriesResponse(entries=[an_entry("PROPOSED", entry_id=OTHER_ID)]),
    }
    pages[""].next_page_token = list(pages)[1]
    return pages[request.page_token]


def test_a_list_shows_what_is_most_telling_of_each_entry_on_80_columns(gateway, monkeypatch):
    set_columns(monkeypatch, 80)
    with_the_list(gateway)
    gateway.answers["ListEntries"] = pages_of_entries
    page = narrow("list", "--list", "Wanted")
    for words in (
        ENTRY_ID,
        "Ivanov, Ivan (Иванов Иван)",
        "born 1980-07-XX",
        "P:UTO:L1",
        "4711/26",
        "active until",
    ):
        assert words in page, words
    assert page.count("approved with its import:") == 1


def test_a_list_shows_those_entries_alone_that_stand_as_asked(gateway):
    with_the_list(gateway)
    gateway.answers["ListEntries"] = pages_of_entries
    for state, found in (("proposed", [OTHER_ID]), ("active", [ENTRY_ID]), ("withdrawn", [])):
        kept = plain("list", "--list", "Wanted", "--state", state)["entries"]
        assert [entry["entry_id"] for entry in kept] == found
    assert "There is no entry that is withdrawn." in shown("list", "--list", "Wanted", "--state", "withdrawn")


@pytest.mark.parametrize("arguments", [("--state", "proposed"), ("--list", LIST_ID, "--state", "gone")])
def test_a_state_wants_a_list_and_a_name_that_there_is(gateway, arguments):
    assert run("list", *arguments).exit_code == 2
    assert not gateway.asked


def test_approving_shows_what_was_approved_and_from_when_it_is_searched(gateway):
    with_the_list(gateway)
    for state, says in (
        ("ACTIVE", "Approved: it is searched, from version 4 of its list at the latest."),
        ("APPROVED", "Approved: it is searched from 2026-11-24 12:00:00 UTC on."),
    ):
        answer = watchlist_pb2.ApproveEntryResponse(entry=an_entry(state), version=4)
        gateway.answers["ApproveEntry"] = lambda _, answer=answer: answer
        text = shown("approve", ENTRY_ID)
        for words in (says, *EVERYTHING):
            assert words in text, words


@pytest.mark.parametrize("state", ["WITHDRAWN", "EXPIRED", "PROPOSED"])
def test_approving_what_is_then_not_in_force_says_so_and_is_an_error(gateway, state):
    with_the_list(gateway)
    answer = watchlist_pb2.ApproveEntryResponse(entry=an_entry(state, withdrawn_at=to_timestamp(NOW)))
    gateway.answers["ApproveEntry"] = lambda _: answer
    with show.console.capture() as capture:
        assert run("approve", ENTRY_ID).exit_code == 1
    assert f"This did nothing: the entry is {state.lower()}, and not searched." in capture.get()
    assert run("approve", ENTRY_ID, "--json").exit_code == 1


@pytest.mark.parametrize(
    ("retention", "says"),
    [
        (30, "It is kept until 2026-12-24, and then erased."),
        (0, "It is erased now: the list keeps nothing after its end."),
    ],
)
def test_an_entry_is_withdrawn_and_it_says_what_happens_next(gateway, retention, says):
    with_the_list(gateway, retention_days=retention)
    gateway.answers["WithdrawEntry"] = lambda _: watchlist_pb2.WithdrawEntryResponse(
        entry=an_entry("WITHDRAWN", withdrawn_at=to_timestamp(NOW)), version=4
    )
    assert f"Withdrawn: not searched from version 4 of its list. {says}" in shown("withdraw", ENTRY_ID)
    assert gateway.one("WithdrawEntry").request.entry_id == ENTRY_ID


def test_an_entry_is_removed_and_it_says_that_it_is_erased(gateway):
    gateway.answers["RemoveEntry"] = lambda _: watchlist_pb2.RemoveEntryResponse(version=4)
    assert "it is erased, and its key destroyed. The list is at version 4." in shown("remove", ENTRY_ID)


def test_pictures_are_got_for_a_purpose_and_written_for_their_owner_alone(gateway, tmp_path):
    made = [b"\xff\xd8a", b"\x89PNGb", b"\0\0\0\x0cjP"]
    gateway.answers["GetPictures"] = lambda _: watchlist_pb2.GetPicturesResponse(pictures=made)
    out = tmp_path / "hit"
    out.mkdir()
    (out / f"{ENTRY_ID}-1.jpg").write_bytes(b"an older one that anybody can read")
    shown("pictures", ENTRY_ID, "--out", str(out), "--purpose", "a hit")
    files = sorted(out.iterdir())
    assert [file.suffix for file in files] == [".jpg", ".png", ".jp2"]
    assert [file.read_bytes() for file in files] == made
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert (gateway.one("GetPictures").purpose, gateway.one("GetPictures").identity) == ("a hit", OFFICER)
    assert run("pictures", ENTRY_ID, "--out", str(out)).exit_code == 2


def test_an_entry_without_pictures_says_so(gateway, tmp_path):
    gateway.answers["GetPictures"] = lambda _: watchlist_pb2.GetPicturesResponse()
    assert "No picture is kept" in shown("pictures", ENTRY_ID, "--out", str(tmp_path), "--purpose", "a hit")


def test_migrating_goes_through_all_pages_and_names_what_needs_a_new_picture(gateway):
    pages = {
        "": gateway_pb2.MigrateEntriesResponse(model_id="net-v2", migrated=["a", "b"], without_picture=["c"]),
        "net-v2 2": gateway_pb2.MigrateEntriesResponse(model_id="net-v2", migrated=["d"], unusable=["e"]),
    }
    pages[""].next_page_token = list(pages)[1]
    gateway.answers["MigrateEntries"] = lambda request: pages[request.page_token]
    text = shown("migrate", "--list", LIST_ID)
    assert text.startswith("3 entries migrated to net-v2.")
    assert "1 entry without a picture that is kept: c" in text
    assert "1 entry without a picture that shows the engine a face: e" in text
    assert plain("migrate", "--list", LIST_ID) == {
        "model_id": "net-v2",
        "migrated": ["a", "b", "d"],
        "without_picture": ["c"],
        "unusable": ["e"],
    }


def a_candidate(**changes):
    return watchlist_pb2.Candidate(
        **{"entry_id": ENTRY_ID, "kind": watchlist_pb2.MATCH_KIND_NAME, "pair": b"sealed", **changes}
    )


def found(*candidates, searched_by=("NAME", "DOCUMENT")):
    kinds = [watchlist_pb2.MatchKind.Value(f"MATCH_KIND_{kind}") for kind in searched_by]
    result = watchlist_pb2.ListResult(
        watchlist=a_list(),
        version=5,
        changed_at=to_timestamp(NOW),
        entries_searched=1234,
        candidates=candidates,
        name_threshold=watchlist_pb2.NameThreshold(score=9.5),
    )
    return watchlist_pb2.SearchResponse(
        results=[result], version=21, searched_by=kinds, as_of=to_timestamp(NOW)
    )


SEARCH = ("search", "--surname", "Eriksson", "--given", "Anna", "--purpose", "second line")


def test_an_officers_search_explains_its_candidates(gateway):
    name = watchlist_pb2.NameMatch(
        swapped=True,
        birth_date=watchlist_pb2.DATE_AGREEMENT_SWAPPED,
        score=11.25,
        fmr=1e-6,
        fmr_is_upper_bound=True,
    )
    name.parts.add(given="ERIKSSON", listed="ERIKSON", agreement=watchlist_pb2.PART_AGREEMENT_EDIT)
    name.parts.add(given="ANNA", agreement=watchlist_pb2.PART_AGREEMENT_MISSING_THERE)
    odds = watchlist_pb2.AlertOdds(probability=0.025, assumed_base_rate=1e-5, fpir=0.001)
    gateway.answers["Search"] = lambda _: found(a_candidate(name=name, odds=odds), searched_by=("NAME",))
    text = shown(*SEARCH, "--born", "1974-08-12", "--document", "P:UTO:L1", "--list", LIST_ID)
    for words in (
        "by name: name score 11.25 (threshold 9.50): at most 1 in 1,000,000 pairs of different people agree like this",
        "the traveler's / the list's: ERIKSSON / ERIKSON: a letter or two otherwise",
        "ANNA / –: not in the entry's name",
        "surname and given names stand the other way round",
        "day and month exchanged",
        "about 1 in 40 such alerts is right, at best: were nobody missed, and 1 in 100,000 travelers on this list",
        "0.1 % of the others give such an alert",
        "Compare by eye.",
        "NOT SEARCHED by document",
        "as of 2026-11-24 12:00:00 UTC, version 21 of all lists",
    ):
        assert words in text, words
    asked = gateway.one("Search")
    assert (asked.identity, asked.purpose) == (OFFICER, "second line")
    assert asked.request == watchlist_pb2.SearchRequest(
        name=watchlist_pb2.PersonName(primary_identifier="Eriksson", secondary_identifier="Anna"),
        birth_date=types_pb2.PartialDate(year=1974, month=8, day=12),
        document=types_pb2.DocumentKey(document_code="P", issuing_state="UTO", number="L1"),
        list_ids=[LIST_ID],
    )


def test_nobody_is_an_answer_with_how_many_were_searched_and_how_old_it_is(gateway):
    gateway.answers["Search"] = lambda _: found()
    text = shown(*SEARCH)
    assert "nobody among 1,234 entries, version 5 of 2026-11-24 12:00:00 UTC" in text
    assert "NOT SEARCHED" not in text
    gateway.answers["Search"] = lambda _: watchlist_pb2.SearchResponse()
    assert "no list that you may search" in shown(*SEARCH)


def test_a_similar_number_says_which_character_and_a_suppressed_pair_that_it_is_one(gateway):
    number = watchlist_pb2.NumberMatch(position=1, given="O", listed="0")
    similar = a_candidate(kind=watchlist_pb2.MATCH_KIND_DOCUMENT, number=number)
    exact = a_candidate(kind=watchlist_pb2.MATCH_KIND_DOCUMENT, number=watchlist_pb2.NumberMatch(exact=True))
    mark = watchlist_pb2.SuppressionMark(suppression_id=OTHER_ID, expires_at=to_timestamp(NOW))
    gateway.answers["Search"] = lambda _: found(similar, exact, a_candidate(suppressed=mark))
    text = shown(*SEARCH)
    assert "differs in character 2: O here, 0 on the list, which readers take for one another" in text
    assert "the document number is the listed one" in text
    assert "SUPPRESSED until 2026-11-24: officers found that the document's holder is not this person" in text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--given", "Anna", "--born", "1974-XX-XX"), "a name without a full birth date can be too common"),
        (("--born", "1974-08-12"), "can be too common for this list to alarm: add given names"),
        ((), "a name without given names and a full birth date can be too common"),
        (("--given", "Anna", "--born", "1974-08-12"), ""),
    ],
)
def test_nobody_by_a_name_that_says_little_tells_what_to_add(gateway, arguments, says):
    by_document = a_candidate(kind=watchlist_pb2.MATCH_KIND_DOCUMENT)
    command = ("search", "--surname", "Eriksson", *arguments, "--purpose", "second line")
    for answer in (found(), found(by_document)):
        gateway.answers["Search"] = lambda _, answer=answer: answer
        text = shown(*command)
        assert says in text
        assert says or "too common" not in text
    gateway.answers["Search"] = lambda _: found(a_candidate())
    assert "too common" not in shown(*command)
    gateway.answers["Search"] = lambda _: found()
    assert "too common" not in shown("search", "--document", "P:UTO:L1", "--purpose", "second line")


def ways():
    mark = watchlist_pb2.SuppressionMark(suppression_id=OTHER_ID, expires_at=to_timestamp(NOW))
    score = types_pb2.Score(value=0.7, fmr_upper_95=1e-6)
    return (
        a_candidate(kind=watchlist_pb2.MATCH_KIND_FACE, score=score, suppressed=mark),
        a_candidate(
            kind=watchlist_pb2.MATCH_KIND_NAME, name=watchlist_pb2.NameMatch(score=11), suppressed=mark
        ),
        a_candidate(kind=watchlist_pb2.MATCH_KIND_DOCUMENT, number=watchlist_pb2.NumberMatch(exact=True)),
    )


def test_an_entry_found_in_several_ways_is_one_block_with_one_instruction(gateway):
    face, name, document = ways()
    other = a_candidate(entry_id=OTHER_ID)
    result = found(face, other, document, name).results[0]
    one, two = candidate_blocks(result)
    assert OTHER_ID in two.splitlines()[1]
    assert one.count(ENTRY_ID) == one.count("→ Compare by eye.") == 1
    assert "by face: score 0.700 (threshold 0.000 for this search)" in one
    assert one.index("by face:") < one.index("by document:") < one.index("by name:")
    assert one.count("SUPPRESSED") == 2  # of the face and of the name; the document refers


def test_a_suppressed_entry_has_no_instruction_and_one_mark():
    face, name, _ = ways()
    [block] = candidate_blocks(found(face, name).results[0])
    assert block.count("SUPPRESSED") == 1
    assert "→" not in block


def test_a_search_without_a_purpose_or_without_anything_to_search_by_is_a_wrong_command_line(gateway):
    assert run("search", "--surname", "Eriksson").exit_code == 2
    assert run("search", "--born", "1974-08-12", "--purpose", "x").exit_code == 2
    assert not gateway.asked


def a_suppression(state, **changes):
    return watchlist_pb2.Suppression(
        **{
            "suppression_id": OTHER_ID,
            "entry_id": ENTRY_ID,
            "document": types_pb2.DocumentKey(document_code="P", issuing_state="UTO", number="L1"),
            "reason": "Namesake",
            "proposed_by": types_pb2.Actor(subject=OFFICER),
            "proposed_at": to_timestamp(NOW),
            "expires_at": to_timestamp(NOW + timedelta(days=30)),
            "state": watchlist_pb2.SuppressionState.Value(f"SUPPRESSION_STATE_{state}"),
            **changes,
        }
    )


SUPPRESS = ("suppress", "--reason", "Namesake", "--until", "2027-06-30")


def test_a_pair_can_be_suppressed_from_a_file(gateway, tmp_path):
    file = tmp_path / "pair"
    file.write_bytes(b"sealed")
    gateway.answers["ProposeSuppression"] = lambda _: watchlist_pb2.ProposeSuppressionResponse(
        suppression=a_suppression("PROPOSED")
    )
    text = shown(*SUPPRESS, "--pair", str(file))
    assert f"borderpost watchlist suppress-confirm {OTHER_ID}" in text
    asked = gateway.one("ProposeSuppression")
    assert (asked.identity, asked.request.pair, asked.request.reason) == (OFFICER, b"sealed", "Namesake")
    assert asked.request.expires_at.ToDatetime(UTC) == datetime(2027, 6, 30, 23, 59, 59, tzinfo=UTC)


def a_record(*candidates):
    payload = decisions_pb2.ScreeningPayload(watchlists=found(*candidates).results)
    return decisions_pb2.GetScreeningResponse(payload=payload)


def test_the_pair_is_taken_from_the_record_of_a_screening_as_an_officer_sees_it(gateway):
    request_id = new_id()
    by_document = a_candidate(kind=watchlist_pb2.MATCH_KIND_DOCUMENT, pair=b"")
    gateway.answers["GetScreening"] = lambda _: a_record(
        a_candidate(entry_id=OTHER_ID, pair=b"another's"), by_document, a_candidate()
    )
    gateway.answers["ProposeSuppression"] = lambda _: watchlist_pb2.ProposeSuppressionResponse(
        suppression=a_suppression("ACTIVE")
    )
    text = shown(*SUPPRESS, "--screening", request_id, "--entry", ENTRY_ID)
    assert f"Suppression {OTHER_ID} is active, until 2026-12-24." in text
    asked = gateway.one("GetScreening")
    assert (asked.identity, asked.request.request_id) == (OFFICER, request_id)
    assert ENTRY_ID in asked.purpose
    assert gateway.one("ProposeSuppression").request.pair == b"sealed"


@pytest.mark.parametrize(
    ("record", "says"),
    [
        (a_record(), "has no such candidate"),
        (decisions_pb2.GetScreeningResponse(), "has no such candidate"),
        (a_record(a_candidate(pair=b"")), "can't be suppressed"),
    ],
)
def test_a_screening_without_such_a_pair_says_so(gateway, record, says):
    gateway.answers["GetScreening"] = lambda _: record
    with pytest.raises(InvalidRequestError, match=f"^--entry: .*{says}"):
        run(*SUPPRESS, "--screening", new_id(), "--entry", ENTRY_ID)


@pytest.mark.parametrize(
    "arguments", [(), ("--screening", "x"), ("--entry", "x"), ("--pair", __file__, "--screening", "x")]
)
def test_a_suppression_wants_one_pair(gateway, arguments):
    assert run(*SUPPRESS, *arguments).exit_code == 2
    assert not gateway.asked


def test_a_suppression_is_confirmed_by_another_person_and_revoked_by_anyone(gateway):
    gateway.answers["ConfirmSuppression"] = lambda _: watchlist_pb2.ConfirmSuppressionResponse(
        suppression=a_suppression("ACTIVE")
    )
    gateway.answers["RevokeSuppression"] = lambda _: watchlist_pb2.RevokeSuppressionResponse(
        suppression=a_suppression("REVOKED")
    )
    assert "is active" in shown("suppress-confirm", OTHER_ID)
    assert "is revoked: the pair refers." in shown("suppress-revoke", OTHER_ID)
    confirmed = gateway.one("ConfirmSuppression")
    assert confirmed.identity == SECOND_OFFICER
    assert not is_same_person(Actor("d", confirmed.identity), Actor("d", OFFICER))


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ("REVOKED", "is revoked: the pair refers."),
        ("EXPIRED", "is expired: the pair refers."),
        ("OUTDATED", "is outdated, as the entry's templates changed: the pair refers."),
    ],
)
def test_confirming_a_suppression_that_has_ended_says_that_it_did_nothing_and_is_an_error(
    gateway, state, says
):
    answer = watchlist_pb2.ConfirmSuppressionResponse(suppression=a_suppression(state))
    gateway.answers["ConfirmSuppression"] = lambda _: answer
    with show.console.capture() as capture:
        assert run("suppress-confirm", OTHER_ID).exit_code == 1
    assert " ".join(capture.get().split()) == f"This did nothing. Suppression {OTHER_ID} {says}"
    assert run("suppress-confirm", OTHER_ID, "--json").exit_code == 1


def test_suppressions_show_who_found_what_and_until_when(gateway):
    one = a_suppression(
        "REVOKED",
        confirmed_by=types_pb2.Actor(subject=SECOND_OFFICER),
        revoked_by=types_pb2.Actor(subject=LIST_MANAGER),
    )
    pages = {
        "": watchlist_pb2.ListSuppressionsResponse(suppressions=[one]),
        "2": watchlist_pb2.ListSuppressionsResponse(suppressions=[a_suppression("OUTDATED")]),
    }
    pages[""].next_page_token = list(pages)[1]
    gateway.answers["ListSuppressions"] = lambda request: pages[request.page_token]
    text = shown("suppressions", "--list", LIST_ID, "--entry", ENTRY_ID)
    for words in (
        "revoked, its end would have been 2026-12-24",
        f"proposed by {OFFICER}",
        f"confirmed by {SECOND_OFFICER}",
        f"revoked by {LIST_MANAGER}",
        "P:UTO:L1",
        "Namesake",
        "outdated, its end would have been",
    ):
        assert words in text, words
    assert len(plain("suppressions", "--list", LIST_ID)["suppressions"]) == 2
    gateway.answers["ListSuppressions"] = lambda _: watchlist_pb2.ListSuppressionsResponse()
    assert "There is none." in shown("suppressions", "--list", LIST_ID)


def test_every_event_of_the_watchlist_is_shown_in_the_log_with_what_it_is_about():
    events = watchlist_events()
    with show.console.capture() as capture:
        entries = [decisions_pb2.LogEntry(event=event) for event in events.values()]
        show.console.print(show.events_view(entries))
    text = " ".join(capture.get().split())
    for name in events:
        assert name.replace("_", " ") in text
    for words in (
        "withdrawn",
        "retention",
        "thresholds",
        "factor 1.50",
        "applied",
        "1,000 added, 1,000 removed or replaced",
        "pictures",
        "1,000 lists by face, name: 3 candidates",
        "proposed",
        events["watchlist_suppression_changed"].watchlist_suppression_changed.suppression_id,
    ):
        assert words in text, words


def test_a_change_of_a_list_is_shown_with_what_it_was_and_is():
    changed = decisions_pb2.WatchlistChanged(list_id=LIST_ID, what="DESCRIPTION")
    changed.changes.add(field="suppression_people", before="2", after="1")
    changed.changes.add(field="crossings", before="north")
    words = show.watchlist_event_words(decisions_pb2.Event(watchlist_changed=changed), "watchlist_changed")
    assert words == f"description\n{LIST_ID}\nsuppression_people: 2 → 1\ncrossings: north → –"


def test_an_event_says_to_whom_a_bundle_went_and_what_for():
    bundle = decisions_pb2.WatchlistExported(list_id=LIST_ID, what="BUNDLE", partner="Arcadia", entries=7)
    event = decisions_pb2.Event(watchlist_exported=bundle, purpose="treaty, article 4")
    words = show.watchlist_event_words(event, "watchlist_exported")
    assert words == f"bundle\n{LIST_ID}\n7 entries to Arcadia\nfor: treaty, article 4"


@pytest.mark.parametrize(
    ("probability", "says"),
    [
        (0.025, "about 1 in 40 such alerts is right"),
        (0.0249, "about 1 in 41 such alerts is right"),
        (0.5, "about 1 in 2 such alerts is right"),
        (0.879, "about 87 % of such alerts are right"),
        (0.0, "no such alert is right"),
    ],
)
def test_the_odds_of_an_alert_are_never_rounded_to_better_ones(probability, says):
    odds = watchlist_pb2.AlertOdds(probability=probability, assumed_base_rate=1e-4, fpir=0.01)
    assert odds_words(odds).startswith(f"{says}, at best: were nobody missed, and 1 in 10,000 travelers")
    odds.is_bound = True
    assert odds_words(odds).startswith(f"{says}, or more of them: were nobody missed")


def test_a_check_that_passed_in_spite_of_a_suppressed_candidate_says_so_in_the_record():
    record = decisions_pb2.GetScreeningResponse()
    record.entry.event.traveler_screened.checks.add(
        name="WATCHLIST_FACE",
        status=types_pb2.CHECK_STATUS_PASSED,
        reasons=["WATCHLIST_CANDIDATE_SUPPRESSED"],
    )
    with show.console.capture() as capture:
        show.console.print(record_view(record))
    assert "WATCHLIST_FACE passed (WATCHLIST_CANDIDATE_SUPPRESSED)" in " ".join(capture.get().split())


def test_a_check_that_found_a_candidate_says_in_the_record_that_this_is_what_failed_means():
    record = decisions_pb2.GetScreeningResponse()
    checks = record.entry.event.traveler_screened.checks
    checks.add(name="WATCHLIST_FACE", status=types_pb2.CHECK_STATUS_FAILED)
    checks.add(name="LIVENESS", status=types_pb2.CHECK_STATUS_FAILED)
    left_out = ["WATCHLIST_CANDIDATES_LEFT_OUT"]  # by what they were found isn't known
    checks.add(name="WATCHLIST_NAME", status=types_pb2.CHECK_STATUS_FAILED, reasons=left_out)
    with show.console.capture() as capture:
        show.console.print(record_view(record))
    text = " ".join(capture.get().split())
    assert "WATCHLIST_FACE failed (a candidate was found) LIVENESS failed" in text
    assert "WATCHLIST_NAME failed (there may be a candidate)" in text


def test_candidates_that_a_record_had_no_room_for_are_told_with_their_number():
    record = a_record(a_candidate())
    record.payload.watchlists[0].candidates_left_out = 1234
    with show.console.capture() as capture:
        show.console.print(record_view(record))
    name = record.payload.watchlists[0].watchlist.name
    assert f"not shown 1,234 candidates more of list “{name}”" in " ".join(capture.get().split())


def test_a_record_says_as_of_when_the_lists_were_searched():
    record = decisions_pb2.GetScreeningResponse()
    versions = record.entry.event.traveler_screened.versions
    versions.watchlists = 21
    for as_of, said in ((None, "lists at version 21,"), (NOW, "lists at version 21 as of 2026-11-24 12:00")):
        if as_of is not None:
            versions.watchlists_as_of.CopyFrom(to_timestamp(as_of))
        with show.console.capture() as capture:
            show.console.print(record_view(record))
        assert said in " ".join(capture.get().split())
