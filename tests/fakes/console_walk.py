"""A walk through every page of the console, as people in their roles: for pictures, and for what holds on all pages."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fakes.browser import Browser

OFFICER, SECOND, SUPERVISOR, MANAGER, APPROVER, AUDITOR, ADMINISTRATOR = range(7)
"""Places of the people that the development login offers."""

IMPORTED = (
    "record_id,surname,given_names,birth_date,valid_until,reason_code,source_reference\n"
    "1,Roe,Richard,1970-01-01,2030-05-05,WARRANT,case 8\n2,,,,2030-05-05,WARRANT,case 9\n"
)
"""A file of two rows, of which one has no name."""


def settled(browser: Browser) -> None:
    """Wait for the page that a step leads to."""
    time.sleep(0.15)
    browser.until("document.documentElement?.dataset.ready === ''", 30)


def click(browser: Browser, selector: str) -> None:
    """Click, and wait for what comes of it."""
    browser.value(f"document.querySelector({selector!r}).click()")
    settled(browser)


def fill(browser: Browser, within: str = "", **fields: str) -> None:
    """Fill in fields by their names; of one form, if there are several."""
    for name, value in fields.items():
        browser.value(f"document.querySelector({f'{within} [name={name}]'!r}).value = {value!r}")


def choose(browser: Browser, value: str) -> None:
    """Choose it wherever it is offered."""
    browser.value(f"document.querySelectorAll('input[value={value}]').forEach(each => each.click())")


def unfold(browser: Browser) -> None:
    """Open everything that is folded, but the menu."""
    browser.value("document.querySelectorAll('details:not(.menu)').forEach(each => each.open = true)")


def scroll_to(browser: Browser, selector: str) -> None:
    """Bring a part of the page to the top of the screen."""
    browser.value(f"document.querySelector({selector!r}).scrollIntoView()")


def login(browser: Browser, url: str, who: int) -> None:
    """Be one of the people of the development login."""
    browser.open(f"{url}/login")
    browser.value(f"document.querySelectorAll('.people form')[{who}].requestSubmit()")
    browser.until("location.pathname !== '/login' && document.documentElement?.dataset.ready === ''", 60)


@dataclass(frozen=True, slots=True)
class Walk:
    """What a walk needs of the installation it goes through: a list to propose entries to, an open case of somebody who
    is on one, with the document `number`, a picture of a face and a folder for files."""

    url: str
    list_id: str
    case_id: str
    number: str
    picture: bytes
    folder: Path

    def pages(self, browser: Browser) -> Iterator[str]:
        """Go through all pages; yield each one's name when it is shown."""
        browser.open(f"{self.url}/login")
        yield "login"
        yield from self._review(browser)
        yield from self._audit(browser)
        yield from self._lists(browser)
        yield from self._rights(browser)
        yield from self._administration(browser)
        browser.open(f"{self.url}/nothing")
        yield "error"

    def _review(self, browser: Browser) -> Iterator[str]:
        login(browser, self.url, OFFICER)
        yield "queue"
        browser.open(f"{self.url}/cases/{self.case_id}")
        yield "purpose"
        click(browser, "form[action$=claim] button")
        yield "look"
        self._look(browser)
        yield "case"
        scroll_to(browser, "#candidates-title")
        yield "candidates"
        scroll_to(browser, "#document-title")
        yield "document"
        self._find(browser)
        browser.open(f"{self.url}/queue?view=mine")
        yield "nothing"
        browser.open(f"{self.url}/login?again=1")
        yield "again"
        login(browser, self.url, SECOND)
        browser.open(f"{self.url}/cases/{self.case_id}")
        click(browser, "form[action$=claim] button")
        self._look(browser)
        self._find(browser)

    def _look(self, browser: Browser) -> None:
        browser.until("[...document.images].every(each => each.naturalWidth > 0)")
        choose(browser, "SAME_PERSON")
        click(browser, "form[action$=look] button.main")
        browser.until("[...document.images].every(each => each.naturalWidth > 0)")

    def _find(self, browser: Browser) -> None:
        for value in ("SAME_PERSON", "SECOND_LINE", "FACES_COMPARED"):
            choose(browser, value)
        click(browser, "button[form=finding]")

    def _audit(self, browser: Browser) -> Iterator[str]:
        login(browser, self.url, AUDITOR)
        browser.open(f"{self.url}/audit")
        fill(browser, purpose="yearly audit 2026/7")
        yield "audit"
        click(browser, "form[action='/audit/query'] button.main")
        yield "results"
        browser.open(f"{self.url}/audit/screenings/{self.case_id}")
        yield "history"
        click(browser, "form[action$=proof] button")
        yield "proof"
        click(browser, "form[action$=replay] button")
        yield "replay"
        browser.open(f"{self.url}/audit")
        click(browser, "form[action$=verify] button")
        browser.until("!!document.querySelector('.result')")
        yield "verified"
        browser.open(f"{self.url}/reports")
        yield "reports"

    def _lists(self, browser: Browser) -> Iterator[str]:
        login(browser, self.url, MANAGER)
        yield "lists"
        browser.open(f"{self.url}/lists/{self.list_id}")
        form = "form[action$=propose]"
        fill(browser, surname="Doe", given="Jane", born="1980-02-03", reason_code="WARRANT")
        fill(browser, form, source="case 7", until="2030-01-01")
        picture, file = self.folder / "face.jpg", self.folder / "wanted.csv"
        picture.write_bytes(self.picture)
        file.write_text(IMPORTED)
        browser.choose_file(f"{form} [name=pictures]", picture)
        click(browser, f"{form} button.main")
        yield "list"
        browser.choose_file("[name=file]", file)
        fill(browser, "form[action$=import]", kind="csv", source="Ministry")
        click(browser, "form[action$=import] button.main")
        browser.until("location.pathname.includes('/imports/')")
        yield "import"
        login(browser, self.url, APPROVER)
        browser.open(f"{self.url}/lists/{self.list_id}")
        click(browser, "a.button:not(.quiet)[href*=entries]")
        yield "entry"

    def _rights(self, browser: Browser) -> Iterator[str]:
        login(browser, self.url, SUPERVISOR)
        browser.open(f"{self.url}/cases/{self.case_id}")
        choose(browser, "supervision")
        click(browser, "form[action$=purpose] button")
        yield "closed"
        browser.open(f"{self.url}/rights")
        fill(browser, request="request 12/26", document_code="P", issuing_state="UTO", number=self.number)
        choose(browser, "document_seen")
        yield "rights"
        click(browser, "form[action='/rights/find'] button.main")
        yield "found"
        click(browser, f"[name=event][value='{self.case_id}']")
        for value in ("SUBJECT_REQUEST", "yes"):
            choose(browser, value)
        click(browser, "button.danger")
        yield "receipt"

    def _administration(self, browser: Browser) -> Iterator[str]:
        login(browser, self.url, ADMINISTRATOR)
        yield "administration"
        in_force = str(browser.value("document.querySelector('pre.receipt').textContent"))
        file = self.folder / "policy.toml"
        file.write_text(in_force.replace("max_attempts = 3", "max_attempts = 2"))
        form = "form[action$=propose]"
        browser.choose_file(f"{form} [name=policy]", file)
        fill(browser, form, purpose="change 12")
        click(browser, f"{form} button")
        scroll_to(browser, "#policy-title")
        yield "policy"
