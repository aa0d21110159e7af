"""The ledger in plain words: what each event means, what each function does, what values are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Words:
    """A title and a sentence."""

    title: str
    meaning: str


EVENTS: Final[Mapping[str, Words]] = {
    "Registered": Words(
        "Party registered",
        "A hospital or node got its place: account, role and public key stand on the ledger.",
    ),
    "TrainingOpened": Words(
        "Training opened",
        "The plan’s hash, the first model and everybody who takes part are fixed from here on.",
    ),
    "TrainingEnded": Words(
        "Training ended",
        "Nothing can be added to the training any more; a reason says why it ended early.",
    ),
    "AttemptAdvanced": Words(
        "Next step", "The attempt at the round went on to the step that is named."
    ),
    "AttemptFailed": Words(
        "Attempt failed", "The attempt ended without a result, for the reason that is given."
    ),
    "NodeJoined": Words(
        "Node took its seat",
        "A node takes part: it committed to a random number and named the key to seal shares for.",
    ),
    "NodeLeftOut": Words("Node left out", "From here on the attempt goes on without this node."),
    "Submitted": Words(
        "Hospital committed",
        "The hashes of a hospital’s update and of its shares: it cannot exchange them any more.",
    ),
    "NonceRevealed": Words(
        "Random number revealed",
        "It fits the node’s commitment, which was made before anything was shared.",
    ),
    "ChallengeDrawn": Words(
        "Challenge drawn",
        "From all revealed numbers, so that nobody could choose by what the sharing is checked.",
    ),
    "SetSigned": Words(
        "Set signed",
        "A node signed who is in, who is out and why, before anything was opened.",
    ),
    "SetPublished": Words(
        "Set published",
        "Enough nodes signed the same set; it was laid open, and has the hash that they signed.",
    ),
    "SubmissionJudged": Words(
        "Verdict", "What the published set says of a hospital’s submission, and its weight."
    ),
    "Reviewed": Words(
        "Figures opened",
        "What the encrypted test opened of an update: figures that were rounded down before.",
    ),
    "SliceFlagged": Words(
        "Donated rows set aside",
        "Models that are right elsewhere are wrong on these rows more often than chance.",
    ),
    "Disputed": Words(
        "Dispute", "A hospital and a node contradict each other about a share of the hospital’s."
    ),
    "Voted": Words(
        "Vote for the result", "A node computed the result and put the hash of it on the ledger."
    ),
    "Finalised": Words(
        "Round finalised", "Enough nodes voted for the same hash: this is the round’s result."
    ),
}

FUNCTIONS: Final[Mapping[str, str]] = {
    "register": "Registered a party",
    "openTraining": "Opened the training",
    "openAttempt": "Opened an attempt",
    "join": "Took a seat",
    "callForSubmissions": "Called for submissions",
    "submit": "Committed to what it shared",
    "closeSubmissions": "Closed the submissions",
    "reveal": "Revealed its random number",
    "closeReveals": "Drew the challenge",
    "agree": "Signed the set",
    "publishSet": "Published the set",
    "vote": "Voted for the result",
    "fail": "Gave the attempt up",
    "endTraining": "Ended the training",
}

# Names of values that say too little by themselves.
FIELDS: Final[Mapping[str, str]] = {
    "reference_accuracy": "Reference",
    "bits": "What holds, and warnings",
    "config_hash": "Hash of the plan",
    "initial_model": "Model to begin with",
    "model_in": "Model that the round begins with",
    "opens": "A sum is opened",
    "keeps": "The model is kept",
    "norm_bound": "Next norm bound",
    "quorum": "Votes needed",
    "review": "Hash of what the test opened",
    "samples": "Rows",
    "threshold": "Nodes that may collude in vain",
}


def event_words(name: str) -> Words:
    """The words for an event; one of a later contract is told by its name."""
    return EVENTS.get(name) or Words(_spaced(name), "")


def function_title(name: str) -> str:
    """What somebody did who called the function; a foreign call is said to be one."""
    return FUNCTIONS.get(name) or (_spaced(name) if name else "Another call")


def field_label(name: str) -> str:
    """What a value is called."""
    return FIELDS.get(name) or name.replace("_", " ").capitalize()


def _spaced(name: str) -> str:
    """NodeJoined as "Node joined"."""
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name)
    return words.strip().capitalize()
