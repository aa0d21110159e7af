"""A model as a file that a browser saves: safetensors, or the canonical bytes that are hashed."""

from __future__ import annotations

from flask import Response


def model_answer(task: str, model_sha256: str, body: bytes, kind: str = "safetensors") -> Response:
    """The file of a model, under a name that tells task, hash and kind (safetensors or cbor)."""
    answer = Response(body, mimetype="application/octet-stream")
    name = f"model-{task}-{model_sha256[:8]}.{kind}"
    answer.headers.set("Content-Disposition", "attachment", filename=name)
    return answer
