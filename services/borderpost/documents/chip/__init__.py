"""The files of a document's chip, and whether to believe them (ICAO 9303-10 and -11)."""
