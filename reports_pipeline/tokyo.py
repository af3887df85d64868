"""The clock of the office: which day and month it is in Tokyo, wherever the machine stands."""

from __future__ import annotations

import datetime
from zoneinfo import ZoneInfo

from reports_pipeline.accounting.periods import Month

TOKYO = ZoneInfo("Asia/Tokyo")


def now() -> datetime.datetime:
    return datetime.datetime.now(TOKYO)


def this_month() -> Month:
    return Month.of(now().date())


def last_month() -> Month:
    """The month that is reported now, unless another is named."""
    return this_month().plus(-1)
