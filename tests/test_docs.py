"""The documents hold what they promise: every command, every setting, every folder is in them."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest
from pydantic import AliasChoices
from pydantic.fields import FieldInfo

from app.setup import commandline, programs
from config import Settings


@pytest.fixture
def readme(repository: Path) -> str:
    return (repository / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def about_settings(repository: Path, readme: str) -> str:
    page = repository / "docs" / "settings.md"
    return readme + (page.read_text(encoding="utf-8") if page.exists() else "")


def environment_names(name: str, field: FieldInfo) -> list[str]:
    """Return the environment variables that set the field, the way pydantic-settings names them."""
    alias = field.validation_alias
    if isinstance(alias, AliasChoices):
        return [str(choice).upper() for choice in alias.choices]
    prefix = Settings.model_config.get("env_prefix", "")
    return [str(alias).upper() if alias else (prefix + name).upper()]


SETTINGS = [
    variable
    for name, field in Settings.model_fields.items()
    for variable in environment_names(name, field)
]


def commands() -> dict[str, argparse.ArgumentParser]:
    return commandline.commands()


def mentions(text: str, word: str) -> bool:
    """Tell whether `word` stands in `text` as a word of its own."""
    return re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text) is not None


@pytest.mark.parametrize("command", sorted(commands()))
def test_readme_shows_every_command(readme: str, command: str) -> None:
    assert mentions(readme, f"run.py {command}")


def test_readme_shows_no_command_that_does_not_exist(readme: str) -> None:
    shown = set(re.findall(r"python3 run\.py ([a-z][a-z-]*)", readme))
    assert shown - set(commands()) == set()


def test_readme_uses_no_option_that_does_not_exist(readme: str) -> None:
    for command, rest in re.findall(r"python3 run\.py (train|verify|doctor)\b([^\n`#|>]*)", readme):
        known = commands()[command]._option_string_actions
        unknown = [word for word in re.findall(r"(?<!\S)--[a-z-]+", rest) if word not in known]
        assert unknown == [], f"run.py {command}{rest}"


def test_there_are_settings() -> None:
    assert "CHAIN_RPC_URL" in SETTINGS


@pytest.mark.parametrize("variable", SETTINGS)
def test_every_setting_is_documented(about_settings: str, variable: str) -> None:
    assert mentions(about_settings, variable)


def test_every_setting_says_what_it_means() -> None:
    silent = [name for name, field in Settings.model_fields.items() if not field.description]
    assert silent == []


def test_readme_maps_every_folder_of_code(repository: Path, readme: str) -> None:
    folders = [path.parent.name for path in repository.glob("*/__init__.py")]
    assert folders
    assert [name for name in folders if f"{name}/" not in readme] == []


def test_every_relative_link_in_a_document_leads_somewhere(repository: Path) -> None:
    pages = [*repository.glob("*.md"), *repository.glob("docs/**/*.md")]
    broken = [
        f"{page.relative_to(repository)}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert broken == []


def test_ci_runs_the_tests_as_readme_says(repository: Path, readme: str) -> None:
    command = "python3 run.py test"
    script = (repository / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert command in script
    assert command in [line.strip().removeprefix("$ ") for line in readme.splitlines()]


def test_ci_gets_the_programs_that_the_table_names(repository: Path) -> None:
    script = (repository / ".ci" / "run").read_text(encoding="utf-8")
    for program in programs.PROGRAMS:
        for package in program.get.split("install", 1)[1].split():
            assert package.startswith("-") or package in script, package


def test_every_program_that_a_test_needs_is_in_the_table(repository: Path) -> None:
    known = {program.name for program in programs.PROGRAMS}
    used = {
        name
        for path in (repository / "tests").rglob("test_*.py")
        for name in re.findall(r"mark\.needs\(\"(\w+)\"", path.read_text(encoding="utf-8"))
    }
    assert used - known == set()
