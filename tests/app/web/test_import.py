"""Importing a CSV in the browser: every step, what is refused, and what an importer may not do."""

from __future__ import annotations

import csv
import io
import json
import re
import stat
from pathlib import Path

import pytest

from app.models import DeploymentRow, TrainingRow
from app.services.requests import TrainingRequest
from fl.datasets import get_task, task_names
from fl.datasets.raw_csv import LARGEST_FILE
from tests.app.importing import (
    STROKE_COLUMNS,
    STROKE_PURPOSE,
    STROKE_VALUES,
    go_through,
    import_stroke,
    stroke_csv,
    upload,
)
from tests.app.web.conftest import Site

HEART = {
    "task": "heart",
    "class_source": "num",
    "hospital": "Bern",
    "hospital_source": "",
    "missing": "?",
    "decimal": ",",
}


def heart_csv() -> bytes:
    """Forty patients as a clinic elsewhere writes them: other words, other units, commas."""
    lines = ["﻿Age;Sex;Serum cholesterol;Blood pressure;num"]
    lines += [f"{40 + at};{'MF'[at % 2]};5,{at % 10};{120 + at};{at % 5}" for at in range(40)]
    return "\n".join([*lines, "250;M;5,2;120;1", "50;M;?;120;7"]).encode()


def entries(site: Site, action: str) -> list[dict[str, object]]:
    log = site.services.audit.entries().entries
    return [json.loads(one.details) for one in log if one.action == action]


def test_a_csv_becomes_a_hospital_of_the_heart_task(site: Site) -> None:
    alice = site.browser("administrator")
    draft = upload(alice, heart_csv())
    page = alice.get(f"{draft}/purpose").text
    assert "utf-8-sig, semicolon between cells" in page
    assert alice.send(f"{draft}/purpose", HEART).location == f"{draft}/columns"
    page = alice.get(f"{draft}/columns").text
    assert 'name="unit|chol"' in page
    columns = {
        "source|age": "Age",
        "source|sex": "Sex",
        "source|chol": "Serum cholesterol",
        "unit|chol": "mmol/l",
        "source|trestbps": "Blood pressure",
    }
    assert alice.send(f"{draft}/columns", columns).location == f"{draft}/values"
    values = {f"class|{n}": str(min(n, 1)) for n in range(5)} | {"class|7": ""}
    values |= {"word|sex|M": "Male", "word|sex|F": "Female"}
    assert alice.send(f"{draft}/values", values).location == f"{draft}/check"
    page = alice.get(f"{draft}/check").text
    assert "Refused rows: 2" in page
    assert "18 to 100 years" in page
    lacking = "6 of 10 columns are not in this file: "
    assert lacking in page
    assert "; they count as not known for every patient." in page
    assert 'name="lacking"' in page
    answer = alice.send(f"{draft}/check")
    assert answer.status_code == 422
    assert "Tick that most columns may be lacking" in answer.text
    assert "Bern" not in get_task("heart").joined
    answer = alice.send(f"{draft}/check", {"lacking": "yes"})
    assert answer.location == "/datasets/heart"
    rows = get_task("heart").load()["Bern"]
    assert (len(rows), int(rows.labels.sum())) == (40, 32)
    assert rows.features[1, 4] == pytest.approx(5.1 * 38.665, abs=0.01)
    assert rows.features[:2, 1].tolist() == [1, 0]
    assert "Bern" in alice.get("/datasets/heart/hospitals/Bern").text
    (told,) = entries(site, "dataset.imported")
    assert (told["refused_rows"], told["new_task"]) == (2, False)
    assert [(one["hospital"], one["rows"]) for one in told["hospitals"]] == [("Bern", 40)]  # type: ignore[attr-defined]
    assert "Begun and not imported yet" not in alice.get("/datasets/import").text
    assert "Bern" in alice.get("/admin/trainings/new/heart").text
    assert "Bern" in site.services.staff.hospitals()


