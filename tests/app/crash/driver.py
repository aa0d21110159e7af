"""Runs trainings in processes that die on command: `python -m tests.app.crash.driver`.

Everything is imported once; each line on standard input, a life in JSON, is then lived in a fork of
its own, so that it begins within milliseconds. The answer is a line of JSON: the signal that ended
it, or its exit status.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from app.services.federation import open_federation
from app.services.promotions import has_work, write_waiting
from app.services.requests import TrainingRequest
from app.services.trainings import Trainings
from config import Settings
from contracts.errors import LedgerError
from crypto.field import F61
from fl.datasets import get_task
from fl.networks import NetworkSpec, initial_parameters
from fl.training import LocalSettings, local_update
from tests.app.crash import actions

FINISHED, FAILED, CHAIN_GONE, BROKEN = 0, 1, 2, 3


def main() -> int:
    """Live every life that is asked for."""
    torch.set_num_threads(1)
    warm_up()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os._exit(live(json.loads(line)))
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        answer = {"signal": -code if code < 0 else None, "status": code if code >= 0 else None}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    return 0


def warm_up() -> None:
    """Load what is compiled or built on first use, so that no life pays for it."""
    task = get_task("heart")
    task.load(task.partition)
    spec = NetworkSpec("mlp", 4, 2)
    rows = np.ones((4, 4), dtype=np.float32)
    labels = np.array([0, 1, 0, 1])
    settings = LocalSettings(
        epochs=1, batch_size=4, learning_rate=0.01, norm_bound=1.0, class_weighted=True
    )
    local_update(spec, initial_parameters(spec, 1), rows, labels, settings, 1)
    F61.combine(np.ones((2, 4), dtype=np.uint64), np.ones(2, dtype=np.uint64))


def live(life: dict[str, Any]) -> int:
    """Start or resume the training of an installation; see `tests.app.crash.nursery.Life`."""
    folder = Path(life["folder"])
    os.environ["CONSILIUM_INSTANCE"] = str(folder)
    os.environ["CONSILIUM_NODES"] = str(life["nodes"])
    os.environ.pop("DATABASE_URL", None)
    os.environ.pop("CHAIN_RPC_URL", None)
    if life["chain"]:
        os.environ["CHAIN_RPC_URL"] = life["chain"]
    counted = actions.Actions(
        Path(life["log"]), victim(life, folder), life["kill"], life["after"], life["known"]
    )
    actions.watch_files(counted)
    actions.watch_database(counted)
    actions.watch_chain(counted)
    actions.watch_steps(counted)
    actions.watch_words(folder.with_suffix(".words"))
    actions.break_parties(life["broken"])
    try:
        return train(life)
    except LedgerError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return CHAIN_GONE
    except BaseException:  # noqa: BLE001, a fork must never go on as its parent
        traceback.print_exc()
        return BROKEN


def victim(life: dict[str, Any], folder: Path) -> Callable[[], None]:
    """What is killed: this process, or the chain under its feet."""
    if life["victim"] == "chain":
        return lambda: actions.kill_chain(folder)
    return actions.kill_self


def train(life: dict[str, Any]) -> int:
    """What `run.py train` does, without its words; or, once it trained, what the worker does."""
    with open_federation(Settings()) as federation:
        trainings = Trainings(federation)
        request = TrainingRequest(
            hospitals=tuple(life["hospitals"]) or None, rounds=life["rounds"], seed=life["seed"]
        )
        plan = trainings.plan(request)
        identifier = trainings.find_unfinished()
        if identifier is None and has_work(federation.database):
            # Killed after the training's end: what is left is what the worker does when it looks.
            return FINISHED if write_waiting(federation) else FAILED
        identifier = identifier or trainings.start(plan)
        ending = trainings.run(identifier, lambda _: None)
    return FINISHED if ending.finished else FAILED


if __name__ == "__main__":
    sys.exit(main())
