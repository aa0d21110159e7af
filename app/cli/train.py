"""`run.py train`, and the first start: run secure rounds, or resume those that were interrupted."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from app.cli.console import complain, progress
from app.cli.exclusive import exclusive_federation
from app.cli.step_lines import StepLines
from app.cli.tables import print_training
from app.services.anchoring import Anchoring
from app.services.federation import Federation
from app.services.jobs import Jobs
from app.services.requests import TrainingRequest
from app.services.results import training_document
from app.services.simulation import Simulation, majority_warning, simulation_of
from app.services.trainings import Trainings
from app.services.versions import Versions
from config import Settings
from fl.plan import Plan


def train(args: argparse.Namespace) -> int:
    """Run a training; the exit status is 1 when it ended early, or has to wait for an approval."""
    with exclusive_federation(Settings()) as federation:
        return _train(Trainings(federation), federation, args)


def _train(trainings: Trainings, federation: Federation, args: argparse.Namespace) -> int:
    request = _request(args)
    plan = trainings.plan(request)
    simulation = simulation_of(request, [hospital.name for hospital in plan.hospitals])
    jobs = Jobs(federation.database)
    identifier = trainings.find_unfinished()
    if identifier is not None:
        kept = (trainings.plan_of(identifier), trainings.simulation_of(identifier))
        progress().print(f"Resuming the training {identifier[:12]}, which was interrupted.")
        ending = trainings.run(identifier, StepLines(kept[0]))
        if kept != (plan, simulation):
            progress().print("It is over; now the training that you asked for.")
            identifier = None
    if identifier is None:
        identifier = trainings.find_awaiting(plan, simulation) or trainings.start(
            plan, lambda session, training: jobs.hand_over(session, training, request), simulation
        )
        for line in _announced(plan, simulation):
            progress().print(line)
        if waits := trainings.awaited(identifier):
            complain(_waits(identifier, waits))
            return 1
        ending = trainings.run(identifier, StepLines(plan))
    Anchoring(federation.database, federation.ledger.anchors).bring_up()
    document = training_document(federation.database, identifier)
    if args.json:
        sys.stdout.write(json.dumps(document) + "\n")
    else:
        print_training(document)
        _say_used(federation, identifier)
        _say_where(federation)
    return 0 if ending.finished else 1


def _announced(plan: Plan, simulation: Simulation | None) -> Iterator[str]:
    """What is about to be done."""
    names = ", ".join(hospital.name for hospital in plan.hospitals)
    rounds = "1 round" if plan.rounds == 1 else f"{plan.rounds} rounds"
    yield f"Training {plan.task} with {names}: {rounds}, seed {plan.seed}."
    if plan.sampled is not None:
        yield f"Each round draws {plan.sampled} of the {len(plan.hospitals)} hospitals by the seed."
    if plan.stopping is not None:
        yield f"It may end before the last round: {plan.stopping.words}."
    if plan.review is None:
        yield "Updates are summed untested."
    if simulation:
        for attack, attackers in simulation.described:
            yield f"Simulated attack by {', '.join(attackers)}. {attack.effect}"
        if warning := majority_warning(len(simulation.attackers), len(plan.hospitals)):
            yield f"Warning: {warning}"
        yield "The model is for teaching: doctors keep the one that they have."


def _waits(identifier: str, hospitals: Sequence[str]) -> str:
    """Nobody knows when an operator comes by, so a command does not stand and wait."""
    return (
        f"the training {identifier[:12]} waits for the approval of {', '.join(hospitals)}: an "
        "operator signs it with a wallet in the browser (python3 run.py), and the server then "
        "begins it. Nothing stands on the ledger yet; an administrator can stop it"
    )


def _request(args: argparse.Namespace) -> TrainingRequest:
    return TrainingRequest(
        task=args.task,
        hospitals=args.hospitals,
        partition=args.partition,
        alpha=args.alpha,
        rounds=args.rounds,
        local_epochs=args.local_epochs,
        learning_rate=args.learning_rate,
        seed=args.seed,
        attack=args.attack,
        attackers=args.attackers,
        attacks=args.attacks,
        review=args.review,
        fraction=args.fraction,
        donated_rows=args.donated_rows,
        decay=args.decay,
        share=args.share,
        stop_accuracy=args.stop_accuracy,
        patience=args.patience,
        joining=args.joining,
    )


def _say_used(federation: Federation, training: str) -> None:
    """Whether doctors use what the training ended with."""
    version = Versions(federation.database).find(training)
    if version is None or version.attack:
        return
    used = "in use" if version.in_use else "not in use: promote it on the page Models"
    sys.stdout.write(f"Model      {version.name} of {version.title}, {used}\n")


def _say_where(federation: Federation) -> None:
    folder = _shown(federation.settings.instance_dir)
    kind = federation.endpoint.kind
    chain = f"{folder}/chain.db" if kind == "embedded" else federation.endpoint.url
    lines = [
        f"Database   {federation.settings.database_url or f'{folder}/consilium.db'}",
        f"Chain      {chain}, contract {federation.ledger.contract}",
        f"Parties    {folder}/parties (each with its keys and its own state)",
        "Check      python3 run.py verify",
    ]
    sys.stdout.write("\n".join(lines) + "\n")


def _shown(folder: Path) -> str:
    try:
        return str(folder.relative_to(Path.cwd()))
    except ValueError:
        return str(folder)
