"""Pictures of the kiosk's page for the docs: `make screenshots`. From specimens only; no service is needed."""

from __future__ import annotations

import io
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from borderpost.kiosk import Captured, Guided, Next, Told, Visit
from borderpost.kiosk.web.desk import Habits
from borderpost.kiosk.web.server import make_server
from borderpost.v1 import faces_pb2, types_pb2
from fakes.browser import Browser

SCREENS = {"portrait": (1080, 1920), "landscape": (1280, 800)}
SHOWN = {"portrait-light-welcome", "portrait-light-face", "landscape-dark-officer", "landscape-light-what"}
COLORS = 64
WIDTH = 540


class Posing:
    """A kiosk that says what it is set to, and guides without end."""

    next = Next.GO

    def screen(self, visit: Visit, captured: Captured, language: str = "") -> Told:
        """Say it."""
        advice = types_pb2.CaptureProblem(code="X", advice="Hold the page flat, without reflections.")
        return Told(self.next, (advice,) if self.next is Next.AGAIN else ())

    def guide(self, visit: Visit, camera: Iterator[bytes], tell: Any, **_: object) -> Guided:
        """Always half done."""
        for _frame in camera:
            tell(faces_pb2.CaptureGuidance(prompt="Look into the camera and hold still.", progress=55))
        return Guided((), b"", faces_pb2.CaptureResult())

    def submit_in_background(self) -> None:
        """Nothing waits."""


def walk(browser: Browser, url: str, kiosk: Posing, page: Path) -> Iterator[str]:
    """Go through the page; yield each step's name when it is shown."""

    def click(selector: str, step: str) -> str:
        browser.value(f"document.querySelector({selector!r}).click()")
        browser.until(f"!document.getElementById({step!r}).hidden")
        time.sleep(0.6)
        return step

    for kiosk.next in (Next.GO, Next.OFFICER, Next.AGAIN):
        browser.open(url)
        if kiosk.next is Next.GO:
            yield "welcome"
        for selector, step in (("[data-start=en]", "what"), ("#start", "document")):
            click(selector, step)
            if kiosk.next is Next.GO:
                yield step
            if kiosk.next is Next.GO and step == "what":
                browser.value("document.getElementById('still').showModal()")
                yield "still"
                browser.value("document.getElementById('still').close()")
        browser.choose_file("#document-file", page)
        browser.until("!document.getElementById('side').hidden")
        if kiosk.next is Next.GO:
            yield "side"
        click("#side-next", "face")
        if kiosk.next is Next.GO:
            yield "face"
        browser.choose_file("#face-file", page)
        browser.until(f"!document.getElementById({str(kiosk.next)!r}).hidden")
        yield str(kiosk.next).lower()


def small(picture: bytes, width: int, colors: int = COLORS) -> bytes:
    """The same in few colors, no wider than `width`."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    image.thumbnail((width, 10_000))
    buffer = io.BytesIO()
    image.quantize(colors).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def somebody(file: Path) -> Path:
    """What the browser takes for a camera: a drawn figure, nobody's picture."""
    image = Image.new("RGB", (640, 480), "#8fa3a8")
    draw = ImageDraw.Draw(image)
    draw.ellipse((120, 360, 520, 760), fill="#33474f")
    draw.ellipse((235, 110, 405, 340), fill="#d9c3ae")
    image.save(file, "JPEG")
    file.write_bytes(file.read_bytes() * 10)
    return file


def main(folder: Path, every: bool = False) -> None:
    """Write the pictures into a folder: those of the docs, or every one."""
    folder.mkdir(parents=True, exist_ok=True)
    kiosk = Posing()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = make_server(kiosk, port, Habits(files=True))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        page = Path(profile) / "page.png"
        Image.new("RGB", (64, 64)).save(page)
        while not server.started:
            time.sleep(0.05)
        seen = somebody(Path(profile) / "seen.mjpeg")
        flag = f"--use-file-for-fake-video-capture={seen}"
        with Browser(Path(profile) / "browser", flag) as browser:
            for name, (width, height) in SCREENS.items():
                for dark in (False, True):
                    browser.look(width, height, dark)
                    for step in walk(browser, f"http://127.0.0.1:{port}/", kiosk, page):
                        if f"{name}-{'dark' if dark else 'light'}-{step}" not in SHOWN and not every:
                            continue
                        file = folder / f"{name}-{'dark' if dark else 'light'}-{step}.png"
                        file.write_bytes(small(browser.screenshot(), WIDTH if height > width else 800))
    server.should_exit = True
    thread.join()


if __name__ == "__main__":
    main(Path(sys.argv[1]), "--every" in sys.argv)
