"""Who a list of people shows."""

from __future__ import annotations

from app.models import UserRow
from app.services.people_list import PAGE, Wanted, count_by_role, page_of, select_people


def person(number: int, name: str, role: str | None, state: str = "active") -> UserRow:
    return UserRow(
        id=number,
        name=name,
        email=f"{number}@clinic.example",
        address="Seeweg 4",
        asked_role="doctor",
        role=role,
        state=state,
    )


PEOPLE = [
    person(1, "Özlem Ünal", "doctor"),
    person(2, "Bob", None, "waiting"),
    person(3, "Carol", "remote", "suspended"),
]


def names(**wanted: str) -> list[str]:
    return [one.name for one in select_people(PEOPLE, {}, Wanted.of(wanted))]


def test_text_is_found_in_any_case_also_beyond_ascii() -> None:
    assert names(text=" özLEM ") == ["Özlem Ünal"]
    assert names(text="SEEWEG") == ["Özlem Ünal", "Bob", "Carol"]
    assert names(text="3@clinic") == ["Carol"]
    assert names(text="nobody") == []


def test_who_waits_counts_for_the_role_that_was_asked_for() -> None:
    assert names(role="doctor") == ["Özlem Ünal", "Bob"]
    assert count_by_role(PEOPLE)["doctor"] == 2
    assert count_by_role(PEOPLE)["auditor"] == 0


def test_every_condition_has_to_hold() -> None:
    assert names(role="doctor", state="waiting") == ["Bob"]
    assert names(role="doctor", state="suspended") == []
    assert names(wallet="none", state="suspended") == ["Carol"]
    assert names(wallet="authorised") == []


def test_what_no_person_can_have_is_not_asked_for() -> None:
    assert Wanted.of({"role": "emperor", "state": "x", "wallet": "y", "text": " "}) == Wanted()
    assert Wanted(text="a", state="active").to_query() == {"text": "a", "state": "active"}


def test_pages_hold_everybody_once() -> None:
    people = [person(number, "x", "doctor") for number in range(2 * PAGE + 1)]
    pages = [page_of(people, number) for number in (1, 2, 3)]
    assert [one.id for page in pages for one in page.people] == list(range(2 * PAGE + 1))
    assert page_of(people, 99) == pages[-1]
    assert page_of(people, -1) == pages[0]
    assert page_of([], 1).pages == 1
