"""Hypothesis strategies: companies that post anything balanced, in any month."""

from __future__ import annotations

import datetime

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
from tests.accounting.extracts import Bookkeeping, company

# One account a class, and two of those whose order and sums matter most.
CHART = tuple(
    Account(f"{number:02d}{suffix}", f"{account_class}{suffix}", account_class)
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
# Entries of more than two and a half years reach over three fiscal years.
_MONTHS_BACK = 30

months = st.builds(Month, year=st.integers(2020, 2030), month=st.integers(1, 12))


@st.composite
def entries(draw: st.DrawFn, month: Month) -> JournalEntry:
    amounts = draw(st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=3))
    codes = st.sampled_from([account.account_code for account in CHART])
    first = draw(st.sampled_from(_CASH) | codes)
    lines = [JournalLine(first, -sum(amounts))]
    lines += [JournalLine(draw(codes), amount) for amount in amounts]
    posted_in = month.plus(-draw(st.integers(-1, _MONTHS_BACK)))
    return JournalEntry(
        posted_on=posted_in.start + datetime.timedelta(days=draw(st.integers(0, 27))),
        entry_id=draw(st.integers(1, 10**6)),
        memo="",
        lines=tuple(lines),
        kind=draw(st.sampled_from([*[EntryKind.NORMAL] * 4, EntryKind.OPENING, EntryKind.CLOSING])),
        status=draw(st.sampled_from([*[EntryStatus.POSTED] * 5, EntryStatus.CANCELLED])),
    )


@st.composite
def bookkeepings(draw: st.DrawFn, month: Month, tenant_id: str) -> Bookkeeping:
    return Bookkeeping(
        company=company(tenant_id, draw(st.integers(1, 12))),
        accounts=CHART,
        entries=tuple(draw(st.lists(entries(month), max_size=12))),
    )


@st.composite
def batches(draw: st.DrawFn) -> tuple[Month, list[Bookkeeping]]:
    """A month and the books of up to three companies."""
    month = draw(months)
    count = draw(st.integers(1, 3))
    return month, [draw(bookkeepings(month, f"tenant{number}")) for number in range(count)]
