"""From pictures to watchlist entries: enrolment, rows of an import and migration, over fakes that fail and lie."""

from __future__ import annotations

import grpc
import pytest

from borderpost.gateway import enrolment, validate
from borderpost.gateway.enrolment import MAX_KEPT_BYTES, MIGRATED_AT_ONCE, Enrolment
from borderpost.gateway.errors import FaceModelChangedError, PictureUnusableError
from borderpost.gateway.servicer import GatewayServicer
from borderpost.runtime import calls
from borderpost.runtime.channels import MAX_MESSAGE_BYTES
from borderpost.runtime.clock import SystemClock, new_id
from borderpost.runtime.errors import (
    InvalidRequestError,
    PictureDamagedError,
    PictureTooLargeError,
    UnavailableError,
)
from borderpost.v1 import gateway_pb2, watchlist_pb2
from fakes.services import DAMAGED, DOWN, KIOSK_CALL, NOBODY, FakeFaces, FakeWatchlists, Mood

SECONDS = 1.0
LARGE = b"x" * (MAX_KEPT_BYTES + 1)


class Office:
    """Where entries are made, over fakes."""

    def __init__(self):
        self.faces = FakeFaces()
        self.watchlists = FakeWatchlists()
        self.enrolment = Enrolment(self.faces, self.watchlists)

    async def enrol(self, pictures, keep=False):
        return await self.enrolment.enrol(watchlist_pb2.Entry(), pictures, keep, KIOSK_CALL, SECONDS)

    async def stage(self, *rows):
        return await self.enrolment.stage("an import", rows, KIOSK_CALL, SECONDS)

    async def migrate(self, token=""):
        return await self.enrolment.migrate("a list", token, KIOSK_CALL, SECONDS)

    async def migrate_all(self):
        answers = [await self.migrate()]
        while answers[-1].next_page_token:
            answers.append(await self.migrate(answers[-1].next_page_token))
        return answers


@pytest.fixture
def office():
    return Office()


def a_row(number, *pictures, **changes):
    entry = watchlist_pb2.Entry(pictures=pictures, reason_code="A1")
    return watchlist_pb2.ImportRow(**{"row": number, "record_id": f"r{number}", "entry": entry, **changes})


async def test_enrolling_makes_a_template_of_each_picture_and_keeps_none(office):
    entry = await office.enrol([b"anna", b"anna"])
    assert [template.values for template in entry.templates] == [b"anna", b"anna"]
    assert not entry.pictures


async def test_enrolling_keeps_the_first_four_pictures_if_asked_to(office):
    pictures = [b"1", b"2", b"3", b"4", LARGE]
    entry = await office.enrol(pictures, keep=True)
    assert list(entry.pictures) == pictures[:4]
    assert len(entry.templates) == 5


async def test_a_picture_that_is_too_large_to_be_kept_is_refused_before_anything_is_made(office):
    office.faces.mood = Mood(error=DOWN)
    with pytest.raises(
        PictureTooLargeError, match=r"^pictures\[1\]: got 1,048,577 bytes, want at most 1,048,576"
    ):
        await office.enrol([b"anna", LARGE], keep=True)


async def test_enrolling_says_which_picture_is_unusable(office):
    with pytest.raises(PictureUnusableError, match=r"pictures\[1\].*NO_FACE"):
        await office.enrol([b"anna", NOBODY])
    assert not office.watchlists.proposed


async def test_enrolling_says_which_picture_is_damaged_in_the_words_of_its_own_request(office):
    with pytest.raises(PictureDamagedError) as caught:
        await office.enrol([b"anna", DAMAGED])
    assert caught.value.message == "pictures[1]: truncated"
    assert caught.value.details["field"] == "pictures[1]"


def test_an_entry_that_brings_its_own_templates_or_pictures_is_refused():
    for field, value in (("templates", [{}]), ("pictures", [b"a"])):
        request = gateway_pb2.EnrolEntryRequest(entry=watchlist_pb2.Entry(**{field: value}))
        with pytest.raises(InvalidRequestError, match=rf"^entry.{field}: want none"):
            validate.enrol_request(request)