def test_a_csv_becomes_a_task_of_three_hospitals(site: Site) -> None:
    alice = site.browser("administrator")
    name = import_stroke(alice)
    assert task_names() == ("heart", "diabetes", name)
    task = get_task(name)
    assert (task.title, task.hospitals, task.classes) == (
        "Stroke",
        ("East", "South", "West"),
        ("no stroke", "stroke"),
    )
    assert [(c.label, c.kind, c.unit) for c in task.columns] == [
        ("Age", "number", "years"),
        ("Glucose", "number", "mg/dl"),
        ("Sex", "binary", ""),
    ]
    page = alice.get(f"/datasets/{name}").text
    assert f"run.py policy --task {name}" in page
    assert "Made up for a test" in page
    assert "First rows" not in alice.get(f"/datasets/{name}/hospitals/East").text
    assert alice.get(f"/admin/trainings/new/{name}").status_code == 200
    assert "Stroke" in site.browser("doctor").get("/doctor/").text


def test_an_import_that_is_done_is_told_to_who_sends_or_opens_it_again(site: Site) -> None:
    alice = site.browser("administrator")
    draft = go_through(alice, stroke_csv(), STROKE_PURPOSE, STROKE_COLUMNS, STROKE_VALUES)
    person = site.rows["administrator"]
    before = site.services.imports.find(person, draft.rsplit("/", 1)[1])
    assert before is not None
    made = alice.send(f"{draft}/check").location
    assert made.startswith("/datasets/stroke-")
    assert "Imported." in alice.get(made).text
    again = [alice.send(f"{draft}/{step}", {}) for step in ("check", "values", "give-up")]
    again += [alice.get(f"{draft}/{step}") for step in ("purpose", "columns", "check")]
    assert [(one.status_code, one.location) for one in again] == [(303, made)] * 6
    assert "Imported." in alice.get(made).text
    # The second of two clicks found the draft before the first was done with it.
    assert f"/datasets/{site.services.imports.carry_out(person, before)}" == made
    assert site.services.imports.save(before, "values", {}).became
    assert len(entries(site, "dataset.imported")) == 1
    name = made.rsplit("/", 1)[1]
    for hospital in get_task(name).hospitals:
        alice.send(f"/datasets/{name}/hospitals/{hospital}/remove")
    answer = alice.get(f"{draft}/check")
    assert answer.location == "/datasets"
    assert "its rows were removed since" in alice.get("/datasets").text


def test_what_was_imported_lies_in_the_folder_for_its_owner_alone(site: Site) -> None:
    name = import_stroke(site.browser("administrator"))
    folder = site.services.settings.instance_dir / "datasets"
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) == 8
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files)
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o700 for path in folder.rglob("*/"))
    (kept,) = (path for path in (folder / "drafts").rglob("*") if path.is_file())
    assert json.loads(kept.read_text())["choices"] == {}
    lines = (folder / "rows" / name / "east.csv").read_text().splitlines()
    database = (site.services.settings.instance_dir / "consilium.db").read_bytes()
    assert not any(line.encode() in database for line in lines[1:])


def test_the_way_back_loses_nothing(site: Site) -> None:
    alice = site.browser("administrator")
    draft = upload(alice, stroke_csv())
    alice.send(f"{draft}/purpose", STROKE_PURPOSE)
    odd = STROKE_COLUMNS | {"label|age": "Age at onset", "high|age": "none"}
    answer = alice.send(f"{draft}/columns", odd | {"go": "back"})
    assert answer.location == f"{draft}/purpose"
    assert 'value="Made up for a test"' in alice.get(f"{draft}/purpose").text
    page = alice.get(f"{draft}/columns").text
    assert 'value="Age at onset"' in page
    answer = alice.send(f"{draft}/columns", odd)
    assert answer.status_code == 422
    assert "Expected a number." in answer.text
    assert 'value="Age at onset"' in answer.text


