"""株式会社さくら商店: a worked example, small enough to check by hand.

Its fiscal year starts in April. It moved its books here on 1 April 2025, made a profit of 300,000
in that year and closed it; the tests look at April and May 2026.
"""

from __future__ import annotations

import datetime
import itertools
from dataclasses import replace

from reports_pipeline.accounting.charts import default_chart
from reports_pipeline.accounting.journal import EntryKind, JournalEntry, JournalLine
from reports_pipeline.accounting.periods import Month
from reports_pipeline.accounting.reports import Claim
from tests.accounting.calendars import Calendar
from tests.accounting.extracts import Bookkeeping, company

APRIL, MAY = Month(2026, 4), Month(2026, 5)

CASH, DEPOSITS, RECEIVABLES, INPUT_TAX = "1110", "1120", "1210", "1460"
EQUIPMENT, ACCUMULATED_DEPRECIATION = "1550", "1590"
WITHHELD_TAX, OUTPUT_TAX, LOAN = "2341", "2360", "2510"
CAPITAL, BROUGHT_FORWARD = "3110", "3230"
SALES, SALES_ALLOWANCES = "4110", "4190"
SALARIES, RENT, DEPRECIATION = "6120", "6310", "6430"

_ids = itertools.count(1)


def entry(day: str, amounts: dict[str, int], kind: EntryKind = EntryKind.NORMAL) -> JournalEntry:
    """An entry of one line an account, debits positive."""
    return JournalEntry(
        posted_on=datetime.date.fromisoformat(day),
        entry_id=next(_ids),
        memo="",
        lines=tuple(JournalLine(code, amount) for code, amount in amounts.items()),
        kind=kind,
    )


LAST_YEAR = [
    entry("2025-04-01", {CASH: 200_000, DEPOSITS: 800_000, CAPITAL: -1_000_000}, EntryKind.OPENING),
    entry("2025-12-10", {DEPOSITS: 500_000, SALES: -500_000}),
    entry("2026-03-31", {RENT: 200_000, CASH: -200_000}),
]
CLOSING_OF_LAST_YEAR = [
    entry(
        "2026-03-31", {SALES: 500_000, RENT: -200_000, BROUGHT_FORWARD: -300_000}, EntryKind.CLOSING
    ),
]
THIS_YEAR = [
    entry("2026-04-01", {DEPOSITS: 2_000_000, LOAN: -2_000_000}),
    entry("2026-04-05", {EQUIPMENT: 600_000, INPUT_TAX: 60_000, DEPOSITS: -660_000}),
    entry("2026-04-20", {RECEIVABLES: 1_100_000, SALES: -1_000_000, OUTPUT_TAX: -100_000}),
    entry("2026-04-30", {DEPRECIATION: 10_000, ACCUMULATED_DEPRECIATION: -10_000}),
    entry("2026-05-10", {SALES_ALLOWANCES: 50_000, OUTPUT_TAX: 5_000, RECEIVABLES: -55_000}),
    entry("2026-05-15", {DEPOSITS: 1_045_000, RECEIVABLES: -1_045_000}),
    entry("2026-05-25", {SALARIES: 300_000, WITHHELD_TAX: -8_000, DEPOSITS: -292_000}),
    # Cash drawn from the bank is no flow.
    entry("2026-05-26", {CASH: 30_000, DEPOSITS: -30_000}),
    entry("2026-05-31", {DEPRECIATION: 10_000, ACCUMULATED_DEPRECIATION: -10_000}),
]
SAKURA = Bookkeeping(
    company=company(fiscal_year_start_month=4),
    accounts=default_chart("ja"),
    entries=[*LAST_YEAR, *CLOSING_OF_LAST_YEAR, *THIS_YEAR],
    claims=[
        Claim(
            claim_id="c1",
            incurred_on="2026-05-07",
            employee="山田花子",
            category="旅費交通費",
            payee="東海旅客鉄道",
            description="大阪出張\n新幹線",
            amount=29_040,
            consumption_tax=2_640,
            status="approved",
        )
    ],
)


def posting(
    *entries: JournalEntry, start_month: int = 4, calendar: Calendar | None = None
) -> Bookkeeping:
    """A company that posted nothing but these."""
    return replace(
        SAKURA,
        company=company(fiscal_year_start_month=start_month, calendar=calendar),
        entries=list(entries),
    )
