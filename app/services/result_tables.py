"""The tables of a training's results, from its document: pages and files show what `--json` has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.services.attack_names import attack_titles
from app.services.requests import SEVERAL
from app.services.tables import Column, Table

Document = dict[str, Any]

POOLED = "All hospitals"
PARTS = ("train", "test")
# Columns of the submissions for which a page has no room.
ONLY_IN_FILES = ("samples", "update_sha256")
VERDICTS = ("accepted", "rejected", "refused")


def result_tables(document: Document) -> dict[str, Table]:
    """Every table of a training's results by its name.

    accuracy, confusion, reliability, rounds, submissions and verdicts; in a simulation also truth,
    detection and attacks.
    A table without rows is of a training that has none yet.
    """
    tables = [
        _accuracy(document),
        _confusion(document),
        _reliability(document),
        _rounds(document),
        submissions(document),
        _verdicts(document),
    ]
    if document["simulation"]:
        tables += [_truth(document), _detection(document), _attacks(document)]
    return {table.name: table for table in tables}


def _accuracy(document: Document) -> Table:
    results = document["results"]
    rows = []
    if results:
        rows = [_accuracy_row(one["name"], one) for one in results["hospitals"]]
        rows.append(_accuracy_row(POOLED, results["pooled"]))
    after = f"the model of round {results['round']}" if results else "the model"
    return Table(
        "accuracy",
        "Trained and tested results",
        f"How {after} does on each hospital’s own rows, as the hospital reported under its "
        "signature. Accuracy is the share of right answers, balanced accuracy the mean of that "
        "share over the classes. AUC is the share of pairs of a patient of each class that the "
        "model puts in the right order, from scores counted in 50 bins.",
        (
            Column("hospital", "Hospital"),
            Column("train_rows", "Trained rows", "number"),
            Column("train_accuracy", "Train accuracy", "share"),
            Column("train_balanced_accuracy", "Train balanced", "share"),
            Column("test_rows", "Tested rows", "number"),
            Column("test_accuracy", "Test accuracy", "share"),
            Column("test_balanced_accuracy", "Test balanced", "share"),
            Column("test_auc", "Test AUC", "figure"),
        ),
        tuple(rows),
        totals=1 if rows else 0,
    )


def _accuracy_row(name: str, figures: Document) -> tuple[Any, ...]:
    train, test = figures["train"] or {}, figures["test"] or {}
    keys = ("rows", "accuracy", "balanced_accuracy")
    return (
        name,
        *(train.get(key) for key in keys),
        *(test.get(key) for key in keys),
        test.get("auc"),
    )


def _confusion(document: Document) -> Table:
    results = document["results"]
    return Table(
        "confusion",
        "Confusion matrices",
        "How many of a hospital’s rows of each class the model takes for which class.",
        (
            Column("hospital", "Hospital"),
            Column("part", "Rows"),
            Column("truth", "In truth"),
            Column("prediction", "The model says"),
            Column("rows", "Number of rows", "number"),
        ),
        tuple(_confusion_rows(results)) if results else (),
    )


def _confusion_rows(results: Document) -> Iterator[tuple[Any, ...]]:
    classes = results["classes"]
    for one in [*results["hospitals"], {"name": POOLED} | results["pooled"]]:
        for part in PARTS:
            for truth, counts in enumerate((one[part] or {}).get("confusion", ())):
                for prediction, count in enumerate(counts):
                    yield one["name"], part, classes[truth], classes[prediction], count


def _reliability(document: Document) -> Table:
    results = document["results"] or {}
    disease = results["classes"][-1] if results else ""
    return Table(
        "reliability",
        "Scores and what came true",
        "All hospitals’ test rows by tenths of the model’s own score, counted in 50 bins, each "
        "taken at its middle. Doctors do not read these scores: the risk that they read is fitted "
        "to what came true.",
        (
            Column("score", "Score"),
            Column("rows", "Test rows", "number"),
            Column("said", "Mean score", "share"),
            Column("came_true", "Came true", "share", f"The share of rows with {disease}"),
        ),
        tuple(
            (
                f"{100 * one['low']:.0f} to {100 * one['high']:.0f} %",
                *(one[key] for key in ("rows", "said", "came_true")),
            )
            for one in results.get("reliability") or ()
        ),
    )


def _rounds(document: Document) -> Table:
    return Table(
        "rounds",
        "Results by round",
        "What the model of each round does on the rows of all hospitals that reported, together: "
        "fewer where one did not (see the charts). The test loss is the mean over rows of -ln of "
        "the probability given to the right class, in nats, from scores counted in 50 bins, each "
        "taken at its middle.",
        (
            Column("round", "Round", "round"),
            Column("train_accuracy", "Train accuracy", "share"),
            Column("accuracy", "Test accuracy", "share"),
            Column("balanced_accuracy", "Test balanced", "share"),
            Column("auc", "Test AUC", "figure"),
            Column("loss", "Test loss", "figure", "Mean cross-entropy, in nats"),
            Column("model_sha256", "Model", "hash", "SHA-256 of the round’s model"),
            Column("bytes", "Sent, bytes", "number"),
            Column("seconds", "Time, s", "figure"),
        ),
        tuple(
            (
                one["round"],
                one["train_accuracy"],
                one["accuracy"],
                one["balanced_accuracy"],
                one["auc"],
                one["loss"],
                one["model_sha256"],
                one["bytes"],
                round(sum(one["seconds"].values()), 4),
            )
            for one in document["rounds"]
        ),
    )


def submissions(document: Document) -> Table:
    """Every update that was submitted, with what the nodes found of it."""
    return Table(
        "submissions",
        "Poisoning status of every submission",
        "What the nodes put on the ledger about each update. The statistic is the balanced "
        "accuracy on rows that other hospitals donated, rounded down to a twentieth before it was "
        "opened; the threshold comes from a reference that was rounded down, too. Votes are the "
        "nodes that signed the set with this verdict.",
        (
            Column("round", "Round", "round"),
            Column("hospital", "Hospital"),
            Column("verdict", "Verdict", "verdict"),
            Column("reason", "Reason", "sentence"),
            Column("statistic", "Statistic", "figure"),
            Column("threshold", "Threshold", "figure"),
            Column("votes", "Votes", "number"),
            Column("warnings", "Warnings", "sentence"),
            Column("appeal", "Appeal", "appeal", "Asked for, upheld, dismissed, or not taken"),
            Column("samples", "Declared rows", "number"),
            Column("transaction", "Transaction", "transaction"),
            Column("update_sha256", "Update", "hash", "SHA-256 that the hospital committed to"),
        ),
        tuple(
            (
                one["round"],
                hospital["name"],
                hospital["verdict"],
                hospital["reason"],
                hospital["balanced_accuracy"],
                hospital["threshold"],
                len(one["signers"]),
                "; ".join(hospital["warnings"]),
                hospital["appeal"],
                hospital["samples"],
                hospital["transaction"],
                hospital["update_sha256"],
            )
            for one in document["rounds"]
            for hospital in one["hospitals"]
        ),
    )


def submissions_on_page(table: Table) -> Table:
    """The submissions with the columns for which a page has room, an appeal where there is one."""
    shown = table.without(*ONLY_IN_FILES)
    appealed = any(one["appeal"] for one in table.records())
    return shown if appealed else shown.without("appeal")


def _verdicts(document: Document) -> Table:
    rows = [
        (one["round"], *(one[verdict] for verdict in VERDICTS), _kept_out(one), one["kept"])
        for one in document["rounds"]
        if document["poisoning"]
    ]
    return Table(
        "verdicts",
        "Updates by round and verdict",
        "How many updates of each round were accepted, rejected (the model does badly on donated "
        "rows) and refused (sharing, range or norm).",
        (
            Column("round", "Round", "round"),
            Column("accepted", "Accepted", "number"),
            Column("rejected", "Rejected", "number"),
            Column("refused", "Refused", "number"),
            Column("kept_out", "Kept out", "share"),
            Column("kept_model", "Model kept", meaning="Too few were accepted for a sum"),
        ),
        tuple(rows),
    )


def _kept_out(one: Document) -> float | None:
    counts = [one[verdict] for verdict in VERDICTS]
    return round(1 - counts[0] / sum(counts), 4) if sum(counts) else None


def _truth(document: Document) -> Table:
    said: dict[str, list[str]] = {}
    for one in document["rounds"]:
        for hospital in one["hospitals"]:
            said.setdefault(hospital["name"], []).append(hospital["verdict"])
    attacks = attacks_of(document["simulation"])
    return Table(
        "truth",
        "Verdicts beside the truth",
        "How many updates of each hospital were accepted, rejected and refused, and whether it "
        "attacked, and in what way. No party of a federation knows that.",
        (
            Column("hospital", "Hospital"),
            Column("attacker", "Attacker"),
            Column("attack", "Attack", "attack"),
            *(Column(verdict, verdict.capitalize(), "number") for verdict in VERDICTS),
        ),
        tuple(
            (
                name,
                name in attacks,
                attacks.get(name),
                *(verdicts.count(verdict) for verdict in VERDICTS),
            )
            for name, verdicts in said.items()
        ),
    )


def attacks_of(simulation: Document) -> dict[str, str]:
    """The attack of each attacker, from a document's `simulation`."""
    attackers = simulation["attackers"]
    kinds = simulation.get("kinds") or [simulation["attack"]] * len(attackers)
    return dict(zip(attackers, kinds, strict=True))


