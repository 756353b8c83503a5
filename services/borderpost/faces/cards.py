"""The model cards of the engines that ship, as the page docs/engines.md: `python -m borderpost.faces.cards FILE`."""

from __future__ import annotations

import sys
from pathlib import Path

from borderpost.faces.adapters import dlib_onnx, mobilefacenet
from borderpost.faces.adapters.weights import EYE_STATE, HEAD_POSE
from borderpost.faces.ports import ModelCard

EXAMPLE = Path(__file__).parent / "adapters" / "own_model.toml"

INTRO = """# Engines

Written by `make docs` from the code: the model cards of the engines that ship. `faces.engine` chooses one
([settings](settings.md)); [0015](adr/0015-two-engines.md) says why the first is the default, and
[accuracy.md](accuracy.md) what each was measured to do. Every file is verified by its SHA-256 before every load. A
template carries its model's id, and templates of different models are never compared.
"""

OWN = """
## A model of your own

The engine `onnx` runs an embedder of ArcFace's kind (five points, one vector, cosine) that a card file describes:

```toml
{example}```

Left and right are the picture's. The hash is what `sha256sum model.onnx` prints. Faces are found and aligned by the
default engine's models. Then:

    borderpost faces calibrate --folder pictures --engine onnx --card model.toml --out calibrations/agency-r100-v1.json
    export BORDERPOST_FACES__ENGINE=onnx BORDERPOST_FACES__CARD=model.toml BORDERPOST_CALIBRATIONS=calibrations

The calibration's file is the card's id with `.json`, in the folder that the setting `calibrations` names.
"""

HELPERS = f"""
## Files that make no template

Run beside `mobilefacenet` and `onnx`, from the same package under the same licence ({mobilefacenet.CARD.licence}):

| file | purpose | SHA-256 |
| --- | --- | --- |
| `{HEAD_POSE.name}` | head pose, for the quality of watchlist pictures and for guided captures | `{HEAD_POSE.sha256}` |
| `{EYE_STATE.name}` | whether the eyes are open, for quality and blinks | `{EYE_STATE.sha256}` |
"""


def page() -> str:
    """The page's whole text."""
    cards = "".join(_card(card) for card in (mobilefacenet.CARD, dlib_onnx.CARD))
    return INTRO + cards + HELPERS + OWN.format(example=EXAMPLE.read_text(encoding="utf-8"))


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