async def test_rows_with_pictures_get_templates_and_keep_the_pictures(office):
    await office.stage(a_row(1, b"anna", b"anne"), a_row(2, b"bert"))
    one, two = office.watchlists.staged
    assert [template.values for template in one.entry.templates] == [b"anna", b"anne"]
    assert list(one.entry.pictures) == [b"anna", b"anne"]
    assert [template.values for template in two.entry.templates] == [b"bert"]


async def test_rows_without_pictures_with_templates_or_in_error_go_on_as_they_are(office):
    plain, with_template = a_row(1), a_row(2, b"anna")
    with_template.entry.templates.add(model_id="theirs")
    in_error = watchlist_pb2.ImportRow(row=3, error=watchlist_pb2.RowError(row=3, reason="DATE"))
    office.faces.mood = Mood(error=DOWN)  # nothing is asked of it
    await office.stage(plain, with_template, in_error)
    assert office.watchlists.staged == [plain, with_template, in_error]


@pytest.mark.parametrize(
    ("pictures", "reason", "field"),
    [
        ((NOBODY,), "PICTURE_UNUSABLE", "pictures[0]"),
        ((DAMAGED,), "PICTURE_DAMAGED", "pictures[0]"),
        ((NOBODY, DAMAGED), "PICTURE_UNUSABLE", "pictures[0]"),
        ((b"anna", LARGE), "PICTURE_TOO_LARGE", "pictures[1]"),
        ((b"1", b"2", b"3", b"4", b"5"), "INVALID_REQUEST", "pictures"),
    ],
)
async def test_a_row_without_a_usable_face_is_a_row_in_error_and_the_others_go_on(
    office, pictures, reason, field
):
    answer = await office.stage(a_row(1, *pictures), a_row(2, b"anna"), a_row(3))
    [error] = answer.errors
    assert (error.row, error.reason, error.field) == (1, reason, field)
    assert error.message.startswith(f"{field}: ")
    spoiled, good, plain = office.watchlists.staged
    assert (spoiled.row, spoiled.record_id, spoiled.HasField("entry")) == (1, "r1", False)
    assert (len(good.entry.templates), plain) == (1, a_row(3))


async def test_of_several_pictures_of_a_row_the_usable_ones_are_taken(office):
    answer = await office.stage(a_row(1, NOBODY, b"anna", DAMAGED))
    [row] = office.watchlists.staged
    assert not answer.errors
    assert list(row.entry.pictures) == [b"anna"]
    assert [template.values for template in row.entry.templates] == [b"anna"]


async def test_a_faces_service_that_is_down_stages_nothing_for_the_call_can_be_repeated(office):
    office.faces.mood = Mood(error=DOWN)
    with pytest.raises(UnavailableError):
        await office.stage(a_row(1), a_row(2, b"anna"))
    assert not office.watchlists.staged


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (gateway_pb2.StageImportRowsRequest(), "import_id: want"),
        (
            gateway_pb2.StageImportRowsRequest(import_id=new_id(), rows=[a_row(1)] * 51),
            "rows: got 51, want at most 50",
        ),
        (
            gateway_pb2.StageImportRowsRequest(import_id=new_id(), rows=[a_row(1, LARGE)] * 13),
            "rows: got 13.* bytes, want at most 12,582,912",
        ),
    ],
)
def test_a_batch_of_rows_that_is_none_is_refused(request_, says):
    with pytest.raises(InvalidRequestError, match=says):
        validate.stage_request(request_)


