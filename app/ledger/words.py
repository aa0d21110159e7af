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
    "KeyRotated": Words(
        "Key replaced",
        "From this block on the party signs with another key; what it signed before stays valid.",
    ),
    "KeyRevoked": Words(
        "Key revoked", "From this block on no key of the party is in force, until it sets another."
    ),
    "NodesSet": Words(
        "Nodes chosen", "Two administrators decided which nodes hold shares, test and vote."
    ),
    "PolicySet": Words(
        "Rules set", "Two administrators decided by which rules a task may be trained."
    ),
    "RoleGranted": Words("Permission granted", "From here on the account may do what is named."),
    "RoleRevoked": Words(
        "Permission withdrawn", "From here on the account may not do what is named any more."
    ),
    "RoleAdminChanged": Words(
        "Permission’s keeper changed", "Others decide from here on who has the permission."
    ),
    "Proposed": Words(
        "Proposed", "An administrator proposed a change; it counts once another one calls the same."
    ),
    "Withdrawn": Words("Proposal withdrawn", "The administrator took the proposal back."),
    "Decided": Words("Decided by two", "A second administrator called what the first proposed."),
    "Anchored": Words(
        "Audit log anchored",
        "The root over the log’s entries: none of them can be changed unnoticed from here on.",
    ),
    "Bound": Words(
        "Models bound to trainings",
        "Only results of this contract’s trainings can be put into use.",
    ),
    "Promoted": Words(
        "Model put into use",
        "From here on doctors’ predictions come from this model, for a reason kept elsewhere.",
    ),
    "RolledBack": Words(
        "Model put into use again",
        "A model that was in use before takes over from an older or a newer one, for a reason kept "
        "elsewhere.",
    ),
    "Attached": Words(
        "Appeals attached to rounds",
        "Only rejections in this contract’s rounds can be appealed.",
    ),
    "Appealed": Words(
        "Second look asked for",
        "A rejected hospital appealed, for a reason kept elsewhere; the round stays as it is.",
    ),
    "AppealJudged": Words(
        "Opinion on an appeal",
        "An administrator upheld or dismissed it; it counts once another one says the same.",
    ),
    "AppealDecided": Words(
        "Appeal decided",
        "Two administrators said the same. What they upheld counts from the next round on.",
    ),
    "Sealed": Words(
        "Record sealed", "A patient’s record was sealed among doctors; so many of them open it."
    ),
    "OpeningRequested": Words(
        "Opening asked for", "A doctor asked to open a sealed record, for a reason kept elsewhere."
    ),
    "OpeningApproved": Words("Opening approved", "Another doctor of the record’s agreed to it."),
    "OpeningDeclined": Words("Opening declined", "Another doctor of the record’s said no to it."),
    "EmergencyDeclared": Words(
        "Emergency",
        "The doctor asked in an emergency: the administration’s share counts as one approval.",
    ),
    "RecordOpened": Words("Record opened", "Enough doctors had agreed, and the record was opened."),
    "RecordClosed": Words("Record closed", "The doctor who had opened it says that it is closed."),
    "OpeningWithdrawn": Words(
        "Opening withdrawn", "The doctor who had asked took it back, or nobody agreed in time."
    ),
    "RecordErased": Words(
        "Record erased", "A doctor of the record’s says that the shares of its key are destroyed."
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
    "rotateKey": "Replaced its key",
    "revokeKey": "Revoked a key",
    "setNodes": "Chose the nodes",
    "setPolicy": "Set a task’s rules",
    "setAdministrator": "Chose an administrator",
    "withdraw": "Took a proposal back",
    "grantRole": "Granted a permission",
    "revokeRole": "Withdrew a permission",
    "renounceRole": "Gave up a permission",
    "anchor": "Anchored the audit log",
    "bind": "Bound the models to the trainings",
    "promote": "Put a model into use",
    "rollBack": "Put a model into use again",
    "attach": "Attached the appeals to the rounds",
    "appeal": "Asked for a second look",
    "decide": "Decided an appeal",
    "seal": "Sealed a record",
    "request": "Asked to open a record",
    "requestInEmergency": "Asked to open a record in an emergency",
    "approve": "Approved an opening",
    "decline": "Declined an opening",
    "erase": "Erased a record",
    "open": "Opened a record",
    "close": "Closed a record, or withdrew a request",
    "expire": "Ended a late attempt",
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
    "previous": "Training of the model before",
    "quorum": "Votes needed",
    "review": "Hash of what the test opened",
    "samples": "Rows",
    "upheld": "Upheld",
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


# What each contract is for, by its name, in the order in which they are shown.
CONTRACTS: Final[Mapping[str, str]] = {
    "Federation": "trainings, rounds, verdicts, votes",
    "Registry": "parties, their keys, permissions, rules",
    "Anchors": "roots over the audit log",
    "Records": "sealed records and who opened them",
    "Models": "which model is in use",
    "Appeals": "second looks at rejected submissions",
}
