"""A device's file read by what docs/formats.md says of it, without the application's own code."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

import cbor2
import numpy as np

Value = float | None


class DeviceReader:
    """A patient's risk and its interval by nothing but the file."""

    def __init__(self, body: bytes) -> None:
        self.file: dict[str, Any] = json.loads(body)
        self.model = b64decode(self.file["model"], validate=True)
        sums = np.array(json.loads(self.file["statistics"])["sums"]).reshape(3, -1)
        rows = np.maximum(sums[0], 1)
        self.mean = sums[1] / rows
        variance = sums[2] / rows - self.mean**2
        self.deviation = np.sqrt(np.where(variance > self.file["constant"], variance, 0))

    def inputs(self, values: Mapping[str, Value]) -> np.ndarray:
        scaled: list[float] = []
        for column in self.file["columns"]:
            value = values.get(column["name"])
            if column["kind"] == "category":
                places = range(len(column["categories"]))
                scaled += [np.nan if value is None else float(value == at) for at in places]
            else:
                low, high = column["low"], column["high"]
                middle, half = (high + low) / 2, (high - low) / 2
                scaled.append(np.nan if value is None else (value - middle) / half)
        standard = [
            (z - mean) / deviation if deviation and not np.isnan(z) else 0.0
            for z, mean, deviation in zip(scaled, self.mean, self.deviation, strict=True)
        ]
        bound = self.file["input_bound"]
        return np.clip(standard, -bound, bound).astype(np.float32).astype(np.float64)

    def score(self, values: Mapping[str, Value]) -> float:
        _, network, *tensors = cbor2.loads(self.model)
        assert network == "mlp"
        arrays = [np.frombuffer(data, "<f4").reshape(shape) for _, shape, data in tensors]
        signal = self.inputs(values)
        for at in range(0, len(arrays), 2):
            signal = arrays[at].astype(np.float64) @ (signal if not at else np.maximum(signal, 0))
            signal = signal + arrays[at + 1]
        powers = np.exp(signal - signal.max())
        return float(powers[-1] / powers.sum())

    def risk(self, values: Mapping[str, Value]) -> tuple[float, tuple[float, float] | None]:
        score, curve = self.score(values), self.file["calibration"]
        if curve is None:
            return score, None
        cut = min(max(score, curve["lowest"]), curve["highest"])
        at = np.array([np.log(cut / (1 - cut)), 1.0])
        middle = at @ [curve["slope"], curve["intercept"]]
        spread = curve["z95"] * np.sqrt(at @ np.array(curve["covariance"]) @ at)
        low, risk, high = 1 / (1 + np.exp(-np.array([middle - spread, middle, middle + spread])))
        return float(risk), (float(low), float(high))
