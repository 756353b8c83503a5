"""Pictures of the console for the docs: `make screenshots`. The real services and console; in place of faces a drawn
figure is shown, nobody's picture."""

from __future__ import annotations

import io
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw

from borderpost.cli.demo import specimen_a
from borderpost.cli.stack import Stack, private_settings
from borderpost.console import faces
from borderpost.kiosk.client import Kiosk
from borderpost.kiosk.visits import Visit
from borderpost.runtime.clock import new_id
from borderpost.runtime.settings import Settings
from borderpost.specimens.pages import render
from borderpost.specimens.samples import load_samples
from fakes import past
from fakes.browser import Browser
from fakes.console_house import console, put_on_list, wanted_list
from fakes.console_walk import Walk
from screenshots import small

SAMPLES: Final = Path(__file__).parents[1] / ".cache/samples"
WIDTH: Final = 1000
COLORS: Final = 200
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
        lists = [new_id(), new_id()]
        past.two_weeks(settings, lists)
        with Stack(settings):
            list_id, _ = (
                wanted_list(settings, name, list_id=each)
                for name, each in zip(("Wanted for arrest", "Barred from entry"), lists, strict=True)
            )
            put_on_list(settings, list_id, pictures.b_portrait, "Listed")
            wrong = render(replace(traveler, wrong_digits=("document_number",)))
            with Kiosk(settings, "kiosk/north/1") as kiosk:
                screened = [
                    kiosk.send(kiosk.request(Visit(), page, [live]))
                    for page, live in (
                        *[(render(traveler), pictures.a_live)] * 5,
                        (render(traveler), pictures.b_live),
                        (wrong, pictures.a_live),
                        *[(render(listed), pictures.b_live)] * len(looks),
                    )
                ]
            cases = [answer.event_id for answer in screened[-len(looks) :]]
            hide_faces(faces.page(render(replace(traveler, portrait=drawn(0)))) or b"")
            with console(settings) as url, Browser(Path(scratch, "browser")) as browser:
                for (prefix, look), case_id in zip(looks.items(), cases, strict=True):
                    browser.look(*look)
                    walk = Walk(
                        url, list_id, case_id, listed.document_number, pictures.a_portrait, Path(scratch)
                    )
                    for name in walk.pages(browser):
                        time.sleep(0.5)
                        (folder / f"{prefix}{name}.png").write_bytes(
                            small(browser.screenshot(), WIDTH, COLORS)
                        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), "--every" in sys.argv)
