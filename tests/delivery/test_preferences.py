"""When mails may go, by what a company wishes, its calendar and its clocks."""

from __future__ import annotations

import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports_pipeline.accounting.periods import Month
from reports_pipeline.delivery.preferences import (
    DEFAULT_PREFERENCES,
    DeliveryPreferences,
    earliest_departure,
)
from tests.delivery.examples import OCTOBER

TOKYO = "Asia/Tokyo"
LOS_ANGELES = "America/Los_Angeles"
NINE = datetime.time(9)


def at(text: str, zone: str = TOKYO) -> datetime.datetime:
    """A local time: `2026-11-01 01:00`."""
    return datetime.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def departure(
    preferences: DeliveryPreferences,
    now: str,
    *,
    month: Month = OCTOBER,
    zone: str = TOKYO,
) -> str:
    """The local time of the departure."""
    found = earliest_departure(preferences, month=month, time_zone=zone, now=at(now, zone))
    return f"{found.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"


def test_without_a_wish_mails_go_at_once() -> None:
    now = at("2026-11-01 01:00")
    found = earliest_departure(DEFAULT_PREFERENCES, month=OCTOBER, time_zone=TOKYO, now=now)
    assert found is now


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-11-01 01:00", "2026-11-01 09:00"),
        ("2026-11-01 08:59", "2026-11-01 09:00"),
        ("2026-11-01 09:00", "2026-11-01 09:00"),
        ("2026-11-01 23:30", "2026-11-01 23:30"),
        ("2026-11-02 00:10", "2026-11-02 09:00"),
    ],
)
def test_not_before_a_time_of_each_day(now: str, expected: str) -> None:
    assert departure(DeliveryPreferences(not_before=NINE), now) == expected


def test_the_time_is_that_of_the_companys_clocks() -> None:
    wish = DeliveryPreferences(not_before=NINE)
    now = at("2026-11-01 01:00")  # in Los Angeles it is 31 October, 9 o'clock in summer time
    found = earliest_departure(wish, month=OCTOBER, time_zone=LOS_ANGELES, now=now)
    assert found == now
    earlier = now - datetime.timedelta(minutes=1)
    found = earliest_departure(wish, month=OCTOBER, time_zone=LOS_ANGELES, now=earlier)
    assert found == now


# 1 November 2026 is a Sunday, and 3 November a holiday in Japan.
@pytest.mark.parametrize(
    ("number", "country", "expected"),
    [
        (1, None, "2026-11-02 00:00"),
        (2, None, "2026-11-03 00:00"),
        (1, "JP", "2026-11-02 00:00"),
        (2, "JP", "2026-11-04 00:00"),
        (2, "US", "2026-11-03 00:00"),
    ],
)
def test_not_before_a_business_day_of_the_month_after(
    number: int, country: str | None, expected: str
) -> None:
    wish = DeliveryPreferences(business_day=number, holidays=country)
    assert departure(wish, "2026-11-01 01:00") == expected


def test_japanese_offices_open_on_the_4th_of_january() -> None:
    december = Month(2026, 12)
    wish = DeliveryPreferences(business_day=1, holidays="JP", not_before=NINE)
    assert departure(wish, "2027-01-01 01:00", month=december) == "2027-01-04 09:00"
    wish = DeliveryPreferences(holidays="JP")
    assert departure(wish, "2026-12-31 10:00", month=december.plus(-1)) == "2027-01-04 00:00"


def test_after_that_day_mails_go_on_any_business_day() -> None:
    wish = DeliveryPreferences(business_day=2, holidays="JP", not_before=NINE)
    assert departure(wish, "2026-11-05 14:00") == "2026-11-05 14:00"
    assert departure(wish, "2026-11-06 08:00") == "2026-11-06 09:00"
    assert departure(wish, "2026-11-07 14:00") == "2026-11-09 09:00"  # a Saturday
    assert departure(wish, "2026-11-23 14:00") == "2026-11-24 09:00"  # a holiday
    assert departure(wish, "2027-03-20 14:00") == "2027-03-23 09:00"  # and its substitute


