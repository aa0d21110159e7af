"""Files to import, and the way through the steps of an import."""

from __future__ import annotations

import io
import random
from collections.abc import Mapping

from tests.app.web.browser import Browser

STROKE_PURPOSE = {
    "task": "new",
    "title": "Stroke",
    "class_source": "outcome",
    "hospital": "",
    "hospital_source": "clinic",
    "missing": "NA",
    "decimal": ".",
    "source": "Made up for a test",
    "licence": "none",
}
STROKE_COLUMNS = {
    "kind|age": "number",
    "label|age": "Age",
    "unit|age": "years",
    "low|age": "0",
    "high|age": "120",
    "kind|glucose": "number",
    "label|glucose": "Glucose",
    "unit|glucose": "mg/dl",
    "low|glucose": "30",
    "high|glucose": "400",
    "kind|sex": "binary",
    "label|sex": "Sex",
}
STROKE_VALUES = {"name|0": "no stroke", "name|1": "stroke", "class|0": "0", "class|1": "1"}


def stroke_csv(rows: int = 60, clinics: tuple[str, ...] = ("East", "West", "South")) -> bytes:
    """Patients of made-up clinics: the older, and the more glucose, the more strokes."""
    draw = random.Random(5)
    lines = ["clinic,age,glucose,sex,outcome"]
    for at in range(rows * len(clinics)):
        age, glucose = draw.randint(30, 90), draw.randint(70, 250)
        ill = int(age + glucose / 4 + draw.gauss(0, 8) > 100)
        lines.append(f"{clinics[at % len(clinics)]},{age},{glucose},{draw.choice('fm')},{ill}")
    return "\n".join(lines).encode()


def upload(browser: Browser, content: bytes, name: str = "stroke.csv") -> str:
    """Send a file; the address of its draft."""
    answer = browser.send("/datasets/import", {"file": (io.BytesIO(content), name)})
    assert answer.status_code == 303, answer.text
    return str(answer.location).rsplit("/", 1)[0]


def go_through(browser: Browser, content: bytes, *steps: Mapping[str, str]) -> str:
    """Upload a file and send purpose, columns and values; the address of its draft."""
    draft = upload(browser, content)
    for name, fields in zip(("purpose", "columns", "values"), steps, strict=True):
        answer = browser.send(f"{draft}/{name}", dict(fields))
        assert answer.status_code == 303, answer.text
    return draft


def import_stroke(browser: Browser, content: bytes | None = None) -> str:
    """Import the new task; its name."""
    steps = (STROKE_PURPOSE, STROKE_COLUMNS, STROKE_VALUES)
    draft = go_through(browser, content or stroke_csv(), *steps)
    answer = browser.send(f"{draft}/check")
    assert answer.status_code == 303, answer.text
    return str(answer.location).rsplit("/", 1)[1]
