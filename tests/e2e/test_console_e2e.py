"""The console in a real browser, before the real gateway and the real services."""

from __future__ import annotations

import base64
import contextlib
import http.client
import os
import re
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from borderpost.cli.stack import Stack, private_settings
from borderpost.kiosk.client import Kiosk
from borderpost.kiosk.visits import Visit
from borderpost.proofs.verify import verify_export
from borderpost.runtime.settings import Settings
from borderpost.v1 import types_pb2
from fakes.axe import script, violations
from fakes.browser import Browser, chromium
from fakes.console_house import console, put_on_list, wanted_list
from fakes.console_walk import (
    ADMINISTRATOR,
    APPROVER,
    AUDITOR,
    IMPORTED,
    MANAGER,
    OFFICER,
    SECOND,
    SUPERVISOR,
    Walk,
    choose,
    click,
    fill,
    login,
    unfold,
)

pytestmark = pytest.mark.skipif(
    chromium() is None and not os.environ.get("CI"), reason="chromium isn't installed: apt install chromium"
)

KIOSK = "kiosk/north/1"


@dataclass
class House:
    """Services of their own, with holder B on a list, and the console before them."""

    settings: Settings
    url: str
    travelers: Any
    list_id: str

    def refer_b(self, name: str = KIOSK) -> str:
        """Screen B, who is on the list; return the case's id."""
        with Kiosk(self.settings, name) as kiosk:
            answer = kiosk.send(
                kiosk.request(Visit(), self.travelers.page_b, [self.travelers.samples.b_live])
            )
        assert answer.outcome == types_pb2.OUTCOME_REFER
        return str(answer.event_id)


