"""The project's own engine: `crypto.mpc`, three parties on the points 1, 2, 3.

The parties are programs that exchange bytes, in one process and one thread. The widths of the
activations come from the range analysis around the first model, for updates up to the bound and
rows of the public range, as in a round.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from itertools import combinations

import numpy as np

from bench.peers.serve import quiet_stdout, serve
from bench.peers.tasks import INPUT_BOUND, UPDATE_BOUND, Reals, Task
from crypto.context import canonical
from crypto.field import F61
from crypto.fixedpoint import encode
from crypto.kernels import Words
from crypto.mpc.bounds import activation_bits
from crypto.mpc.channel import run_local
from crypto.mpc.layers import AveragePool, Conv, Layer, Linear, ReLU, predictions
from crypto.mpc.session import Committee, Role, Session
from crypto.prg import Stream, new_seed
from crypto.shamir import share

COMMITTEE = Committee((1, 2, 3))
LAYERS: dict[str, Sequence[Layer]] = {
    "mlp": (Linear(10, 64), ReLU(), Linear(64, 32), ReLU(), Linear(32, 2)),
    "cnn": (
        *(Conv(1, 8, 3, 28, 28), AveragePool(), ReLU()),
        *(Conv(8, 16, 3, 14, 14), AveragePool(), ReLU()),
        Linear(784, 10),
    ),
}


class SharedTask:
    """Each party's shares and session; the sessions' streams run on from inference to inference."""

    share_of_rows = 1.0

    def __init__(self, task: Task) -> None:
        self._layers = LAYERS[task.name]
        flat = [(w.reshape(*w.shape[:2], -1), b) for w, b in task.parameters]
        self._bits = activation_bits(
            self._layers, [(w[0], b[0]) for w, b in flat], UPDATE_BOUND, INPUT_BOUND[task.name]
        )
        rows = task.rows.reshape(len(task.rows), -1).T
        self._rows = shared(rows)
        self._parameters = [(shared(weights), shared(biases)) for weights, biases in flat]
        self._sessions = sessions()
        self._right: list[Words] = []
        self._traffic: dict[str, int | None] = {}

    def infer(self) -> None:
        """To shares of one-hot classes."""
        programs = [
            predictions(
                self._sessions[role],
                self._layers,
                [(weights[role], biases[role]) for weights, biases in self._parameters],
                self._rows[role],
                self._bits,
            )
            for role in Role
        ]
        self._right, traffic = run_local(programs)
        self._traffic = {"rounds": traffic.rounds, "bytes": traffic.bytes}

    def classes(self) -> np.ndarray:
        """Opened."""
        shares = np.stack([one.ravel() for one in self._right])
        opened = F61.combine(shares, COMMITTEE.weights).reshape(self._right[0].shape)
        assert (opened <= 1).all() and (opened.sum(axis=1) == 1).all(), "expected one-hot classes"
        classes: np.ndarray = opened.argmax(axis=1)
        return classes

    def traffic(self) -> dict[str, int | None]:
        """As the channel counted the last inference."""
        return self._traffic


def shared(values: Reals) -> list[Words]:
    """Shares of degree 1 for each party, of the same shape."""
    bound = max(1.0, float(np.abs(values).max()))
    words = F61.from_signed(encode(values.ravel(), bound))
    rows = share(words, 1, COMMITTEE.points, Stream(new_seed(), "consilium/bench/v1"))
    return [np.ascontiguousarray(row.reshape(values.shape)) for row in rows]


def sessions() -> list[Session]:
    """One a role, with new secrets of each pair."""
    secrets: dict[Role, dict[Role, bytes]] = {role: {} for role in Role}
    for one, other in combinations(Role, 2):
        secrets[one][other] = secrets[other][one] = new_seed()
    context = canonical("consilium/bench/v1")
    return [Session(role, COMMITTEE, secrets[role], context) for role in Role]


class Consilium:
    """This process."""

    def prepare(self, task: Task) -> SharedTask:
        """Analyse ranges, share."""
        return SharedTask(task)

    def processes(self) -> list[int]:
        """No other."""
        return []

    def versions(self) -> dict[str, str]:
        """Of what it computes with."""
        setting = "3 programs in one thread, p = 2^61 - 1, f = 16"
        return {"numpy": version("numpy"), "numba": version("numba"), "setting": setting}


if __name__ == "__main__":
    serve(Consilium(), quiet_stdout())
