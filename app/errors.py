"""What the application tells a person, one tree.

AppError
├── SetupError          keys, contract or database do not fit each other
├── RequestError        what was asked for cannot be done; says what can
│   ├── PasswordRefused the new password is not acceptable
│   └── MessageRefused  the message that a wallet signed is not accepted; says why
├── SignInRefused       e-mail address and password do not belong together
│   └── WalletRefused   the wallet lets nobody in
├── ModelRefused        the stored model is not used: a check of it failed; says which
├── LeaseLost           a worker goes on with a job that another one has by now
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


class PasswordRefused(RequestError):
    """The new password is not acceptable; the text says why."""


class MessageRefused(RequestError):
    """The message that a wallet signed is not accepted; the text says why."""


class SignInRefused(AppError):
    """E-mail address and password do not belong together; the text never tells which is wrong."""


class WalletRefused(SignInRefused):
    """The wallet lets nobody in; the text never tells whether it is known."""


class ModelRefused(AppError):
    """A stored model is not used because a check of it failed; the text says which."""


class LeaseLost(AppError):
    """A worker's lease ran out and its job is another's by now, or over."""

    def __init__(self, job: int, owner: str) -> None:
        super().__init__(f"expected job {job} to be {owner}'s; it is another's or over")
