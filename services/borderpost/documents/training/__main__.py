"""`python -m borderpost.documents.training draw|fit|export`: from nothing to `ocrb_net.onnx`."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

ONE_THREAD = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


def main() -> None:
    """Run one step of the training; each leaves files for the next."""
    os.environ.setdefault("XLA_FLAGS", ONE_THREAD)
    # After the flags, which JAX reads when it is imported.
    from borderpost.documents.training import export, train  # noqa: PLC0415
    from borderpost.documents.training.lines import Settings  # noqa: PLC0415

    usual = train.Recipe()
    parser = argparse.ArgumentParser(prog="borderpost.documents.training", description=main.__doc__)
    parser.add_argument("step", choices=("draw", "fit", "export"))
    parser.add_argument(
        "--folder", type=Path, required=True, help="where drawn windows and parameters are kept"
    )
    parser.add_argument(
        "--font", type=Path, action="append", default=[], help="an OCR-B font file, besides our strokes"
    )
    parser.add_argument("--windows", type=int, default=usual.windows)
    parser.add_argument("--epochs", type=float, default=usual.epochs)
    parser.add_argument("--seed", type=int, default=usual.seed)
    parser.add_argument("--start", type=Path, help="parameters to begin with (fit)")
    parser.add_argument("--stop", type=int, help="last step, if it is not to be the recipe's (fit)")
    parser.add_argument("--onnx", type=Path, help="where to write the network (export)")
    options = parser.parse_args()
    recipe = train.Recipe(seed=options.seed, windows=options.windows, epochs=options.epochs)
    params = options.folder / "params.npz"
    if options.step == "draw":
        train.draw(options.folder, recipe, Settings(), options.font)
    elif options.step == "fit":
        train.fit(options.folder, recipe, Settings(), params, options.start, options.stop)
    else:
        result = train.load(params)
        temperature = train.temperature(result, options.folder, recipe, Settings())
        fonts = " ".join(font.name for font in options.font)
        export.write(options.onnx, result, recipe.seed, Settings(), temperature, fonts)


if __name__ == "__main__":
    main()
