"""SPU (SecretFlow): three parties under ABY3, replicated shares modulo 2^64, 16 fractional bits.

As its own simulator does, each party is a thread of one process over a link in memory, which costs
less than sockets between processes; pooling is folded into the convolution as the engine here does
it, which makes SPU quicker, and each party has one worker thread for the same reason.
"""

from __future__ import annotations

import re
import tempfile
import threading
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import spu
from spu import libspu
from spu.utils import frontend

from bench.peers.serve import quiet_stdout, serve
from bench.peers.tasks import Task

PARTIES = 3


class SpuTask:
    """Compiled, with every party's shares in its runtime."""

    share_of_rows = 1.0

    def __init__(self, task: Task) -> None:
        self._io = spu.Io(PARTIES, configuration())
        self._inputs = [np.ascontiguousarray(part, np.float32) for part in _laid_out(task)]
        self._names = [f"in{i}" for i in range(len(self._inputs))]
        self._program, _ = frontend.compile(
            frontend.Kind.JAX,
            mlp if task.name == "mlp" else cnn,
            self._inputs,
            {},
            self._names,
            [libspu.Visibility.VIS_SECRET] * len(self._inputs),
            lambda outputs: [f"out{i}" for i in range(len(outputs))],
            copts=libspu.CompilerOptions(),
        )
        self._runtimes = self._start(configuration())

    def infer(self) -> None:
        """Each party in a thread."""
        _together(lambda rank: self._runtimes[rank].run(self._program))

    def classes(self) -> np.ndarray:
        """Opened."""
        shares = [runtime.get_var("out0") for runtime in self._runtimes]
        return np.asarray(self._io.reconstruct(shares)).astype(int)

    def traffic(self) -> dict[str, int | None]:
        """From the profile of a run: SPU counts what a party sends, and how often."""
        told = configuration()
        told.enable_pphlo_profile = True
        with tempfile.TemporaryDirectory(prefix="spu-") as folder:
            log = Path(folder) / "log"
            options = libspu.logging.LogOptions()
            options.enable_console_logger = False
            options.system_log_path = str(log)
            libspu.logging.setup_logging(options)
            runtimes = self._start(told)
            _together(lambda rank: runtimes[rank].run(self._program))
            lines = log.read_text()
        found = re.findall(r"total send bytes (\d+), .*?send actions (\d+)", lines)
        assert len(found) == PARTIES, "expected a line of the link from every party"
        sent, times = zip(*[(int(a), int(b)) for a, b in found], strict=True)
        return {"rounds": max(times), "bytes": sum(sent)}

    def _start(self, config: Any) -> list[Any]:
        parties = libspu.link.Desc()
        for rank in range(PARTIES):
            parties.add_party(f"party {rank}", f"thread_{rank}")
        runtimes: list[Any] = [None] * PARTIES

        def start(rank: int) -> None:
            runtimes[rank] = spu.Runtime(libspu.link.create_mem(parties, rank), config)

        _together(start)
        for name, values in zip(self._names, self._inputs, strict=True):
            shares = self._io.make_shares(values, libspu.Visibility.VIS_SECRET)
            for runtime, share in zip(runtimes, shares, strict=True):
                runtime.set_var(name, share)
        return runtimes


def configuration() -> Any:
    """ABY3 over 64 bits."""
    config = libspu.RuntimeConfig(
        protocol=libspu.ProtocolKind.ABY3, field=libspu.FieldType.FM64, fxp_fraction_bits=16
    )
    config.max_concurrency = 1
    return config


def mlp(rows: jax.Array, *layers: jax.Array) -> jax.Array:
    """(rows, 10) to bits (models, rows): the sign of the logits' difference."""
    first, bias, second, bias2, last, bias3 = layers
    models, width, _ = first.shape
    side = rows @ first.reshape(models * width, -1).T + bias.reshape(-1)
    values = jnp.maximum(side, 0).reshape(len(rows), models, width).transpose(1, 0, 2)
    values = jnp.maximum(_times(values, second) + bias2[:, None], 0)
    margins = _times(values, last[:, 1:] - last[:, :1])[:, :, 0]
    return margins + (bias3[:, 1:] - bias3[:, :1]) > 0


def cnn(rows: jax.Array, *layers: jax.Array) -> jax.Array:
    """(rows, 28, 28, 1) to classes (models, rows)."""
    first, bias, second, bias2, last, bias3 = layers
    boxes = _boxes(rows)
    sums = [_convolve(boxes, kernel) for kernel in first]
    values = jnp.maximum(jnp.stack(sums) + bias[:, None, None, None], 0)
    sums = [_convolve(_boxes(v), kernel) for v, kernel in zip(values, second, strict=True)]
    values = jnp.maximum(jnp.stack(sums) + bias2[:, None, None, None], 0)
    flat = values.transpose(0, 1, 4, 2, 3).reshape(len(first), len(rows), -1)
    return jnp.argmax(_times(flat, last) + bias3[:, None], axis=2)


def _times(values: jax.Array, weights: jax.Array) -> jax.Array:
    """(models, rows, in) and (models, out, in) to (models, rows, out)."""
    return jnp.stack([v @ weight.T for v, weight in zip(values, weights, strict=True)])


def _boxes(images: jax.Array) -> jax.Array:
    """Sums of the 2 x 2 squares at every offset, over a border of zeros."""
    padded = jnp.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    across = padded[:, :, :-1] + padded[:, :, 1:]
    return across[:, :-1] + across[:, 1:]


def _convolve(boxes: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolution and average pooling in one: every other box, a quarter of the kernel."""
    axes = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(boxes, kernel / 4, (2, 2), "VALID", dimension_numbers=axes)


def _laid_out(task: Task) -> list[np.ndarray]:
    """Rows and parameters with the channels innermost, as SPU's convolution wants them."""
    images = task.rows.ndim == 4
    inputs = [task.rows.transpose(0, 2, 3, 1) if images else task.rows]
    for weights, biases in task.parameters:
        inputs += [weights.transpose(0, 3, 4, 2, 1) if weights.ndim == 5 else weights, biases]
    return inputs


def _together(part: Any) -> None:
    """One thread a party; the first error of any is raised."""
    errors: list[BaseException] = []

    def run(rank: int) -> None:
        try:
            part(rank)
        except BaseException as error:  # noqa: BLE001, it is raised below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(PARTIES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


class Spu:
    """Threads of this process."""

    def prepare(self, task: Task) -> SpuTask:
        """Compile and share."""
        return SpuTask(task)

    def processes(self) -> list[int]:
        """No other."""
        return []

    def versions(self) -> dict[str, str]:
        """Of SPU and jax."""
        setting = f"ABY3, {PARTIES} threads, link in memory, FM64, f = 16"
        return {"spu": version("spu"), "jax": version("jax"), "setting": setting}


if __name__ == "__main__":
    serve(Spu(), quiet_stdout())
