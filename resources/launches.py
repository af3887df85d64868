"""What operators asked for: a month of some tenants, cut into batches of one run each.

A launch is written down before any run exists, so that nothing asked for is lost with a process.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg

from reports_pipeline.accounting.periods import Month


@dataclass(frozen=True, slots=True)
class Launch:
    """`batches` are tenant ids; a batch's number is its place, from 0. `verify_all`: another
    program computes the statements of all of them, not of a sample."""

    launch_id: str
    month: Month
    batches: tuple[tuple[str, ...], ...]
    verify_all: bool = False


class Launches:
    """The tables `reporting.launches` and `reporting.launch_batches`."""

    def __init__(self, url: str) -> None:
        self._url = url

    def request(self, launch: Launch, *, requested_by: str) -> None:
        """Write the launch down; its runs will follow."""
        with psycopg.connect(self._url) as connection, connection.cursor() as cursor:
            cursor.execute(
                "insert into reporting.launches (launch_id, month, verify_all, requested_by)"
                " values (%s, %s, %s, %s)",
                [launch.launch_id, launch.month.start, launch.verify_all, requested_by],
            )
            cursor.executemany(
                "insert into reporting.launch_batches values (%s, %s, %s)",
                [
                    (launch.launch_id, number, list(tenant_ids))
                    for number, tenant_ids in enumerate(launch.batches)
                ],
            )

    def unlaunched(self) -> list[Launch]:
        """Launches that may lack runs, oldest first."""
        with psycopg.connect(self._url) as connection:
            rows = connection.execute(
                """
                select launch_id, month,
                       array(select to_jsonb(tenant_ids) from reporting.launch_batches batch
                             where batch.launch_id = launch.launch_id order by batch_no),
                       verify_all
                from reporting.launches launch where launched_at is null
                order by requested_at, launch_id
                """
            )
            return [
                Launch(
                    launch_id, Month.of(month), tuple(tuple(batch) for batch in batches), verify_all
                )
                for launch_id, month, batches, verify_all in rows
            ]

    def mark_launched(self, launch_ids: Sequence[str]) -> None:
        """Every batch of these launches has a run."""
        with psycopg.connect(self._url) as connection:
            connection.execute(
                "update reporting.launches set launched_at = now() where launch_id = any(%s)",
                [list(launch_ids)],
            )
