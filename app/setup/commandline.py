"""The command line: its commands, their options, and what each option may be.

`start` (no command) and `train` share their attributes, since the first start trains:
command, task, hospitals (None, a number, or a tuple of names), partition, alpha, rounds,
local_epochs, learning_rate, decay, share, stop_accuracy, patience, seed, json, review, attack,
attackers (as hospitals), attacks (pairs of a name and a number, where there are several), joining.
None stands for the task's own default, or for no attack. `start` has `fresh` beside them.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from app.setup import option_values

TASKS = option_values.TASKS
PARTITIONS = ("dirichlet", "iid")
ATTACKS = (
    "label-flip", "targeted-flip", "sign-flip", "model-replacement", "gaussian", "random-weights",
    "alie", "min-max", "ipm", "backdoor", "free-rider", "inflated-count", "tainted-slice",
    "out-of-range",
)  # fmt: skip
DEFAULT_SEED = 7
DIABETES_HOSPITALS = (4, 10)
EXPERIMENTS = ("poisoning",)
POLICY_OPTIONS = (
    ("--fewest-hospitals", (3, 64), "with fewer no training opens"),
    ("--fewest-accepted", (3, 64), "with fewer updates no model is made"),
    ("--faults", (0, 5), "lying nodes that must be borne: n >= 3 N + 1 nodes are needed"),
    ("--quorum", (0, 16), "fewest equal votes, if that is more than the protocol asks for"),
    ("--step-blocks", (1, 2**32 - 1), "blocks that a step of an attempt may take"),
    ("--most-attempts", (1, 2**32 - 1), "attempts at rounds in one training"),
)
SEEDS, QUICK_SEEDS, MOST_SEEDS = 5, 3, 100
_TEST_FLAGS = ("--slow", "--slow-only", "-h", "--help")

_DESCRIPTION = """\
Consilium trains one medical model across hospitals that show their data to nobody.
Without a command: set up, train the heart model unless that was done, then serve the pages on
127.0.0.1 until Ctrl-C."""

_EPILOG = """\
examples:
  python3 run.py                                       set up, train once, serve
  python3 run.py --fresh                               delete everything and start over
  python3 run.py train --task heart --rounds 10 --json
  python3 run.py verify
  python3 run.py dossier --round 3 round-3.json
  python3 run.py password "Ada Berg"
  python3 run.py experiment poisoning --quick
  python3 run.py test -k shamir

exit status: 0 done; 1 a check found something; 2 wrong usage or wrong Python;
3 the set-up failed; 130 interrupted"""

_TRAIN = "Train a model by secure rounds: no hospital's data or update is seen by anybody else."

_TRAIN_EPILOG = """\
A training that was interrupted is resumed by the same command.

examples:
  python3 run.py train
  python3 run.py train --task heart --hospitals "Cleveland,Hungary,VA Long Beach"
  python3 run.py train --task diabetes --hospitals 8 --partition dirichlet --alpha 0.5
  python3 run.py train --rounds 10 --seed 7 --json > training.json
  python3 run.py train --attack label-flip --attackers 1
  python3 run.py train --task diabetes --hospitals 8 --attack sign-flip=2 --attack label-flip=1"""

_VERIFY = """\
Recompute every stored hash and compare it with the chain. With --hospital, one hospital computes
the hashes of its own updates and shares again, from its own folder. With FILE, check a dossier
instead, which needs no installation. Names each difference; the exit status is 1 when there is one,
2 when FILE is no dossier or nobody has the hospital's name."""

_VERIFY_EPILOG = """\
examples:
  python3 run.py verify && echo intact
  python3 run.py verify --hospital Cleveland
  python3 run.py verify round-3.json
  python3 run.py verify round-3.json --federation "5b1c 09ff ..." --chain http://127.0.0.1:8545"""

_DOSSIER = """\
Write one round with all its evidence into one file: signed transactions with their proofs, and what
the nodes signed. Anybody can check it with run.py verify FILE, without a database. Without options
it is the last round of the latest training."""

