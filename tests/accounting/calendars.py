"""The fiscal years and the months of a company, found by walking from one to the next.

The database and the engine reckon them; these are the months and years that must come out.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from reports_pipeline.accounting.periods import Month

MONTH_END = 31


@dataclass(frozen=True, order=True)
class Anchor:
    """From this month on fiscal years begin with it, and months end with the closing day."""

    first_month: Month
    closing_day: int = MONTH_END


@dataclass(frozen=True)
class Calendar:
    """The year before an anchor is cut short; before the first of them all is as after it."""

    anchors: tuple[Anchor, ...]

    def anchor(self, month: Month) -> Anchor:
        """The one that holds for a month."""
        reached = [anchor for anchor in self.anchors if anchor.first_month <= month]
        return max(reached, default=min(self.anchors))

    def year_start(self, month: Month) -> Month:
        """The first month of the fiscal year that contains a month."""
        first = self.anchor(month).first_month
        while first > month:
            first = first.plus(-12)
        while first.plus(12) <= month:
            first = first.plus(12)
        return first

    def period(self, month: Month) -> tuple[datetime.date, datetime.date]:
        """The first day of a month, and the first day after it."""
        return self._end(month.plus(-1)), self._end(month)

    def month_of(self, day: datetime.date) -> Month:
        """The month that a day belongs to."""
        month = Month.of(day)
        while day >= self._end(month):
            month = month.plus(1)
        return month

    def _end(self, month: Month) -> datetime.date:
        closing_day = self.anchor(month).closing_day
        if closing_day == MONTH_END:
            return month.end
        return month.start + datetime.timedelta(days=closing_day)


def years_from(*first_months: str, closing_day: int = MONTH_END) -> Calendar:
    """The calendar of a company whose fiscal years begin with these months: `2026-04`."""
    return Calendar(tuple(Anchor(Month.parse(first), closing_day) for first in first_months))
