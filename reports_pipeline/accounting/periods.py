"""Months and fiscal years. Every period is half-open: its start is in it, its end is not."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass

_MONTH = re.compile(r"(\d{4})-(\d{2})")


@dataclass(frozen=True, order=True, slots=True)
class Month:
    """A month of a tenant's books, for example `Month(2026, 10)`, written `2026-10`.

    Which days it has is the tenant's matter: where books close on the 20th, those from
    2026-09-21 to 2026-10-20. `of`, `start` and `end` are of the calendar month of that name.
    """

    year: int
    month: int

    def __post_init__(self) -> None:
        if not (1 <= self.month <= 12 and 1900 <= self.year <= 9998):
            raise ValueError(f"no such month: {self.year}-{self.month}")

    @classmethod
    def parse(cls, text: str) -> Month:
        """Read `YYYY-MM`.

        Raises:
            ValueError: `text` is not a month.
        """
        match = _MONTH.fullmatch(text)
        if match is None:
            raise ValueError(f"not a month (YYYY-MM): {text!r}")
        return cls(int(match[1]), int(match[2]))

    @classmethod
    def of(cls, day: datetime.date) -> Month:
        """The calendar month that contains `day`."""
        return cls(day.year, day.month)

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"

    @property
    def start(self) -> datetime.date:
        """The first day of the calendar month, which is in it."""
        return datetime.date(self.year, self.month, 1)

    @property
    def end(self) -> datetime.date:
        """The first day of the next calendar month, which is not in this one."""
        return self.plus(1).start

    @property
    def ordinal(self) -> int:
        """Months since year 0, so that months can be subtracted."""
        return self.year * 12 + self.month - 1

    def plus(self, months: int) -> Month:
        """The month so many months later, or earlier if negative."""
        year, month = divmod(self.ordinal + months, 12)
        return Month(year, month + 1)