@pytest.fixture(scope="module")
def house(travelers: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    settings = private_settings(tmp_path_factory.mktemp("console"), Settings())
    with Stack(settings) as stack, console(stack.settings) as url:
        list_id = wanted_list(settings, "Wanted for arrest")
        put_on_list(settings, list_id, travelers.samples.b_portrait, "Listed")
        yield House(settings, url, travelers, list_id)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    with Browser(tmp_path / "profile") as opened:
        opened.look(1280, 720)
        yield opened


def text(browser: Browser) -> str:
    return str(browser.value("document.querySelector('main').innerText"))


def take(browser: Browser, house: House, case_id: str) -> None:
    """Take a case that may be anywhere in the queue."""
    browser.open(f"{house.url}/cases/{case_id}")
    click(browser, "form[action$=claim] button")


def look_and_find(browser: Browser, verdict: str) -> None:
    """The officer's own first look, then the finding."""
    assert "alerts" not in text(browser), "the system's opinion came first"
    assert browser.value("document.querySelectorAll('.candidate img').length") == 2
    choose(browser, verdict)
    click(browser, "form[action$=look] button.main")
    assert "such alerts" in text(browser)
    choose(browser, verdict)
    choose(browser, "SECOND_LINE")
    choose(browser, "FACES_COMPARED")
    fill(browser, note="Scar above the left eye")
    click(browser, "button[form=finding]")


def test_a_referral_from_the_kiosk_to_the_auditor(house, browser):
    """It appears without a reload, two officers find blindly, and the auditor sees who looked, proves and exports."""
    login(browser, house.url, OFFICER)
    browser.open(f"{house.url}/queue?crossing=south")
    assert "Nobody waits" in text(browser)
    browser.value("window.stayed = true")
    house.refer_b("kiosk/south/1")
    browser.until("document.querySelectorAll('[data-row]').length === 1")
    assert browser.value("window.stayed")

    browser.value("document.body.dispatchEvent(new KeyboardEvent('keydown', {key: 'j', bubbles: true}))")
    assert browser.value("document.activeElement.matches('[data-open]')")
    click(browser, ".take")
    browser.until("[...document.images].every(each => each.naturalWidth > 0)")
    assert controls_in_print(browser) == []
    look_and_find(browser, "SAME_PERSON")
    assert "A second officer looks at it now" in text(browser)

    login(browser, house.url, SECOND)
    browser.open(f"{house.url}/queue?crossing=south")
    click(browser, ".take")
    look_and_find(browser, "SAME_PERSON")
    assert "the case is closed" in text(browser)

    login(browser, house.url, AUDITOR)
    browser.open(f"{house.url}/audit")
    fill(browser, purpose="yearly audit", crossing="south")
    choose(browser, "REFER")
    click(browser, "form[action='/audit/query'] button.main")
    click(browser, "tr:has(.outcome.refer) a.button")
    told = text(browser)
    steps = (
        "Traveler screened",
        "Own first look given",
        "Finding given",
        "Second finding given",
        "Referral closed",
    )
    for said in steps:
        assert said in told
    assert "with pictures" in told
    assert {"dev", "dev-second"} <= set(
        browser.value("[...document.querySelectorAll('.timeline .soft')].map(each => each.innerText)")
    )
    click(browser, "form[action$=proof] button")
    assert "is in the log" in text(browser)
    click(browser, "form[action$=replay] button")
    assert "it comes to the same" in text(browser)
    assert_exported(browser, house)
    assert_quiet(browser, house)


def controls_in_print(browser: Browser) -> list[str]:
    """What could be pressed, were it on paper; pictures alone are allowed to be."""
    browser.call("Emulation.setEmulatedMedia", media="print")
    seen = browser.value(
        "[...document.querySelectorAll('button:not(.zoom), input, select, textarea')]"
        ".filter(each => each.checkVisibility() && each.type !== 'hidden').map(each => each.outerHTML)"
    )
    browser.call("Emulation.setEmulatedMedia", media="")
    return list(seen)


def assert_exported(browser: Browser, house: House) -> None:
    """The export is a file that verifies offline."""
    browser.open(f"{house.url}/audit")
    content = browser.value(
        "(async () => { const form = document.querySelector(\"form[action='/audit/export']\");"
        "const answer = await fetch(form.action, {method: 'POST', body: new URLSearchParams(new FormData(form))});"
        "const bytes = new Uint8Array(await answer.arrayBuffer());"
        "return btoa(bytes.reduce((all, one) => all + String.fromCharCode(one), '')); })()"
    )
    folder = house.settings.state_dir / "export"
    with zipfile.ZipFile(BytesIO(base64.b64decode(content))) as archive:
        archive.extractall(folder)
    verdict = verify_export(folder / "events.jsonl")
    assert verdict.intact
    assert verdict.complete
    assert verdict.events > 10


def assert_quiet(browser: Browser, house: House) -> None:
    """Nothing left the machine, and nothing was complained about: no script or style that the page may not have."""
    ours = urlsplit(
        house.url
    ).netloc  # beside them only icons that the browser brings with its own date fields
    assert [each for each in browser.requested if not each.startswith(f"http://{ours}/")] == [
        each for each in browser.requested if each.startswith("data:image/svg+xml")
    ]
    assert browser.complaints == []


@pytest.mark.parametrize(("language", "dark"), [("en", False), ("de", True)])
def test_every_page_is_accessible(house, browser, dark, language, tmp_path):
    axe = script()
    assert axe is not None or not os.environ.get("CI"), "axe-core isn't here: nothing would be checked"
    if axe is None:
        pytest.skip("axe-core isn't here: `make test` fetches it")
    case_id = house.refer_b()
    browser.look(1280, 720, dark)
    found: dict[str, list[str]] = {}

    def check(name: str) -> None:
        unfold(browser)
        assert browser.value("document.documentElement.lang") == language
        if wrong := violations(browser, axe):
            found[name] = wrong

    if language == "de":
        browser.open(f"{house.url}/login")
        click(browser, "form.language button")
    list_id = wanted_list(
        house.settings, f"Another list, {language}, {dark}"
    )  # what the walk leaves there is in nobody's way
    walk = Walk(house.url, list_id, case_id, "U2CANARY2", house.travelers.samples.a_live, tmp_path)
    for name in walk.pages(browser):
        check(name)
    assert found == {}


def test_a_person_is_found_copied_and_erased_with_a_receipt(house, browser):
    case_id = house.refer_b("kiosk/south/1")
    for who in (OFFICER, SECOND):  # of an open case nothing is erased
        login(browser, house.url, who)
        take(browser, house, case_id)
        look_and_find(browser, "NOT_SAME_PERSON")
    login(browser, house.url, SUPERVISOR)
    browser.open(f"{house.url}/rights")
    fill(browser, request="12/26", document_code="P", issuing_state="UTO", number="U2CANARY2")
    choose(browser, "document_seen")
    click(browser, "form[action='/rights/find'] button.main")
    assert "data" in text(browser)
    names = browser.value(
        "(async () => { const form = document.querySelector(\"form[action='/rights/copy']\");"
        "const answer = await fetch(form.action, {method: 'POST', body: new URLSearchParams(new FormData(form))});"
        "return await answer.text(); })()"
    )
    assert "data.json" in names
    assert "read-me.html" in names
    assert "page." in names
    held = browser.value("document.querySelectorAll('[name=event]').length")
    click(browser, f"[name=event][value='{case_id}']")
    choose(browser, "SUBJECT_REQUEST")
    choose(browser, "yes")
    click(browser, "button.danger")
    assert "borderpost.local/decisions" in browser.value("document.querySelector('.receipt').innerText")
    assert not browser.value("!!document.querySelector('form.language')")  # the receipt would be gone
    browser.open(f"{house.url}/rights")
    fill(browser, request="12/26", document_code="P", issuing_state="UTO", number="U2CANARY2")
    choose(browser, "document_seen")
    click(browser, "form[action='/rights/find'] button.main")
    assert browser.value("document.querySelectorAll('[name=event]').length") == held - 1
    browser.open(f"{house.url}/cases/{case_id}")
    choose(browser, "supervision")
    click(browser, "form[action$=purpose] button")
    assert "was erased" in text(browser)
    assert_quiet(browser, house)


def test_an_entry_and_a_file_take_two_people(house, browser, tmp_path):
    login(browser, house.url, MANAGER)
    browser.open(f"{house.url}/lists/{house.list_id}")
    unfold(browser)
    fill(browser, surname="Doe", given="Jane", born="1980-02-03", reason_code="WARRANT", until="2030-01-01")
    browser.value("document.querySelector('form[action$=propose] [name=source]').value = 'case 7'")
    (tmp_path / "face.jpg").write_bytes(house.travelers.samples.a_live)
    browser.choose_file("[name=pictures]", tmp_path / "face.jpg")
    click(browser, "form[action$=propose] button.main")
    assert "Doe Jane" in text(browser)

    file = tmp_path / "wanted.csv"
    file.write_text(IMPORTED)
    unfold(browser)
    browser.choose_file("[name=file]", file)
    browser.value("document.querySelector('[name=kind]').value = 'csv'")
    browser.value("document.querySelector('form[action$=import] [name=source]').value = 'Ministry'")
    click(browser, "form[action$=import] button.main")
    browser.until("location.pathname.includes('/imports/')")
    assert browser.value("[...document.querySelectorAll('.totals dd')].map(each => each.innerText)") == [
        "1", "0", "0", "0", "1"
    ]  # fmt: skip
    choose(browser, "yes")
    click(browser, "form[action$=propose] button")
    assert "Another person applies it" in text(browser)

    login(browser, house.url, APPROVER)
    browser.open(f"{house.url}/lists/{house.list_id}")
    click(browser, "a[href*=imports]")
    click(browser, "form[action$=approve] button")
    browser.until("document.querySelector('main').innerText.includes('Applied')")
    browser.open(f"{house.url}/lists/{house.list_id}")
    click(browser, "a.button:not(.quiet)[href*=entries]")
    assert browser.value("document.querySelectorAll('.face img').length") == 1
    click(browser, "form[action$=approve] button")
    assert "Approved" in text(browser)
    assert "Nothing waits" in text(browser)


def test_a_policy_comes_into_force_by_an_administrator_and_an_approver(house, browser, tmp_path):
    login(browser, house.url, ADMINISTRATOR)
    file = tmp_path / "new.toml"
    before = browser.value("document.querySelector('pre.receipt').textContent")
    file.write_text(before.replace("max_attempts = 3", "max_attempts = 2"))
    browser.choose_file("form[action$=propose] [name=policy]", file)
    browser.value("document.querySelector('form[action$=propose] [name=purpose]').value = 'change 12'")
    click(browser, "form[action$=propose] button")
    assert "max_attempts" in text(browser)
    assert "change 12" in text(browser)
    assert not browser.value("!!document.querySelector('form[action$=activate]')")
    login(browser, house.url, APPROVER)
    browser.open(f"{house.url}/administration")
    browser.value("document.querySelector('form[action$=activate] [name=purpose]').value = 'change 12'")
    click(browser, "form[action$=activate] button")
    assert "is in force for everybody" in text(browser)
    house.refer_b()
    login(browser, house.url, AUDITOR)
    browser.open(f"{house.url}/administration")
    assert "max_attempts = 2" in browser.value("document.querySelector('pre.receipt').textContent")
    assert_quiet(browser, house)


def test_a_finding_is_corrected_and_data_is_rectified_beside_what_was(house, browser):
    case_id = house.refer_b("kiosk/south/1")
    for who in (OFFICER, SECOND):
        login(browser, house.url, who)
        take(browser, house, case_id)
        look_and_find(browser, "SAME_PERSON")
    login(browser, house.url, SUPERVISOR)
    browser.open(f"{house.url}/cases/{case_id}")
    choose(browser, "supervision")
    click(browser, "form[action$=purpose] button")
    unfold(browser)
    choose(browser, "NOT_SAME_PERSON")
    choose(browser, "PROCEED")
    choose(browser, "OTHER_SYSTEM_CHECKED")
    click(browser, "form[action$=correct] button.main")
    told = text(browser)
    assert "The finding is corrected" in told
    assert told.count("Not the same") >= 2  # of the document, and of the list
    assert told.count("Same person") >= 4  # both findings before it are still there
    assert not browser.value("!!document.querySelector('form[action$=correct]')")  # it is their own now

    case = browser.value("location.href")
    browser.open(f"{house.url}/rights")
    fill(browser, request="13/26", document_code="P", issuing_state="UTO", number="U2CANARY2")
    choose(browser, "document_seen")
    click(browser, "form[action='/rights/find'] button.main")
    fill(browser, statement="The name is spelled Berta.")
    click(browser, "[data-all]")
    click(browser, "button[formaction$=rectify]")
    assert "stands beside the chosen screenings" in text(browser)
    browser.open(case)
    assert "The name is spelled Berta." in text(browser)
    assert_quiet(browser, house)


def test_a_case_that_is_handed_on_is_settled_by_a_supervisor(house, browser):
    case_id = house.refer_b()
    login(browser, house.url, OFFICER)
    take(browser, house, case_id)
    choose(browser, "SECOND_OPINION")
    click(browser, "form[action$=escalate] button")
    assert "Handed to the supervisors" in text(browser)
    browser.open(f"{house.url}/queue?reason=WATCHLIST_CANDIDATE_BY_FACE")
    row = f"[data-row]:has([href='/cases/{case_id}'])"
    assert "Supervisor wanted" in browser.value(f"document.querySelector({row!r}).innerText")
    assert not browser.value(f"!!document.querySelector({row + ' .take'!r})")  # not theirs to take
    login(browser, house.url, SUPERVISOR)
    browser.open(f"{house.url}/queue?reason=WATCHLIST_CANDIDATE_BY_FACE")
    click(browser, f"{row} .take")
    look_and_find(browser, "NOT_SAME_PERSON")
    assert "the case is closed" in text(browser)


def test_faces_are_laid_over_one_another_and_looked_at_closer(house, browser):
    case_id = house.refer_b()
    login(browser, house.url, OFFICER)
    take(browser, house, case_id)
    browser.until("[...document.images].every(each => each.naturalWidth > 0)")
    drawn = "document.querySelector('#overlay canvas').toDataURL()"
    seen = []
    for share in (0, 50, 100):
        browser.value(
            f"document.querySelector('#overlay input').value = {share};"
            "document.querySelector('#overlay input').dispatchEvent(new Event('input'))"
        )
        seen.append(browser.value(drawn))
    assert len(set(seen)) == 3
    browser.value("document.querySelector('.face .zoom').click()")
    assert browser.value("document.getElementById('closer').open")
    assert browser.value("document.querySelector('#closer canvas').width") == 720


@pytest.mark.parametrize("size", [(820, 1180), (1280, 720)])
def test_no_page_is_wider_than_a_tablet_or_the_smallest_desk(house, browser, size):
    case_id = house.refer_b()
    browser.look(*size)
    login(browser, house.url, OFFICER)
    take(browser, house, case_id)
    wide = [] if fits(browser) else ["case"]
    for who, paths in (
        (OFFICER, ("/queue",)),
        (AUDITOR, ("/audit", "/reports", "/administration")),
        (MANAGER, ("/lists", f"/lists/{house.list_id}")),
        (SUPERVISOR, ("/rights",)),
    ):
        login(browser, house.url, who)
        for path in paths:
            browser.open(house.url + path)
            wide += [] if fits(browser) else [path]
    assert wide == []


def fits(browser: Browser) -> bool:
    return bool(browser.value("document.documentElement.scrollWidth <= window.innerWidth"))


def test_an_entry_is_withdrawn_and_a_list_changed_by_its_manager(house, browser):
    list_id = wanted_list(house.settings, "To be changed")
    put_on_list(house.settings, list_id, house.travelers.samples.a_portrait, "Gone")
    login(browser, house.url, MANAGER)
    browser.open(f"{house.url}/lists/{list_id}")
    fill(browser, "form[action$=change]", target="2")
    click(browser, "form[action$=change] button")
    assert "2 %" in text(browser)
    click(browser, "a[href*=entries]")
    click(browser, "form[action$=withdraw] button")
    assert "Withdrawn" in text(browser)
    assert "0 active" in text(browser)


def test_a_kiosk_is_invited_and_revoked_by_an_administrator(house, browser):
    login(browser, house.url, ADMINISTRATOR)
    fill(browser, "form[action$=invite]", crossing="east", kiosk="9")
    click(browser, "form[action$=invite] button")
    assert '"kiosk": "kiosk/east/9"' in browser.value("document.getElementById('invitation').textContent")
    browser.open(f"{house.url}/administration")
    assert "kiosk/east/9" in text(browser)
    choose(browser, "yes")
    click(browser, "form[action$=revoke] button")
    assert "kiosk/east/9" in text(browser)
    assert not browser.value("!!document.querySelector('form[action$=revoke]')")


def test_what_needs_a_fresh_login_keeps_what_was_filled_in(house, browser):
    case_id = house.refer_b()
    with console(house.settings, fresh_seconds=3.0) as url:
        strict = House(house.settings, url, house.travelers, house.list_id)
        login(browser, strict.url, OFFICER)
        take(browser, strict, case_id)
        choose(browser, "CANNOT_TELL")
        click(browser, "form[action$=look] button.main")
        choose(browser, "CANNOT_TELL")
        choose(browser, "SECOND_LINE")
        fill(browser, note="Kept words")
        time.sleep(4)
        click(browser, "button[form=finding]")
        assert "Confirm that it is you" in text(browser)
        click(browser, "form[action='/login/development'] button")
        assert browser.value("document.querySelector('[name=note]').value") == "Kept words"
        assert browser.value("document.querySelectorAll('#finding input:checked').length") == 3
        click(browser, "button[form=finding]")
        assert "Your finding is recorded" in text(browser)


@dataclass
class Visitor:
    """A browser without a screen: one session over HTTP, its form token with it."""

    url: str
    cookie: str = ""
    csrf: str = ""

    def login(self, name: str, role: str) -> Visitor:
        answer = self.post("/login/development", name=name, role=role, next="/queue")
        self.cookie = answer.headers["Set-Cookie"].partition(";")[0]
        for header, value in answer.headers.items():
            if header.lower() == "set-cookie" and value.startswith("borderpost_console"):
                self.cookie = value.partition(";")[0]
        page = self.get("/queue")
        found = re.search(r'data-csrf="([^"]+)"', page)
        assert found
        self.csrf = found[1]
        return self

    def get(self, path: str) -> str:
        return self._ask("GET", path).read().decode()

    def post(self, path: str, **fields: str) -> Any:
        return self._ask("POST", path, urlencode({"csrf": self.csrf, **fields}))

    def _ask(self, method: str, path: str, body: str | None = None) -> Any:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=30)
        headers = {"Origin": self.url, "Cookie": self.cookie}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request(method, path, body, headers)
        with contextlib.closing(connection):
            answer = connection.getresponse()
            content = answer.read()
        answer.read = lambda: content  # type: ignore[method-assign, assignment]
        return answer


def test_of_two_officers_who_take_one_case_at_the_same_moment_one_gets_it_and_the_other_is_told(house):
    """A hundred times."""
    case_id = house.refer_b()
    officers = [Visitor(house.url).login(name, "officer") for name in ("ann", "ben")]
    start = threading.Barrier(2)
    led: list[str] = ["", ""]

    def take(at: int) -> None:
        start.wait()
        led[at] = officers[at].post(f"/cases/{case_id}/claim").headers["Location"]

    for _ in range(100):
        threads = [threading.Thread(target=take, args=(at,)) for at in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(led) == [f"/cases/{case_id}", "/queue"]
        winner = led.index(f"/cases/{case_id}")
        assert "Another officer holds the case" in officers[1 - winner].get("/queue")
        assert officers[winner].post(f"/cases/{case_id}/release").headers["Location"] == "/queue"
