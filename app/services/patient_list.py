"""A doctor's patients searched, sorted and paged: in memory, for the index is sealed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from app.services.patients import Patient

PAGE: Final = 25
# By what a list is sorted, and how the choice is called.
ORDERS: Final = {"changed": "Changed last", "initials": "Initials", "created": "Entered first"}
_KEYS: Final[Mapping[str, Callable[[Patient], Any]]] = {
    "changed": lambda one: one.changed_at,
    "initials": lambda one: one.minimum.initials.casefold(),
    "created": lambda one: one.created_at,
}


@dataclass(frozen=True)
class PatientPage:
    """The patients of one page; pages are counted from 1. `total` of all pages."""

    patients: list[Patient]
    number: int
    pages: int
    total: int


@dataclass(frozen=True)
class Search:
    """What is looked for: initials, or how the identifier begins; `due` for deletion only."""

    text: str = ""
    order: str = "changed"
    page: int = 1
    due: bool = False

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Search:
        """What an address asks for; what makes no sense in it is left out."""
        order, page = query.get("order", ""), query.get("page", "")
        return cls(
            text=query.get("text", "").strip()[:40],
            order=order if order in ORDERS else "changed",
            page=int(page) if page.isdecimal() and 0 < int(page) < 10**6 else 1,
            due=query.get("due") == "1",
        )

    def page_of(self, patients: Sequence[Patient]) -> PatientPage:
        """The page that is asked for, or the last one."""
        found = [one for one in patients if self._matches(one)]
        found.sort(key=lambda one: one.id)
        found.sort(key=_KEYS[self.order], reverse=self.order == "changed")
        pages = max(1, -(-len(found) // PAGE))
        number = min(self.page, pages)
        shown = found[(number - 1) * PAGE : number * PAGE]
        return PatientPage(shown, number, pages, len(found))

    def at(self, page: int) -> dict[str, str]:
        """The address's query of another page of the same search."""
        there = replace(self, page=page)
        told = {"text": there.text, "order": there.order, "page": str(there.page)}
        return told | ({"due": "1"} if there.due else {})

    def _matches(self, patient: Patient) -> bool:
        wanted = _plain(self.text)
        return wanted in _plain(patient.minimum.initials) or patient.id.startswith(wanted)


def _plain(text: str) -> str:
    return text.replace(".", "").replace(" ", "").casefold()