async def test_the_servicer_answers_with_the_import_and_the_rows_in_error(office):
    calls.enter(KIOSK_CALL)
    servicer = GatewayServicer(None, office.enrolment, None, None, None, None, SystemClock(), SECONDS)

    class NoDeadline:
        def time_remaining(self):
            return None

    import_id = new_id()
    request = gateway_pb2.StageImportRowsRequest(import_id=import_id, rows=[a_row(1, NOBODY)])
    answer = await servicer.StageImportRows(request, NoDeadline())
    assert getattr(answer, "import").import_id == import_id
    assert [error.reason for error in answer.errors] == ["PICTURE_UNUSABLE"]
    with pytest.raises(InvalidRequestError, match=r"^list_id: "):
        await servicer.MigrateEntries(gateway_pb2.MigrateEntriesRequest(), NoDeadline())


async def test_migrating_makes_templates_of_the_engines_model_and_names_what_it_cant(office):
    office.faces.model = "new"
    office.watchlists.entries = {
        "bare": ([], {"old"}),
        "kept": ([b"anna", b"anne"], {"old"}),
        "blurred": ([NOBODY, DAMAGED], {"old"}),
        "done": ([b"bert"], {"old", "new"}),
    }
    answer = await office.migrate()
    assert (answer.model_id, answer.next_page_token) == ("new", "")
    assert (answer.migrated, answer.without_picture, answer.unusable) == (["kept"], ["bare"], ["blurred"])
    assert office.watchlists.entries["kept"][1] == {"old", "new"}
    assert not (await office.migrate()).migrated


async def test_migrating_goes_on_from_page_to_page_until_every_entry_was_looked_at(office):
    office.faces.model = "new"
    office.watchlists.entries = {str(n): ([b"anna"], {"old"}) for n in range(2 * MIGRATED_AT_ONCE + 1)}
    answers = await office.migrate_all()
    assert [entry for answer in answers for entry in answer.migrated] == list(office.watchlists.entries)
    assert {answer.model_id for answer in answers} == {"new"}
    assert len(answers) == 3


async def test_where_no_picture_is_kept_the_model_stays_unknown_and_every_entry_is_named(office):
    office.watchlists.entries = {str(n): ([], {"old"}) for n in range(MIGRATED_AT_ONCE + 1)}
    office.watchlists.entries["blurred"] = ([NOBODY], {"old"})
    answers = await office.migrate_all()
    assert {answer.model_id for answer in answers} == {""}
    named = [entry for answer in answers for entry in (*answer.without_picture, *answer.unusable)]
    assert named == list(office.watchlists.entries)


async def test_an_entry_that_is_removed_meanwhile_is_passed_over(office):
    office.watchlists.entries = {"gone": ([b"anna"], set()), "here": ([b"bert"], set())}
    office.watchlists.removed.add("gone")
    assert (await office.migrate()).migrated == ["here"]


async def test_a_face_model_that_changes_meanwhile_ends_it(office):
    office.watchlists.entries = {str(n): ([b"anna"], set()) for n in range(MIGRATED_AT_ONCE + 1)}
    token = (await office.migrate()).next_page_token
    office.faces.model = "newer"
    with pytest.raises(FaceModelChangedError) as caught:
        await office.migrate(token)
    assert caught.value.code is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("token", ["token", " token", "model ", " "])
async def test_a_made_up_token_is_refused_without_being_repeated(office, token):
    with pytest.raises(InvalidRequestError, match=r"^page_token: want one of an earlier answer$"):
        await office.migrate(token)


async def test_a_list_service_that_is_down_is_an_error_of_migrating(office):
    office.watchlists.mood = Mood(error=DOWN)
    with pytest.raises(UnavailableError):
        await office.migrate()


def test_the_pictures_of_a_page_of_entries_fit_into_a_message():
    entry = watchlist_pb2.EntryPictures(
        entry_id=new_id(), pictures=[bytes(MAX_KEPT_BYTES)] * enrolment.MAX_KEPT_PICTURES
    )
    page = watchlist_pb2.ListWithoutModelResponse(
        entries=[entry] * MIGRATED_AT_ONCE, next_page_token="t" * 500
    )
    assert page.ByteSize() <= MAX_MESSAGE_BYTES
