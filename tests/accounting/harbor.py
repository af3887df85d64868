"""Harbor Tours Inc.: founded on 1 October 2025, so that its first year has six months, with a loss.

Its year ends in March, its currency is the US dollar: amounts are in cents.
"""

from __future__ import annotations

from dataclasses import replace

from reports_pipeline.accounting.accounts import AccountClass as Class
from reports_pipeline.accounting.charts import Account, default_chart
from reports_pipeline.accounting.journal import EntryKind
from reports_pipeline.accounting.periods import Month
from tests.accounting.calendars import years_from
from tests.accounting.extracts import company
from tests.accounting.worksheets import Journal, Worksheet

ACCOUNTS = (
    *default_chart("en"),
    Account("7541", "Amortization of organization costs", Class.AMORTIZATION_OF_DEFERRED_ASSETS),
)
_entry = Journal(ACCOUNTS).entry

_TRANSACTIONS = (
    _entry("2025-10-01", {"Ordinary deposits": 20_000_00}, {"Capital stock": 20_000_00}),
    _entry("2025-10-01", {"Organization costs": 900_00}, {"Ordinary deposits": 900_00}),
    _entry("2025-10-05", {"Vehicles": 12_000_00}, {"Ordinary deposits": 12_000_00}),
    # A year of insurance from 1 December.
    _entry("2025-12-01", {"Insurance": 480_00}, {"Ordinary deposits": 480_00}),
    # A loan at 6% a year, to be paid back after one year.
    _entry("2026-01-01", {"Ordinary deposits": 5_000_00}, {"Short-term borrowings": 5_000_00}),
    _entry(
        "2026-02-27",
        {"Salaries and allowances": 10_400_00, "Vehicle expenses": 1_234_56},
        {"Ordinary deposits": 11_634_56},
    ),
    _entry(
        "2026-03-20",
        {"Ordinary deposits": 6_480_50, "Accounts receivable": 3_000_00},
        {"Service revenue": 9_480_50},
    ),
)

_TRIAL_BALANCE = (
    {
        "Ordinary deposits": 6_465_94,
        "Accounts receivable": 3_000_00,
        "Vehicles": 12_000_00,
        "Organization costs": 900_00,
        "Salaries and allowances": 10_400_00,
        "Insurance": 480_00,
        "Vehicle expenses": 1_234_56,
    },  # 34,480.50
    {
        "Short-term borrowings": 5_000_00,
        "Capital stock": 20_000_00,
        "Service revenue": 9_480_50,
    },  # 34,480.50
)

_ADJUSTMENTS = (
    # 1. The allowance is 3% of receivables: 3,000.00 x 3% = 90.00.
    _entry(
        "2026-03-31",
        {"Provision for doubtful accounts": 90_00},
        {"Allowance for doubtful accounts": 90_00},
    ),
    # 2. The vehicle, straight-line over 5 years, used for six months: 12,000.00 / 5 x 6/12.
    _entry("2026-03-31", {"Depreciation": 1_200_00}, {"Accumulated depreciation": 1_200_00}),
    # 3. 創立費 over 5 years, six months of them: 900.00 / 5 x 6/12 = 90.00.
    _entry(
        "2026-03-31",
        {"Amortization of organization costs": 90_00},
        {"Organization costs": 90_00},
    ),
    # 4. Insurance of April to November is next year's: 480.00 x 8/12 = 320.00.
    _entry("2026-03-31", {"Prepaid expenses": 320_00}, {"Insurance": 320_00}),
    # 5. Interest of January to March: 5,000.00 x 6% x 3/12 = 75.00.
    _entry("2026-03-31", {"Interest expenses": 75_00}, {"Accrued expenses": 75_00}),
    # 6. The inhabitant tax that a company without a profit pays too (均等割), six months of it.
    _entry(
        "2026-03-31",
        {"Corporate, inhabitant and enterprise taxes": 175_00},
        {"Income taxes payable": 175_00},
    ),
)

_CLOSING = _entry(
    "2026-03-31",
    {"Service revenue": 9_480_50, "Retained earnings brought forward": 3_944_06},
    {
        "Salaries and allowances": 10_400_00,
        "Insurance": 160_00,
        "Vehicle expenses": 1_234_56,
        "Depreciation": 1_200_00,
        "Provision for doubtful accounts": 90_00,
        "Interest expenses": 75_00,
        "Amortization of organization costs": 90_00,
        "Corporate, inhabitant and enterprise taxes": 175_00,
    },
    EntryKind.CLOSING,
)

HARBOR = Worksheet(
    company=replace(
        company("harbor", calendar=years_from("2025-10", "2026-04")),
        name="Harbor Tours Inc.",
        language="en",
        currency="USD",
        consumption_tax_basis="none",
    ),
    accounts=ACCOUNTS,
    last_month=Month(2026, 3),
    transactions=_TRANSACTIONS,
    trial_balance=_TRIAL_BALANCE,
    adjustments=_ADJUSTMENTS,
    closing=_CLOSING,
)
