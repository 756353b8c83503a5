"""The part of the program `tesseract` that pytesseract calls, on tesserocr's libtesseract.

For machines without the program; its start is a few hundredths of a second slower.
"""

import os
import sys
from pathlib import Path

import tesserocr


def main(arguments: list[str]) -> int:
    """Read a picture into a text file: PICTURE OUT [-l LANG] [--psm N] [--oem N] [-c NAME=VALUE]... [txt]."""
    if "--version" in arguments:
        sys.stdout.write(tesserocr.tesseract_version() + "\n")
        return 0
    picture, out, *rest = arguments
    lang, segmentation, engine = "eng", tesserocr.PSM.AUTO, tesserocr.OEM.DEFAULT
    variables = {}
    while rest:
        option = rest.pop(0)
        if option == "-l":
            lang = rest.pop(0)
        elif option == "--psm":
            segmentation = int(rest.pop(0))
        elif option == "--oem":
            engine = int(rest.pop(0))
        elif option == "-c":
            name, _, value = rest.pop(0).partition("=")
            variables[name] = value
        elif option != "txt":
            sys.stderr.write(f"tesseract: unknown option {option}\n")
            return 1
    data = os.environ["TESSDATA_PREFIX"]
    with tesserocr.PyTessBaseAPI(
        path=data, lang=lang, psm=segmentation, oem=engine, variables=variables
    ) as api:
        api.SetImageFile(picture)
        Path(f"{out}.txt").write_text(api.GetUTF8Text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
