"""The identity of a delivery, the states of a mail to one recipient, and which may follow which."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from enum import StrEnum

from reports_pipeline.accounting.periods import Month
from reports_pipeline.delivery.errors import IllegalMoveError


class DeliveryState(StrEnum):
    """Where a mail to one recipient stands."""

    BUILT = "BUILT"  # the documents exist
    VERIFIED = "VERIFIED"  # what is stored is what was built, for this tenant
    READY = "READY"  # goes out when its time has come
    CLAIMED = "CLAIMED"  # one process has it, until its lease runs out
    POSTING = "POSTING"  # it may be on its way at any moment: never claimed again
    ACCEPTED = "ACCEPTED"  # the provider has it
    DELIVERED = "DELIVERED"
    BOUNCED = "BOUNCED"
    COMPLAINED = "COMPLAINED"
    BLOCKED = "BLOCKED"  # held with a FailureCode; nothing went out
    UNKNOWN = "UNKNOWN"  # it may have gone out; only a feedback event or a person can tell
    SUPERSEDED = "SUPERSEDED"  # a newer revision took its place before it went out


_S = DeliveryState

MOVES: Mapping[DeliveryState, frozenset[DeliveryState]] = {
    # To UNKNOWN where an event shows that it went out, whatever the provider answered, or whatever
    # a database that was restored has forgotten.
    _S.BUILT: frozenset({_S.VERIFIED, _S.BLOCKED, _S.SUPERSEDED, _S.UNKNOWN}),
    _S.VERIFIED: frozenset({_S.READY, _S.BLOCKED, _S.SUPERSEDED, _S.UNKNOWN}),
    _S.READY: frozenset({_S.CLAIMED, _S.BLOCKED, _S.SUPERSEDED, _S.UNKNOWN}),
    _S.CLAIMED: frozenset({_S.READY, _S.POSTING, _S.SUPERSEDED}),
    _S.POSTING: frozenset({_S.ACCEPTED, _S.READY, _S.BLOCKED, _S.UNKNOWN}),
    _S.UNKNOWN: frozenset({_S.ACCEPTED}),
    _S.ACCEPTED: frozenset({_S.DELIVERED, _S.BOUNCED, _S.COMPLAINED}),
    # A server may take a mail and bounce it later, and people complain about mails they got.
    _S.DELIVERED: frozenset({_S.BOUNCED, _S.COMPLAINED}),
    # What blocked it was mended: everything is verified anew.
    _S.BLOCKED: frozenset({_S.BUILT, _S.SUPERSEDED, _S.UNKNOWN}),
    _S.BOUNCED: frozenset(),
    _S.COMPLAINED: frozenset(),
    _S.SUPERSEDED: frozenset(),
}

# Nobody has it in hand and nothing has gone out.
WAITING = frozenset({_S.BUILT, _S.VERIFIED, _S.READY})
# One process has it in hand.
HELD = frozenset({_S.CLAIMED, _S.POSTING})
# The provider has taken it, whatever came of it.
SENT = frozenset({_S.ACCEPTED, _S.DELIVERED, _S.BOUNCED, _S.COMPLAINED})
# Whether the reader has it, or will, cannot be excluded.
MAYBE_SENT = SENT | {_S.POSTING, _S.UNKNOWN}


def check_move(before: DeliveryState, after: DeliveryState) -> None:
    """Let a legal move pass.

    Raises:
        IllegalMoveError: `after` never follows `before`.
    """
    if after not in MOVES[before]:
        raise IllegalMoveError(f"{after} does not follow {before}")


def delivery_id(tenant_id: str, month: Month, revision: int) -> str:
    """The identity of a delivery: 64 hex digits, the same for every attempt and content."""
    return hashlib.sha256(f"v1|{tenant_id}|{month}|{revision}".encode()).hexdigest()


def reference(delivery_id: str) -> str:
    """The 管理番号 that a reader quotes: the id's first 16 hex digits, `1F3A-90BC-…`."""
    digits = delivery_id[:16].upper()
    return "-".join(digits[start : start + 4] for start in range(0, 16, 4))
