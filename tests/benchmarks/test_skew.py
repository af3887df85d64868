"""The proof of the skewed month at a small size: real runs, and data that really is too much."""

from __future__ import annotations

from benchmarks.skew import SkewedMonth, prove
from benchmarks.skewed_ledger import LARGE, SLOW, Skew
from resources.budgets import Budget

# However slow the machine is: what is too large is so before any time has passed, and the others
# need a tenth of the seconds.
_SKEW = Skew(
    usual=3,
    usual_lines=100,
    giant_lines=20_000,
    giant_claims=2_000,
    killed_accounts=2_000,
    slow_accounts=20_000,
    large_claims=12_000,
    large_characters=1_500,
)


def test_who_takes_too_much_is_blocked_alone_and_the_giant_is_mailed() -> None:
    with SkewedMonth.made(_SKEW, Budget(seconds=3, megabytes=400)) as month:
        proof = prove(month)
    assert set(proof.blocked) == {SLOW, LARGE}
    assert proof.figures["proof_mailed"] == 6
    assert proof.figures["proof_workers_killed"] == 1
