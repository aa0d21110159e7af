"""What the application tells a person, one tree.

AppError
├── SetupError          keys, contract or database do not fit each other
├── RequestError        what was asked for cannot be done; says what can
└── BusyError           another process is training in this installation
"""

from __future__ import annotations


class AppError(Exception):
    """Base of every error whose text is meant for a person."""


class SetupError(AppError):
    """Keys, contract, chain or database do not fit each other."""


class RequestError(AppError):
    """What was asked for cannot be done; the text says what can."""


class BusyError(AppError):
    """Another process is training in this installation."""
