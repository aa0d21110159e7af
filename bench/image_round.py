"""What of a CNN's round the encrypted review takes: `python -m bench.image_round [--xrays ZIP]
[--lesions ZIP]`.

Whole rounds, by the protocol: four hospitals, four nodes, the embedded chain, defaults of a
training (16 donated rows of a class and hospital, 3 local epochs). Prints for each data set the
median over its rounds of the seconds of a round, of its training, of its review, and the review's
part. Digits: the 1,797 of scikit-learn, enlarged to 28 x 28. X-rays: the 5,216 pictures of Kermany
et al. (2018, doi:10.17632/rscbjbr9sj.2) from a zip with `train/NORMAL` and `train/PNEUMONIA`,
scaled to 28 x 28. Lesions: dermoscopy pictures of HAM10000 (Tschandl et al. 2018,
doi:10.7910/DVN/DBW86T) in grey, scaled likewise, from a zip with `images/` and
`HAM10000_metadata.csv`; seven diagnoses. Both are left out where no zip is given.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from functools import partial
from io import BytesIO
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits  # type: ignore[import-untyped]

from app.services.federation import open_federation
from app.services.requests import TrainingRequest
from app.services.results import training_document
from app.services.trainings import Trainings
from config import Settings
from fl import datasets
from fl.datasets import Column, Defaults, Partition, Table, Task
from fl.datasets.partition import deal

SIDE = 28
HOSPITALS = 4
LESIONS = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
DEFAULTS = Defaults(
    rounds=5,
    local_epochs=3,
    batch_size=32,
    learning_rate=0.01,
    norm_bound=4.0,
    class_weighted=True,
    network="cnn",
)


def task_of(name: str, classes: tuple[str, ...], rows: Callable[[], Table]) -> Task:
    """A task whose columns are the pixels of a picture, 0 to 1, dealt evenly to the hospitals."""
    columns = tuple(Column(f"p{i}", f"Pixel {i}", "number") for i in range(SIDE * SIDE))
    dealt = Partition("iid", HOSPITALS, 1.0, 7)

    def load(partition: Partition) -> Mapping[str, Table]:
        return deal(rows(), partition)

    return Task(name, name, columns, classes, DEFAULTS, dealt, load)


def digits(label_of: Callable[[NDArray[np.int64]], NDArray[np.int64]]) -> Table:
    """The digits, each pixel drawn as 3 x 3, with a margin of two."""
    found = load_digits()
    drawn = np.kron(found.images / 16, np.ones((1, 3, 3)))
    pixels = np.pad(drawn, ((0, 0), (2, 2), (2, 2))).reshape(len(drawn), -1)
    return Table(pixels.astype(np.float64), label_of(found.target.astype(np.int64)))


def xrays(path: Path) -> Table:
    """The X-rays of the zip in grey, SIDE x SIDE; 1 is pneumonia."""
    pixels, labels = [], []
    with zipfile.ZipFile(path) as archive:
        for name in sorted(archive.namelist()):
            if name.lower().endswith(".jpeg"):
                pixels.append(small_picture(archive.read(name)))
                labels.append(int("/PNEUMONIA/" in name))
    return Table(np.stack(pixels), np.array(labels, dtype=np.int64))


def lesions(path: Path) -> Table:
    """The dermoscopy pictures of the zip in grey, SIDE x SIDE; labels are places in `LESIONS`."""
    with zipfile.ZipFile(path) as archive:
        listed = archive.read("HAM10000_metadata.csv").decode().splitlines()
        diagnosis = {row["image_id"]: row["dx"] for row in csv.DictReader(listed)}
        names = sorted(name for name in archive.namelist() if name.lower().endswith(".jpg"))
        pixels = [small_picture(archive.read(name)) for name in names]
    labels = [LESIONS.index(diagnosis[Path(name).stem]) for name in names]
    return Table(np.stack(pixels), np.array(labels, dtype=np.int64))


def small_picture(data: bytes) -> NDArray[np.float64]:
    """A picture's grey values, (SIDE * SIDE,), 0 to 1."""
    with Image.open(BytesIO(data)) as picture:
        small = picture.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
        return np.asarray(small, dtype=np.float64).ravel() / 255


def measure(task: Task, rounds: int) -> list[Mapping[str, float]]:
    """The seconds of each step in each round of a training of `task` on a new installation."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(instance_dir=Path(folder))
        with open_federation(settings) as federation:
            trainings = Trainings(federation)
            plan = trainings.plan(TrainingRequest(task=task.name, rounds=rounds))
            identifier = trainings.start(plan)
            ending = trainings.run(identifier, lambda _: None)
            assert ending.finished, ending.reason
            document = training_document(federation.database, identifier)
    return [each["seconds"] for each in document["rounds"]]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--xrays", type=Path)
    parser.add_argument("--lesions", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    tasks = [
        task_of("digits-odd", ("even", "odd"), partial(digits, lambda digit: digit % 2)),
        task_of("digits", tuple("0123456789"), partial(digits, lambda digit: digit)),
    ]
    if args.xrays:
        classes = ("normal", "pneumonia")
        tasks.append(task_of("xrays", classes, partial(xrays, args.xrays)))
    if args.lesions:
        tasks.append(task_of("lesions", LESIONS, partial(lesions, args.lesions)))
    print(f"{'':<12} {'classes':>7} {'round, s':>9} {'training':>9} {'review':>7} {'part':>6}")
    for task in tasks:
        # A measurement's own tasks; the application knows none with pictures yet.
        datasets._TASKS[task.name] = task  # noqa: SLF001
        found = measure(task, args.rounds)
        whole, train, review = (
            median(sum(one.values()) for one in found),
            median(one["train"] for one in found),
            median(one["review"] for one in found),
        )
        part = median(one["review"] / sum(one.values()) for one in found)
        classes_ = len(task.classes)
        print(
            f"{task.name:<12} {classes_:>7} {whole:>9.2f} {train:>9.2f} {review:>7.2f} {part:>6.1%}"
        )


if __name__ == "__main__":
    main()