_DOSSIER_EPILOG = """\
examples:
  python3 run.py dossier last.json
  python3 run.py dossier --round 3 round-3.json
  python3 run.py dossier --training 22a74c52ef6a --round donation rows.json
  python3 run.py dossier --model 6d5eea541cd5b92ed22d2a04915a1afce2c7a50b3dd158ca4dc0ed07df69a97e \\
    model.json"""

_LEDGER = """\
Bring the local copy of the chain's events up to date, which the pages of the ledger show. They do
so themselves when they are opened; nothing is decided by the copy."""

_LEDGER_EPILOG = """\
example:
  python3 run.py ledger --rebuild"""

_PERSON = """\
Make a new password for somebody and show it once. All browsers in which that person is signed in
are signed out."""

_PERSON_EPILOG = """\
example:
  python3 run.py password "Ada Berg"
  python3 run.py password ada.berg@consilium.example"""

_POLICY = """\
Show the rules of the collaboration that the ledger holds, or change those of one task: both
administrators of this installation propose and decide. Trainings that are open keep their rules."""

_POLICY_EPILOG = """\
examples:
  python3 run.py policy
  python3 run.py policy --task heart --fewest-hospitals 4 --faults 1
  python3 run.py policy --task diabetes --forbid"""

_CALIBRATION = """\
Tell whether the models in use give probabilities that come true as often as they say: the expected
calibration error and the Brier score of the models' own scores and of the calibrated ones, on test
rows that the curve was not fitted to (five-fold cross-validation of what hospitals reported)."""

_CALIBRATION_EPILOG = """\
examples:
  python3 run.py calibration
  python3 run.py calibration --training 83d7c138 --json"""

_KEYS = """\
List the parties with their accounts and the P-256 keys that the ledger has, or give one party
another key: made here, put on the ledger, in force from that block on. What the old key signed
stays checkable. Refused while a training runs."""

_KEYS_EPILOG = """\
examples:
  python3 run.py keys
  python3 run.py keys rotate "VA Long Beach"
  python3 run.py keys revoke 'Node 2'"""

_EXPERIMENT = """\
Run a comparison that needs many trainings: a table with means and intervals over paired seeds, a
figure and a JSON file. It simulates every party in plaintext and shows what no party of a
federation could see. Without a name, list the experiments."""

_EXPERIMENT_EPILOG = """\
examples:
  python3 run.py experiment
  python3 run.py experiment poisoning --quick
  python3 run.py experiment poisoning --seeds 10 --out results
  python3 run.py experiment poisoning --json > poisoning.json"""

_TEST = """\
Run the tests with pytest; all further arguments are pytest's. Without --slow or --slow-only the
long tests are left out. A test that needs a program which is not there is skipped and says so
(with CI set in the environment it fails)."""

_TEST_EPILOG = """\
examples:
  python3 run.py test
  python3 run.py test --slow -n 2
  python3 run.py test tests/crypto -k shamir -x
  python3 run.py test -- --help                        pytest's own help"""

_DOCTOR = """\
Look at Python, the environment, disk, memory, clock, ports and optional programs, and say what to
do. Works before the set-up. The exit status is 1 when something keeps the application down."""

