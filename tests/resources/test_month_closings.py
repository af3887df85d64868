"""A month is closed after it is over and after those before it, and whoever opens it says why."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from zoneinfo import ZoneInfo

import psycopg
import pytest

from reports_pipeline.accounting.periods import Month
from resources.month_closings import (
    BeforeBooks,
    ClosedBefore,
    EarlierOpen,
    MonthClosings,
    NotOver,
    Obstacle,
)
from resources.tenants import UnknownTenantsError

AUGUST, SEPTEMBER, OCTOBER = Month(2026, 8), Month(2026, 9), Month(2026, 10)
TOKYO = ZoneInfo("Asia/Tokyo")
NOVEMBER_2 = datetime.datetime(2026, 11, 2, 9, tzinfo=TOKYO)


@pytest.fixture
def closings(database_url: str) -> MonthClosings:
    """Two companies without entries: one closes at the end of the month, one on the 20th."""
    with psycopg.connect(database_url) as connection:
        connection.execute(
            """
            insert into ledger.companies (tenant_id, name, time_zone, closing_day) values
                ('sakura', 'さくら商店', 'Asia/Tokyo', 31), ('ume', '梅', 'Asia/Tokyo', 20),
                ('hawaii', 'Hawaii', 'Pacific/Honolulu', 31)
            """
        )
    return MonthClosings(database_url)


def post(url: str, tenant_id: str, posted_on: str) -> None:
    """An entry, whose lines nobody asks for here."""
    with psycopg.connect(url) as connection:
        connection.execute("select ledger.ensure_month_partitions(%s, %s)", [posted_on, posted_on])
        connection.execute(
            "insert into ledger.journal_entries (tenant_id, posted_on, entry_id, currency)"
            " values (%s, %s, 1, 'JPY')",
            [tenant_id, posted_on],
        )


def close(
    closings: MonthClosings,
    month: Month = OCTOBER,
    tenant_ids: Sequence[str] = ("sakura",),
    *,
    now: datetime.datetime = NOVEMBER_2,
    force: bool = False,
) -> dict[str, Obstacle]:
    return closings.close(month, tenant_ids, closed_by="sato", now=now, force=force)


def test_who_closed_a_month_is_remembered(closings: MonthClosings) -> None:
    assert close(closings) == {}
    history = closings.history(OCTOBER, ["sakura", "ume"])
    [closing] = history.pop("sakura")
    assert (closing.closed_by, closing.stands) == ("sato", True)
    assert history == {}


def test_a_closed_month_is_closed_once(closings: MonthClosings) -> None:
    close(closings)
    [closing] = closings.history(OCTOBER, ["sakura"])["sakura"]
    assert close(closings) == {"sakura": ClosedBefore(closing)}
    assert closings.history(OCTOBER, ["sakura"]) == {"sakura": (closing,)}


@pytest.mark.parametrize(
    ("tenant_id", "over_at"),
    [
        ("sakura", datetime.datetime(2026, 11, 1, tzinfo=TOKYO)),
        ("ume", datetime.datetime(2026, 10, 21, tzinfo=TOKYO)),
        ("hawaii", datetime.datetime(2026, 11, 1, tzinfo=ZoneInfo("Pacific/Honolulu"))),
    ],
)
def test_a_month_is_over_by_the_tenants_own_calendar_and_clock(
    closings: MonthClosings, tenant_id: str, over_at: datetime.datetime
) -> None:
    just_before = over_at - datetime.timedelta(seconds=1)
    assert close(closings, tenant_ids=[tenant_id], now=just_before) == {
        tenant_id: NotOver(over_at.date())
    }
    assert closings.history(OCTOBER, [tenant_id]) == {}
    assert close(closings, tenant_ids=[tenant_id], now=over_at) == {}


def test_months_are_closed_in_their_order(closings: MonthClosings, database_url: str) -> None:
    post(database_url, "sakura", "2026-08-15")
    assert close(closings) == {"sakura": EarlierOpen((AUGUST, SEPTEMBER))}
    assert close(closings, AUGUST) == {}
    assert close(closings) == {"sakura": EarlierOpen((SEPTEMBER,))}
    assert close(closings, SEPTEMBER) == {}
    assert close(closings) == {}


def test_an_earlier_month_may_be_left_open_on_purpose(
    closings: MonthClosings, database_url: str
) -> None:
    post(database_url, "sakura", "2026-08-15")
    assert close(closings, force=True) == {}
    assert close(closings, SEPTEMBER) == {"sakura": EarlierOpen((AUGUST,))}


def test_the_first_month_is_the_one_that_the_first_entry_is_in(
    closings: MonthClosings, database_url: str
) -> None:
    """With books that close on the 20th, 21 September belongs to October."""
    post(database_url, "ume", "2026-09-21")
    assert close(closings, tenant_ids=["ume"]) == {}


def test_books_have_no_month_before_their_first_entry(
    closings: MonthClosings, database_url: str
) -> None:
    """But a company that has none may say so of any month."""
    post(database_url, "ume", "2026-09-21")
    assert close(closings, SEPTEMBER, ["sakura", "ume"]) == {"ume": BeforeBooks(OCTOBER)}
    assert list(closings.history(SEPTEMBER, ["sakura", "ume"])) == ["sakura"]
    assert close(closings, SEPTEMBER, ["ume"], force=True) == {}


def test_no_force_closes_a_month_that_is_not_over(closings: MonthClosings) -> None:
    now = datetime.datetime(2026, 10, 31, 23, tzinfo=TOKYO)
    assert close(closings, now=now, force=True) == {"sakura": NotOver(OCTOBER.end)}


def test_a_month_that_was_opened_again_counts_as_open(
    closings: MonthClosings, database_url: str
) -> None:
    post(database_url, "sakura", "2026-09-15")
    close(closings, SEPTEMBER)
    closings.reopen(SEPTEMBER, ["sakura"], reopened_by="suzuki", reason="請求書の計上漏れ")
    assert close(closings) == {"sakura": EarlierOpen((SEPTEMBER,))}


def test_what_keeps_one_tenant_open_keeps_no_other(
    closings: MonthClosings, database_url: str
) -> None:
    post(database_url, "sakura", "2026-09-15")
    assert list(close(closings, tenant_ids=["sakura", "ume"])) == ["sakura"]
    assert list(closings.history(OCTOBER, ["sakura", "ume"])) == ["ume"]


def test_reopening_keeps_who_when_and_why(closings: MonthClosings) -> None:
    close(closings)
    assert (
        closings.reopen(OCTOBER, ["sakura"], reopened_by="suzuki", reason=" 請求書の計上漏れ ")
        == []
    )
    close(closings)
    first, second = closings.history(OCTOBER, ["sakura"])["sakura"]
    assert (first.closed_by, first.reopened_by, first.reason) == (
        "sato",
        "suzuki",
        "請求書の計上漏れ",
    )
    assert first.reopened_at is not None
    assert first.closed_at < first.reopened_at < second.closed_at
    assert (first.stands, second.stands) == (False, True)


def test_what_is_not_closed_is_not_reopened(closings: MonthClosings) -> None:
    close(closings)
    not_closed = closings.reopen(OCTOBER, ["sakura", "ume"], reopened_by="suzuki", reason="漏れ")
    assert not_closed == ["ume"]
    assert closings.reopen(OCTOBER, ["sakura"], reopened_by="suzuki", reason="漏れ") == ["sakura"]


@pytest.mark.parametrize("reason", ["", " \n"])
def test_nothing_is_reopened_without_a_reason(closings: MonthClosings, reason: str) -> None:
    close(closings)
    with pytest.raises(ValueError, match="reason"):
        closings.reopen(OCTOBER, ["sakura"], reopened_by="suzuki", reason=reason)
    assert closings.history(OCTOBER, ["sakura"])["sakura"][0].stands


def test_closed_months_after_it_are_known(closings: MonthClosings) -> None:
    for month in (AUGUST, SEPTEMBER, OCTOBER):
        close(closings, month)
    closings.reopen(SEPTEMBER, ["sakura"], reopened_by="suzuki", reason="漏れ")
    assert closings.closed_later(AUGUST, ["sakura", "ume"]) == {"sakura": [OCTOBER]}


def test_an_unknown_tenant_changes_nothing(closings: MonthClosings) -> None:
    with pytest.raises(UnknownTenantsError, match="no such tenants: nobody"):
        close(closings, tenant_ids=["sakura", "nobody"])
    assert closings.history(OCTOBER, ["sakura"]) == {}
    with pytest.raises(UnknownTenantsError):
        closings.reopen(OCTOBER, ["nobody"], reopened_by="suzuki", reason="漏れ")