def test_the_first_page_guesses_task_columns_and_classes(site: Site) -> None:
    alice = site.browser("administrator")
    text = "age,sex,cp,trestbps,chol,fbs,restecg,thalch,exang,oldpeak,num\n"
    text += "63,Male,asymptomatic,145,233,TRUE,normal,150,FALSE,2.3,1\n" * 25
    draft = upload(alice, text.encode())
    page = alice.get(f"{draft}/purpose").text
    assert '<option value="heart" selected>' in page
    assert '<option value="num" selected>' in page
    fields = HEART | {"decimal": ".", "missing": ""}
    assert alice.send(f"{draft}/purpose", fields).status_code == 303
    page = alice.get(f"{draft}/columns").text
    assert page.count("selected>") == 10  # every column


def test_no_tick_is_asked_for_where_the_file_has_half_of_the_columns(site: Site) -> None:
    alice = site.browser("administrator")
    lines = ["age,sex,chol,trestbps,oldpeak,num"]
    lines += [f"{40 + at},Male,2{at},120,1.5,{at % 2}" for at in range(10, 50)]
    draft = upload(alice, "\n".join(lines).encode())
    names = lines[0].split(",")[:-1]
    alice.send(f"{draft}/purpose", HEART | {"decimal": "."})
    alice.send(f"{draft}/columns", {f"source|{name}": name for name in names})
    alice.send(f"{draft}/values", {"class|0": "0", "class|1": "1", "word|sex|Male": "Male"})
    page = alice.get(f"{draft}/check").text
    assert "5 of 10 columns are not in this file: " in page
    assert 'name="lacking"' not in page
    assert alice.send(f"{draft}/check").location == "/datasets/heart"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"hospital": "Cleveland"}, "There is a party called Cleveland already"),
        ({"hospital": "CLEVELAND"}, "There is a party called"),
        ({"hospital": "Coordinator"}, "There is a party called"),
        ({"hospital": "Node 7"}, "There is a party called"),
        ({"hospital": "Hospital B"}, "There is a party called"),
        ({"hospital": "../../etc"}, "A name has 2 to 60 letters"),
        ({"hospital": "=1+1"}, "A name has 2 to 60 letters"),
        ({"hospital": "東京病院"}, "at least two letters from A to Z"),
        ({"hospital": "B" * 61}, "A name has 2 to 60 letters"),
        ({"hospital": "A,B"}, "A name has 2 to 60 letters"),
        ({"class_source": "nothing"}, "Choose the column"),
        ({"task": "lung"}, "Choose a task"),
        ({"task": "new", "title": "=cmd()"}, "does not begin with"),
        (
            {"task": "new", "title": "HEART  Disease "},
            "Another task is called Heart disease already",
        ),
        ({"decimal": "x"}, "Choose a point or a comma"),
    ],
)
def test_a_purpose_that_cannot_be_is_told(site: Site, change: dict[str, str], problem: str) -> None:
    alice = site.browser("administrator")
    draft = upload(alice, heart_csv())
    answer = alice.send(f"{draft}/purpose", HEART | change)
    assert answer.status_code == 422
    assert problem in answer.text


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "the file is empty"),
        (b"a,b,a\n1,2,3\n", "twice there: a"),
        (b"a,b\n", "Expected rows below"),
        (b"\x89PNG\r\n\x1a\n\0\0", "a file of another kind"),
    ],
)
def test_a_file_that_is_no_table_is_told(site: Site, content: bytes, problem: str) -> None:
    alice = site.browser("administrator")
    answer = alice.send("/datasets/import", {"file": (io.BytesIO(content), "a.csv")})
    assert answer.status_code == 422
    assert problem in answer.text


def test_a_large_file_is_not_even_read(site: Site) -> None:
    alice = site.browser("administrator")
    form = {"csrf_token": alice.token(), "file": (io.BytesIO(b"a,b\n1,2\n"), "a.csv")}
    told = {"CONTENT_LENGTH": str(LARGEST_FILE + 2**20)}
    answer = alice.open("/datasets/import", "POST", data=form, environ_overrides=told)
    assert answer.status_code == 413
    # Elsewhere no form may be as large as an upload.
    told = {"CONTENT_LENGTH": str(2**20)}
    page = f"/datasets/import/{'0' * 32}/purpose"
    answer = alice.open(page, "POST", data={"a": "b"}, environ_overrides=told)
    assert answer.status_code == 413


