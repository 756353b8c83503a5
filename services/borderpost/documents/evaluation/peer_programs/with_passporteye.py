"""passporteye as a program: a picture's path in each line of input, its answer as JSON in each line of output.

Run by the interpreter of the peers' environment, which has nothing of Borderpost. Needs `tesseract` on the path,
and TESSDATA_PREFIX.
"""

import importlib
import json
import os
import sys


def main() -> None:
    """Answer until the input ends. `seconds` is the CPU time of this process and of the tesseracts that it calls."""
    read_mrz = importlib.import_module("passporteye").read_mrz
    cleaner = importlib.import_module("passporteye.mrz.text").MRZOCRCleaner
    for path in sys.stdin:
        started = sum(os.times()[:4])
        lines: list[str] = []
        note = ""
        try:
            found = read_mrz(path.strip(), extra_cmdline_params="-l mrz")
            if found is not None:
                lines = list(cleaner.apply(found.aux["raw_text"]))
                note = f"score {found.valid_score}"
        except Exception as error:  # whatever it raises, it has no answer
            note = type(error).__name__
        seconds = sum(os.times()[:4]) - started
        sys.stdout.write(json.dumps({"lines": lines, "seconds": seconds, "note": note}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
