"""A model as a safetensors file that tells by itself what it is and how to use it.

Tensors keep their names and order. The metadata (texts) are:

    format        consilium/model-file/v1
    task, network what it predicts, and the network's name in `fl.networks`
    training      identifier of the training, 64 hex digits
    rounds        how many rounds it had
    model_sha256  SHA-256 of the model's canonical bytes (docs/formats.md), which the ledger names
    tensors       the tensors' names in the canonical order, JSON
    columns       a patient's columns in their order, JSON: name, kind, unit, range, categories
    classes       what the outputs stand for, in their order, JSON
    statistics    the federation's statistics as they are hashed, which scale the values
"""

from __future__ import annotations

import json
from typing import Final

import numpy as np
from safetensors.numpy import save

from crypto.digest import load_model
from fl.datasets import Task

FORMAT: Final = "consilium/model-file/v1"


def safetensors_file(
    model: bytes, statistics: bytes, task: Task, training: str, rounds: int, model_sha256: str
) -> bytes:
    """The file of a model, given as canonical bytes. Raises EncodingError for anything else."""
    network, parameters = load_model(model)
    columns = [
        {
            "name": column.name,
            "kind": column.kind,
            "unit": column.unit,
            "low": column.low,
            "high": column.high,
            "categories": [category.label for category in column.categories],
        }
        for column in task.columns
    ]
    metadata = {
        "format": FORMAT,
        "task": task.name,
        "network": network,
        "training": training,
        "rounds": str(rounds),
        "model_sha256": model_sha256,
        "tensors": json.dumps(list(parameters)),
        "columns": json.dumps(columns, ensure_ascii=False),
        "classes": json.dumps(list(task.classes), ensure_ascii=False),
        "statistics": statistics.decode(),
    }
    tensors = {name: np.ascontiguousarray(one) for name, one in parameters.items()}
    return bytes(save(tensors, metadata))
