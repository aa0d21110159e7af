"""Plain torch on one thread: the price of the same answers without any secrecy."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from bench.peers.serve import quiet_stdout, serve
from bench.peers.tasks import Task


class PlainTask:
    """float32 modules, one a model."""

    share_of_rows = 1.0

    def __init__(self, task: Task) -> None:
        self._rows = torch.tensor(task.rows, dtype=torch.float32)
        self._networks = [_network(task, model) for model in range(task.models)]
        self._classes: list[torch.Tensor] = []

    def infer(self) -> None:
        """Forward passes."""
        with torch.inference_mode():
            self._classes = [network(self._rows).argmax(1) for network in self._networks]

    def classes(self) -> np.ndarray:
        """Of the last pass."""
        return torch.stack(self._classes).numpy()

    def traffic(self) -> dict[str, int | None]:
        """Nothing is sent."""
        return {"rounds": 0, "bytes": 0}


class Plain:
    """This process."""

    def prepare(self, task: Task) -> PlainTask:
        """Nothing is shared."""
        return PlainTask(task)

    def processes(self) -> list[int]:
        """No other."""
        return []

    def versions(self) -> dict[str, str]:
        """Of torch."""
        return {"torch": torch.__version__, "setting": "float32, one thread"}


def _network(task: Task, model: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for weights, biases in task.parameters:
        weight, bias = weights[model], biases[model]
        layer: nn.Module
        if weight.ndim == 4:
            layer = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1)
            layers += [layer, nn.AvgPool2d(2), nn.ReLU()]
        else:
            layer = nn.Linear(weight.shape[1], weight.shape[0])
            layers += [nn.Flatten(), layer, nn.ReLU()]
        state = {"weight": torch.tensor(weight), "bias": torch.tensor(bias)}
        layer.load_state_dict(state)
    return nn.Sequential(*layers[:-1])


if __name__ == "__main__":
    torch.set_num_threads(1)
    serve(Plain(), quiet_stdout())