def test_refusals_are_a_file_without_formulas(site: Site) -> None:
    content = stroke_csv() + b"\nEast,=HYPERLINK(1),100,f,1\nEast,-5,100,f,1"
    alice = site.browser("administrator")
    steps = (STROKE_PURPOSE, STROKE_COLUMNS, STROKE_VALUES)
    draft = go_through(alice, content, *steps)
    lines = list(csv.reader(io.StringIO(alice.get(f"{draft}/refused.csv").text)))
    assert lines == [
        ["line", "column", "expected", "came"],
        ["182", "age", "a number with a decimal point", "'=HYPERLINK(1)"],
        ["183", "age", "0 to 120 years", "-5"],
    ]


def test_too_small_a_hospital_is_not_imported(site: Site) -> None:
    alice = site.browser("administrator")
    steps = (STROKE_PURPOSE, STROKE_COLUMNS, STROKE_VALUES)
    draft = go_through(alice, stroke_csv(rows=10), *steps)
    assert "East has 10 patients; expected at least 20." in alice.get(f"{draft}/check").text
    alice.send(f"{draft}/check")
    assert task_names() == ("heart", "diabetes")
    assert entries(site, "dataset.imported") == []


def test_hospitals_named_in_a_column_are_held_to_the_rules_of_names(site: Site) -> None:
    alice = site.browser("administrator")
    content = stroke_csv(clinics=("../../x", "East", "West"))
    draft = go_through(alice, content, STROKE_PURPOSE, STROKE_COLUMNS, STROKE_VALUES)
    page = alice.get(f"{draft}/check").text
    assert "A name has 2 to 60 letters" in page
    alice.send(f"{draft}/check")
    assert task_names() == ("heart", "diabetes")


def test_names_that_parties_have_are_told_in_one_sentence_at_the_first_step(site: Site) -> None:
    alice = site.browser("administrator")
    clinics = ("Node 1", "Cleveland", "West", "HUNGARY", "Hospital B")
    draft = upload(alice, stroke_csv(clinics=clinics) + b"\nCoordinator,50,100,f,")
    answer = alice.send(f"{draft}/purpose", dict(STROKE_PURPOSE))
    assert answer.status_code == 422
    told = (
        "There are parties called Cleveland, HUNGARY, Hospital B, Node 1 already, or nearly so. "
        "Write other names into the column clinic of the file"
    )
    assert answer.text.count("or nearly so") == answer.text.count(told) == 1


def test_names_that_were_taken_meanwhile_are_told_at_once_and_not_one_by_one(site: Site) -> None:
    alice = site.browser("administrator")
    draft = go_through(alice, stroke_csv(), STROKE_PURPOSE, STROKE_COLUMNS, STROKE_VALUES)
    renamed = STROKE_PURPOSE | {"title": "Stroke, second wave"}
    late = go_through(alice, stroke_csv(), renamed, STROKE_COLUMNS, STROKE_VALUES)
    alice.send(f"{draft}/check")
    answer = alice.send(f"{late}/check")
    assert answer.location == f"{late}/purpose"
    page = alice.get(answer.location).text
    assert page.count("There are parties called East, South, West already") == 1


def test_a_draft_is_its_owners_alone_and_goes_when_given_up(site: Site) -> None:
    alice = site.browser("administrator")
    draft = upload(alice, stroke_csv())
    assert f'href="{draft}/purpose">Go on with stroke.csv' in alice.get("/datasets/import").text
    bob = site.rows["waiting"]
    site.services.accounts.authorise(site.rows["administrator"], bob.id, "administrator")
    assert site.browser("waiting").get(f"{draft}/purpose").status_code == 404
    assert alice.send(f"{draft}/give-up").location == "/datasets"
    assert alice.get(f"{draft}/purpose").status_code == 404
    drafts = site.services.settings.instance_dir / "datasets" / "drafts"
    assert list(drafts.iterdir()) == []


