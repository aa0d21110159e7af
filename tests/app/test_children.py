"""What the server's processes are handed by their parent."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from app.cli.children import Child


def test_a_hidden_variable_is_not_handed_on_and_all_others_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SECRET", "hidden")
    monkeypatch.setenv("ANOTHER", "shown")
    start = subprocess.Popen
    environments: list[dict[str, str]] = []

    def started(*words: Any, **options: Any) -> subprocess.Popen[bytes]:
        environments.append(options["env"])
        return start(*words, **options)

    monkeypatch.setattr(subprocess, "Popen", started)
    for hidden in ([], ["A_SECRET"]):
        # Prints the platform and ends.
        child = Child("child", lambda: ["platform"], tmp_path / "log", hidden=hidden)
        child.start()
        child.ask_to_end()
        child.wait(60)
    first, second = environments
    assert first["A_SECRET"] == "hidden"
    assert "A_SECRET" not in second
    assert second["ANOTHER"] == first["ANOTHER"] == "shown"
