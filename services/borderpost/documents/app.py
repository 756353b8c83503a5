"""A whole document: page and chip, each judged, and held against each other."""

from __future__ import annotations

import datetime
from dataclasses import replace

from borderpost.documents.capture import Capture, ChipCapture
from borderpost.documents.challenge import Challenges
from borderpost.documents.chip.consistency import consistency
from borderpost.documents.chip.domain import ActiveAuthentication, ChipFiles
from borderpost.documents.chip.read import read_chip
from borderpost.documents.domain import DocumentReading, Stage
from borderpost.documents.pages import Pages
from borderpost.documents.ports import TrustAnchors
from borderpost.documents.verdict import verdict
from borderpost.runtime.calls import Actor
from borderpost.runtime.tokens import TokenRefusedError


class Documents:
    """Reads and judges documents. Holds no state of its own: any number of threads may use it."""

    def __init__(self, pages: Pages, trust: TrustAnchors, challenges: Challenges) -> None:
        self._pages = pages
        self._trust = trust
        self._challenges = challenges

    def read(self, capture: Capture, at: datetime.datetime, caller: Actor) -> DocumentReading:
        """Read a document, and judge it as of `at`. Raises only the errors of `decode_picture`.

        With a chip there may be no page.
        """
        if capture.page or capture.chip is None:
            reading = self._pages.read(capture.page, at.date(), capture.portrait_page)
        else:
            reading = self._pages.without_page()
        if capture.chip is None:
            return reading
        files = self._files(capture.chip, capture.visit_id, caller)
        chip = read_chip(files, self._trust.snapshot(), at)
        return replace(
            reading,
            chip=chip,
            electronic=verdict(chip.checks),
            consistency=consistency(reading.mrz, chip),
            stages=(*reading.stages, *(Stage(name, took) for name, took in chip.stages.items())),
        )

    def _files(self, chip: ChipCapture, visit_id: str, caller: Actor) -> ChipFiles:
        """Believe an answer to a challenge only where the challenge was ours, for this visit and caller."""
        active, refused = None, ""
        if chip.answer is not None:
            try:
                nonce = self._challenges.nonce_of(chip.answer.challenge_token, visit_id, caller)
                active = ActiveAuthentication(nonce, chip.answer.signature)
            except TokenRefusedError as error:
                refused = f"CHIP_CHALLENGE_{error.reason}"
        return ChipFiles(
            com=chip.com,
            sod=chip.sod,
            data_groups=chip.data_groups,
            active=active,
            active_refused=refused,
            chip_authentication_claimed=chip.chip_authentication_claimed,
        )
