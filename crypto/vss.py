"""The batched check that a vector was shared consistently, and who is left out when it was not.

The dealer shares L values and, as further entries, two uniform masks. For a challenge rho that
nobody knew when the shares were committed, each holder publishes

    v_j = mask_j + sum_k rho^(k+1) s_jk,

which lies on a polynomial of degree t when all entries do. A dealer with an inconsistent entry
survives one challenge with probability at most L/p, two independent ones with (L/p)^2. Each answer
is hidden by its own mask: one consistent set of answers opens one uniform value and nothing else.
The same holds for a holder's answer to one challenge only, so nobody may answer two for the same
shares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from crypto import kernels
from crypto.context import canonical
from crypto.errors import FieldError, ShareError
from crypto.field import F61, Field
from crypto.kernels import Words
from crypto.shamir import correctable, decode

MASKS = 2
CHALLENGE_LABEL = "consilium/challenge-scalar/v1"

# What a holder can say about a submission instead of a pair of values.
MISSING = "missing"
DISPUTED = "disputed"

Answer = tuple[int, ...] | str


def challenge_scalars(challenge: bytes, field: Field = F61) -> tuple[int, ...]:
    """The two scalars of a challenge, each from 128 bits, so that reduction leaves no bias."""
    wide = (sha256(canonical(CHALLENGE_LABEL, challenge, i)).digest()[:16] for i in range(MASKS))
    return tuple(int.from_bytes(value, "big") % field.modulus for value in wide)


def answer(share: Words, scalars: Sequence[int], field: Field = F61) -> tuple[int, ...]:
    """A holder's two values for its share of shape (L + 2,), whose last two entries are the masks.

    Raises FieldError for a share without room for the masks.
    """
    if share.ndim != 1 or share.size < MASKS:
        raise FieldError(f"expected a share with {MASKS} masks, got shape {share.shape}")
    body, masks = np.ascontiguousarray(share[:-MASKS]), share[-MASKS:]
    bits = np.uint64(field.bits)
    return tuple(
        int(kernels.addmod(kernels.fingerprint(body, np.uint64(rho), bits), mask, bits))
        for rho, mask in zip(scalars, masks, strict=True)
    )


@dataclass(frozen=True)
class Judgement:
    """What the answers of an attempt say, the same for everybody who sees them.

    `standing`: dealers whose sharing is consistent. `refused`: the other dealers, each with a
    sentence. `left_out`: holders who are not asked again in this attempt, each with a sentence.
    `disputes`: pairs (dealer, holder), one of whom is wrong. `opens`: whether a sum may be opened
    at all; if not, `reason` says why.
    """

    standing: tuple[str, ...]
    refused: dict[str, str]
    left_out: dict[str, str]
    disputes: tuple[tuple[str, str], ...]
    opens: bool
    reason: str = ""


@dataclass(frozen=True)
class _Finding:
    stands: bool
    reason: str = ""
    disputed_by: tuple[str, ...] = ()


def judge(
    points: Mapping[str, int],
    answers: Mapping[str, Mapping[str, Answer]],
    threshold: int,
    max_left_out: int,
    field: Field = F61,
) -> Judgement:
    """Apply the public rule to all answers: `answers[dealer][holder]`, one for each holder in
    `points`.

    First, holders in dispute with at least half of the dealers are left out, likewise those who
    miss the envelopes of half of them; then the submissions are judged anew on the remaining
    points. A submission stands when all those points lie on a polynomial of degree `threshold` and
    nobody disputes. Nothing may be opened when more holders than `max_left_out` are out, or more
    than a quarter of the dealers.
    """
    findings = {d: _examine(points, answers[d], threshold, field) for d in answers}
    left_out = _holders_out(points, answers, findings)
    remaining = {holder: x for holder, x in points.items() if holder not in left_out}
    if len(left_out) > max_left_out:
        reason = f"{len(left_out)} nodes are left out, at most {max_left_out} can be"
        return Judgement((), dict.fromkeys(answers, reason), left_out, (), False, reason)
    findings = {d: _examine(remaining, answers[d], threshold, field) for d in answers}
    refused = {dealer: f.reason for dealer, f in findings.items() if not f.stands}
    disputes = tuple((dealer, h) for dealer, f in findings.items() for h in f.disputed_by)
    standing = tuple(dealer for dealer, f in findings.items() if f.stands)
    if 4 * len(refused) > len(answers):
        reason = f"{len(refused)} of {len(answers)} hospitals are out, more than a quarter"
        return Judgement(standing, refused, left_out, disputes, False, reason)
    return Judgement(standing, refused, left_out, disputes, opens=True)


def _examine(
    points: Mapping[str, int], given: Mapping[str, Answer], threshold: int, field: Field
) -> _Finding:
    disputing = tuple(h for h in points if given[h] == DISPUTED)
    missing = tuple(h for h in points if given[h] == MISSING)
    values = {h: value for h in points if isinstance(value := given[h], tuple)}
    wrong = _wrong_holders(points, values, threshold, field)
    if disputing or wrong:
        named = tuple(h for h in points if h in disputing or h in (wrong or ()))
        return _Finding(False, f"its sharing is in dispute with {', '.join(named)}", named)
    if missing:
        return _Finding(False, f"no envelope reached {', '.join(missing)}")
    if wrong is None:
        return _Finding(False, "its shares lie on no polynomial of the agreed degree")
    return _Finding(True)


def _wrong_holders(
    points: Mapping[str, int], values: Mapping[str, tuple[int, ...]], threshold: int, field: Field
) -> tuple[str, ...] | None:
    """Holders whose values are off the polynomial, or None when that cannot be told."""
    if len(values) < threshold + 1:
        return None
    holders = list(values)
    rows = np.array([values[h] for h in holders], dtype=np.uint64)
    at = [points[h] for h in holders]
    try:
        decoded = decode(at, rows, threshold, correctable(len(at), threshold), field)
    except ShareError:
        return None
    return tuple(h for h in holders if points[h] in decoded.wrong)


def _holders_out(
    points: Mapping[str, int],
    answers: Mapping[str, Mapping[str, Answer]],
    findings: Mapping[str, _Finding],
) -> dict[str, str]:
    out: dict[str, str] = {}
    for holder in points:
        disputes = sum(holder in finding.disputed_by for finding in findings.values())
        missing = sum(given[holder] == MISSING for given in answers.values())
        if disputes and 2 * disputes >= len(answers):
            out[holder] = f"in dispute with {disputes} of {len(answers)} hospitals"
        elif missing and 2 * missing >= len(answers):
            out[holder] = f"reports no envelope from {missing} of {len(answers)} hospitals"
    return out