_DOCTOR_EPILOG = """\
example:
  python3 run.py doctor"""


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options of a command line; on a wrong one, explain and exit with status 2.

    `--help` prints and exits with status 0. For `test`, `pytest_args` holds what goes to pytest.
    """
    own, for_pytest = _split_test(arguments)
    parser, by_name = _build()
    args = parser.parse_args(own)
    if args.command is None:
        fresh = args.fresh
        args = parser.parse_args(["train"])
        _settle_attacks(by_name["train"], args)
        args.command, args.fresh = "start", fresh
    elif args.fresh:
        parser.error("--fresh stands alone: run.py --fresh")
    args.pytest_args = for_pytest
    if args.command == "train":
        _settle_attacks(by_name["train"], args)
        _check_together(by_name["train"], args)
    if args.command == "keys" and (args.action is None) != (args.name is None):
        by_name["keys"].error("expected rotate NAME or revoke NAME")
    if args.command == "policy" and args.task is None and policy_changes(args):
        by_name["policy"].error("expected --task: the rules of a task are changed")
    if args.command == "verify" and args.file is None and (args.federation or args.chain):
        by_name["verify"].error("--federation and --chain belong to a dossier: give its FILE")
    if args.command == "verify" and args.file is not None and args.hospital:
        by_name["verify"].error("--hospital belongs to this installation; leave out FILE")
    if args.command == "dossier" and args.model and args.training:
        by_name["dossier"].error("--model says which training it is; leave out --training")
    return args


def policy_changes(args: argparse.Namespace) -> dict[str, Any]:
    """The rules that the options of `policy` change, by their names."""
    names = ["allowed", *(option[2:].replace("-", "_") for option, _, _ in POLICY_OPTIONS)]
    return {name: getattr(args, name) for name in names if getattr(args, name) is not None}


def commands() -> dict[str, argparse.ArgumentParser]:
    """Return the parser of every command by its name, for the tests of the documents."""
    return dict(_build()[1])


def _split_test(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    if not arguments or arguments[0] != "test":
        return list(arguments), []
    own, rest = ["test"], list(arguments[1:])
    while rest and rest[0] in _TEST_FLAGS:
        own.append(rest.pop(0))
    return own, rest[1:] if rest[:1] == ["--"] else rest


def _build() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    parser = argparse.ArgumentParser(prog="run.py", **_form(_DESCRIPTION, _EPILOG))
    parser.add_argument(
        "--fresh", action="store_true", help="delete everything after a question, then start over"
    )
    commands = parser.add_subparsers(dest="command", metavar="command", title="commands")
    train = commands.add_parser(
        "train", help="train a model by secure rounds", **_form(_TRAIN, _TRAIN_EPILOG)
    )
    _add_federation_options(train.add_argument_group("the federation"))
    _add_training_options(train.add_argument_group("the training"))
    _add_review_options(train.add_argument_group("the review of updates"))
    _add_evidence(commands)
    ledger = commands.add_parser(
        "ledger",
        help="update the local copy of the chain's events",
        **_form(_LEDGER, _LEDGER_EPILOG),
    )
    ledger.add_argument(
        "--rebuild", action="store_true", help="throw the copy away first, then read it all again"
    )
    password = commands.add_parser(
        "password", help="make a new password for somebody", **_form(_PERSON, _PERSON_EPILOG)
    )
    password.add_argument("name", metavar="NAME", help="name or e-mail address of the person")
    _add_keys(commands)
    _add_policy(commands)
    _add_calibration(commands)
    _add_experiment(commands)
    test = commands.add_parser("test", help="run the tests", **_form(_TEST, _TEST_EPILOG))
    which = test.add_mutually_exclusive_group()
    which.add_argument("--slow", action="store_true", help="the long tests, too")
    which.add_argument("--slow-only", action="store_true", help="nothing but the long tests")
    commands.add_parser(
        "doctor",
        help="look at this machine and say what to do",
        **_form(_DOCTOR, _DOCTOR_EPILOG),
    )
    return parser, commands.choices


def _add_keys(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    keys = commands.add_parser(
        "keys", help="list the parties' keys, rotate or revoke one", **_form(_KEYS, _KEYS_EPILOG)
    )
    keys.add_argument(
        "action", metavar="ACTION", nargs="?", choices=("rotate", "revoke"), help="rotate, revoke"
    )
    keys.add_argument("name", metavar="NAME", nargs="?", help="the hospital or node")


def _add_policy(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    policy = commands.add_parser(
        "policy",
        help="show or change the rules of the collaboration",
        **_form(_POLICY, _POLICY_EPILOG),
    )
    policy.add_argument(
        "--task", type=option_values.task, metavar="TASK", help="the task whose rules change"
    )
    allowed = policy.add_mutually_exclusive_group()
    allowed.add_argument("--allow", dest="allowed", action="store_true", default=None)
    allowed.add_argument("--forbid", dest="allowed", action="store_false", default=None)
    for option, (least, most), text in POLICY_OPTIONS:
        policy.add_argument(option, type=option_values.whole(least, most), metavar="N", help=text)


def _add_evidence(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verify = commands.add_parser(
        "verify",
        help="compare every stored hash with the chain, or check a dossier",
        **_form(_VERIFY, _VERIFY_EPILOG),
    )
    verify.add_argument("file", metavar="FILE", nargs="?", help="a dossier")
    verify.add_argument(
        "--hospital", metavar="NAME", help="only what this hospital computes again in its folder"
    )
    verify.add_argument(
        "--federation",
        metavar="FINGERPRINT",
        help="the federation that must have made it; its page About shows this",
    )
    verify.add_argument("--chain", metavar="URL", help="a chain that must hold it (JSON-RPC)")
    dossier = commands.add_parser(
        "dossier", help="write a round with its evidence", **_form(_DOSSIER, _DOSSIER_EPILOG)
    )
    dossier.add_argument("file", metavar="FILE", help="where it goes")
    which = dossier.add_mutually_exclusive_group()
    which.add_argument(
        "--round",
        type=option_values.round_number,
        metavar="N",
        help="0 is the statistics, donation the donated rows (default: the last one)",
    )
    which.add_argument("--model", metavar="HASH", help="the round that made this model")
    dossier.add_argument(
        "--training", metavar="ID", help="or how it begins (default: the latest one)"
    )


def _add_calibration(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    calibration = commands.add_parser(
        "calibration",
        help="tell how far risks are from what came true",
        **_form(_CALIBRATION, _CALIBRATION_EPILOG),
    )
    calibration.add_argument(
        "--training", metavar="ID", help="of this training, or how it begins (default: in use)"
    )
    calibration.add_argument("--json", action="store_true", help="print one JSON document")


def _add_experiment(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    experiment = commands.add_parser(
        "experiment",
        help="compare attacks and defences",
        **_form(_EXPERIMENT, _EXPERIMENT_EPILOG),
    )
    experiment.add_argument(
        "name", metavar="NAME", nargs="?", choices=EXPERIMENTS, help=", ".join(EXPERIMENTS)
    )
    experiment.add_argument(
        "--quick", action="store_true", help="fewer attacks and seeds, no baselines"
    )
    experiment.add_argument(
        "--seeds",
        type=option_values.whole(1, MOST_SEEDS),
        metavar="N",
        help=f"paired seeds (default: {SEEDS}, with --quick {QUICK_SEEDS})",
    )
    experiment.add_argument(
        "--json",
        action="store_true",
        help="print the result as one JSON document and nothing else on standard output",
    )
    experiment.add_argument(
        "--out",
        metavar="DIR",
        help="where figure and JSON file go (default: experiments in the instance folder)",
    )


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Help with room for the longest command's name beside its text."""

    def __init__(self, prog: str, **options: Any) -> None:
        super().__init__(prog, **options)
        self._action_max_length = 14


