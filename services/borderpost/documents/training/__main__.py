"""`python -m borderpost.documents.training draw|fit|export|measure`: from nothing to `ocrb_net.onnx`, and figures."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from borderpost.documents.adapters.ocrb_net import WEIGHTS

ONE_THREAD = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


def main() -> None:
    """Run one step of the training; each leaves files for the next."""
    options = _options()
    if options.step == "measure":
        from borderpost.documents.training import measure  # noqa: PLC0415 - needs the extra `documents` only

        measure.report(options.onnx, options.font, options.lines, options.pages)
        return
    os.environ.setdefault("XLA_FLAGS", ONE_THREAD)
    # After the flags, which JAX reads when it is imported.
    from borderpost.documents.training import export, train  # noqa: PLC0415
    from borderpost.documents.training.lines import Settings  # noqa: PLC0415

    recipe, settings = train.Recipe(options.seed, options.windows, options.epochs, options.soften), Settings()
    params = options.folder / "params.npz"
    if options.step == "draw":
        train.draw(options.folder, recipe, settings, options.font)
    elif options.step == "fit":
        train.fit(options.folder, recipe, settings, params, options.start, options.stop)
    else:
        result = train.load(params)
        temperature = train.temperature(result, options.folder, recipe, settings)
        fonts = " ".join(font.name for font in options.font)
        export.write(options.onnx, result, recipe.seed, settings, temperature, fonts)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="borderpost.documents.training", description=main.__doc__)
    add = parser.add_argument
    add("step", choices=("draw", "fit", "export", "measure"))
    add("--folder", type=Path, default=Path("build/ocrb-net"), help="where windows and parameters are kept")
    add("--font", type=Path, action="append", default=[], help="an OCR-B font file, besides our strokes")
    add("--windows", type=int, default=32_000, help="strips drawn for training")
    add("--epochs", type=float, default=1.1, help="how often each is looked at (fit)")
    add("--seed", type=int, default=20261)
    add("--soften", type=float, default=0.0, help="share of the strips that are blurred once more (fit)")
    add("--start", type=Path, help="parameters to begin with (fit)")
    add("--stop", type=int, help="last step, if it is not to be the recipe's (fit)")
    add("--onnx", type=Path, default=WEIGHTS, help="the network, if not the one in use (export, measure)")
    add("--lines", type=int, default=400, help="lines drawn for each strength (measure)")
    add("--pages", type=Path, help="a folder of real pages, */NN.jpg with NN.txt (measure)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
