"""Letters and what the machine readable zone writes for them: ICAO Doc 9303-3 (8th edition), section 6.

Where the standard leaves a choice, or makes an exception for a language, all spellings are listed and the first is
the one that is written here. A letter with a mark that isn't listed loses the mark.
"""

from __future__ import annotations

from typing import Final

Spellings = tuple[str, ...]
"""What may stand for one letter; "" for a letter that is left out."""

LATIN: Final[dict[str, Spellings]] = {
    "Ä": ("AE", "A"),
    "Å": ("AA", "A"),
    "Æ": ("AE",),
    "Ð": ("D",),
    "Đ": ("D",),
    "Ħ": ("H",),
    "Ĳ": ("IJ",),
    "Ł": ("L",),
    "Ñ": ("N", "NXX"),
    "Ŋ": ("N",),
    "Ö": ("OE", "O"),
    "Ø": ("OE",),
    "Œ": ("OE",),
    "ẞ": ("SS",),
    "Ŧ": ("T",),
    "Þ": ("TH",),
    "Ü": ("UE", "UXX", "U"),
    # Not in the standard's table; as their states are known to write them.
    "Ə": ("E",),
    "ĸ": ("Q",),
}
"""Table A, without the letters that only lose a mark."""

CYRILLIC: Final[dict[str, Spellings]] = {
    "А": ("A",),
    "Б": ("B",),
    "В": ("V",),
    "Г": ("G", "H"),  # H: Belarusian, Serbian, Ukrainian
    "Ґ": ("G",),
    "Ғ": ("G", "GJ"),
    "Д": ("D",),
    "Ђ": ("D",),
    "Е": ("E",),
    "Ё": ("E", "IO"),  # IO: Belarusian
    "Є": ("IE",),
    "Ж": ("ZH", "Z"),  # Z: Serbian
    "З": ("Z",),
    "Ѕ": ("DZ",),
    "И": ("I", "Y"),  # Y: Ukrainian
    "І": ("I",),
    "Ї": ("I",),
    "Й": ("I",),
    "Ј": ("J",),
    "К": ("K",),
    "Ќ": ("K", "KJ"),  # KJ: Macedonian
    "Л": ("L",),
    "Љ": ("LJ",),
    "М": ("M",),
    "Н": ("N",),
    "Њ": ("NJ",),
    "О": ("O",),
    "П": ("P",),
    "Р": ("R",),
    "С": ("S",),
    "Т": ("T",),
    "У": ("U",),
    "Ў": ("U",),
    "Ѫ": ("U",),
    "Ф": ("F",),
    "Х": ("KH", "H"),  # H: Serbian, Macedonian
    "Һ": ("C",),
    "Ц": ("TS", "C"),  # C: Serbian, Macedonian
    "Ч": ("CH", "C"),  # C: Serbian
    "Џ": ("DZ", "DJ"),  # DJ: Macedonian
    "Ш": ("SH", "S"),  # S: Serbian
    "Щ": ("SHCH", "SHT"),  # SHT: Bulgarian
    "Ъ": ("IE",),
    "Ы": ("Y",),
    "Э": ("E",),
    "Ю": ("IU",),
    "Я": ("IA",),
    "Ѵ": ("Y",),
    # The standard prints Ћ beside the code of Ђ, and lists Һ and Ғ with the spellings of Ћ and Ѓ.
    "Ћ": ("C", "D"),
    "Ѓ": ("G", "GJ"),
    # Not in the standard's table; left out as its users do.
    "Ь": ("",),
}
"""Table B."""

CYRILLIC_FIRST: Final[dict[str, str]] = {"Є": "YE", "Ї": "YI", "Й": "Y", "Ю": "YU", "Я": "YA"}
"""Table B: what else the first letter of a Ukrainian word may be."""

ARABIC: Final[dict[str, Spellings]] = {
    "\u0621": ("XE",),
    "\u0622": ("XAA",),
    "\u0623": ("XAE",),
    "\u0624": ("U",),
    "\u0625": ("I",),
    "\u0626": ("XI",),
    "\u0627": ("A",),
    "\u0628": ("B",),
    "\u0629": ("XTA",),
    "\u062a": ("T",),
    "\u062b": ("XTH",),
    "\u062c": ("J",),
    "\u062d": ("XH",),
    "\u062e": ("XKH",),
    "\u062f": ("D",),
    "\u0630": ("XDH",),
    "\u0631": ("R",),
    "\u0632": ("Z",),
    "\u0633": ("S",),
    "\u0634": ("XSH",),
    "\u0635": ("XSS",),
    "\u0636": ("XDZ",),
    "\u0637": ("XTT",),
    "\u0638": ("XZZ",),
    "\u0639": ("E",),
    "\u063a": ("G",),
    "\u0641": ("F",),
    "\u0642": ("Q",),
    "\u0643": ("K",),
    "\u0644": ("L",),
    "\u0645": ("M",),
    "\u0646": ("N",),
    "\u0647": ("H",),
    "\u0648": ("W",),
    "\u0649": ("XAY",),
    "\u064a": ("Y",),
    "\u0671": ("XXA",),
    "\u0679": ("XXT",),
    "\u067c": ("XRT",),
    "\u067e": ("P",),
    "\u0681": ("XKE",),
    "\u0685": ("XXH",),
    "\u0686": ("XC",),
    "\u0688": ("XXD",),
    "\u0689": ("XDR",),
    "\u0691": ("XXR",),
    "\u0693": ("XRR",),
    "\u0696": ("XRX",),
    "\u0698": ("XJ",),
    "\u069a": ("XXS",),
    "\u069c": ("",),
    "\u06a2": ("",),
    "\u06a7": ("",),
    "\u06a8": ("",),
    "\u06a9": ("XKK",),
    "\u06ab": ("XXK",),
    "\u06ad": ("XNG",),
    "\u06af": ("XGG",),
    "\u06ba": ("XNN",),
    "\u06bc": ("XXN",),
    "\u06be": ("XDO",),
    "\u06c0": ("XYH",),
    "\u06c1": ("XXG",),
    "\u06c2": ("XGE",),
    "\u06c3": ("XTG",),
    "\u06cc": ("XYA",),
    "\u06cd": ("XXY",),
    "\u06d0": ("Y",),
    "\u06d2": ("XYB",),
    "\u06d3": ("XBE",),
}
"""Table C. Vowel signs and the tatweel are left out; they are no letters."""

TEH_MARBUTA: Final = "\u0629"
TEH_MARBUTA_LAST: Final = "XAH"
"""Table C, note 2: at the end of a word."""

SHADDA: Final = "\u0651"
"""Table C, note 3: what was written for the letter before it is written twice."""

LETTERS: Final = LATIN | CYRILLIC | ARABIC
