"""When a tenant's fiscal years and months begin, as the database reckons them."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

import psycopg

from reports_pipeline.accounting.periods import Month


@dataclass(frozen=True, slots=True)
class TenantMonth:
    """A month of a tenant's books: the days [starts_on, ends_on), and its fiscal year."""

    month: Month
    starts_on: datetime.date
    ends_on: datetime.date
    fiscal_year: Month  # the month that it begins with


class TenantCalendars:
    """Reads `ledger.companies` and `ledger.fiscal_year_changes`."""

    def __init__(self, ledger_url: str) -> None:
        self._url = ledger_url

    def month_of(self, tenant_id: str, day: datetime.date) -> Month:
        """The tenant's month that a day belongs to."""
        with psycopg.connect(self._url) as connection:
            [month] = connection.execute(
                "select ledger.month_of(tenant_id, %s) from ledger.companies where tenant_id = %s",
                [day, tenant_id],
            )
        return Month.of(month[0])

    def months(self, tenant_id: str, first: Month, last: Month) -> list[TenantMonth]:
        """The tenant's months from the first to the last, both in it."""
        with psycopg.connect(self._url) as connection:
            rows = connection.execute(
                """
                select month, starts_on, ends_on, ledger.fiscal_year_of(%(tenant)s, month)
                from generate_series(%(first)s::date, %(last)s, interval '1 month') as at,
                     date(at) as month, ledger.period(%(tenant)s, month)
                order by month
                """,
                {"tenant": tenant_id, "first": first.start, "last": last.start},
            ).fetchall()
        return [
            TenantMonth(Month.of(month), starts_on, ends_on, Month.of(fiscal_year))
            for month, starts_on, ends_on, fiscal_year in rows
        ]

    def fiscal_year_changes(self, tenant_id: str) -> list[Month]:
        """The months with which fiscal years began out of turn, in order."""
        with psycopg.connect(self._url) as connection:
            rows = connection.execute(
                """
                select first_month from ledger.fiscal_year_changes
                where tenant_id = %s order by first_month
                """,
                [tenant_id],
            )
            return [Month.of(first_month) for (first_month,) in rows]
