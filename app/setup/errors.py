"""What can go wrong before the application runs, one tree.

SetupError
├── EnvironmentBroken   the virtual environment cannot be made, or not from where it was asked
└── InstallFailed       pip ended with an error; carries the end of what it printed
"""

from __future__ import annotations


class SetupError(Exception):
    """Base of the set-up's errors: a sentence for a person, and what to do about it."""

    def __init__(self, sentence: str, advice: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.advice = advice


class EnvironmentBroken(SetupError):
    """The virtual environment cannot be made or used."""


class InstallFailed(SetupError):
    """An installation ended with an error; `output` holds the last lines that pip printed.

    `cut_off` tells that pip did not end by itself, so that half a package may be left behind.
    """

    def __init__(self, sentence: str, advice: str, output: str, cut_off: bool = False) -> None:
        super().__init__(sentence, advice)
        self.output = output
        self.cut_off = cut_off
