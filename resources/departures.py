"""When the mails of each company may go: as it wishes, and after those of the canaries."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from reports_pipeline.accounting.periods import Month
from reports_pipeline.delivery.preferences import (
    DEFAULT_PREFERENCES,
    HOUSE_TIME_ZONE,
    DeliveryPreferences,
    earliest_departure,
)
from resources.canaries import Canaries
from resources.delivery_months import DeliveryMonths
from resources.delivery_preferences import DeliveryPreferencesStore
from resources.tenants import Tenants


@dataclass(frozen=True, slots=True)
class Departure:
    """When mails of a company may go."""

    at: datetime.datetime  # as far as the company's own wishes go
    waits_for_canaries: bool = False
    unknown_time_zone: str | None = None  # the company's, for which the house's was taken

    def may_go(self, now: datetime.datetime) -> bool:
        return self.at <= now and not self.waits_for_canaries


class Departures:
    """Asks the companies' preferences, the ledger for their time zones, and the month for its
    canaries. Companies that nobody expects in the month wait for its canaries like the others."""

    def __init__(
        self,
        preferences: DeliveryPreferencesStore,
        tenants: Tenants,
        months: DeliveryMonths,
        canaries: Canaries,
    ) -> None:
        self._preferences = preferences
        self._tenants = tenants
        self._months = months
        self._canaries = canaries

    def of(
        self,
        month: Month,
        tenant_ids: Collection[str],
        now: datetime.datetime,
        *,
        wishes: Mapping[str, DeliveryPreferences] | None = None,
    ) -> dict[str, Departure]:
        """When mails of a month may go to each of the tenants: `at` is `now` if they may by
        themselves. `wishes`: their preferences of this moment, if they are read already."""
        if wishes is None:
            wishes = self._preferences.current(tenant_ids)
        time_zones = self._tenants.time_zones(wishes)
        first = set(self._months.canaries(month))
        waits = bool(self._awaited(month, first))
        departures = {}
        for tenant_id in tenant_ids:
            at, unknown = _departure(
                wishes.get(tenant_id, DEFAULT_PREFERENCES),
                month,
                time_zones.get(tenant_id, HOUSE_TIME_ZONE),
                now,
            )
            departures[tenant_id] = Departure(at, waits and tenant_id not in first, unknown)
        return departures

    def awaited_canaries(self, month: Month) -> list[str]:
        """The canaries for which mails to the others wait, in order; none if nothing waits for
        them."""
        return self._awaited(month, self._months.canaries(month))

    def _awaited(self, month: Month, canaries: Collection[str]) -> list[str]:
        if not canaries:
            return []
        # Who left gets nothing, and holds up nobody.
        return self._canaries.awaited(month, self._tenants.active_ids(canaries))


def _departure(
    wishes: DeliveryPreferences, month: Month, time_zone: str, now: datetime.datetime
) -> tuple[datetime.datetime, str | None]:
    """The moment, and the company's time zone if nobody knows it."""
    try:
        return earliest_departure(wishes, month=month, time_zone=time_zone, now=now), None
    except LookupError:
        # The countries were looked at when the preferences were read, so it is the zone.
        at = earliest_departure(wishes, month=month, time_zone=HOUSE_TIME_ZONE, now=now)
        return at, time_zone
