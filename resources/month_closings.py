"""Which tenants' months are closed, and who closed them and opened them again, when and why."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from reports_pipeline.accounting.periods import Month
from resources.tenants import require_tenants


@dataclass(frozen=True, slots=True)
class Closing:
    """A time that a month was closed; it still is unless it was reopened, which has a reason."""

    closed_at: datetime.datetime
    closed_by: str
    reopened_at: datetime.datetime | None = None
    reopened_by: str | None = None
    reason: str | None = None

    @property
    def stands(self) -> bool:
        return self.reopened_at is None


@dataclass(frozen=True, slots=True)
class NotOver:
    """The month is not over for the tenant: `ends_on` is the first day that is not in it."""

    ends_on: datetime.date


@dataclass(frozen=True, slots=True)
class BeforeBooks:
    """The month is before the one of the tenant's first entry, which is `first`."""

    first: Month


@dataclass(frozen=True, slots=True)
class EarlierOpen:
    """Months since the tenant's first entry that are open still, oldest first."""

    months: tuple[Month, ...]


@dataclass(frozen=True, slots=True)
class ClosedBefore:
    """The month is closed already."""

    closing: Closing


Obstacle = ClosedBefore | NotOver | BeforeBooks | EarlierOpen


class MonthClosings:
    """The table `ledger.month_closings`."""

    def __init__(self, ledger_url: str) -> None:
        self._url = ledger_url

    def close(
        self,
        month: Month,
        tenant_ids: Sequence[str],
        *,
        closed_by: str,
        now: datetime.datetime,
        force: bool = False,
    ) -> dict[str, Obstacle]:
        """Close the month of these tenants; returns those whose month it did not close, and why.

        A month is over when the tenant's own calendar and clock say so. Months are closed in their
        order, since each opens with the balances of the one before; the first is the one of the
        tenant's first entry. `force` closes a month that is over all the same. Where there is no
        entry yet, any month may be closed: closing it confirms that there was nothing.

        Raises:
            UnknownTenantsError: a tenant is not in the ledger; no month was closed.
        """
        with self._taking_turns(tenant_ids) as connection:
            obstacles = dict(_obstacles(connection, month, tenant_ids, now, force=force))
            connection.execute(
                """
                insert into ledger.month_closings (tenant_id, month, closed_by)
                select tenant_id, %s, %s from unnest(%s::text[]) as tenant_id
                """,
                [month.start, closed_by, [t for t in tenant_ids if t not in obstacles]],
            )
        return obstacles

    def reopen(
        self, month: Month, tenant_ids: Sequence[str], *, reopened_by: str, reason: str
    ) -> list[str]:
        """Open the closed month of these tenants again; returns those whose month is not closed.

        Raises:
            UnknownTenantsError: a tenant is not in the ledger; no month was opened.
            ValueError: there is no reason.
        """
        if not reason.strip():
            raise ValueError("a month is not reopened without a reason")
        with self._taking_turns(tenant_ids) as connection:
            rows = connection.execute(
                """
                update ledger.month_closings
                set reopened_at = now(), reopened_by = %s, reason = %s
                where month = %s and tenant_id = any(%s) and reopened_at is null
                returning tenant_id
                """,
                [reopened_by, reason.strip(), month.start, list(tenant_ids)],
            )
            reopened = {row[0] for row in rows}
        return [tenant_id for tenant_id in tenant_ids if tenant_id not in reopened]

    def history(self, month: Month, tenant_ids: Collection[str]) -> dict[str, tuple[Closing, ...]]:
        """The closings of the month by tenant, oldest first; a tenant without any is missing."""
        with psycopg.connect(self._url) as connection:
            return _history(connection, month, tenant_ids)

    def closed_later(self, month: Month, tenant_ids: Collection[str]) -> dict[str, list[Month]]:
        """The closed months after this one by tenant; a tenant without any is missing."""
        with psycopg.connect(self._url) as connection:
            rows = connection.execute(
                """
                select tenant_id, array_agg(month order by month) from ledger.month_closings
                where month > %s and tenant_id = any(%s) and reopened_at is null
                group by tenant_id
                """,
                [month.start, list(tenant_ids)],
            )
            return {tenant_id: list(map(Month.of, months)) for tenant_id, months in rows}

    @contextmanager
    def _taking_turns(self, tenant_ids: Sequence[str]) -> Iterator[psycopg.Connection]:
        """A transaction that no other closing or reopening runs beside."""
        with psycopg.connect(self._url) as connection:
            connection.execute("select pg_advisory_xact_lock(hashtext('month_closings'))")
            require_tenants(connection, tenant_ids)
            yield connection


def _obstacles(
    connection: psycopg.Connection,
    month: Month,
    tenant_ids: Sequence[str],
    now: datetime.datetime,
    *,
    force: bool,
) -> Iterator[tuple[str, Obstacle]]:
    """What keeps the month of these tenants from being closed."""
    rows = connection.execute(
        """
        select tenant_id, ends_on, (%(now)s at time zone time_zone)::date >= ends_on, first.month,
               array(
                   select open_month::date
                   from generate_series(
                       first.month, %(month)s - interval '1 month', '1 month') as open_month
                   where not exists (
                       select from ledger.month_closings closing
                       where closing.tenant_id = company.tenant_id
                         and closing.month = open_month and reopened_at is null
                   )
                   order by 1
               )
        from ledger.companies company
        cross join lateral ledger.period(tenant_id, %(month)s)
        left join lateral (
            select ledger.month_of(tenant_id, posted_on) as month
            from ledger.journal_entries entry
            where entry.tenant_id = company.tenant_id
            order by posted_on limit 1
        ) first on true
        where tenant_id = any(%(tenants)s)
        order by tenant_id
        """,
        {"month": month.start, "tenants": list(tenant_ids), "now": now},
    ).fetchall()
    history = _history(connection, month, tenant_ids)
    for tenant_id, ends_on, is_over, first, earlier in rows:
        standing = next((c for c in history.get(tenant_id, ()) if c.stands), None)
        if standing is not None:
            yield tenant_id, ClosedBefore(standing)
        elif not is_over:
            yield tenant_id, NotOver(ends_on)
        elif force:
            continue
        elif first is not None and month < Month.of(first):
            yield tenant_id, BeforeBooks(Month.of(first))
        elif earlier:
            yield tenant_id, EarlierOpen(tuple(map(Month.of, earlier)))


def _history(
    connection: psycopg.Connection, month: Month, tenant_ids: Collection[str]
) -> dict[str, tuple[Closing, ...]]:
    found: dict[str, tuple[Closing, ...]] = {}
    rows = connection.execute(
        """
        select tenant_id, closed_at, closed_by, reopened_at, reopened_by, reason
        from ledger.month_closings where month = %s and tenant_id = any(%s)
        order by tenant_id, closed_at
        """,
        [month.start, list(tenant_ids)],
    )
    for tenant_id, *facts in rows:
        found[tenant_id] = (*found.get(tenant_id, ()), Closing(*facts))
    return found
