"""What a person asks of a training, as it is kept until a worker makes a plan of it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

from app.errors import RequestError

DEFAULT_SEED = 7
# Between the names of several attacks.
SEVERAL = " + "


@dataclass(frozen=True)
class TrainingRequest:
    """What a person asks for; None means the task's default.

    `hospitals`: names for a task with natural hospitals, else a number to deal the rows to.
    `joining`: imported hospitals beside those that the rows are dealt to; by default all.
    `attack`: the name of an attack that is simulated; `attackers`: the hospitals that carry it out,
    or how many of them (by default one). `attacks`: several attacks, each with how many hospitals
    carry it out; then `attack` and `attackers` are None. `review`: whether updates are tested
    before they count; `share`, 0 < share <= 1, is how many of the hospitals are drawn for each
    round.
    `decay` is what each round multiplies the learning rate by; `stop_accuracy` and `patience` are
    those of `fl.stopping.Stopping`.
    `fraction`, as "1/2", how much of the reference's lead over chance a model must reach, and
    `donated_rows` how many rows of each class a hospital donates at most, else as many as
    `SplitRule.of_classes` says.
    """

    task: str = "heart"
    hospitals: tuple[str, ...] | int | None = None
    partition: Literal["dirichlet", "iid"] | None = None
    alpha: float | None = None
    rounds: int | None = None
    local_epochs: int | None = None
    learning_rate: float | None = None
    seed: int = DEFAULT_SEED
    attack: str | None = None
    attackers: tuple[str, ...] | int | None = None
    review: bool = True
    fraction: str | None = None
    donated_rows: int | None = None
    decay: float | None = None
    share: float | None = None
    stop_accuracy: float | None = None
    patience: int | None = None
    joining: tuple[str, ...] | None = None
    attacks: tuple[tuple[str, int], ...] | None = None

    @property
    def attack_words(self) -> str:
        """Which attacks are simulated, by their names; "" for none."""
        return SEVERAL.join(name for name, _ in self.attacks or ()) or self.attack or ""

    def to_json(self) -> str:
        """The canonical JSON: sorted keys, no spaces."""
        fields = asdict(self)
        if self.attacks is None:
            # As it was written before an attack could be one of several: the same bytes.
            del fields["attacks"]
        return json.dumps(fields, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> TrainingRequest:
        """The inverse of `to_json`. Raises RequestError."""
        try:
            # What was stored before there were attackers and imports names none.
            fields: dict[str, Any] = {"attackers": None, "joining": None, **json.loads(text)}
            for name in ("hospitals", "attackers", "joining"):
                given = fields[name]
                fields[name] = tuple(given) if isinstance(given, list) else given
            if fields.get("attacks") is not None:
                fields["attacks"] = tuple((name, number) for name, number in fields["attacks"])
            return cls(**fields)
        except (ValueError, TypeError, KeyError) as error:
            raise RequestError(f"expected a stored request for a training: {error}") from error