def test_an_implausible_number_is_refused_with_its_reason_until_somebody_widens(
    site: Site,
) -> None:
    alice = site.browser("administrator")
    lines = stroke_csv().decode().splitlines()
    clinic, _, rest = lines[7].split(",", 2)
    lines[7] = f"{clinic},999,{rest}"
    draft = upload(alice, "\n".join(lines).encode())
    assert alice.send(f"{draft}/purpose", dict(STROKE_PURPOSE)).status_code == 303
    told = "1 row lies outside this range of age and would be refused: 999"
    page = alice.get(f"{draft}/columns").text
    assert told in page
    high = float(page.split('name="high|age" value="')[1].split('"')[0])
    assert 90 < high < 200
    ranges = {"low|age": "20", "high|age": f"{high:g}"}
    for step, fields in (("columns", STROKE_COLUMNS | ranges), ("values", STROKE_VALUES)):
        assert alice.send(f"{draft}/{step}", dict(fields)).status_code == 303
    page = alice.get(f"{draft}/check").text
    assert "Refused rows: 1" in page
    assert f"20 to {high:g} years" in page
    assert "<code>999</code>" in page
    sent = dict(STROKE_COLUMNS | {"high|age": "1000"})
    assert alice.send(f"{draft}/columns", sent).status_code == 303
    assert told not in alice.get(f"{draft}/columns").text
    assert "Every row can be taken" in alice.get(f"{draft}/check").text


@pytest.mark.parametrize(
    "row", ["East,50,999,X,1", "East,50,100,X,unclear", ",50,100,X,1", "East,50,100,X,1,more"]
)
def test_a_value_that_only_refused_rows_have_is_no_category(site: Site, row: str) -> None:
    alice = site.browser("administrator")
    content = stroke_csv() + f"\n{row}\n".encode()
    columns = STROKE_COLUMNS | {"kind|sex": "category"}
    draft = go_through(alice, content, STROKE_PURPOSE, columns, STROKE_VALUES)
    assert "Refused rows: 1" in alice.get(f"{draft}/check").text
    name = alice.send(f"{draft}/check").location.rsplit("/", 1)[1]
    task = get_task(name)
    assert [one.value for one in task.columns[2].categories] == ["f", "m"]
    assert {c.kind for c in task.columns[:2]} == {"number"}
    assert sum(len(table) for table in task.load().values()) == 180


@pytest.mark.parametrize(
    "row", ["East,110,9999,X,1", "East,110,100,X,NA", ",110,100,X,1", "East,110,100,X,1,more"]
)
def test_a_row_that_is_refused_anyway_widens_no_range_and_changes_no_kind(
    site: Site, row: str
) -> None:
    alice = site.browser("administrator")
    pages = []
    for content in (stroke_csv(), stroke_csv() + f"\n{row}\n".encode()):
        draft = upload(alice, content)
        assert alice.send(f"{draft}/purpose", dict(STROKE_PURPOSE)).status_code == 303
        page = alice.get(f"{draft}/columns").text
        pages.append(re.findall(r'name="(?:low|high)\|age" value="[^"]*"', page))
        kind = page.split('name="kind|sex"')[1].split("</select>")[0]
        assert '<option value="binary" selected>' in kind
    assert len(pages[0]) == 2
    assert pages[0] == pages[1]


def test_steps_out_of_order_lead_back_to_the_first(site: Site) -> None:
    alice = site.browser("administrator")
    draft = upload(alice, stroke_csv())
    for step in ("columns", "values", "check", "refused.csv"):
        assert alice.get(f"{draft}/{step}").location == f"{draft}/purpose"
    assert alice.send(f"{draft}/check").location == f"{draft}/purpose"


def test_the_same_task_is_not_imported_twice(site: Site) -> None:
    alice = site.browser("administrator")
    name = import_stroke(alice)
    content = stroke_csv(clinics=("North", "Middle", "Centre"))
    draft = upload(alice, content)
    sent = STROKE_PURPOSE | {"title": "s troKe", "source": "The ward's notes"}
    answer = alice.send(f"{draft}/purpose", sent)
    assert answer.status_code == 422
    assert "Another task is called Stroke already: choose another title" in answer.text
    kept = alice.get(f"{draft}/purpose").text
    assert 'value="s troKe"' in kept
    assert "The ward&#39;s notes" in kept
    # As hospitals of that task they are welcome.
    purpose = STROKE_PURPOSE | {"task": name}
    columns = {f"source|{c.name}": c.label.lower() for c in get_task(name).columns}
    sex = get_task(name).columns[2].name
    values = {"class|0": "0", "class|1": "1", f"word|{sex}|f": "f", f"word|{sex}|m": "m"}
    draft = go_through(alice, content, purpose, columns, values)
    assert alice.send(f"{draft}/check").location == f"/datasets/{name}"
    assert len(get_task(name).hospitals) == 6


