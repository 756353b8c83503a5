"""Real Chromium without a screen, driven over a pipe (Chrome DevTools Protocol): no port, no library.

Messages are JSON ended by NUL: the browser reads them from file descriptor 3 and writes them to 4.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
)
KEYS = {"Tab": ("Tab", 9, ""), "Enter": ("Enter", 13, "\r"), "Space": (" ", 32, " ")}


def chromium() -> str | None:
    """Where the browser is, if it is."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Browser:
    """One page in one browser. What it asked for and complained about is kept."""

    def __init__(self, profile: Path, *flags: str, without: tuple[str, ...] = ()) -> None:
        program = chromium()
        assert program, "chromium isn't installed"
        kept = [flag for flag in FLAGS if flag not in without]
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()
        # The shell moves the two pipes to where the browser looks for them.
        script = f'exec "$0" "$@" 3<&{to_browser} 4>&{from_browser}'
        self._process = subprocess.Popen(
            ["/bin/bash", "-c", script, program, *kept, *flags, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(to_browser, from_browser),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._readable = select.poll()  # not `select`, which takes no file numbers from 1024 on
        self._readable.register(self._read, select.POLLIN | select.POLLHUP)
        self._buffer = b""
        self._number = 0
        self._session = ""
        self.requested: list[str] = []
        self.complaints: list[str] = []
        try:
            self._attach()
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._write)
        os.close(self._read)

    def _attach(self) -> None:
        """Work with the page, once there is one."""
        end, pages = time.monotonic() + 60, []
        while not pages:
            assert time.monotonic() < end, "the browser opened no page"
            targets = self.call("Target.getTargets")["targetInfos"]
            pages = [target["targetId"] for target in targets if target["type"] == "page"]
        self._session = self.call("Target.attachToTarget", targetId=pages[0], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log", "DOM"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call the browser, and return what it answers."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            got = self._next()
            if got.get("id") == self._number:
                assert "error" not in got, got
                return got["result"]

    def _next(self, seconds: float = 60.0) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            assert self._readable.poll(1000 * seconds), "the browser doesn't answer"
            part = os.read(self._read, 1 << 20)
            assert part, "the browser has ended"
            self._buffer += part
        message, _, self._buffer = self._buffer.partition(b"\0")
        got = json.loads(message)
        self._note(got.get("method", ""), got.get("params", {}))
        return got

    def _note(self, method: str, what: dict[str, Any]) -> None:
        if method == "Network.requestWillBeSent":
            self.requested.append(what["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(what["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and what["type"] in ("error", "warning", "assert"):
            self.complaints.append(json.dumps(what["args"]))
        elif method == "Log.entryAdded" and what["entry"]["level"] == "error":
            self.complaints.append(json.dumps(what["entry"]))

    def open(self, url: str) -> None:
        """Go to a page."""
        self.call("Page.navigate", url=url)
        self.until("document.documentElement?.dataset.ready === ''")

    def value(self, expression: str) -> Any:
        """Return what an expression is in the page."""
        got = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in got, got
        return got["result"].get("value")

    def until(self, expression: str, seconds: float = 20.0) -> None:
        """Wait until an expression holds in the page."""
        end = time.monotonic() + seconds
        while not self.value(expression):
            assert time.monotonic() < end, f"never: {expression}; {self.value('document.body.innerText')}"
            time.sleep(0.05)

    def press(self, key: str) -> None:
        """Press a key and let it go."""
        name, code, text = KEYS[key]
        common = {"key": name, "code": key, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **common)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def tab_to(self, selector: str, most: int = 12) -> None:
        """Press Tab until an element has the focus."""
        for _ in range(most):
            self.press("Tab")
            if self.value(f"document.activeElement.matches({selector!r})"):
                return
        raise AssertionError(f"Tab never comes to {selector}")

    def choose_file(self, selector: str, file: Path) -> None:
        """Choose a file, as its dialog would."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(file)])

    def look(self, width: int, height: int, dark: bool = False) -> None:
        """Have a screen of that size, light or dark."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def screenshot(self) -> bytes:
        """Return what is on the screen, a PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
