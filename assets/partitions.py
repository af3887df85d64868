"""The partitions that every asset shares: month by tenant.

Months are a window, since Dagster advises at most 100,000 partitions an asset and 5,000 tenants
times 18 months are 90,000. A month that leaves the window leaves Dagster's pages only: its
documents, register rows and events stay.

Tenants are added and never deleted: deleting one breaks ranges that begin or end with it, and
adding it again would move it to the end. A tenant that left is inactive in the companies table
and yields no work.
"""

from __future__ import annotations

import dagster as dg

from reports_pipeline.accounting.periods import Month

TENANTS = dg.DynamicPartitionsDefinition(name="tenant")
MONTH_DIMENSION, TENANT_DIMENSION = "month", "tenant"


def month_tenant_partitions(first_month: Month) -> dg.MultiPartitionsDefinition:
    """All tenants, for each month from `first_month` to the last that is over.

    Keys are `2026-10|t0001`: the dimensions in alphabetical order.
    """
    months = dg.MonthlyPartitionsDefinition(
        start_date=str(first_month), fmt="%Y-%m", timezone="Asia/Tokyo"
    )
    return dg.MultiPartitionsDefinition({MONTH_DIMENSION: months, TENANT_DIMENSION: TENANTS})


def partition_key(month: Month, tenant_id: str) -> dg.MultiPartitionKey:
    return dg.MultiPartitionKey({MONTH_DIMENSION: str(month), TENANT_DIMENSION: tenant_id})