def test_a_title_that_was_taken_meanwhile_is_told_at_the_check(site: Site) -> None:
    alice = site.browser("administrator")
    steps = (STROKE_PURPOSE, STROKE_COLUMNS, STROKE_VALUES)
    content = stroke_csv(clinics=("North", "Middle", "Centre"))
    draft = go_through(alice, content, *steps)
    import_stroke(alice)
    answer = alice.send(f"{draft}/check")
    assert answer.location == f"{draft}/purpose"
    assert "Another task is called Stroke already" in alice.get(answer.location).text
    renamed = STROKE_PURPOSE | {"title": "Stroke, second wave"}
    for step, fields in zip(("purpose", "columns", "values"), (renamed, *steps[1:]), strict=True):
        assert alice.send(f"{draft}/{step}", dict(fields)).status_code == 303
    assert alice.send(f"{draft}/check").status_code == 303
    assert [get_task(one).title for one in task_names()][-2:] == ["Stroke", "Stroke, second wave"]


def test_rows_that_no_training_uses_are_removed(site: Site) -> None:
    alice = site.browser("administrator")
    name = import_stroke(alice)
    for left in (2, 1, 0):
        hospital = get_task(name).hospitals[0]
        assert "Remove these rows" in alice.get(f"/datasets/{name}/hospitals/{hospital}").text
        answer = alice.send(f"/datasets/{name}/hospitals/{hospital}/remove")
        assert answer.location == (f"/datasets/{name}" if left else "/datasets")
    assert name not in task_names()
    folder: Path = site.services.settings.instance_dir / "datasets"
    left = [path.name for path in folder.rglob("*") if path.is_file()]
    assert left == ["draft.json"]
    assert len(entries(site, "dataset.removed")) == 3


def test_rows_that_a_training_uses_stay(site: Site) -> None:
    alice = site.browser("administrator")
    name = import_stroke(alice)
    plan = json.dumps({"hospitals": [{"name": "East"}]})
    with site.services.database.transaction() as session:
        row = TrainingRow(id="ab" * 32, task=name, network="mlp", seed=1, rounds=1, plan=plan)
        row.plan_sha256 = row.initial_sha256 = "0" * 64
        deployment = DeploymentRow(
            chain_id=1, chain_kind="embedded", genesis_hash="0" * 64, contract="0x" + "0" * 40
        )
        session.add(deployment)
        session.flush()
        row.deployment_id = deployment.id
        session.add(row)
    page = alice.get(f"/datasets/{name}/hospitals/East").text
    assert "The training abababababab was made with these rows" in page
    answer = alice.send(f"/datasets/{name}/hospitals/East/remove")
    assert answer.location == f"/datasets/{name}/hospitals/East"
    assert "East" in get_task(name).hospitals
    assert alice.send(f"/datasets/{name}/hospitals/West/remove").location == f"/datasets/{name}"


def test_a_task_that_a_training_was_asked_of_stays(site: Site) -> None:
    alice = site.browser("administrator")
    name = import_stroke(alice)
    job = site.services.jobs.submit(TrainingRequest(task=name), site.rows["administrator"].id)
    told = f"/datasets/{name}/hospitals/East/remove"
    assert (
        "waits or runs"
        in alice.open(told, "POST", data={"csrf_token": alice.token()}, follow_redirects=True).text
    )
    site.services.jobs.request_stop(job.id)
    for hospital in ("East", "South", "West"):
        alice.send(f"/datasets/{name}/hospitals/{hospital}/remove")
    assert get_task(name).hospitals == ("West",)
    assert alice.get("/admin/trainings").status_code == 200


