"""What travelers and officers are told, in English. Keys are the reason codes of `domain`."""

from __future__ import annotations

from typing import Final

from borderpost.documents.domain import Problem

ADVICE: Final = {
    Problem.NO_MRZ: (
        "The lines of letters and arrows at the bottom of the page were not found. "
        "Open the document at the page with your photo, and lay it flat with nothing covering it."
    ),
    Problem.MRZ_CUT_OFF: (
        "Part of the lines at the bottom of the page is outside the picture. "
        "Move the document so that the whole page can be seen."
    ),
    Problem.MRZ_UNCERTAIN: (
        "The lines at the bottom of the page can't be read clearly. "
        "Hold the document still, avoid reflections, and wipe the page if it is dirty."
    ),
}
"""What the traveler can do before the next picture."""
