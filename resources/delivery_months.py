"""Which months are being delivered: who is expected to get reports of each, and who opened and
closed it. Whether books are closed is another matter: see `resources.month_closings`."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection
from dataclasses import dataclass

import psycopg

from reports_pipeline.accounting.periods import Month
from reports_pipeline.delivery.errors import DecisionError
from resources.month_closings import Closing

_LOCK_SECONDS = 5


@dataclass(frozen=True, slots=True)
class DeliveryMonth:
    """A month that was opened; `closed_by` and `closed_at` are None unless it is closed now."""

    month: Month
    opened_by: str
    opened_at: datetime.datetime
    closed_by: str | None
    closed_at: datetime.datetime | None


class DeliveryMonths:
    """The tables `reporting.delivery_months`, `expected_tenants` and `delivery_month_closings`."""

    def __init__(self, url: str) -> None:
        self._url = url

    def open(
        self,
        month: Month,
        tenant_ids: Collection[str],
        *,
        canaries: Collection[str] = (),
        opened_by: str,
    ) -> bool:
        """Open the month: from now on these tenants are expected to get reports of it, some of
        them as canaries. False if it was opened before, by whoever: nothing changes then.

        Raises:
            ValueError: a canary is not among the tenants.
        """
        if strangers := sorted(set(canaries) - set(tenant_ids)):
            raise ValueError(f"canaries that are not expected: {', '.join(strangers)}")
        with psycopg.connect(self._url) as connection:
            opened = connection.execute(
                """
                insert into reporting.delivery_months (month, opened_by) values (%s, %s)
                on conflict (month) do nothing
                """,
                [month.start, opened_by],
            )
            if opened.rowcount == 0:
                return False
            connection.execute(
                """
                insert into reporting.expected_tenants (month, tenant_id, is_canary)
                select distinct %(month)s::date, tenant_id, tenant_id = any(%(canaries)s)
                from unnest(%(tenants)s::text[]) as tenant_id
                """,
                {"month": month.start, "tenants": list(tenant_ids), "canaries": list(canaries)},
            )
            return True

    def find(self, month: Month) -> DeliveryMonth | None:
        """The month as it is now; None if it was never opened."""
        with psycopg.connect(self._url) as connection:
            return _find(connection, month)

    def open_months(self) -> list[Month]:
        """Those that are opened and not closed, oldest first."""
        with psycopg.connect(self._url) as connection:
            rows = connection.execute(
                """
                select month from reporting.delivery_months opened
                where not exists (
                    select from reporting.delivery_month_closings closing
                    where closing.month = opened.month and reopened_at is null
                )
                order by month
                """
            )
            return [Month.of(month) for (month,) in rows]

    def expected(self, month: Month) -> list[str]:
        """Who is expected to get reports, in order; nobody if the month was never opened."""
        return self._expected(month, only_canaries=False)

    def canaries(self, month: Month) -> list[str]:
        """Those of the expected tenants whose mails go first, in order."""
        return self._expected(month, only_canaries=True)

    def close(
        self,
        month: Month,
        *,
        closed_by: str,
        check: Callable[[psycopg.Connection], None] | None = None,
    ) -> None:
        """Close the month if `check` lets it: it reads what it needs on the connection it is
        given, and what it raises leaves the month open.

        What it reads is how things were at one moment, and no mail moves between that moment and
        the closing: a run that is about to move one waits, and goes on after it. So no closed month
        had a mail under way when it was closed. A correction that is made later is none of the
        closing's concern.

        Raises:
            DecisionError: the month was never opened, is closed already, or mails cannot be kept
                from moving because somebody works on the table.
        """
        with psycopg.connect(self._url) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            # All mails wait behind this lock, so it must not wait long for others.
            connection.execute(f"set local lock_timeout = '{_LOCK_SECONDS}s'")
            try:
                # First, so that the moment of which everything is read comes after it.
                connection.execute("lock table reporting.delivery_messages in share mode")
            except psycopg.errors.LockNotAvailable:
                raise DecisionError(
                    f"{month} is not closed: for {_LOCK_SECONDS} seconds others changed mails "
                    "without a pause; try again"
                ) from None
            found = _require_opened(connection, month)
            if found.closed_at is not None:
                raise DecisionError(f"{month} is closed already, by {found.closed_by}")
            if check is not None:
                check(connection)
            try:
                connection.execute(
                    "insert into reporting.delivery_month_closings (month, closed_by)"
                    " values (%s, %s)",
                    [month.start, closed_by],
                )
            except psycopg.errors.UniqueViolation:
                raise DecisionError(f"{month} was closed by somebody else meanwhile") from None

    def reopen(self, month: Month, *, reopened_by: str, reason: str) -> None:
        """Open a closed month again. Who is expected stays as it was.

        Raises:
            DecisionError: the month is not closed.
            ValueError: there is no reason.
        """
        if not reason.strip():
            raise ValueError("a month is not reopened without a reason")
        with psycopg.connect(self._url) as connection:
            _require_opened(connection, month)
            reopened = connection.execute(
                """
                update reporting.delivery_month_closings
                set reopened_at = now(), reopened_by = %s, reason = %s
                where month = %s and reopened_at is null
                """,
                [reopened_by, reason.strip(), month.start],
            )
            if reopened.rowcount == 0:
                raise DecisionError(f"{month} is not closed")

    def closings(self, month: Month) -> tuple[Closing, ...]:
        """Every time that the month was closed, oldest first."""
        with psycopg.connect(self._url) as connection:
            rows = connection.execute(
                """
                select closed_at, closed_by, reopened_at, reopened_by, reason
                from reporting.delivery_month_closings where month = %s order by closed_at
                """,
                [month.start],
            )
            return tuple(Closing(*row) for row in rows)

    def _expected(self, month: Month, *, only_canaries: bool) -> list[str]:
        with psycopg.connect(self._url) as connection:
            rows = connection.execute(
                """
                select tenant_id from reporting.expected_tenants
                where month = %s and (is_canary or not %s) order by tenant_id
                """,
                [month.start, only_canaries],
            )
            return [row[0] for row in rows]


def _find(connection: psycopg.Connection, month: Month) -> DeliveryMonth | None:
    row = connection.execute(
        """
        select opened_by, opened_at, closed_by, closed_at
        from reporting.delivery_months
        left join reporting.delivery_month_closings closing
            on closing.month = delivery_months.month and reopened_at is null
        where delivery_months.month = %s
        """,
        [month.start],
    ).fetchone()
    return None if row is None else DeliveryMonth(month, *row)


def _require_opened(connection: psycopg.Connection, month: Month) -> DeliveryMonth:
    found = _find(connection, month)
    if found is None:
        raise DecisionError(f"{month} was never opened; see `reports month open`")
    return found
