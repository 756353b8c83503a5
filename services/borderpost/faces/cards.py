"""The model cards of the engines that ship, as the page docs/engines.md: `python -m borderpost.faces.cards FILE`."""

from __future__ import annotations

import sys
from pathlib import Path

from borderpost.faces.adapters import dlib_onnx, mobilefacenet
from borderpost.faces.ports import ModelCard

INTRO = """# Engines

Written by `make docs` from the code: the model cards of the engines that ship. `faces.engine` chooses one
([settings](settings.md)); [0015](adr/0015-two-engines.md) says why the first is the default, and
[accuracy.md](accuracy.md) what each was measured to do. Every file is verified by its SHA-256 before every load. A
template carries its model's id, and templates of different models are never compared.
"""

OWN = """
## A model of your own

The engine `onnx` runs an embedder of ArcFace's kind (five points, one vector, cosine) that a card file describes;
`services/borderpost/faces/adapters/own_model.py` has the card's form. `faces.card` names the card, and the folder that
`calibrations` names holds its calibration, ID.json. Faces are found and aligned by the default engine's models.
"""


def page() -> str:
    """The page's whole text."""
    return INTRO + "".join(_card(card) for card in (mobilefacenet.CARD, dlib_onnx.CARD)) + OWN


def _card(card: ModelCard) -> str:
    rows = (
        ("Setting", f"`faces.engine = {card.engine}`"),
        ("Licence", card.licence),
        ("Holder", card.holder),
        ("Provenance", card.provenance),
        ("Training data", card.training_data),
        ("Input", card.input),
        ("Alignment", card.alignment),
        ("Template", f"{card.dimension} × float32, length 1, {card.metric}; {_sides(card)}"),
        ("Calibration", f"`services/borderpost/runtime/calibrations/{card.id}.json`"),
        ("Fingerprint", f"`{card.fingerprint}`: a calibration holds for this one alone"),
        *((f"`{file.name}`", f"`{file.sha256}`") for file in card.files),
    )
    lines = (f"| {name} | {text} |" for name, text in rows)
    return f"\n## `{card.id}`\n\n| | |\n| --- | --- |\n" + "\n".join(lines) + "\n"


def _sides(card: ModelCard) -> str:
    return "mean of the chip " + " and ".join(card.views)


def main() -> None:
    """Write the page into the file that the first argument names."""
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
