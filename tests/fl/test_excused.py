"""What an upheld appeal changes in the public rule: one verdict, and nothing that was opened."""

from __future__ import annotations

from fl.aggregates import aggregate_for
from fl.agreement import ON_APPEAL, OUT_OF_RANGE, Sharing, Verdicts, judge_attempt, starting_bound
from fl.outcome import UpdateOutcome
from tests.app.reviewed import FINDINGS, HOSPITALS, plan


def judged(*excused: str) -> Verdicts:
    """Four hospitals as in `reviewed`: Hungary is below the mark, Switzerland out of range."""
    sharing = Sharing(dict.fromkeys(HOSPITALS, 40), {}, {}, (), True, "")
    outcome = UpdateOutcome(1, ("Node 1", "Node 2", "Node 3"), FINDINGS, (), 2, 3)
    known = plan()
    return judge_attempt(
        known,
        aggregate_for(known, 1, b""),
        bytes(32),
        sharing,
        outcome,
        starting_bound(known),
        excused,
    )


def test_the_hospital_is_accepted_with_what_was_opened_of_it() -> None:
    before, after = judged(), judged("Hungary")
    account = plan().hospital("Hungary").account
    assert list(before.rejected) == ["Hungary"]
    assert before.excused == {}
    assert after.rejected == {}
    assert after.excused == {"Hungary": before.rejected["Hungary"] + ON_APPEAL}
    assert account in after.agreed.accepted
    assert after.agreed.figures == before.agreed.figures
    assert after.agreed.review == before.agreed.review
    assert after.findings == before.findings


def test_a_range_that_does_not_hold_refuses_whoever_appealed() -> None:
    assert judged("Switzerland").refused == {"Switzerland": OUT_OF_RANGE}
    assert judged("Switzerland") == judged()


def test_who_passes_needs_no_appeal() -> None:
    assert judged("Cleveland") == judged()
