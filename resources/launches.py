"""What was asked for: a month of some tenants, cut into batches of one run each.

A launch is written down before any run exists, so that nothing asked for is lost with a process.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg

from reports_pipeline.accounting.periods import Month

# Who asks when nobody does.
SWEEPER = "sweeper"


@dataclass(frozen=True, slots=True)
class Launch:
    """`batches` are tenant ids; a batch's number is its place, from 0. `verify_all`: another
    program computes the statements of all of them, not of a sample. `deliveries_only`: their
    reports are made, and only the mails are asked for."""

    launch_id: str
    month: Month
    batches: tuple[tuple[str, ...], ...]
    verify_all: bool = False
    deliveries_only: bool = False

    @property
    def summary(self) -> str:
        """For operators: `month-2026-10: 300 tenants in 3 runs`."""
        tenants, runs = sum(map(len, self.batches)), len(self.batches)
        return f"{self.launch_id}: {_counted(tenants, 'tenant')} in {_counted(runs, 'run')}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


@dataclass(frozen=True, slots=True)
class Sweeps:
    """How often the sweeper has asked for a tenant's month since a person last had a say in it, and
    when for the last time. `parked`: operators were told that it asks no more."""

    count: int
    last_at: datetime.datetime
    parked: bool


class Launches:
    """The tables `reporting.launches`, `launch_batches` and `parked_tenants`."""

    def __init__(self, url: str) -> None:
        self._url = url

    def request(self, launch: Launch, *, requested_by: str) -> bool:
        """Write the launch down; its runs will follow. False if one of the same id is written down
        already, by whoever: nothing changes then."""
        with psycopg.connect(self._url) as connection, connection.cursor() as cursor:
            cursor.execute(
                """
                insert into reporting.launches
                    (launch_id, month, verify_all, deliveries_only, requested_by)
                values (%s, %s, %s, %s, %s) on conflict (launch_id) do nothing
                """,
                [
                    launch.launch_id,
                    launch.month.start,
                    launch.verify_all,
                    launch.deliveries_only,
                    requested_by,
                ],
            )
            if cursor.rowcount == 0:
                return False
            cursor.executemany(
                "insert into reporting.launch_batches values (%s, %s, %s)",
                [
                    (launch.launch_id, number, list(tenant_ids))
                    for number, tenant_ids in enumerate(launch.batches)
                ],
            )
            return True

    def unlaunched(self) -> list[Launch]:
        """Launches that may lack runs, oldest first."""
        with psycopg.connect(self._url) as connection:
            rows = connection.execute(
                """
                select launch_id, month,
                       array(select to_jsonb(tenant_ids) from reporting.launch_batches batch
                             where batch.launch_id = launch.launch_id order by batch_no),
                       verify_all, deliveries_only
                from reporting.launches launch where launched_at is null
                order by requested_at, launch_id
                """
            )
            return [
                Launch(
                    launch_id,
                    Month.of(month),
                    tuple(tuple(batch) for batch in batches),
                    verify_all,
                    deliveries_only,
                )
                for launch_id, month, batches, verify_all, deliveries_only in rows
            ]

    def mark_launched(self, launch_ids: Sequence[str]) -> None:
        """Every batch of these launches has a run."""
        with psycopg.connect(self._url) as connection:
            connection.execute(
                "update reporting.launches set launched_at = now() where launch_id = any(%s)",
                [list(launch_ids)],
            )

    def tenants_of(self, month: Month) -> set[str]:
        """Everybody for whom the month was ever asked for."""
        with psycopg.connect(self._url) as connection:
            rows = connection.execute(
                """
                select distinct unnest(tenant_ids)
                from reporting.launches join reporting.launch_batches using (launch_id)
                where month = %s
                """,
                [month.start],
            )
            return {tenant_id for (tenant_id,) in rows}

    def sweeps(self, month: Month) -> dict[str, Sweeps]:
        """What the sweeper has done about each tenant's month. It begins anew when somebody else
        launches the month for the tenant, or decides something about the tenant's mails; a tenant
        that it has not asked for since is missing.
        """
        with psycopg.connect(self._url) as connection:
            rows = connection.execute(
                """
                with asked as (
                    select tenant_id, requested_at, requested_by = %(sweeper)s as by_sweeper
                    from reporting.launches join reporting.launch_batches using (launch_id),
                        unnest(tenant_ids) as tenant_id
                    where month = %(month)s
                ), last_words as (
                    select tenant_id, max(said_at) as said_at from (
                        select tenant_id, requested_at as said_at from asked where not by_sweeper
                        union all
                        select tenant_id, decided_at from reporting.delivery_decisions
                        where (month is null or month = %(month)s) and tenant_id is not null
                    ) as words
                    group by tenant_id
                ), sweeps as (
                    select tenant_id, count(*) as count, max(requested_at) as last_at
                    from asked left join last_words using (tenant_id)
                    where by_sweeper and (said_at is null or said_at < requested_at)
                    group by tenant_id
                )
                select tenant_id, count, last_at, exists (
                    select from reporting.parked_tenants parked
                    where parked.tenant_id = sweeps.tenant_id and parked.month = %(month)s
                      and parked.last_at = sweeps.last_at
                )
                from sweeps
                """,
                {"sweeper": SWEEPER, "month": month.start},
            )
            return {tenant_id: Sweeps(*sweeps) for tenant_id, *sweeps in rows}

    def park(self, month: Month, sweeps: Mapping[str, Sweeps]) -> None:
        """Note that the sweeper asks for these tenants no more, until a person has a say; again,
        nothing is noted twice."""
        with psycopg.connect(self._url) as connection, connection.cursor() as cursor:
            cursor.executemany(
                """
                insert into reporting.parked_tenants (month, tenant_id, last_at)
                values (%s, %s, %s) on conflict do nothing
                """,
                [(month.start, tenant_id, found.last_at) for tenant_id, found in sweeps.items()],
            )
