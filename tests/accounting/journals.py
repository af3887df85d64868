"""Hypothesis strategies: companies that post anything balanced, on any day of any years."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import strategies as st

from reports_pipeline.accounting.accounts import AccountClass
from reports_pipeline.accounting.charts import Account
from reports_pipeline.accounting.journal import (
    EntryKind,
    EntryStatus,
    JournalEntry,
    JournalLine,
)
from reports_pipeline.accounting.periods import Month
from tests.accounting.calendars import MONTH_END, Anchor, Calendar
from tests.accounting.extracts import Bookkeeping, company

# One account a class, and two of those whose order and sums matter most. Codes run across the
# order of classes, so that the one order is never the other.
CHART = tuple(
    Account(f"{number * 37 % 89:02d}{suffix}", f"{account_class}{suffix}", account_class)
    for suffix, classes in {
        "b": tuple(AccountClass),
        "a": (
            AccountClass.CASH_AND_DEPOSITS,
            AccountClass.RETAINED_EARNINGS_BROUGHT_FORWARD,
            AccountClass.NET_SALES,
            AccountClass.SELLING_GENERAL_ADMINISTRATIVE,
        ),
    }.items()
    for number, account_class in enumerate(AccountClass)
    if account_class in classes
)
_CASH = [a.account_code for a in CHART if a.account_class is AccountClass.CASH_AND_DEPOSITS]
# The year of the month a year ago begins up to 23 months back; older entries are brought forward.
_MONTHS_BACK = 36

months = st.builds(Month, year=st.integers(2020, 2030), month=st.integers(1, 12))


@st.composite
def calendars(draw: st.DrawFn, month: Month) -> Calendar:
    """Any years around a month: from any month on, cut short or changed, closed on any day."""
    anchors = st.builds(
        Anchor,
        first_month=st.integers(-_MONTHS_BACK, 14).map(month.plus),
        closing_day=st.sampled_from([MONTH_END, 20]) | st.integers(1, 28),
    )
    drawn = st.lists(
        anchors, min_size=1, max_size=3, unique_by=lambda anchor: anchor.first_month.ordinal
    )
    return Calendar(tuple(draw(drawn)))


@st.composite
def entries(draw: st.DrawFn, month: Month) -> JournalEntry:
    amounts = draw(st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=3))
    codes = st.sampled_from([account.account_code for account in CHART])
    first = draw(st.sampled_from(_CASH) | codes)
    lines = [JournalLine(first, -sum(amounts))]
    lines += [JournalLine(draw(codes), amount) for amount in amounts]
    posted_in = month.plus(-draw(st.integers(-1, _MONTHS_BACK)))
    days_after_the_first = draw(st.sampled_from([0, 19, 20, 27]) | st.integers(0, 30))
    return JournalEntry(
        posted_on=posted_in.start + timedelta(days=days_after_the_first),
        entry_id=draw(st.integers(1, 10**6)),
        memo="",
        lines=tuple(lines),
        kind=draw(st.sampled_from([*[EntryKind.NORMAL] * 4, EntryKind.OPENING, EntryKind.CLOSING])),
        status=draw(st.sampled_from([*[EntryStatus.POSTED] * 5, EntryStatus.CANCELLED])),
    )


@st.composite
def bookkeepings(draw: st.DrawFn, month: Month, tenant_id: str) -> Bookkeeping:
    return Bookkeeping(
        company=company(tenant_id, calendar=draw(calendars(month))),
        accounts=CHART,
        entries=tuple(draw(st.lists(entries(month), max_size=12))),
    )


@st.composite
def batches(draw: st.DrawFn) -> tuple[Month, list[Bookkeeping]]:
    """A month and the books of up to three companies."""
    month = draw(months)
    count = draw(st.integers(1, 3))
    return month, [draw(bookkeepings(month, f"tenant{number}")) for number in range(count)]
