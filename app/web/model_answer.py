"""A model as a file that a browser saves: safetensors, or the canonical bytes that are hashed."""

from __future__ import annotations

from flask import Response

from app.web.downloads import file_answer


def model_answer(task: str, model_sha256: str, body: bytes, kind: str = "safetensors") -> Response:
    """The file of a model, under a name that tells task, hash and kind (safetensors or cbor)."""
    name = f"model-{task}-{model_sha256[:8]}.{kind}"
    return file_answer(body, "application/octet-stream", name)
