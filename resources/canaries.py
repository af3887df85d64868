"""Whether the mails that go first have arrived, so that the others may follow."""

from __future__ import annotations

import datetime
from collections.abc import Collection

import psycopg

from reports_pipeline.accounting.failures import FailureCode
from reports_pipeline.accounting.periods import Month
from reports_pipeline.delivery.states import DeliveryState
from resources.month_records import MessageRecord, month_records


class Canaries:
    """Reads the delivery register.

    A canary's mails have arrived when all those of its newest delivery are DELIVERED, or have been
    ACCEPTED for `patience` without anything bad being heard of them. What a person has dealt with
    counts as arrived, and beside one that has, who is no contact any more is not waited for.
    """

    def __init__(
        self, url: str, *, patience: datetime.timedelta = datetime.timedelta(minutes=15)
    ) -> None:
        self._url = url
        self._patience = patience

    def awaited(self, month: Month, canaries: Collection[str]) -> list[str]:
        """Those of the canaries whose mails of the month have not arrived, in order; none if a
        person has ended the wait. Who was waived is not awaited."""
        with psycopg.connect(self._url) as connection:
            now, is_ended = _read_wait(connection, month)
            if is_ended:
                return []
            return [
                tenant_id
                for tenant_id, record in month_records(connection, month, sorted(canaries)).items()
                if not record.waived and not self._have_arrived(record.messages, now)
            ]

    def _have_arrived(self, messages: Collection[MessageRecord], now: datetime.datetime) -> bool:
        absent = [message for message in messages if not self._has_arrived(message, now)]
        return len(absent) < len(messages) and all(
            message.blocked_code is FailureCode.NO_RECIPIENT for message in absent
        )

    def _has_arrived(self, message: MessageRecord, now: datetime.datetime) -> bool:
        return (
            message.dealt_with
            or message.state is DeliveryState.DELIVERED
            or (
                message.state is DeliveryState.ACCEPTED and message.moved_at <= now - self._patience
            )
        )


def _read_wait(connection: psycopg.Connection, month: Month) -> tuple[datetime.datetime, bool]:
    """The time by the clock that moves are noted with, and whether a person has ended the wait."""
    [row] = connection.execute(
        """
        select now(), exists (
            select from reporting.delivery_decisions
            where month = %s and tenant_id is null and decision = 'end_canary'
        )
        """,
        [month.start],
    ).fetchall()
    now, is_ended = row
    return now, is_ended
