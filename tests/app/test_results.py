"""The document and the live view of a training with a review, from the coordinator's record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from app.cli import tables
from app.database import Database
from app.errors import RequestError
from app.models import AttemptRow
from app.services.comparisons import Past, PastRound, past_of
from app.services.live import training_view
from app.services.overview import Overview
from app.services.results import training_document
from app.services.training_outcome import pooled
from app.stores.rounds import Rounds
from contracts.records import DONATION, AttemptKey
from fl.evaluation import Evaluation
from fl.store import AttemptNote
from tests.app import reviewed
from tests.app.reviewed import HOSPITALS, Recorded


@pytest.fixture
def database(tmp_path: Path) -> Database:
    made = Database(f"sqlite:///{tmp_path / 'test.db'}")
    made.migrate()
    return made


@pytest.fixture
def document(database: Database) -> dict[str, Any]:
    return training_document(database, reviewed.attacked_training(database).identifier)


def test_donation_stands_beside_the_statistics(document: dict[str, Any]) -> None:
    assert document["statistics"]["round"] == 0
    assert [one["round"] for one in document["rounds"]] == [1, 2]
    donation = document["donation"]
    assert donation["committee"] == ["Node 1", "Node 2", "Node 3"]
    assert {one["name"]: (one["rows"], one["verdict"]) for one in donation["hospitals"]} == {
        "Cleveland": ([16, 16], "accepted"),
        "Hungary": ([16, 16], "accepted"),
        "Switzerland": ([0, 16], "accepted"),
        "VA Long Beach": (None, "refused"),
    }
    assert donation["hospitals"][3]["reason"] == reviewed.BAD_SLICE
    assert donation["set_sha256"] == "03" * 32
    assert "accuracy" not in donation


def test_each_hospital_has_what_was_opened_of_it(document: dict[str, Any]) -> None:
    cleveland, hungary, switzerland, beach = document["rounds"][1]["hospitals"]
    assert (cleveland["verdict"], cleveland["balanced_accuracy"]) == ("accepted", 0.75)
    assert (cleveland["threshold"], cleveland["warnings"]) == (0.675, [])
    assert (hungary["verdict"], hungary["balanced_accuracy"]) == ("rejected", 0.45)
    assert (hungary["reason"], hungary["warnings"]) == (reviewed.BELOW, ["against the others"])
    assert switzerland["verdict"] == "refused"
    assert (switzerland["balanced_accuracy"], switzerland["threshold"]) == (None, None)
    assert beach["warnings"] == ["says what the global model says"]


def test_only_a_simulation_knows_the_attackers(
    document: dict[str, Any], database: Database
) -> None:
    assert document["simulation"] == {"attack": "label-flip", "attackers": ["Hungary"]}
    assert (document["fedavg_accuracy"], document["oracle_accuracy"]) == (0.5, 0.81)
    told = {one["name"]: one["attacker"] for one in document["rounds"][0]["hospitals"]}
    assert told == dict.fromkeys(HOSPITALS, False) | {"Hungary": True}
    honest = Recorded(database, reviewed.plan(rounds=1))
    honest.note(1, reviewed.update())
    found = training_document(database, honest.identifier)
    assert found["simulation"] is found["fedavg_accuracy"] is found["oracle_accuracy"] is None
    assert all("attacker" not in one for one in found["rounds"][0]["hospitals"])


def test_a_round_says_who_counted_and_whether_its_model_was_kept(document: dict[str, Any]) -> None:
    first, second = document["rounds"]
    assert (first["accepted"], first["rejected"], first["refused"]) == (3, 1, 0)
    assert (first["kept"], first["reason"], first["flagged"]) == (False, "", [])
    assert (second["accepted"], second["rejected"], second["refused"]) == (2, 1, 1)
    assert (second["kept"], second["reason"]) == (True, "2 were accepted, 3 are needed")
    assert (second["flagged"], second["norm_bound"]) == (["Hungary"], 1.5)
    assert [one["node"] for one in second["signers"]] == ["Node 1", "Node 2", "Node 3"]


def test_poisoning_is_what_was_kept_out(document: dict[str, Any]) -> None:
    assert document["poisoning"] == {
        "rounds": 2,
        "counts": {"accepted": 5, "rejected": 2, "refused": 1},
        "kept_out": 0.375,
    }


def test_without_a_review_nothing_is_said_to_be_accepted(database: Database) -> None:
    made = Recorded(database, reviewed.plan(review=None))
    made.note(1, AttemptNote(True, accepted=dict.fromkeys(HOSPITALS, 100)))
    document = training_document(database, made.identifier)
    (only,) = document["rounds"]
    assert {one["verdict"] for one in only["hospitals"]} == {"not verified"}
    assert (document["poisoning"], document["donation"]) == (None, None)
    assert (only["accepted"], only["committee"]) == (0, [])
    view = training_view(database, made.identifier)
    assert (view["reviews"], view["poisoning"], view["rounds"][0]["kept_out"]) == (
        False,
        None,
        None,
    )


def test_view_follows_a_training_through_its_donation(database: Database) -> None:
    """The donation's number is the largest, and yet it comes before the first round."""
    made = Recorded(database, reviewed.plan())
    made.note(0, reviewed.statistics())
    store = Rounds(database, bytes.fromhex(made.identifier))
    store.begin_attempt(AttemptKey(bytes.fromhex(made.identifier), DONATION, 1))
    view = training_view(database, made.identifier)
    assert (view["title"], view["step"]) == ("Donated rows", "open")
    assert (view["donation"], view["rounds"]) == (None, [])
    made.note_steps(DONATION)
    made.end(DONATION, reviewed.donation())
    store.begin_attempt(AttemptKey(bytes.fromhex(made.identifier), 1, 1))
    view = training_view(database, made.identifier)
    assert (view["round"], view["title"], view["step"]) == (1, "Round 1", "open")
    assert view["donation"]["title"] == "Donated rows"
    assert Overview(database).trainings()[0].round == 0
    made.note_steps(1)
    made.end(1, reviewed.update())
    assert Overview(database).trainings()[0].round == 1


