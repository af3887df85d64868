"""The calendars of tests: the days at which books close, looked up in a calendar on the wall."""

from __future__ import annotations

import datetime

import pytest

from reports_pipeline.accounting.periods import Month
from tests.accounting.calendars import MONTH_END, Anchor, Calendar, years_from

# Closed on the 20th since April 2026, at the month's end until then; and the other way round.
TO_THE_20TH = Calendar((Anchor(Month(2025, 4)), Anchor(Month(2026, 4), closing_day=20)))
FROM_THE_20TH = Calendar((Anchor(Month(2025, 4), closing_day=20), Anchor(Month(2026, 4))))


@pytest.mark.parametrize(
    ("calendar", "month", "first_day", "last_day"),
    [
        (years_from("2026-04"), "2026-04", "2026-04-01", "2026-04-30"),
        (years_from("2026-03"), "2026-02", "2026-02-01", "2026-02-28"),
        (years_from("2026-03"), "2024-02", "2024-02-01", "2024-02-29"),
        (years_from("2026-04", closing_day=20), "2026-10", "2026-09-21", "2026-10-20"),
        (years_from("2026-04", closing_day=20), "2026-01", "2025-12-21", "2026-01-20"),
        (years_from("2026-04", closing_day=28), "2024-03", "2024-02-29", "2024-03-28"),
        (TO_THE_20TH, "2026-03", "2026-03-01", "2026-03-31"),
        (TO_THE_20TH, "2026-04", "2026-04-01", "2026-04-20"),
        (TO_THE_20TH, "2026-05", "2026-04-21", "2026-05-20"),
        (FROM_THE_20TH, "2026-03", "2026-02-21", "2026-03-20"),
        (FROM_THE_20TH, "2026-04", "2026-03-21", "2026-04-30"),
        (FROM_THE_20TH, "2026-05", "2026-05-01", "2026-05-31"),
    ],
)
def test_the_days_of_a_month(calendar: Calendar, month: str, first_day: str, last_day: str) -> None:
    first, last = datetime.date.fromisoformat(first_day), datetime.date.fromisoformat(last_day)
    day = datetime.timedelta(days=1)
    assert calendar.period(Month.parse(month)) == (first, last + day)
    months = [str(calendar.month_of(each)) for each in (first - day, first, last, last + day)]
    before, after = str(Month.parse(month).plus(-1)), str(Month.parse(month).plus(1))
    assert months == [before, month, month, after]


@pytest.mark.parametrize("closing_day", [1, 20, 28, MONTH_END])
def test_every_day_belongs_to_one_month(closing_day: int) -> None:
    calendar = years_from("2024-01", closing_day=closing_day)
    for number in range(731):
        day = datetime.date(2024, 1, 1) + datetime.timedelta(days=number)
        start, end = calendar.period(calendar.month_of(day))
        assert start <= day < end