def attack_sentence(simulation: Document) -> str:
    """Who attacks and in what way: "Label flip by A, B; Min-max by C."."""
    by_hospital = attacks_of(simulation)
    said = {
        kind: ", ".join(name for name, one in by_hospital.items() if one == kind)
        for kind in simulation["attack"].split(SEVERAL)
    }
    return "; ".join(f"{attack_titles(kind)} by {names}" for kind, names in said.items()) + "."


_TRUTHS = {
    "true_rejections": "Attackers’ updates kept out (true rejections)",
    "false_rejections": "Honest updates kept out (false rejections)",
}


def _detection(document: Document) -> Table:
    found = document["detection"] or {}
    return Table(
        "detection",
        "True and false rejections",
        "The share of updates that were rejected or refused, by the truth, with its 95 % interval "
        "(Wilson, which takes updates for independent; those of one hospital in several rounds "
        "are alike, so the interval is rather too narrow).",
        (
            Column("what", "Updates"),
            Column("count", "Kept out", "number"),
            Column("of", "Of", "number"),
            Column("share", "Share", "share"),
            Column("low", "From", "share"),
            Column("high", "To", "share"),
        ),
        tuple(
            (_TRUTHS[name], *(one[key] for key in ("count", "of", "share", "low", "high")))
            for name, one in found.items()
        ),
    )


def _attacks(document: Document) -> Table:
    by_hospital = attacks_of(document["simulation"])
    return Table(
        "attacks",
        "Kept out by kind of attack",
        "The share of the attackers’ updates that were rejected or refused, for each kind of "
        "attack, with its 95 % interval as above.",
        (
            Column("attack", "Attack", "attack"),
            Column("hospitals", "Hospitals"),
            Column("count", "Kept out", "number"),
            Column("of", "Of", "number"),
            Column("share", "Share", "share"),
            Column("low", "From", "share"),
            Column("high", "To", "share"),
        ),
        tuple(
            (
                attack,
                ", ".join(name for name, kind in by_hospital.items() if kind == attack),
                *(one[key] for key in ("count", "of", "share", "low", "high")),
            )
            for attack, one in (document["detection_by_attack"] or {}).items()
        ),
    )
