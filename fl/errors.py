"""Errors of ``fl``, one tree.

::

    FlError
    ├── DatasetError
    │   ├── UnknownTaskError        no task has that name
    │   ├── ChecksumError           a data file is not the one that was published
    │   ├── CsvError                a file that is no table of cells
    │   ├── DescriptionError        what an imported task is said to be cannot be
    │   ├── ValueFormatError        a value that its column does not allow
    │   ├── TableError              arrays of a table that do not fit each other or the task
    │   ├── PartitionError          the rows cannot be dealt to hospitals as asked
    │   └── StatisticsError         sums of a federation that no table can have
    ├── NetworkError
    │   ├── UnknownNetworkError     no network has that name
    │   └── LayoutError             parameters that do not fit their network
    ├── TrainingError
    │   ├── SettingsError           a setting outside its range
    │   ├── NonFiniteError          NaN or infinity, which must not leave a hospital
    │   ├── VerdictError            counts or a rule that no verdict can come from
    │   ├── UnknownAttackError      no simulated attack has that name
    │   └── UnknownExperimentError  no experiment has that name
    └── ProtocolError
        ├── PlanError               a training whose parts do not fit each other
        ├── MessageError            a message that is malformed or not its sender's
        ├── ConflictError           something else is stored where a value may stand only once
        ├── StepRefused             a party does not do a step, for a reason of the protocol
        ├── PartyFailed             a party did not answer, or not as it must
        └── RoundFailed             the round ends without a result
"""

from __future__ import annotations

from collections.abc import Iterable


class FlError(Exception):
    """Anything that ``fl`` raises on purpose."""


class DatasetError(FlError):
    """Something is wrong with the data of a task."""


class UnknownTaskError(DatasetError):
    """No task has the name asked for."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name = name
        self.known = tuple(sorted(known))
        super().__init__(f"expected one of the tasks {', '.join(self.known)}; got {name!r}")


class ChecksumError(DatasetError):
    """A data file differs from the published one."""

    def __init__(self, file: str, expected: str, actual: str) -> None:
        self.file, self.expected, self.actual = file, expected, actual
        super().__init__(f"expected {file} with SHA-256 {expected}; got {actual}")


class CsvError(DatasetError):
    """A file is no table of cells, or too large a one."""


class DescriptionError(DatasetError):
    """What an imported task or hospital is said to be cannot be."""


class ValueFormatError(DatasetError):
    """A value that its column does not allow."""

    def __init__(self, column: str, expected: str, value: object) -> None:
        self.column, self.expected, self.value = column, expected, value
        super().__init__(f"expected {expected} in column {column}; got {value!r}")


class TableError(DatasetError):
    """Arrays of a table do not fit each other, or the task."""


class PartitionError(DatasetError):
    """The rows cannot be dealt to hospitals as asked."""


class StatisticsError(DatasetError):
    """Sums that no federation of hospitals can have."""


class NetworkError(FlError):
    """Something is wrong with a network or its parameters."""


class UnknownNetworkError(NetworkError):
    """No network has the name asked for."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name = name
        self.known = tuple(sorted(known))
        super().__init__(f"expected one of the networks {', '.join(self.known)}; got {name!r}")


class LayoutError(NetworkError):
    """Parameters do not fit the layout of their network."""


class TrainingError(FlError):
    """Local training cannot be done."""


class SettingsError(TrainingError):
    """A setting lies outside its range."""


class NonFiniteError(TrainingError):
    """NaN or infinity came up; nothing computed from it may leave a hospital."""


class VerdictError(TrainingError):
    """Counts of right answers do not fit each other, or the rule is outside its range."""


class UnknownAttackError(TrainingError):
    """No simulated attack has the name asked for."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name = name
        self.known = tuple(known)
        super().__init__(f"expected one of the attacks {', '.join(self.known)}; got {name!r}")


class UnknownExperimentError(TrainingError):
    """No experiment has the name asked for."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name = name
        self.known = tuple(known)
        super().__init__(f"expected one of the experiments {', '.join(self.known)}; got {name!r}")


class ProtocolError(FlError):
    """The protocol of a round was not followed, or cannot go on."""


class PlanError(ProtocolError):
    """The parts of a training do not fit each other."""


class MessageError(ProtocolError):
    """A message is malformed, misplaced or not signed by the party that it names."""


class ConflictError(ProtocolError):
    """Another value is stored where only one may ever stand."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(f"expected the value that is stored as {key}; got another")


class StepRefused(ProtocolError):
    """A party does not do a step because the protocol forbids it."""


class PartyFailed(ProtocolError):
    """A party did not answer a step, or not as it must; `kind` names the error, "" if none did."""

    def __init__(self, party: str, step: str, reason: str, kind: str = "") -> None:
        self.party, self.step, self.reason, self.kind = party, step, reason, kind
        super().__init__(f"{party} failed at {step}: {reason}")


class RoundFailed(ProtocolError):
    """An attempt ends without a result; `retryable` when a further one may succeed."""

    def __init__(self, reason: str, retryable: bool = False) -> None:
        self.reason, self.retryable = reason, retryable
        super().__init__(reason)
