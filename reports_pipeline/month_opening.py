"""Opening a month for delivery: once it is over, for everybody who is a customer then."""

from __future__ import annotations

import datetime
from collections.abc import Collection

from reports_pipeline.accounting.periods import Month
from reports_pipeline.tokyo import TOKYO
from resources.delivery_months import DeliveryMonths
from resources.tenants import Tenants


class OpeningError(ValueError):
    """A month cannot be opened; the message says why."""


class MonthNotOverError(OpeningError):
    """It has days to come. Who is a customer when it ends is not known yet."""


def open_month(
    months: DeliveryMonths,
    tenants: Tenants,
    month: Month,
    *,
    canaries: Collection[str],
    opened_by: str,
    now: datetime.datetime,
) -> bool:
    """Open the month for all active tenants; their mails wait for those of `canaries`, if there are
    any. A canary that is not active is passed over: who left must not stop everybody's month.
    False if it was opened before, by whoever: nothing changes then.

    Raises:
        MonthNotOverError: in Tokyo the month is not over.
        OpeningError: none of the canaries is an active tenant, or nobody is.
    """
    if months.find(month) is not None:
        return False
    if now.astimezone(TOKYO).date() < month.end:
        raise MonthNotOverError(f"{month} is not over; it can be opened from {month.end} on")
    active = tenants.active_ids()
    if not active:
        raise OpeningError(f"{month} is not opened for nobody: the ledger has no active tenant")
    first = set(canaries) & set(active)
    if canaries and not first:
        raise OpeningError(
            f"none of {', '.join(sorted(canaries))} is an active tenant; correct "
            "REPORTS_CANARY_TENANTS"
        )
    return months.open(month, active, canaries=first, opened_by=opened_by)
