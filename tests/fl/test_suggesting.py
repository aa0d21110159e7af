"""Suggestions: the shipped rules fire and do not, the model alone chooses none, bad files fail."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from fl.datasets import BUILT_IN, Column, Task, get_task
from fl.datasets.suggesting import BANDS, KINDS, Condition, Rule, RuleBook
from fl.datasets.suggestion_file import find_rules, read_rules
from fl.errors import DescriptionError

HEART = get_task("heart")
Values = Mapping[str, float | None]

GOOD = """
revised = "2026-11-22"
reviewed_by = ""
reviewed_on = ""
read_how = "In a library."
not_found = ["A guideline."]

[sources.one]
title = "Title"
organisation = "Organisation"
year = 2020
section = "1.2"
address = "https://guideline.example/page"
opened = "2026-11-22"
fact = "What it says."

[[rules]]
id = "first"
kind = "examination"
text = "Do it."
sources = ["one"]
bands = ["likely"]
inputs = [{ column = "trestbps", at_least = 140 }, { column = "cp", is = ["asymptomatic"] }]
"""


def book(task: str) -> RuleBook:
    found = find_rules(task)
    assert found is not None
    return found


SHIPPED = [(task, rule) for task in BUILT_IN if find_rules(task) for rule in book(task).rules]
each_rule = pytest.mark.parametrize(
    ("task", "rule"), SHIPPED, ids=[f"{task}-{rule.id}" for task, rule in SHIPPED]
)


def value_of(column: Column) -> SearchStrategy[float]:
    if column.kind == "number":
        return st.floats(column.low, column.high)
    return st.integers(0, len(column.categories) - 1).map(float)


def patients(task: Task) -> SearchStrategy[dict[str, float | None]]:
    return st.fixed_dictionaries(
        {column.name: st.none() | value_of(column) for column in task.columns}
    )


def meeting(one: Condition) -> float:
    """A possible value that meets a condition, strictly inside its bounds."""
    if one.column.kind != "number":
        return float(one.categories[0])
    low = next((b for b in (one.at_least, one.above) if b is not None), one.column.low)
    high = next((b for b in (one.at_most, one.below) if b is not None), one.column.high)
    return (low + high) / 2


def failing(one: Condition) -> float:
    """A possible value that does not."""
    if one.column.kind != "number":
        return float(next(i for i in range(len(one.column.categories)) if i not in one.categories))
    return one.column.low if one.at_least is not None or one.above is not None else one.column.high


def fitting(rule: Rule) -> dict[str, float | None]:
    return {one.column.name: meeting(one) for one in rule.conditions}


def test_every_built_in_task_has_rules_and_no_other_has() -> None:
    assert {task for task, _ in SHIPPED} == set(BUILT_IN)
    for name in ("none", "knee-0123456789ab", "../suggestions/heart", "suggestions/heart"):
        assert find_rules(name) is None


@each_rule
def test_a_shipped_rule_fires_for_some_patients_in_its_bands_alone(task: str, rule: Rule) -> None:
    values = fitting(rule)
    assert [rule in book(task).suggest(band, values) for band in BANDS] == [
        band in rule.bands for band in BANDS
    ]


@each_rule
def test_a_shipped_rule_falls_with_each_of_its_conditions(task: str, rule: Rule) -> None:
    for one in rule.conditions:
        name = one.column.name
        for other in (failing(one), None, math.nan):
            values = fitting(rule) | {name: other}
            assert all(rule not in book(task).suggest(band, values) for band in BANDS), name
        absent = fitting(rule)
        del absent[name]
        assert not rule.applies(rule.bands[0], absent)


@each_rule
def test_a_shipped_rule_has_a_page_that_was_opened_and_an_input(task: str, rule: Rule) -> None:
    assert rule.kind in KINDS
    assert rule.conditions
    assert rule.bands
    for source in rule.sources:
        assert urlsplit(source.address).hostname
        assert source.section
        assert source.fact
        assert source.year <= int(source.opened[:4])


@pytest.mark.parametrize("task", BUILT_IN)
@pytest.mark.parametrize("band", BANDS)
def test_the_model_alone_suggests_nothing(task: str, band: str) -> None:
    unknown: Values = {column.name: None for column in get_task(task).columns}
    assert book(task).suggest(band, unknown) == ()
    assert book(task).suggest(band, {}) == ()


@given(st.data())
def test_a_value_that_is_not_known_only_takes_suggestions_away(data: st.DataObject) -> None:
    task = data.draw(st.sampled_from(sorted(BUILT_IN)))
    values = data.draw(patients(get_task(task)))
    band = data.draw(st.sampled_from(BANDS))
    hidden = data.draw(st.sampled_from(sorted(values)))
    with_it = book(task).suggest(band, values)
    without = book(task).suggest(band, values | {hidden: None})
    assert set(without) <= set(with_it)
    for rule in with_it:
        uses = any(one.column.name == hidden for one in rule.conditions)
        assert (rule in without) != uses


@pytest.mark.parametrize(
    ("value", "met"), [(139.9, False), (140, True), (179.9, True), (180, False)]
)
def test_the_ends_of_a_range_are_as_the_rule_says(value: float, met: bool) -> None:
    column = next(one for one in HEART.columns if one.name == "trestbps")
    assert Condition(column, at_least=140, below=180).met(value) is met
    other = replace(Condition(column, above=140, at_most=180))
    assert other.met(value) is (140 < value <= 180)


def test_what_is_no_band_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one of the bands"):
        book("heart").suggest("high", {})


def test_the_example_is_good_and_a_review_is_named_with_its_day() -> None:
    found = read_rules(GOOD, HEART)
    assert [rule.id for rule in found.rules] == ["first"]
    assert found.reviewed_by == ""
    reviewed = GOOD.replace('reviewed_by = ""', 'reviewed_by = "Dr. A. Example"').replace(
        'reviewed_on = ""', 'reviewed_on = "2026-12-01"'
    )
    assert read_rules(reviewed, HEART).reviewed_on == "2026-12-01"


def test_nobody_has_reviewed_the_shipped_rules_and_they_say_so() -> None:
    for task in BUILT_IN:
        assert (book(task).reviewed_by, book(task).reviewed_on) == ("", "")


RULE = GOOD[GOOD.index("[[rules]]") :]
BAD = [
    ("not TOML", "revised", "= revised", "suggestions in TOML"),
    ("no day", '"2026-11-22"\nreviewed', '"November"\nreviewed', "a day, YYYY-MM-DD, for revised"),
    ("another writing", '"2026-11-22"\nreviewed', '"20261122"\nreviewed', "a day, YYYY-MM-DD"),
    ("reviewed on no day", 'reviewed_by = ""', 'reviewed_by = "A"', "for reviewed_on"),
    ("reviewed by nobody", 'reviewed_on = ""', 'reviewed_on = "2026-12-01"', "reviewed_by"),
    ("an unknown field", "not_found", "author = 1\nnot_found", "nothing else of the file"),
    ("read nobody knows how", '"In a library."', '""', "read_how of the file"),
    ("nothing not found", '["A guideline."]', "[]", "not_found of the file"),
    ("no address", 'address = "https://guideline.example/page"\n', "", "address of source one"),
    ("no web address", "https://guideline.example/page", "guideline", "address on the web"),
    ("a script", "https://guideline.example/page", "javascript:alert(1)", "address on the web"),
    ("a copy nowhere", "fact =", 'copy = "a book"\nfact =', "address on the web"),
    ("no year", "year = 2020\n", "", "year of source one"),
    ("a year as text", "year = 2020", 'year = "2020"', "year of source one"),
    ("a year to come", "year = 2020", "year = 2027", "year of source one"),
    ("no section", 'section = "1.2"\n', "", "section of source one"),
    ("an empty section", 'section = "1.2"', 'section = " "', "section of source one"),
    ("not opened", 'opened = "2026-11-22"\n', "", "opened of source one"),
    ("opened on no day", 'opened = "2026-11-22"', 'opened = "today"', "opened of source one"),
    ("no fact", 'fact = "What it says."\n', "", "fact of source one"),
    ("an unknown source", 'sources = ["one"]', 'sources = ["two"]', "sources of rule 'first'"),
    ("no source", 'sources = ["one"]', "sources = []", "sources of rule 'first'"),
    ("an idle source", "[[rules]]", "[sources.two]\ntitle = 1\n[[rules]]", "of source two"),
    ("an unknown kind", '"examination"', '"surgery"', "kind of rule 'first'"),
    ("no text", '"Do it."', '""', "text of rule 'first'"),
    ("a rule twice", RULE, RULE + RULE, "got first again"),
    ("no rule", RULE, "", "rules"),
    ("no band", '["likely"]', "[]", "bands of rule 'first'"),
    ("an unknown band", '["likely"]', '["high"]', "bands of rule 'first'"),
    ("a band twice", '["likely"]', '["likely", "likely"]', "bands of rule 'first' once"),
    ("the model alone", RULE.splitlines()[-1], "inputs = []", "the model alone"),
    ("no inputs", RULE.splitlines()[-1], "", "inputs of rule 'first'"),
    ("an unknown input", '"trestbps"', '"pressure"', "inputs of rule 'first'"),
    ("an input without a question", ", at_least = 140", "", "what is asked of it"),
    ("everybody's number", "at_least = 140", "at_least = 60", "within 60 to 260"),
    ("nobody's number", "at_least = 140", "above = 260", "within 60 to 260"),
    ("an impossible number", "at_least = 140", "at_least = 300", "within 60 to 260"),
    ("no number", "at_least = 140", "at_least = true", "a number for at_least"),
    ("an empty range", "at_least = 140", "at_least = 140, below = 130", "a range of trestbps"),
    ("two lower ends", "at_least = 140", "at_least = 140, above = 130", "a range of trestbps"),
    ("an unknown bound", "at_least = 140", "more_than = 140", "nothing else of trestbps"),
    ("a bound of a category", 'is = ["asymptomatic"]', "above = 1", "is of cp"),
    ("an unknown category", '"asymptomatic"', '"none"', "is of cp"),
    (
        "every category",
        '["asymptomatic"]',
        '["typical angina", "atypical angina", "non-anginal", "asymptomatic"]',
        "every patient has one",
    ),
    ("an input twice", '"cp", is = ["asymptomatic"]', '"trestbps", below = 200', "each input"),
]


@pytest.mark.parametrize(("part", "other", "told"), [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_a_bad_file_is_refused_and_says_where(part: str, other: str, told: str) -> None:
    assert part in GOOD
    with pytest.raises(DescriptionError) as refused:
        read_rules(GOOD.replace(part, other, 1), HEART)
    assert told in str(refused.value)