def test_view_names_whose_rows_were_set_aside(database: Database) -> None:
    view = training_view(database, reviewed.attacked_training(database).identifier)
    assert view["flagged"] == {"Hungary": [2]}
    assert view["simulation"]["verdicts"]["Hungary"] == {"accepted": 0, "rejected": 2, "refused": 0}
    assert view["nodes"] == 4


def test_a_failed_donation_is_called_by_its_name(database: Database) -> None:
    made = Recorded(database, reviewed.plan())
    made.note(DONATION, AttemptNote(False, "2 slices stand, 3 are needed"))
    (failed,) = training_document(database, made.identifier)["failed"]
    assert (failed["title"], failed["round"]) == ("Donated rows", DONATION)


def test_scores_are_those_of_the_last_round_that_has_a_model(database: Database) -> None:
    made = Recorded(database, reviewed.plan())
    made.note(2, reviewed.update(), Evaluation(((1, 0), (0, 1))))
    made.note(1, reviewed.update(), Evaluation(((9, 0), (0, 9))))
    made.note(DONATION, reviewed.donation())
    with database.transaction() as session:
        attempts = session.query(AttemptRow).order_by(AttemptRow.round).all()
        confusion = pooled(attempts)
    assert confusion is not None
    assert confusion.tolist() == [[4, 0], [0, 4]]


def test_past_rounds_are_those_that_made_a_model(database: Database) -> None:
    reviewed.attacked_training(database)
    with database.transaction() as session:
        past = past_of(session.query(AttemptRow).order_by(AttemptRow.id).all())
    bound = 3 << 15
    assert past == Past(
        HOSPITALS,
        (
            PastRound({"Cleveland": 90, "Switzerland": 90, "VA Long Beach": 90}, bound),
            PastRound({}, bound),
        ),
    )


def test_an_unknown_training_is_told(database: Database) -> None:
    with pytest.raises(RequestError, match="expected a training"):
        training_document(database, "ff" * 32)


def test_tables_say_who_was_kept_out_and_why(
    document: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert Console().width == 80
    tables.print_training(document)
    out = capsys.readouterr().out
    assert "Round 1, Hungary rejected: its balanced accuracy (0.45, rounded down)" in out
    assert "Round 2, Switzerland refused: holds values out of range" in out
    assert "Round 2, VA Long Beach, warning: says what the global model says." in out
    assert "Donated rows, VA Long Beach refused: its donated rows hold" in out
    assert "the rows donated by Hungary were set aside" in out
    assert "Round 2 keeps the model that it began with: 2 were accepted, 3 are needed." in out
    assert "Of 8 updates the review accepted 5, rejected 2 and refused 1" in out
    assert "Label flip by Hungary. Kept out: 2 of 2 updates of attackers, 1 of 6" in out
    assert "everybody: 50.0 %; with the attackers left out: 81.0 %" in out
    table = out.split("step  ", 1)[0]
    assert max(map(len, table.splitlines())) <= 80
    assert "…" in table  # hashes are cut, nothing else is
    assert all(name in table for name in HOSPITALS)
