"""Filling the form with what a FHIR bundle says: a file beside what was typed, or a program's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Flask, request
from werkzeug.datastructures import ImmutableMultiDict, MultiDict

from app.doctor.forms import SURE, UNIT, ValuesForm, field_name, values_form
from app.services.fhir import LARGEST, Vitals
from fl.datasets import Task

# The file and the form around it.
_ENVELOPE = 32 * 1024


def install(app: Flask) -> None:
    """Let a bundle be larger than forms are; register before whatever reads forms."""
    app.before_request(_allow_bundle)


def _allow_bundle() -> None:
    if request.endpoint == "doctor.fill":
        request.max_content_length = LARGEST + _ENVELOPE


def filled(
    task: Task, typed: ImmutableMultiDict[str, str] | Mapping[str, str], vitals: Vitals
) -> ValuesForm:
    """The form with what was typed, and in the place of it what the bundle measured.

    A tick that a doctor set stands for what was there before, so it goes.
    """
    form = values_form(task)
    fields = MultiDict(typed)
    names = {column.name: field_name(column) for column in task.columns}
    for vital in vitals.used:
        name = names[vital.column]
        fields[name] = vital.text
        fields.pop(name + SURE, None)
        if hasattr(form, name + UNIT):
            fields[name + UNIT] = vital.unit
    return form(formdata=fields)


def document(task: Task, vitals: Vitals) -> dict[str, Any]:
    """The same for a program: by column the number as it was written, its unit and its source."""
    return {
        "task": task.name,
        "values": {
            one.column: {
                "value": one.text,
                "unit": one.unit,
                "source": one.source,
                "measured": one.at.isoformat() if one.at else None,
            }
            for one in vitals.used
        },
        "unused": [{"name": name, "why": why} for name, why in vitals.unused],
    }
