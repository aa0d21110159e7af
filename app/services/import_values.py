"""The third step of an import: what the file's words mean; with it, everything is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.services.import_choices import ChoicesRefused, Fields, Purpose, sentence
from app.services.import_rows import taken_rows
from fl.datasets import Category, Task, described, get_task
from fl.datasets.description import CLASSES, Description, describe
from fl.datasets.guess import MOST_WORDS, category_of, is_bare_answer, is_positive, words_of
from fl.datasets.raw_csv import RawCsv
from fl.datasets.recipe import Recipe, Take, convert
from fl.errors import DescriptionError


@dataclass(frozen=True)
class Choices:
    """All steps together. `description` is that of a new task, else None."""

    purpose: Purpose
    task: Task
    recipe: Recipe
    description: Description | None


def first_values(raw: RawCsv, purpose: Purpose, takes: Sequence[Take]) -> Fields:
    """The fields of the third step before anything was chosen."""
    classes = get_task(purpose.task).classes if purpose.task else ()
    texts = class_words(raw, purpose)
    guessed = {text: _class_of(text, classes) for text in texts}
    if not any(guessed.values()) and len(texts) == CLASSES and not purpose.task:
        # Which of two says that the disease is there, the names of the classes will show.
        guessed = {text: str(at) for at, text in enumerate(texts)}
    fields = {f"class|{text}": label for text, label in guessed.items()}
    disease = _within_sentence(purpose.title)
    for label, usual in enumerate((f"no {disease}", disease)):
        meant = [text for text in texts if guessed[text] == str(label)]
        worded = len(meant) == 1 and not (
            meant[0].replace(".", "").isdigit() or is_bare_answer(meant[0])
        )
        fields[f"name|{label}"] = meant[0] if worded else usual
    for take in takes:
        for text in category_words(raw, purpose, take):
            word = category_of(text, take.column.categories)
            fields[f"word|{take.column.name}|{text}"] = word
    return fields


def read_values(raw: RawCsv, purpose: Purpose, takes: Sequence[Take], fields: Fields) -> Choices:
    """The third step, and with it everything. Raises ChoicesRefused."""
    errors: dict[str, str] = {}
    names = [fields.get(f"name|{at}", "").strip() for at in range(CLASSES)]
    classes: Sequence[str] = get_task(purpose.task).classes if purpose.task else names
    labels = {text: fields.get(f"class|{text}", "") for text in class_words(raw, purpose)}
    if {label for label in labels.values() if label} != {str(at) for at in range(len(classes))}:
        errors[""] = "Each class needs at least one value of the file."
    if errors:
        raise ChoicesRefused(errors)
    finished = [_with_words(raw, purpose, take, fields) for take in takes]
    recipe = Recipe(
        takes=tuple(finished),
        class_source=purpose.class_source,
        classes={text: classes[int(label)] for text, label in labels.items() if label},
        hospital=purpose.hospital,
        hospital_source=purpose.hospital_source,
        missing=purpose.missing,
        decimal=purpose.decimal,
    )
    if purpose.task:
        return Choices(purpose, get_task(purpose.task), recipe, None)
    try:
        recipe, description = _of_taken_rows(raw, purpose.title, names, recipe)
    except DescriptionError as error:
        raise ChoicesRefused({"": sentence(error)}) from error
    return Choices(purpose, described(description), recipe, description)


def _of_taken_rows(
    raw: RawCsv, title: str, names: Sequence[str], recipe: Recipe
) -> tuple[Recipe, Description]:
    """The new task, without the categories that only refused rows have.

    Raises DescriptionError.
    """
    description = describe(title, [take.column for take in recipe.takes], names)
    taken = taken_rows(raw, convert(raw, described(description), recipe))
    if taken.rows:
        takes = tuple(_narrowed(taken, take, recipe) for take in recipe.takes)
        recipe = replace(recipe, takes=takes)
        description = describe(title, [take.column for take in takes], names)
    return recipe, description


def _narrowed(taken: RawCsv, take: Take, recipe: Recipe) -> Take:
    if take.column.kind == "number":
        return take
    words = sorted(words_of(taken, take.source, recipe.missing))
    column = replace(take.column, categories=tuple(Category(word, word) for word in words))
    return replace(take, column=column)


def class_words(raw: RawCsv, purpose: Purpose) -> list[str]:
    """The values of the class column, the most frequent first; of very many the first ones."""
    return words_of(raw, purpose.class_source, purpose.missing)[:MOST_WORDS]


def category_words(raw: RawCsv, purpose: Purpose, take: Take) -> list[str]:
    """The file's values of a column whose categories are given, to be told one by one."""
    if not take.source or not purpose.task or take.column.kind == "number":
        return []
    return words_of(raw, take.source, purpose.missing)


def _class_of(text: str, classes: Sequence[str]) -> str:
    """The class that a text surely means, or "": a patient is never guessed to be ill."""
    for label, name in enumerate(classes):
        if name.casefold() == text.casefold():
            return str(label)
    positive = is_positive(text)
    return "" if positive is None else str(int(positive))


def _within_sentence(title: str) -> str:
    """A title as it stands in a sentence: "Kidney disease" small, "COPD" as it is."""
    return title if title[1:2].isupper() else title[:1].lower() + title[1:]


def _with_words(raw: RawCsv, purpose: Purpose, take: Take, fields: Fields) -> Take:
    texts = category_words(raw, purpose, take)
    if not texts:
        return take
    allowed = {one.value for one in take.column.categories}
    chosen = {text: fields.get(f"word|{take.column.name}|{text}", "") for text in texts}
    words = {text: value for text, value in chosen.items() if value in allowed}
    return Take(take.column, take.source, take.unit, words)
