import itertools

import pytest

from reports_pipeline.accounting.periods import Month
from reports_pipeline.delivery.errors import IllegalMoveError
from reports_pipeline.delivery.states import (
    HELD,
    MAYBE_SENT,
    MOVES,
    SENT,
    DeliveryState,
    check_move,
    delivery_id,
    reference,
)

_LEGAL = """
    BUILT     -> VERIFIED BLOCKED SUPERSEDED UNKNOWN
    VERIFIED  -> READY BLOCKED SUPERSEDED UNKNOWN
    READY     -> CLAIMED BLOCKED SUPERSEDED UNKNOWN
    CLAIMED   -> READY POSTING SUPERSEDED
    POSTING   -> ACCEPTED READY BLOCKED UNKNOWN
    UNKNOWN   -> ACCEPTED
    ACCEPTED  -> DELIVERED BOUNCED COMPLAINED
    DELIVERED -> BOUNCED COMPLAINED
    BLOCKED   -> BUILT SUPERSEDED UNKNOWN
"""
_LEGAL_MOVES = {
    (DeliveryState(before), DeliveryState(after))
    for before, _, *afters in (line.split() for line in _LEGAL.strip().splitlines())
    for after in afters
}


@pytest.mark.parametrize(
    ("before", "after"), list(itertools.product(DeliveryState, DeliveryState)), ids="{}".format
)
def test_only_the_moves_of_the_diagram_are_legal(
    before: DeliveryState, after: DeliveryState
) -> None:
    if (before, after) in _LEGAL_MOVES:
        check_move(before, after)
    else:
        with pytest.raises(IllegalMoveError, match=f"{after} does not follow {before}"):
            check_move(before, after)


def test_what_may_have_gone_out_never_becomes_claimable_but_by_a_definite_answer() -> None:
    # From POSTING, READY and BLOCKED are the provider's word that nothing went out.
    for state in MAYBE_SENT - {DeliveryState.POSTING}:
        assert MOVES[state] <= SENT
    assert MOVES[DeliveryState.POSTING].isdisjoint(HELD)


def test_the_identity_of_a_delivery_never_changes() -> None:
    # sha256 of "v1|t0001|2026-10|1"
    assert (
        delivery_id("t0001", Month(2026, 10), 1)
        == "1239ad7e47f2f1cd5fba29b1d980cfa3eabdb566937af51f4147ea752b80acbc"
    )


def test_deliveries_of_different_tenants_months_and_revisions_differ() -> None:
    october, november = Month(2026, 10), Month(2026, 11)
    ids = {
        delivery_id(tenant_id, month, revision)
        for tenant_id in ("t1", "t11")
        for month in (october, november)
        for revision in (1, 2)
    }
    assert len(ids) == 8


def test_a_reader_quotes_sixteen_digits() -> None:
    assert reference("0123456789abcdef" + "f" * 48) == "0123-4567-89AB-CDEF"
