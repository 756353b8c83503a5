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
"""Conditions that would tell people apart by grounds of the EU's Charter of Fundamental Rights, article 21(1), and of
Regulation (EU) 2016/399, article 7(2); by nationality, which Borderpost leaves to officers, who know who may move
freely; or by what stands for one of these."""

WHY: Final = (
    "no rule tells people apart by nationality, nor by grounds of discrimination (EU Charter of Fundamental Rights, "
    "article 21(1); Regulation (EU) 2016/399, article 7(2)); by age only with age_from and age_below, and the "
    "legal_basis that names the law"
)


def refused_keys(raw: Mapping[str, Any]) -> list[str]:
    """Return which keys of a policy, as it was read from TOML, no rule may have: where they stand, and what they look
    at. `WHY` says why."""
    referral = raw.get("referral", {})
    lists = referral.get("lists") if isinstance(referral, Mapping) else None
    places = {
        **_numbered("rules", raw.get("rules")),
        **_numbered("referral.lists", lists),
        "sample": raw.get("sample"),
    }
    return [
        f"{place}.{key} ({REFUSED[key.lower()]})"
        for place, section in places.items()
        for key in _keys(section)
        if key.lower() in REFUSED
    ]


def _numbered(place: str, sections: object) -> dict[str, object]:
    if not isinstance(sections, list):
        return {}
    return {f"{place} {number}": section for number, section in enumerate(sections, 1)}


def _keys(section: object) -> Iterator[str]:
    if isinstance(section, Mapping):
        for key, value in section.items():
            yield str(key)
            yield from _keys(value)
