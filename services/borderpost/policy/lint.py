"""What no policy may look at, whatever its schema would allow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

REFUSED: Final = {
    "nationality": "nationality",
    "nationalities": "nationality",
    "citizenship": "nationality",
    "citizenships": "nationality",
    "issuing_state": "nationality (the issuing state stands for it)",
    "issuing_states": "nationality (the issuing state stands for it)",
    "country": "nationality",
    "countries": "nationality",
    "sex": "sex",
    "gender": "sex",
    "age": "an age by itself",
    "ages": "an age by itself",
    "birth_date": "an age by itself",
    "ethnicity": "ethnic origin",
    "race": "ethnic origin",
    "religion": "religion",
    "language": "language",
    "languages": "language",
    "birth_place": "place of birth",
    "name": "a name",
    "names": "a name",
}
"""Conditions that would tell people apart by what the Charter of Fundamental Rights of the EU, article 21, forbids,
or that stand for it."""

_WHY: Final = (
    "no rule looks at {what}: discrimination (EU Charter, article 21; Regulation (EU) 2016/399, article 7(2)). "
    "Of the age only age_from and age_below, with the legal_basis that names the law"
)


def refused_keys(raw: Mapping[str, Any]) -> list[str]:
    """Return what is wrong in the rules of a policy as it was read from TOML: place and reason, in words."""
    rules = raw.get("rules", [])
    sections = [("rules", rule) for rule in rules] if isinstance(rules, list) else []
    referral = raw.get("referral", {})
    lists = referral.get("lists", []) if isinstance(referral, Mapping) else []
    sections += [("referral.lists", terms) for terms in lists] if isinstance(lists, list) else []
    if isinstance(raw.get("sample"), Mapping):
        sections.append(("sample", raw["sample"]))
    return [
        f"{place} {number}, {key}: {_WHY.format(what=REFUSED[key.lower()])}"
        for number, (place, section) in enumerate(sections, 1)
        for key in _keys(section)
        if key.lower() in REFUSED
    ]


def _keys(section: object) -> Iterator[str]:
    if isinstance(section, Mapping):
        for key, value in section.items():
            yield str(key)
            yield from _keys(value)
