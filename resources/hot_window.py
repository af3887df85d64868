"""Which months Dagster's pages show, as operators have set it: see `assets.partitions`."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

import psycopg

from reports_pipeline.accounting.periods import Month


@dataclass(frozen=True, slots=True)
class WindowChange:
    """An operator's word on where the window begins; `first_month` None: it rolls on, as if nobody
    had ever set it."""

    first_month: Month | None
    reason: str
    set_by: str
    set_at: datetime.datetime


class HotWindow:
    """The table `reporting.window_changes`, of which the newest row holds; rows are only added."""

    def __init__(self, url: str) -> None:
        self._url = url

    def set(self, first_month: Month | None, *, reason: str, set_by: str) -> None:
        """Let the window begin with this month, or roll on if None.

        Raises:
            ValueError: there is no reason.
        """
        if not reason.strip():
            raise ValueError("the window is not changed without a reason")
        with psycopg.connect(self._url) as connection:
            connection.execute(
                """
                insert into reporting.window_changes (first_month, reason, set_by)
                values (%s, %s, %s)
                """,
                [first_month and first_month.start, reason.strip(), set_by],
            )

    def first_month(self) -> Month | None:
        """The month with which the window begins; None if it rolls on."""
        changes = self._changes(newest=1)
        return changes[0].first_month if changes else None

    def changes(self) -> list[WindowChange]:
        """All that was ever set, newest first."""
        return self._changes(newest=None)

    def _changes(self, *, newest: int | None) -> list[WindowChange]:
        with psycopg.connect(self._url) as connection:
            rows = connection.execute(
                """
                select first_month, reason, set_by, set_at from reporting.window_changes
                order by change_no desc limit %s
                """,
                [newest],
            )
            return [WindowChange(first and Month.of(first), *rest) for first, *rest in rows]