def _form(description: str, epilog: str) -> dict[str, Any]:
    return {
        "description": description,
        "epilog": epilog,
        "formatter_class": _Formatter,
        "allow_abbrev": False,
    }


def _add_federation_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--task",
        type=option_values.task,
        metavar="TASK",
        default=TASKS[0],
        help=f"{', '.join(TASKS)}, or the name of an imported task (default: %(default)s)",
    )
    group.add_argument(
        "--hospitals",
        type=option_values.hospitals,
        metavar="NAMES|NUMBER",
        help="names, separated by commas (default: all of the task's); for diabetes also a number,"
        f" {DIABETES_HOSPITALS[0]} to {DIABETES_HOSPITALS[1]}",
    )
    group.add_argument(
        "--partition",
        choices=PARTITIONS,
        help="how diabetes is split into hospitals: with skewed labels, or evenly",
    )
    group.add_argument(
        "--alpha",
        type=option_values.real(1000.0),
        metavar="A",
        help="skew of the dirichlet partition; smaller is more uneven",
    )
    group.add_argument(
        "--joining",
        type=option_values.joining,
        metavar="NAMES|none",
        help="imported hospitals that take part beside those that diabetes is dealt to, separated "
        "by commas (default: all)",
    )


def _add_training_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--rounds", type=option_values.whole(1, 1000), metavar="N", help="default: the task's"
    )
    group.add_argument(
        "--local-epochs",
        type=option_values.whole(1, 1000),
        metavar="N",
        help="epochs that a hospital trains in a round (default: the task's)",
    )
    group.add_argument(
        "--learning-rate",
        type=option_values.real(1.0),
        metavar="X",
        help="of the hospitals' optimiser (default: the task's)",
    )
    group.add_argument(
        "--decay",
        type=option_values.real(1.0),
        metavar="X",
        help="what each round multiplies the learning rate by (default: 1)",
    )
    group.add_argument(
        "--share",
        type=option_values.real(1.0),
        metavar="X",
        help="of the hospitals, how many are drawn for each round, at least 3 (default: 1, all)",
    )
    group.add_argument(
        "--stop-accuracy",
        type=option_values.real(1.0),
        metavar="X",
        help="end once this share of all test rows is answered right, such as 0.85",
    )
    group.add_argument(
        "--patience",
        type=option_values.whole(1, 1000),
        metavar="N",
        help="end after so many rounds without a better accuracy",
    )
    group.add_argument(
        "--seed",
        type=option_values.whole(0, 2**63 - 1),
        metavar="N",
        default=DEFAULT_SEED,
        help="the same seed gives the same training (default: %(default)s)",
    )
    group.add_argument(
        "--json",
        action="store_true",
        help="print the result as one JSON document and nothing else on standard output",
    )


