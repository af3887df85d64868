"""Bringing the balances that are kept by month (`ledger.balance_snapshots`) up to date."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg

from reports_pipeline.accounting.periods import Month


def refresh_stale_snapshots(
    connection: psycopg.Connection, tenant_ids: Sequence[str]
) -> dict[str, list[Month]]:
    """Bring the snapshots that may not be what the journal says any more up to date with it;
    returns the months of each tenant that had such."""
    refreshed: dict[str, list[Month]] = {}
    stale = connection.execute(
        """
        select month, array_agg(tenant_id order by tenant_id) from ledger.stale_snapshots
        where tenant_id = any(%s) group by month order by month
        """,
        [list(tenant_ids)],
    ).fetchall()
    for month, of_month in stale:
        connection.execute("call ledger.refresh_snapshots(%s, %s)", [of_month, month])
        for tenant_id in of_month:
            refreshed.setdefault(tenant_id, []).append(Month.of(month))
    return refreshed