def test_an_altered_description_takes_no_page_down(site: Site) -> None:
    alice = site.browser("administrator")
    name = import_stroke(alice)
    path = site.services.settings.instance_dir / "datasets" / "tasks" / f"{name}.json"
    path.write_text(path.read_text().replace("Age", "Rage"))
    page = alice.get("/datasets")
    assert page.status_code == 200
    assert f"An imported file was altered: expected the description of {name}" in page.text
    assert alice.get(f"/datasets/{name}").status_code == 404
    path.write_bytes(b"\xff\xfe")
    assert alice.get("/datasets").status_code == 200
    path.unlink()
    assert f"there are rows of {name}, but no such task" in alice.get("/datasets").text


def test_altered_rows_are_named_on_the_page(site: Site) -> None:
    alice = site.browser("administrator")
    name = import_stroke(alice)
    path = site.services.settings.instance_dir / "datasets" / "rows" / name / "east.csv"
    path.write_bytes(path.read_bytes().replace(b",f,", b",m,", 1))
    page = alice.get(f"/datasets/{name}").text
    assert "expected the imported rows of East with SHA-256" in page


def test_a_file_that_lay_about_for_a_day_is_erased(site: Site) -> None:
    alice = site.browser("administrator")
    draft = upload(alice, stroke_csv())
    drafts = site.services.settings.instance_dir / "datasets" / "drafts"
    about = drafts / draft.rsplit("/", 1)[1] / "draft.json"
    fields = json.loads(about.read_text())
    about.write_text(json.dumps(fields | {"made_at": "2020-01-01T00:00:00"}))
    alice.get("/datasets")
    assert list(drafts.iterdir()) == []


def test_a_large_file_within_bounds_is_taken(site: Site) -> None:
    alice = site.browser("administrator")
    content = stroke_csv(rows=12_000)
    assert len(content) > 500_000
    part = 'Content-Disposition: form-data; name="{}"{}\r\n\r\n'
    body = b"\r\n--x\r\n".join(
        [
            b"",
            part.format("csrf_token", "").encode() + alice.token().encode(),
            part.format("file", '; filename="stroke.csv"').encode() + content,
        ]
    )
    # The test client would leave the file open that it makes of so large a form.
    answer = alice.open(
        "/datasets/import",
        "POST",
        data=body + b"\r\n--x--\r\n",
        content_type="multipart/form-data; boundary=x",
    )
    assert answer.status_code == 303
    assert "36000 rows" in alice.get(answer.location).text


def test_a_file_of_many_long_columns_can_be_described(site: Site) -> None:
    alice = site.browser("administrator")
    names = [f"{at} {'measured quantity ' * 5}"[:95].strip() for at in range(99)]
    lines = [",".join([*names, "outcome"])]
    lines += [",".join(["0.5", *(str(at) for _ in names[1:]), str(at % 2)]) for at in range(40)]
    draft = upload(alice, "\n".join(lines).encode())
    purpose = STROKE_PURPOSE | {"hospital_source": "", "hospital": "Bern"}
    assert alice.send(f"{draft}/purpose", purpose).status_code == 303
    fields = {
        f"{field}|{name}": name for field in ("label", "unit", "low", "high") for name in names
    }
    fields |= {f"kind|{name}": "" for name in names}
    answer = alice.send(f"{draft}/columns", fields)
    assert answer.status_code == 422
    assert "Choose at least one column of the file." in answer.text


def test_built_in_hospitals_cannot_be_removed(site: Site) -> None:
    alice = site.browser("administrator")
    assert alice.send("/datasets/heart/hospitals/Cleveland/remove").status_code == 404


def test_auditors_read_and_do_not_import(site: Site) -> None:
    name = import_stroke(site.browser("administrator"))
    auditor = site.browser("auditor")
    assert "Import a CSV" not in auditor.get("/datasets").text
    assert "Remove these rows" not in auditor.get(f"/datasets/{name}/hospitals/East").text
    assert auditor.send(f"/datasets/{name}/hospitals/East/remove").status_code == 403