def test_holidays_alone_ask_for_no_day_of_the_month() -> None:
    assert departure(DeliveryPreferences(holidays="JP"), "2026-10-30 14:00") == "2026-10-30 14:00"


def test_a_country_has_weekends_of_its_own() -> None:
    wish = DeliveryPreferences(holidays="EG")  # a Friday and a Saturday
    assert departure(wish, "2026-11-06 14:00", zone="Africa/Cairo") == "2026-11-08 00:00"


def test_a_month_with_fewer_business_days_ends_the_wait_with_its_last() -> None:
    wish = DeliveryPreferences(business_day=20, holidays="JP")
    assert departure(wish, "2026-05-01 01:00", month=Month(2026, 4)) == "2026-05-29 00:00"


def test_a_time_that_a_change_of_clocks_leaves_out_comes_as_much_later() -> None:
    wish = DeliveryPreferences(not_before=datetime.time(2, 30))
    day = "2027-03-14"  # from 2 to 3 o'clock
    assert departure(wish, f"{day} 01:00", zone=LOS_ANGELES) == f"{day} 03:30"
    assert departure(wish, f"{day} 03:10", zone=LOS_ANGELES) == f"{day} 03:30"
    assert departure(wish, f"{day} 03:40", zone=LOS_ANGELES) == f"{day} 03:40"


def test_a_time_that_a_change_of_clocks_brings_twice_is_the_first() -> None:
    wish = DeliveryPreferences(not_before=datetime.time(1, 30))
    change = at("2026-11-01 00:00", LOS_ANGELES)  # from 2 to 1 o'clock
    first = (change + datetime.timedelta(hours=1, minutes=30)).astimezone(datetime.UTC)
    assert first == datetime.datetime(2026, 11, 1, 8, 30, tzinfo=datetime.UTC)

    def found(now: datetime.datetime) -> datetime.datetime:
        return earliest_departure(wish, month=OCTOBER, time_zone=LOS_ANGELES, now=now)

    assert found(first - datetime.timedelta(minutes=40)) == first
    second_ten_past_one = first + datetime.timedelta(minutes=40)
    assert second_ten_past_one.astimezone(ZoneInfo(LOS_ANGELES)).time() == datetime.time(1, 10)
    assert found(second_ten_past_one) == second_ten_past_one


def test_a_day_that_begins_at_one_begins_then() -> None:
    wish = DeliveryPreferences(business_day=18)
    found = departure(wish, "2026-04-01 01:00", month=Month(2026, 3), zone="Africa/Cairo")
    assert found == "2026-04-24 01:00"


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "Asia", "../etc/passwd", "a\0b"])
def test_a_zone_that_nobody_knows_is_told(zone: str) -> None:
    with pytest.raises(LookupError, match="no such time zone"):
        earliest_departure(
            DEFAULT_PREFERENCES, month=OCTOBER, time_zone=zone, now=at("2026-11-01 01:00")
        )


def test_a_country_that_nobody_knows_is_told() -> None:
    with pytest.raises(LookupError, match="not known of this country: 'XX'"):
        departure(DeliveryPreferences(holidays="XX"), "2026-11-01 01:00")


@given(
    preferences=st.builds(
        DeliveryPreferences,
        not_before=st.none() | st.times(),
        business_day=st.none() | st.integers(1, 20),
        holidays=st.sampled_from([None, "JP", "US", "EG"]),
    ),
    zone=st.sampled_from([TOKYO, LOS_ANGELES, "Africa/Cairo", "Pacific/Apia", "Asia/Kathmandu"]),
    minutes=st.integers(0, 90 * 24 * 60),
)
def test_who_comes_back_at_the_departure_may_go(
    preferences: DeliveryPreferences, zone: str, minutes: int
) -> None:
    start = datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC)
    now = start + datetime.timedelta(minutes=minutes)
    first = earliest_departure(preferences, month=OCTOBER, time_zone=zone, now=now)
    assert first >= now
    assert earliest_departure(preferences, month=OCTOBER, time_zone=zone, now=first) == first
