"""When and how a company wants its mails."""

from __future__ import annotations

import datetime
import functools
from dataclasses import dataclass
from enum import StrEnum
from zoneinfo import ZoneInfo

import holidays

from reports_pipeline.accounting.periods import Month

# Of a company whose own nobody knows.
HOUSE_TIME_ZONE = "Asia/Tokyo"


class Corrections(StrEnum):
    """What lets a correction of a mail that was sent out."""

    APPROVAL = "approval"  # a person, each of them
    AUTOMATIC = "automatic"  # that its figures changed


class Attachments(StrEnum):
    """How the documents come."""

    ATTACHED = "attached"
    LINKED = "linked"


@dataclass(frozen=True, slots=True)
class DeliveryPreferences:
    """A company's wishes; what it has no wish about is done the house's way, which is the default.

    Business days are the days from Monday to Friday, or those of the country `holidays` without
    its public and bank holidays. They matter where `business_day` or `holidays` is set.
    """

    not_before: datetime.time | None = None  # local time of the company; None: any time
    business_day: int | None = None  # of the month after, from 1: not before it; None: any day
    holidays: str | None = None  # country whose holidays count, ISO 3166: JP
    corrections: Corrections = Corrections.APPROVAL
    attachments: Attachments = Attachments.ATTACHED
    largest_mail_bytes: int | None = None  # above it links; None: the house's limit
    note: str | None = None  # a text of the company's own in its mails, one line
    support_address: str | None = None  # whom its readers ask, instead of the house's


DEFAULT_PREFERENCES = DeliveryPreferences()


def earliest_departure(
    preferences: DeliveryPreferences, *, month: Month, time_zone: str, now: datetime.datetime
) -> datetime.datetime:
    """`now` if mails of `month` may go now, else the first later moment at which they may, in UTC.

    They go on the n-th business day of the calendar month after `month` or later (on its last one
    or later if it has fewer), on business days, and once `not_before` has been on the clocks of
    `time_zone` that day. A time that a change of clocks leaves out comes as much later as they are
    put forward; one that it brings twice is the first of the two (RFC 5545, 3.3.5).

    Raises:
        LookupError: nobody knows the time zone, or the holidays of the country.
    """
    zone = known_time_zone(time_zone)
    country = preferences.holidays
    day = now.astimezone(zone).date()
    if preferences.business_day is not None:
        days = _business_days(month.plus(1), country)
        day = max(day, days[min(preferences.business_day, len(days)) - 1])
    if preferences.business_day is not None or country is not None:
        while not _is_business_day(day, country):
            day += datetime.timedelta(days=1)
    # Compared in UTC: Python compares two times of one zone as its clocks show them.
    opening = datetime.datetime.combine(day, preferences.not_before or datetime.time(), zone)
    return max(now, opening.astimezone(datetime.UTC))


def known_time_zone(name: str) -> ZoneInfo:
    """The zone of an IANA name.

    Raises:
        LookupError: there is none.
    """
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):  # of a name that is none, or that is a folder
        raise LookupError(f"no such time zone: {name!r}") from None


@functools.cache
def country_calendar(country: str) -> holidays.HolidayBase:
    """The public and bank holidays of a country (31 December to 3 January, in Japan), and its
    weekends.

    Raises:
        LookupError: nobody knows them.
    """
    try:
        supported = holidays.country_holidays(country).supported_categories
        chosen = [c for c in (holidays.PUBLIC, holidays.BANK) if c in supported]
        return holidays.country_holidays(country, categories=chosen)
    except NotImplementedError:
        raise LookupError(f"holidays are not known of this country: {country!r}") from None


@functools.cache
def _business_days(month: Month, country: str | None) -> tuple[datetime.date, ...]:
    """Those of a calendar month, in order."""
    length = (month.end - month.start).days
    days = (month.start + datetime.timedelta(days=number) for number in range(length))
    return tuple(day for day in days if _is_business_day(day, country))


def _is_business_day(day: datetime.date, country: str | None) -> bool:
    return day.weekday() < 5 if country is None else country_calendar(country).is_working_day(day)
