"""MPyC: Shamir's sharing of degree 1 over a prime field, three parties, honest but curious.

Each party is a process; they talk over loopback. `SecFxp(32, 16)`: 16 integer and 16 fractional
bits, which holds every value here, so that comparisons are as short as may be. Pooling is folded
into the convolution, and the convolution is a matrix product over its windows. It computes on few
rows (`ROWS`), or a run would take hours; CPU, wall and bytes are scaled to all of them, which fits:
its work is by element, in Python's integers.
"""

from __future__ import annotations

import socket
import sys
from importlib.metadata import version
from typing import Any

import numpy as np

from bench.peers.parties import Parties, PartiesTask
from bench.peers.serve import quiet_stdout, serve
from bench.peers.tasks import Task

PARTIES = 3
ROWS = {"mlp": 32, "cnn": 1}  # of 256, shared among the models, but at least one each


class Party:
    """One party's shares and its event loop."""

    def __init__(self, rank: int, meeting: str) -> None:
        # MPyC reads its settings from the command line when it is imported.
        sys.argv = ["mpyc", f"-M{PARTIES}", f"-I{rank}", f"-B{meeting}", "--no-log"]
        from mpyc.runtime import mpc

        self._mpc = mpc
        self._number = mpc.SecFxp(32, 16)
        mpc.run(mpc.start())
        self._layers: list[tuple[Any, Any]] = []
        self._rows: Any = None
        self._right: list[Any] = []

    def prepare(self, task: Task) -> None:
        """The first party deals."""
        self._rows = self._shared(task.rows[: rows_of(task)])
        self._layers = [(self._shared(w), self._shared(b)) for w, b in task.parameters]

    def infer(self) -> None:
        """To shares of the classes: a bit for two, a number for more."""
        network = mlp if self._rows.ndim == 2 else cnn
        right = network(self._mpc, self._layers, self._rows)
        self._right = [self._mpc.run(self._mpc.gather(right)), right]

    def classes(self) -> np.ndarray:
        """Opened."""
        return np.asarray(self._mpc.run(self._mpc.output(self._right[1]))).astype(int)

    def traffic(self) -> tuple[None, int]:
        """What it sent; it counts no rounds."""
        before = self._sent()
        self.infer()
        return None, self._sent() - before

    def _sent(self) -> int:
        others = [p for p in self._mpc.parties if p.pid != self._mpc.pid]
        return sum(party.protocol.nbytes_sent for party in others)

    def _shared(self, values: np.ndarray) -> Any:
        # Not "integral", even by chance: a product with an integral number is cheaper.
        array = self._number.array(values, integral=False)
        shared = self._mpc.input(array, senders=0)
        self._mpc.run(self._mpc.gather(shared))
        return shared


def rows_of(task: Task) -> int:
    """How many rows are computed."""
    return max(1, ROWS[task.name] // task.models)


def mlp(_: Any, layers: list[tuple[Any, Any]], rows: Any) -> Any:
    """(rows, 10) to bits (models, rows): the sign of the logits' difference."""
    values = rows
    for weights, biases in layers[:-1]:
        values = _relu(values @ _turned(weights) + _beside(biases))
    weights, biases = ((part[:, 1:2] - part[:, 0:1]) for part in layers[-1])
    margins = values @ _turned(weights) + _beside(biases)
    return margins.reshape(*margins.shape[:2]) > 0


def cnn(mpc: Any, layers: list[tuple[Any, Any]], rows: Any) -> Any:
    """(rows, 1, 28, 28) to classes (models, rows)."""
    count = rows.shape[0]
    values = rows.reshape(1, *rows.shape)
    for weights, biases in layers[:-1]:
        models, outputs = weights.shape[:2]
        windows, side = _windows(mpc, values)
        kernels = weights.reshape(models, outputs, -1) * 0.25  # the mean of four
        sums = windows @ _turned(kernels) + _beside(biases)
        values = _relu(sums).reshape(models, count, side, side, outputs)
        values = values.transpose(0, 1, 4, 2, 3)
    weights, biases = layers[-1]
    logits = values.reshape(models, count, -1) @ _turned(weights) + _beside(biases)
    return mpc.np_argmax(logits, axis=2)


def _windows(mpc: Any, images: Any) -> tuple[Any, int]:
    """(models, rows, in, h, w) to (models, rows * h/2 * w/2, in * 9), and h/2.

    What a kernel meets when pooling is folded in: sums of 2 x 2 squares at every offset, taken at
    every other place.
    """
    models, rows, channels, height, _ = images.shape
    down = mpc.np_concatenate((images[..., :1, :] * 0, images, images[..., :1, :] * 0), axis=3)
    padded = mpc.np_concatenate((down[..., :1] * 0, down, down[..., :1] * 0), axis=4)
    boxes = padded[..., :-1, :-1] + padded[..., 1:, :-1]
    boxes = boxes + padded[..., :-1, 1:] + padded[..., 1:, 1:]
    side = height // 2
    ends = [(i, i + 2 * side - 1) for i in range(3)]
    parts = [boxes[..., a:b:2, c:d:2] for a, b in ends for c, d in ends]
    stacked = mpc.np_stack(parts, axis=3)  # (models, rows, in, 9, side, side)
    places = stacked.transpose(0, 1, 4, 5, 2, 3)
    return places.reshape(models, rows * side * side, channels * 9), side


def _relu(values: Any) -> Any:
    return (values > 0) * values


def _turned(weights: Any) -> Any:
    return weights.swapaxes(1, 2)


def _beside(biases: Any) -> Any:
    return biases.reshape(biases.shape[0], 1, biases.shape[1])


class Mpyc:
    """The parties."""

    def __init__(self) -> None:
        self._parties = Parties(Party, PARTIES, str(_ports(PARTIES)))

    def prepare(self, task: Task) -> PartiesTask:
        """Share a part of the rows."""
        return PartiesTask(self._parties, task, rows_of(task) / len(task.rows))

    def processes(self) -> list[int]:
        """The parties'."""
        return self._parties.processes

    def versions(self) -> dict[str, str]:
        """Of MPyC and what it computes with."""
        setting = f"{PARTIES} processes, threshold 1, SecFxp(32, 16)"
        return {"mpyc": version("mpyc"), "gmpy2": version("gmpy2"), "setting": setting}


def _ports(count: int) -> int:
    """The first of some neighbouring ports that nobody listens on."""
    for first in range(21365, 65000, count):
        try:
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first
    raise OSError("expected free ports")


if __name__ == "__main__":
    serve(Mpyc(), quiet_stdout())
