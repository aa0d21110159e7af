# ruff: noqa: E402 - what torch lacks is put in place before CrypTen is imported
"""CrypTen: additive shares modulo 2^64, 16 fractional bits, Beaver triples, honest but curious.

Two parties, each a process, and CrypTen's default provider: the first party deals the triples. That
is its quickest setting (a third party, or a dealer of its own, costs more) and it counts the
dealing. The peer's own convolution and pooling; folding them, as the engine here does, saved
it nothing.
"""

from __future__ import annotations

import os
import sys
import tempfile
import types
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.onnx.symbolic_helper

# CrypTen's ONNX converter, unused here, imports a name that today's torch no longer has.
_absent = types.ModuleType("torch.onnx._internal.registration")
_absent.__dict__["registry"] = None
sys.modules.setdefault(_absent.__name__, _absent)

import crypten
from crypten.config import cfg

from bench.peers.parties import Parties, PartiesTask
from bench.peers.serve import quiet_stdout, serve
from bench.peers.tasks import Task

PARTIES = 2


class Party:
    """One party's tensors."""

    def __init__(self, rank: int, meeting: str) -> None:
        torch.set_num_threads(1)
        os.environ.update(
            RANK=str(rank),
            WORLD_SIZE=str(PARTIES),
            RENDEZVOUS=f"file://{meeting}",
            DISTRIBUTED_BACKEND="gloo",
        )
        crypten.init()
        self._layers: list[tuple[Any, Any]] = []
        self._rows: Any = None
        self._right: Any = None

    def prepare(self, task: Task) -> None:
        """Encrypt; the rows of the MLP once for every model, as its matrix product wants them."""
        self._layers = [(_shared(weights), _shared(biases)) for weights, biases in task.parameters]
        rows = np.stack([task.rows] * task.models) if task.name == "mlp" else task.rows
        self._rows = _shared(rows)

    def infer(self) -> None:
        """To shares of the classes: a bit for two, one-hot for more."""
        network = mlp if self._rows.dim() == 3 else cnn
        self._right = network(self._layers, self._rows)

    def classes(self) -> np.ndarray:
        """Opened."""
        opened = self._right.get_plain_text().numpy().astype(int)
        classes: np.ndarray = opened if opened.ndim == 2 else opened.argmax(axis=2)
        return classes

    def traffic(self) -> tuple[int, int]:
        """As CrypTen logs it; it counts each byte where it is sent and where it arrives."""
        cfg.communicator.verbose = True
        crypten.reset_communication_stats()
        self.infer()
        counts = crypten.comm.get().get_communication_stats()
        cfg.communicator.verbose = False
        return int(counts["rounds"]), int(counts["bytes"]) // 2


def mlp(layers: list[tuple[Any, Any]], rows: Any) -> Any:
    """(models, rows, 10) to bits (models, rows): the sign of the logits' difference."""
    values = rows
    for weights, biases in layers[:-1]:
        values = (values.matmul(weights.transpose(1, 2)) + biases.unsqueeze(1)).relu()
    weights, biases = ((part[:, 1:2] - part[:, 0:1]) for part in layers[-1])
    return (values.matmul(weights.transpose(1, 2)) + biases.unsqueeze(1)).squeeze(2) > 0


def cnn(layers: list[tuple[Any, Any]], rows: Any) -> Any:
    """(rows, 1, 28, 28) to one-hot (models, rows, 10); the models' channels lie side by side."""
    last, bias = layers[-1]
    models = last.shape[0]
    values = rows
    for (weights, biases), groups in zip(layers, (1, models), strict=False):
        kernels = weights.reshape(-1, *weights.shape[2:])
        sums = values.conv2d(kernels, padding=1, groups=groups)
        values = (sums + biases.reshape(1, -1, 1, 1)).avg_pool2d(2).relu()
    values = values.reshape(len(rows), models, -1).transpose(0, 1)
    logits = values.matmul(last.transpose(1, 2)) + bias.unsqueeze(1)
    return logits.argmax(dim=2, one_hot=True)


class CrypTen:
    """The parties."""

    def __init__(self) -> None:
        # A name only: a file that is there already would be taken for a meeting under way.
        self._folder = tempfile.TemporaryDirectory(prefix="crypten-")
        meeting = Path(self._folder.name) / "meeting"
        self._parties = Parties(Party, PARTIES, str(meeting))

    def prepare(self, task: Task) -> PartiesTask:
        """Encrypt with the parties."""
        return PartiesTask(self._parties, task, 1.0)

    def processes(self) -> list[int]:
        """The parties'."""
        return self._parties.processes

    def versions(self) -> dict[str, str]:
        """Of CrypTen and torch."""
        setting = f"{PARTIES} processes, trusted first party, 64-bit ring, f = 16"
        return {"crypten": version("crypten"), "torch": torch.__version__, "setting": setting}


def _shared(values: np.ndarray) -> Any:
    return crypten.cryptensor(torch.tensor(values), src=0)


if __name__ == "__main__":
    serve(CrypTen(), quiet_stdout())
