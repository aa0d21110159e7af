"""What a task's models are for: the text is whole, and its figures are the data's."""

from __future__ import annotations

import re
from dataclasses import fields

import numpy as np
import pytest

from fl.datasets import BUILT_IN, get_task
from fl.datasets.use import Use, find_use, read_use
from fl.errors import DescriptionError


def told(task: str) -> str:
    use = find_use(task)
    assert use is not None
    return " ".join((use.collected, use.outcome, *use.represented, *use.limits))


def test_every_built_in_task_has_a_statement_that_says_it_is_no_medical_device() -> None:
    for name in BUILT_IN:
        use = find_use(name)
        assert use is not None
        assert any("no medical device" in one for one in use.out_of_scope)
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", use.revised)


@pytest.mark.parametrize("task", ["none", "knee-0123456789ab", "../heart", "files/heart"])
def test_other_tasks_have_none(task: str) -> None:
    assert find_use(task) is None


def test_the_figures_of_heart_are_those_of_its_rows() -> None:
    tables = get_task("heart").load()
    everyone = np.concatenate([table.features for table in tables.values()])
    names = [column.name for column in get_task("heart").columns]
    ages, female = everyone[:, names.index("age")], everyone[:, names.index("sex")] == 0
    women = {
        name: int((one.features[:, names.index("sex")] == 0).sum()) for name, one in tables.items()
    }
    absent = np.isnan(everyone[:, names.index("chol")])
    shares = {name: 100 * one.labels.mean() for name, one in tables.items()}
    text = told("heart")
    for figure in (
        f"{len(everyone)} patients from {ages.min():.0f} to {ages.max():.0f} years",
        f"{(~female).sum()} men and {female.sum()} women",
        f"{women['Cleveland'] + women['Hungary']} were patients in Cleveland and in Hungary",
        f"Switzerland has {women['Switzerland']}, VA Long Beach {women['VA Long Beach']}",
        f"cholesterol for {absent.sum()} of {len(everyone)} patients and for all in Switzerland",
        f"{shares['Hungary']:.0f} % (Hungary) to {int(shares['Switzerland'])} % (Switzerland)",
    ):
        assert figure in text
    assert np.isnan(tables["Switzerland"].features[:, names.index("chol")]).all()
    assert min(shares, key=shares.__getitem__) == "Hungary"
    assert max(shares, key=shares.__getitem__) == "Switzerland"


def test_the_figures_of_diabetes_are_those_of_its_rows() -> None:
    tables = get_task("diabetes").load().values()
    rows = np.concatenate([table.features for table in tables])
    ill = sum(int(table.labels.sum()) for table in tables)
    names = [column.name for column in get_task("diabetes").columns]
    ages = rows[:, names.index("Age")]
    missing = {name: int(np.isnan(rows[:, at]).sum()) for at, name in enumerate(names)}
    text = told("diabetes")
    for figure in (
        f"{len(rows)} women of Pima heritage from {ages.min():.0f} to {ages.max():.0f} years",
        f"{ill} have diabetes",
        f"{100 * ill / len(rows):.0f} % of these women",
        f"insulin for {missing['Insulin']} and the skin fold for {missing['SkinThickness']} of 768",
    ):
        assert figure in text
    assert np.median(ages) < 30


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("revised =", "in TOML"),
        ('revised = "2026-01-01"', "expected revised, collected"),
        ("\n".join(f'{one.name} = "A text."' for one in fields(Use)), "sentences in intended_use"),
        ("\n".join(f"{one.name} = []" for one in fields(Use)), "sentences in intended_use"),
        ("\n".join(f'{one.name} = ["One."]' for one in fields(Use)), "a text in revised"),
    ],
)
def test_a_statement_that_is_not_whole_is_refused(text: str, told: str) -> None:
    with pytest.raises(DescriptionError, match=told):
        read_use(text)