def _add_review_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--no-review",
        dest="review",
        action="store_false",
        help="sum updates untested (default: each is tested, encrypted, before it counts)",
    )
    group.add_argument(
        "--fraction",
        type=option_values.fraction,
        metavar="P/Q",
        help="of the reference's lead over chance, how much a model must reach (default: 1/2)",
    )
    group.add_argument(
        "--donated-rows",
        type=option_values.whole(1, 256),
        metavar="NUMBER",
        help="rows of each class that a hospital donates at most (default: 16 of two classes, "
        "with more classes fewer of each)",
    )
    group.add_argument(
        "--attack",
        type=option_values.attack(ATTACKS),
        action="append",
        dest="attacks",
        metavar="NAME[=NUMBER]",
        help="for teaching: some hospitals attack in this way, as many as NUMBER says; repeated, "
        "in several ways at once, which leaves at least three honest. One of " + ", ".join(ATTACKS),
    )
    group.add_argument(
        "--attackers",
        type=option_values.attackers,
        metavar="NUMBER|NAMES",
        help="how many attack, drawn by the seed, or which, separated by commas (default: 1)",
    )


def _settle_attacks(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """One kind of attack stands in `attack` and `attackers`, several in `attacks`."""
    given = args.attacks or []
    args.attack = args.attacks = None
    if len({name for name, _ in given}) < len(given):
        parser.error("argument --attack: each attack is given once, with its number")
    if args.attackers is not None and (len(given) > 1 or any(n is not None for _, n in given)):
        parser.error("--attackers belongs to one --attack NAME without a number")
    if len(given) > 1:
        args.attacks = tuple((name, 1 if number is None else number) for name, number in given)
    elif given:
        args.attack, number = given[0]
        args.attackers = args.attackers if number is None else number


def _check_together(train: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    least, most = DIABETES_HOSPITALS
    if args.task != "diabetes":
        if args.partition or args.alpha is not None:
            train.error(
                f"--partition and --alpha are for diabetes; {args.task} has its own hospitals"
            )
        if args.joining is not None:
            train.error(f"--joining is for diabetes; {args.task} takes names: --hospitals")
        if isinstance(args.hospitals, int):
            train.error(f"argument --hospitals: {args.task} takes names, got {args.hospitals}")
    elif isinstance(args.hospitals, int) and not least <= args.hospitals <= most:
        train.error(f"argument --hospitals: expected {least} to {most}, got {args.hospitals}")
    if args.partition == "iid" and args.alpha is not None:
        train.error("--alpha belongs to --partition dirichlet; iid splits evenly")
    if args.attackers is not None and args.attack is None and args.attacks is None:
        train.error("--attackers belongs to --attack NAME: it says how many attack")
