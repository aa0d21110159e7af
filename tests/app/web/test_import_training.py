"""From a CSV to a prediction: an imported task is trained, checked and asked like any other."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from app.errors import RequestError
from app.services.dossier import Dossiers
from app.services.dossier_check import check_dossier
from app.services.federation import open_federation
from app.services.overview import Overview
from app.services.requests import TrainingRequest
from app.services.trainings import Trainings
from app.services.verification import Verification
from app.services.work import Worker
from app.stores.datasets import DatasetFiles
from fl.datasets import get_task, imported
from fl.datasets.imported import Origin, written
from fl.plan import Plan
from tests.app import commandline
from tests.app.importing import import_stroke
from tests.app.web.conftest import Site
from tests.app.web.test_new_training import HEART

pytestmark = pytest.mark.slow


def test_an_imported_task_is_trained_checked_and_asked(site: Site, repository: Path) -> None:
    alice = site.browser("administrator")
    name = import_stroke(alice)
    folder = site.services.settings.instance_dir
    done = commandline.run(repository, folder, "train", "--task", name, "--rounds", "1", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["task"] == name

    form = HEART | {"hospitals": ["East", "South", "West"], "rounds": "1", "local_epochs": "3"}
    assert alice.send(f"/admin/trainings/new/{name}", form).status_code == 303
    assert Worker(site.services.settings, "one", Event()).look(site.services.jobs) == 0.0
    assert [line.state for line in Overview(site.services.database).trainings()] == ["finished"] * 2

    with open_federation(site.services.settings) as federation:
        assert federation.ledger.registry.policy(name).allowed
        doctor = site.browser("doctor")
        columns = get_task(name).columns
        values = {columns[0].name: "85", columns[1].name: "240", columns[2].name: "f"}
        page = doctor.send(f"/doctor/predictions/{name}/new", values)
        assert page.status_code == 200, page.text
        assert "stroke" in page.text
        found = Verification(federation).run()
        assert found.differences == []

        trainings = Trainings(federation)
        plan = trainings.plan_of(document["training"])
        assert Plan.from_json(plan.to_json()) == plan
        assert [one for one, _ in plan.partition.sources] == ["East", "South", "West"]

        # Checked elsewhere, where nothing of the task is known.
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(imported, "_catalogue", None)
            written_file = Dossiers(federation.database, federation.ledger).write(
                document["training"], 1
            )
            assert check_dossier(written_file).differences == []

        page = alice.get(f"/datasets/{name}/hospitals/East").text
        assert "was made with these rows" in page

        rows = folder / "datasets" / "rows" / name / "east.csv"
        rows.write_bytes(rows.read_bytes().replace(b",f,", b",m,", 1))
        told = Verification(federation).run().differences
        assert any("the imported rows of East" in str(one) for one in told)
        with pytest.raises(RequestError, match="the imported rows of East"):
            trainings.plan(TrainingRequest(task=name))


def test_imported_hospitals_take_part_where_they_are_chosen(site: Site) -> None:
    files = DatasetFiles(site.services.settings.instance_dir / "datasets")
    task = get_task("diabetes")
    table = task.load()["Hospital A"].take(np.arange(60))
    for hospital in ("Bern", "Basel"):
        content = written(task, table)
        digest = sha256(content).hexdigest()
        origin = Origin(hospital, digest, 60, 0, "a.csv", digest, "", "", "2026-01-01T00:00:00")
        files.add_rows(task.name, origin, content)
    with open_federation(site.services.settings) as federation:
        trainings = Trainings(federation)
        request = TrainingRequest(task="diabetes")
        both, one, none = (
            trainings.plan(replace(request, joining=joining)) for joining in (None, ("Bern",), ())
        )
        assert [member.name for member in both.hospitals][4:] == ["Basel", "Bern"]
        assert [member.name for member in one.hospitals][4:] == ["Bern"]
        assert len(none.hospitals) == 4
        assert "sources" not in none.to_json()
        assert len({plan.digest() for plan in (both, one, none)}) == 3
        with pytest.raises(RequestError, match="expected imported hospitals, got Zug"):
            trainings.plan(replace(request, joining=("Zug",)))
        page = site.browser("administrator").get("/admin/trainings/new/diabetes").text
        assert "Imported hospitals that take part" in page
