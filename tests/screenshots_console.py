"""Pictures of the console for the docs: `make screenshots`. The real services and console; in place of faces a drawn
figure is shown, nobody's picture."""

from __future__ import annotations

import io
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw

from borderpost.cli.demo import specimen_a
from borderpost.cli.stack import Stack, private_settings
from borderpost.console import faces
from borderpost.kiosk.client import Kiosk
from borderpost.kiosk.visits import Visit
from borderpost.runtime.settings import Settings
from borderpost.specimens.pages import render
from borderpost.specimens.samples import load_samples
from fakes.browser import Browser
from fakes.console_house import console, put_on_list, wanted_list
from screenshots import small

SAMPLES: Final = Path(__file__).parents[1] / ".cache/samples"
WIDTH: Final = 1000
COLORS: Final = 200
OFFICER, SECOND, SUPERVISOR, MANAGER, APPROVER, AUDITOR, ADMINISTRATOR = range(7)
DRESSES: Final = ("#33474f", "#4f3a33", "#2f4a3a")


def drawn(number: int) -> bytes:
    """A figure with its eyes where the console puts eyes."""
    image = Image.new("RGB", (faces.WIDTH, faces.HEIGHT), "#8fa3a8")
    draw = ImageDraw.Draw(image)
    draw.ellipse((60, 690, 660, 1300), fill=DRESSES[number % len(DRESSES)])
    draw.ellipse((200, 190, 520, 700), fill="#d9c3ae")
    for across in (-90, 90):
        x, y = 360 + across, round(faces.HEIGHT * faces.EYE_LINE)
        draw.ellipse((x - 22, y - 13, x + 22, y + 13), fill="#33474f")
    draw.arc((290, 500, 430, 600), 20, 160, fill="#8a6b57", width=8)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG")
    return buffer.getvalue()


def hide_faces(page: bytes) -> None:
    """Have the console show drawn figures, and a page with one on it."""
    count = iter(range(1_000_000))
    faces.face = lambda picture, eyes: faces.Shown(drawn(next(count)), True)  # type: ignore[assignment]
    faces.page = lambda picture: page  # type: ignore[assignment]


def settled(browser: Browser) -> None:
    """Wait for the page that a step leads to."""
    time.sleep(0.3)
    browser.until("document.documentElement?.dataset.ready === ''", 30)


def click(browser: Browser, selector: str) -> None:
    """Click, and wait for what comes of it."""
    browser.value(f"document.querySelector({selector!r}).click()")
    settled(browser)


def fill(browser: Browser, **fields: str) -> None:
    """Fill in fields by their names."""
    for name, value in fields.items():
        browser.value(f"document.querySelector('[name={name}]').value = {value!r}")


def login(browser: Browser, url: str, who: int) -> None:
    """Be one of the people of the development login."""
    browser.open(f"{url}/login")
    browser.value(f"document.querySelectorAll('.people form')[{who}].requestSubmit()")
    settled(browser)


def walk(browser: Browser, url: str, list_id: str) -> Iterator[str]:
    """Go through the console; yield each page's name when it is shown."""
    browser.open(f"{url}/login")
    yield "login"
    login(browser, url, OFFICER)
    yield "queue"
    click(browser, ".take")
    yield "look"
    browser.value("document.querySelectorAll('input[value=SAME_PERSON]').forEach(each => each.click())")
    click(browser, "form[action$=look] button.main")
    yield "case"
    browser.value("document.getElementById('document-title').scrollIntoView()")
    yield "document"
    browser.open(f"{url}/queue?view=closed")
    yield "nothing"
    login(browser, url, AUDITOR)
    browser.open(f"{url}/audit")
    yield "audit"
    fill(browser, purpose="yearly audit 2026/7")
    click(browser, "form[action='/audit/query'] button.main")
    yield "results"
    click(browser, "tr:has(.outcome.refer) a.button")
    click(browser, "form[action$=proof] button")
    yield "history"
    browser.open(f"{url}/reports")
    yield "reports"
    login(browser, url, MANAGER)
    yield "lists"
    browser.open(f"{url}/lists/{list_id}")
    yield "list"
    login(browser, url, SUPERVISOR)
    browser.open(f"{url}/rights")
    fill(browser, request="request 12/26", document_code="P", issuing_state="UTO", number="UT4K81P7C")
    browser.value("document.querySelector('[name=proof]').click()")
    yield "rights"
    click(browser, "form[action='/rights/find'] button.main")
    yield "found"
    login(browser, url, ADMINISTRATOR)
    yield "administration"


def main(folder: Path, every: bool = False) -> None:
    """Write the pictures into a folder: light ones for the docs; with `every` dark and tablet ones too."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = load_samples(SAMPLES)
    looks = {"": (1280, 720, False)} | (
        {"dark-": (1280, 720, True), "tablet-": (820, 1180, False)} if every else {}
    )
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        settings = private_settings(Path(scratch, "state"), Settings())
        traveler = specimen_a(pictures)
        listed = replace(
            traveler, given_names="Bert", document_number="UT7777777", portrait=pictures.b_portrait
        )
        with Stack(settings):
            list_id = wanted_list(settings, "Wanted for arrest")
            put_on_list(settings, list_id, pictures.b_portrait, "Listed")
            wrong = render(replace(traveler, wrong_digits=("document_number",)))
            with Kiosk(settings, "kiosk/north/1") as kiosk:
                for page, live in (
                    *[(render(traveler), pictures.a_live)] * 5,
                    (render(traveler), pictures.b_live),
                    (wrong, pictures.a_live),
                    *[(render(listed), pictures.b_live)] * len(looks),
                ):
                    kiosk.send(kiosk.request(Visit(), page, [live]))
            hide_faces(faces.page(render(replace(traveler, portrait=drawn(0)))) or b"")
            with console(settings) as url, Browser(Path(scratch, "browser")) as browser:
                for prefix, look in looks.items():
                    browser.look(*look)
                    for name in walk(browser, url, list_id):
                        time.sleep(0.5)
                        (folder / f"{prefix}{name}.png").write_bytes(
                            small(browser.screenshot(), WIDTH, COLORS)
                        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), "--every" in sys.argv)
