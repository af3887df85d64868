"""Bugs that other accounting programs had, each as what must hold here.

A docstring names the tracker and the number, and what went wrong there. What the ledger's database
refuses or finds (stale snapshots, lines with two sides, foreign currencies) is in tests/bad_input.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest
from openpyxl import load_workbook

from reports_pipeline.accounting.accounts import AccountClass, Side
from reports_pipeline.accounting.charts import Account
from reports_pipeline.accounting.controls import check_identities, identity_failures
from reports_pipeline.accounting.journal import EntryKind
from reports_pipeline.accounting.money import to_minor_units
from reports_pipeline.accounting.periods import Month
from reports_pipeline.accounting.reports import StatementKind, TenantReports
from reports_pipeline.accounting.statements import build_statements
from reports_pipeline.documents.bundle import render_workbooks
from reports_pipeline.documents.content.contents import pdf_reports
from reports_pipeline.documents.formats import format_amount
from reports_pipeline.documents.tables import ColumnChart, Report
from tests.accounting.calendars import years_from
from tests.accounting.extracts import Bookkeeping, company, extract_of
from tests.accounting.printing import account_of, line_of, lines, reports_of, statement
from tests.accounting.sakura import (
    ACCUMULATED_DEPRECIATION,
    APRIL,
    BROUGHT_FORWARD,
    CAPITAL,
    CASH,
    DEPOSITS,
    EQUIPMENT,
    LAST_YEAR,
    LOAN,
    MAY,
    RECEIVABLES,
    RENT,
    SAKURA,
    SALES,
    SALES_ALLOWANCES,
    THIS_YEAR,
    entry,
    posting,
)
from tests.accounting.shop import FIRST_SALE, SALES_OF, SHOP, sales

INCOME_STATEMENT, BALANCE_SHEET = StatementKind.INCOME_STATEMENT, StatementKind.BALANCE_SHEET
EXPENSE_ANALYSIS, CASH_FLOW = StatementKind.EXPENSE_ANALYSIS, StatementKind.CASH_FLOW
INDIRECT_CASH_FLOW = StatementKind.INDIRECT_CASH_FLOW

UNCLOSED = replace(SAKURA, entries=[*LAST_YEAR, *THIS_YEAR])


def printed_reports(reports: TenantReports) -> dict[str, Report]:
    """The reports of all statements, by their names."""
    light = replace(reports, company=replace(reports.company, plan="light"))
    return {report.name: report for parts in pdf_reports(light) for report in parts}


def identities_hold(books: Bookkeeping, month: Month) -> bool:
    extract = extract_of(month, [books])
    return identity_failures(check_identities(extract, build_statements(extract))) == []


@pytest.mark.parametrize("books", [SAKURA, UNCLOSED], ids=["closed", "unclosed"])
def test_opening_balances_are_the_sums_of_all_entries_before_the_year(books: Bookkeeping) -> None:
    """erpnext 52870: after the period closing every asset and liability opened with 0."""
    openings = {
        line.key: line.opening
        for line in statement(books, MAY, BALANCE_SHEET).lines
        if line.opening
    }
    assert openings == {
        f"account:{DEPOSITS}": 1_300_000,
        "total_current_assets": 1_300_000,
        "total_assets": 1_300_000,
        f"account:{CAPITAL}": 1_000_000,
        "retained_earnings_brought_forward": 300_000,
        "total_retained_earnings": 300_000,
        "total_shareholders_equity": 1_300_000,
        "total_net_assets": 1_300_000,
        "total_liabilities_and_net_assets": 1_300_000,
    }


def test_a_back_dated_entry_changes_every_balance_after_it() -> None:
    """erpnext 36112: opening balances came from a store that later entries did not reach."""
    back_dated = entry("2026-02-03", {RENT: 7_000, DEPOSITS: -7_000})
    late = replace(SAKURA, entries=[*SAKURA.entries, back_dated])
    sheet = statement(late, MAY, BALANCE_SHEET)
    assert lines(sheet, ["current", "prior", "opening"])[2:5] == [
        "    現金 30,000 0 0",
        "    普通預金 3,356,000 2,633,000 1,293,000",
        "    売掛金 0 1,100,000 0",
    ]
    brought_forward = line_of(sheet, "retained_earnings_brought_forward")
    assert (brought_forward.prior, brought_forward.opening) == (293_000, 293_000)
    assert line_of(statement(late, MAY, CASH_FLOW), "opening_cash").current == 2_633_000
    assert line_of(statement(late, APRIL, CASH_FLOW), "opening_cash").current == 1_293_000


def test_a_back_dated_entry_of_last_year_changes_the_same_month_last_year() -> None:
    """erpnext 36112 once more: the column of last year is no copy of what was shown then."""
    back_dated = entry("2025-05-20", {RENT: 7_000, DEPOSITS: -7_000})
    late = replace(SAKURA, entries=[*SAKURA.entries, back_dated])
    [reports] = reports_of(extract_of(MAY, [late]))
    assert account_of(reports.statement(BALANCE_SHEET), DEPOSITS).prior_year == 793_000
    assert account_of(reports.statement(INCOME_STATEMENT), RENT).prior_year == 7_000
    assert line_of(reports.statement(INDIRECT_CASH_FLOW), "closing_cash").prior_year == 993_000


def test_an_opening_entry_counts_whatever_its_date_in_the_year() -> None:
    """erpnext 52616: an opening entry dated within the reported year was left out, and came back
    when it was dated in the year before."""
    opening = {CASH: 700, RECEIVABLES: 200, LOAN: -500, CAPITAL: -400}
    sale = entry("2026-05-20", {CASH: 50, SALES: -50})
    sheets = [
        statement(posting(entry(day, opening, EntryKind.OPENING), sale), MAY, BALANCE_SHEET)
        for day in ("2026-03-31", "2026-04-01", "2026-04-30", "2026-05-01", "2026-05-31")
    ]
    assert lines(sheets[0], ["current", "opening"]) == [
        "assets",
        "  current_assets",
        "    現金 750 700",
        "    売掛金 200 200",
        "  total_current_assets 950 900",
        "total_assets 950 900",
        "liabilities",
        "  current_liabilities",
        "  total_current_liabilities 0 0",
        "  noncurrent_liabilities",
        "    長期借入金 500 500",
        "  total_noncurrent_liabilities 500 500",
        "total_liabilities 500 500",
        "net_assets",
        "  shareholders_equity",
        "    資本金 400 400",
        "    retained_earnings",
        "      retained_earnings_brought_forward 0 0",
        "      net_profit_for_year 50 0",
        "    total_retained_earnings 50 0",
        "  total_shareholders_equity 450 400",
        "total_net_assets 450 400",
        "total_liabilities_and_net_assets 950 900",
    ]
    for sheet in sheets[1:]:
        assert lines(sheet, ["current", "opening"]) == lines(sheets[0], ["current", "opening"])


def test_profit_does_not_depend_on_how_many_sections_a_side_has() -> None:
    """erpnext 29601: with several roots of one type (provisions beside liabilities) only the first
    was counted, and the rest appeared as a profit of a year without any."""
    standing = [kind for kind in AccountClass if not kind.section.in_income_statement]
    # Class number n has a balance of 2^n on its section's side, and cash what is left.
    balances = {
        f"{number:02d}": kind.section.side.value * 2**number
        for number, kind in enumerate(standing)
        if kind is not AccountClass.CASH_AND_DEPOSITS
    }
    chart = [Account(f"{number:02d}", kind, kind) for number, kind in enumerate(standing)]
    cash = f"{standing.index(AccountClass.CASH_AND_DEPOSITS):02d}"
    balances[cash] = -sum(balances.values())
    books = replace(posting(entry("2026-02-01", balances)), accounts=chart)

    sheet = statement(books, MAY, BALANCE_SHEET)
    credits = [n for n, kind in enumerate(standing) if kind.section.side is Side.CREDIT]
    assert line_of(sheet, "net_profit_for_year").current == 0
    assert line_of(sheet, "total_liabilities_and_net_assets").current == sum(2**n for n in credits)
    assert line_of(sheet, "total_assets").current == sum(2**n for n in credits)
    assert line_of(sheet, "retained_earnings_brought_forward").current == (
        2 ** standing.index(AccountClass.RETAINED_EARNINGS_BROUGHT_FORWARD)
    )


@pytest.mark.parametrize("closed_years", [(), (2024,), (2025,), (2024, 2025)])
def test_profits_of_earlier_years_are_brought_forward_closed_or_not(
    closed_years: Sequence[int],
) -> None:
    """erpnext 7376: the profit of a year that nobody had closed stood as an unexplained line."""
    years = [
        entry("2024-06-01", {CASH: 10, SALES: -10}),
        entry("2025-06-01", {CASH: 200, SALES: -200}),
        entry("2026-05-01", {CASH: 3_000, SALES: -3_000}),
    ]
    profits = {2024: 10, 2025: 200}
    closings = [
        entry(
            f"{year + 1}-03-31",
            {SALES: profits[year], BROUGHT_FORWARD: -profits[year]},
            EntryKind.CLOSING,
        )
        for year in closed_years
    ]
    books = posting(*years, *closings)
    assert lines(statement(books, MAY, BALANCE_SHEET), ["current", "prior", "opening"])[-8:] == [
        "  shareholders_equity",
        "    retained_earnings",
        "      retained_earnings_brought_forward 210 210 210",
        "      net_profit_for_year 3,000 0 0",
        "    total_retained_earnings 3,210 210 210",
        "  total_shareholders_equity 3,210 210 210",
        "total_net_assets 3,210 210 210",
        "total_liabilities_and_net_assets 3,210 210 210",
    ]
    assert identities_hold(books, MAY)


def test_a_year_that_ends_within_a_month_has_the_first_half_of_its_last_month() -> None:
    """erpnext 6333: with a year that ends on 15 September, what was posted from 1 September to the
    15th was in no statement."""
    books = posting(
        entry("2025-09-15", {CASH: 1, SALES: -1}),
        entry("2025-09-16", {CASH: 20, SALES: -20}),
        entry("2026-08-31", {CASH: 300, SALES: -300}),
        entry("2026-09-01", {CASH: 4_000, SALES: -4_000}),
        entry("2026-09-15", {CASH: 50_000, SALES: -50_000}),
        entry("2026-09-16", {CASH: 600_000, SALES: -600_000}),
        calendar=years_from("2025-10", closing_day=15),
    )
    shown = {}
    for month in (Month(2026, 9), Month(2026, 10)):
        [reports] = reports_of(extract_of(month, [books]))
        sheet = reports.statement(BALANCE_SHEET)
        shown[month.month] = {
            "sales": account_of(reports.statement(INCOME_STATEMENT), SALES).year_to_date,
            "receipts": account_of(reports.statement(CASH_FLOW), SALES).year_to_date,
            "of the year": line_of(sheet, "net_profit_for_year").current,
            "earlier": line_of(sheet, "retained_earnings_brought_forward").current,
            "cash": account_of(sheet, CASH).current,
        }
    last, first = 54_320, 600_000
    assert shown == {
        9: {"sales": last, "receipts": last, "of the year": last, "earlier": 1, "cash": 54_321},
        10: {
            "sales": first,
            "receipts": first,
            "of the year": first,
            "earlier": 54_321,
            "cash": 654_321,
        },
    }


def test_a_year_of_less_than_twelve_months_has_all_statements() -> None:
    """erpnext 22679: a balance sheet of a year from May to December was an error."""
    books = replace(SHOP, company=company(calendar=years_from("2020-05", "2026-01")))
    december = Month(2025, 12)
    [reports] = reports_of(extract_of(december, [books]))
    assert list(printed_reports(reports)) == list(StatementKind)
    for kind in (INCOME_STATEMENT, CASH_FLOW):
        found = account_of(reports.statement(kind), SALES)
        assert found.year_to_date == sales(Month(2025, 5), december)
    for month in (december, december.plus(1)):
        assert identities_hold(books, month)


@pytest.mark.parametrize("start_month", range(1, 13))
def test_the_year_to_date_begins_with_the_companys_own_year(start_month: int) -> None:
    """erpnext 49490: April to March was built in, whatever year the company had."""
    shop = replace(SHOP, company=company(fiscal_year_start_month=start_month))
    # August 2026: years that begin in September or later began in the calendar year before.
    year_start = Month(2026 if start_month <= 8 else 2025, start_month)
    august = Month(2026, 8)
    year_to_date = sales(year_start, august)
    earlier = sales(FIRST_SALE, year_start.plus(-1))
    [reports] = reports_of(extract_of(august, [shop]))
    for kind in (INCOME_STATEMENT, CASH_FLOW):
        assert account_of(reports.statement(kind), SALES).year_to_date == year_to_date
    sheet = reports.statement(BALANCE_SHEET)
    assert line_of(sheet, "net_profit_for_year").current == year_to_date
    assert line_of(sheet, "retained_earnings_brought_forward").current == earlier
    assert line_of(sheet, "total_assets").opening == earlier


@pytest.mark.parametrize(
    ("reported", "start_month", "first_of_year"),
    [
        # As texts, "9" comes after "10", "99-00" after "00-01", and "2026" after "10000".
        ("2026-10", 9, "2026-09"),
        ("2026-09", 10, "2025-10"),
        ("2000-01", 10, "1999-10"),
        ("2000-12", 12, "2000-12"),
        ("2001-01", 12, "2000-12"),
    ],
)
def test_months_and_years_are_compared_as_numbers(
    reported: str, start_month: int, first_of_year: str
) -> None:
    """erpnext 48359: fiscal years were compared by their names, so 2027-2028 began before 26-27."""
    month, first = Month.parse(reported), Month.parse(first_of_year)
    books = posting(
        entry(f"{first.plus(-1)}-28", {CASH: 1, SALES: -1}),
        entry(f"{first}-01", {CASH: 20, SALES: -20}),
        entry(f"{month}-28", {CASH: 300, SALES: -300}),
        start_month=start_month,
    )
    assert first.plus(-1) < first <= month
    income_statement = statement(books, month, INCOME_STATEMENT)
    assert account_of(income_statement, SALES).year_to_date == 320
    sheet = statement(books, month, BALANCE_SHEET)
    assert line_of(sheet, "retained_earnings_brought_forward").current == 1


@pytest.mark.parametrize("number", range(12))
def test_charts_have_all_twelve_months(number: int) -> None:
    """erpnext 52690: the chart of a year began with its third month."""
    month = Month(2026, 1).plus(number)
    twelve = tuple(SALES_OF[month.plus(-11 + back)] for back in range(12))
    [reports] = reports_of(extract_of(month, [SHOP]))
    assert account_of(reports.statement(INCOME_STATEMENT), SALES).trend == twelve
    for kind in (INCOME_STATEMENT, CASH_FLOW):
        charts = printed_reports(reports)[kind].charts
        [chart] = [chart for chart in charts if isinstance(chart, ColumnChart)]
        assert chart.stacks[0].values == twelve
        assert chart.labels == tuple(f"{month.plus(back).month}月" for back in range(-11, 1))


def test_a_company_without_any_expense_has_all_statements() -> None:
    """erpnext 9267: there was no cash-flow statement without an expense."""
    books = posting(entry("2026-05-01", {CASH: 500, CAPITAL: -500}))
    assert lines(statement(books, MAY, CASH_FLOW), ["current"]) == [
        "opening_cash 0",
        "inflows",
        "  資本金 500",
        "total_inflows 500",
        "outflows",
        "total_outflows 0",
        "net_cash_change 500",
        "closing_cash 500",
    ]
    assert lines(statement(books, MAY, EXPENSE_ANALYSIS), ["current"]) == ["total_expenses 0"]
    assert lines(statement(books, MAY, INCOME_STATEMENT), ["current"])[-1] == "net_profit 0"
    [reports] = reports_of(extract_of(MAY, [books]))
    assert list(printed_reports(reports)) == list(StatementKind)
    assert identities_hold(books, MAY)


def test_an_account_with_debits_and_credits_shows_their_difference() -> None:
    """erpnext 27316: a row with a debit and a credit lost one of them."""
    books = posting(
        entry("2026-05-01", {RECEIVABLES: 900, SALES: -900}),
        entry("2026-05-10", {CASH: 600, RECEIVABLES: -600}),
        entry("2026-05-11", {RECEIVABLES: 40, CASH: -40}),
        entry("2026-05-12", {SALES: 100, RECEIVABLES: -100}),
    )
    [row] = (
        extract_of(MAY, [books]).movements.query("account_code == @RECEIVABLES").to_dict("records")
    )
    assert (row["debit"], row["credit"]) == (940, 700)
    assert account_of(statement(books, MAY, BALANCE_SHEET), RECEIVABLES).current == 240
    assert account_of(statement(books, MAY, INCOME_STATEMENT), SALES).current == 800
    cash_flow = statement(books, MAY, CASH_FLOW)
    assert line_of(cash_flow, "total_inflows").current == 600
    assert line_of(cash_flow, "total_outflows").current == 40


def test_no_amount_is_shown_under_another_currency() -> None:
    """erpnext 27772: the same figures stood under every currency that was chosen."""
    entries = [entry("2026-05-01", {CASH: 123_456, SALES: -123_456})]
    yen = replace(SAKURA, entries=entries)
    dollars = replace(yen, company=replace(company("us"), currency="USD", language="en"))
    shown = {}
    for reports in reports_of(extract_of(MAY, [yen, dollars])):
        unit = printed_reports(reports)[INCOME_STATEMENT].facts[0]
        workbook, *_ = render_workbooks(reports, reference="")
        sheet = load_workbook(io.BytesIO(workbook.content), data_only=True).worksheets[0]
        [shown[unit]] = [row[1] for row in sheet.values if row[0] == "売上高" and row[1]]
    assert shown == {"単位：円": 123_456, "Amounts in US dollars": 1_234.56}


@pytest.mark.parametrize(
    ("currency", "exponent", "smallest", "printed"),
    [("JPY", 0, "1", "1,000"), ("USD", 2, "0.01", "10.00"), ("KWD", 3, "0.001", "1.000")],
)
def test_no_decimals_is_a_number_of_decimals_too(
    currency: str, exponent: int, smallest: str, printed: str
) -> None:
    """erpnext 58395: 0 decimals were taken for "not set", and yen were printed with two."""
    assert to_minor_units(Decimal(smallest), currency) == 1
    assert format_amount(1_000, exponent) == printed
    with pytest.raises(ValueError, match="more decimals"):
        to_minor_units(Decimal(smallest) / 10, currency)


@pytest.mark.parametrize("month", [Month(2026, 4), Month(2026, 5), Month(2026, 12)], ids=str)
@pytest.mark.parametrize("kind", [INCOME_STATEMENT, CASH_FLOW])
def test_flows_hold_nothing_from_outside_their_period(kind: StatementKind, month: Month) -> None:
    """hledger 514: income statement and cash flow held all that came before their period."""
    line = account_of(statement(SHOP, month, kind), SALES)
    assert (line.current, line.prior) == (SALES_OF[month], SALES_OF[month.plus(-1)])
    assert line.year_to_date == sales(Month(2026, 4), month)


def test_a_balance_without_a_recent_movement_stays_on_the_balance_sheet() -> None:
    """hledger 1335: with a start date, the balance sheet took its accounts by the wrong entries."""
    books = posting(
        entry("2015-07-01", {DEPOSITS: 50_000, CAPITAL: -50_000}),
        entry("2020-03-01", {RENT: 5_000, DEPOSITS: -5_000}),
        entry("2026-05-25", {CASH: 30_000, SALES: -30_000}),
    )
    sheet = statement(books, MAY, BALANCE_SHEET)
    shown = [line for line in lines(sheet, ["current", "opening"]) if line.startswith("    ")]
    assert shown == [
        "    現金 30,000 0",
        "    普通預金 45,000 45,000",
        "    資本金 50,000 50,000",
        "    retained_earnings",
        "      retained_earnings_brought_forward -5,000 -5,000",
        "      net_profit_for_year 30,000 0",
        "    total_retained_earnings 25,000 -5,000",
    ]


@pytest.mark.parametrize("start_month", [1, 4, 10])
def test_the_years_profit_is_the_income_statements_in_any_month(start_month: int) -> None:
    """odoo 18010: a balance sheet of a past date had the profit since this year's January."""
    shop = replace(SHOP, company=company(fiscal_year_start_month=start_month))
    shown = []
    for month in list(SALES_OF)[:24]:
        [reports] = reports_of(extract_of(month, [shop]))
        of_year = line_of(reports.statement(BALANCE_SHEET), "net_profit_for_year")
        net_profit = line_of(reports.statement(INCOME_STATEMENT), "net_profit")
        assert of_year.current == net_profit.year_to_date
        shown.append(of_year)
    for earlier, later in pairwise(shown):
        assert later.prior == earlier.current
    assert shown[-1].trend == tuple(line.current for line in shown[-12:])


@pytest.mark.parametrize("account_class", AccountClass)
def test_every_class_of_account_reaches_the_totals(account_class: AccountClass) -> None:
    """bigcapital 1417: the operating section was in no total, so cash never changed."""
    if account_class is AccountClass.CASH_AND_DEPOSITS:
        counterpart = AccountClass.CAPITAL_STOCK
    else:
        counterpart = account_class
    chart = [
        Account("cash", "現金", AccountClass.CASH_AND_DEPOSITS),
        Account("other", "相手", counterpart),
    ]
    books = replace(posting(entry("2026-05-01", {"cash": 1_000, "other": -1_000})), accounts=chart)

    [reports] = reports_of(extract_of(MAY, [books]))
    for key in ("total_inflows", "net_cash_change", "closing_cash"):
        assert line_of(reports.statement(CASH_FLOW), key).current == 1_000
    indirect = reports.statement(INDIRECT_CASH_FLOW)
    activities = [
        line_of(indirect, f"total_{activities}_activities").current
        for activities in ("operating", "investing", "financing")
    ]
    assert sorted(activities, key=lambda amount: amount or 0) == [0, 0, 1_000]
    for key in ("net_cash_change", "closing_cash"):
        assert line_of(indirect, key).current == 1_000

    section = counterpart.section
    is_profit = section.in_income_statement
    net_profit = line_of(reports.statement(INCOME_STATEMENT), "net_profit")
    assert net_profit.current == (1_000 if is_profit else 0)
    sheet = reports.statement(BALANCE_SHEET)
    # What came in from an asset changed assets among themselves.
    assets = 1_000 if is_profit or section.side is Side.CREDIT else 0
    assert line_of(sheet, "total_assets").current == assets
    assert line_of(sheet, "total_liabilities_and_net_assets").current == assets


@pytest.mark.parametrize(
    ("entries", "kind", "shown"),
    [
        pytest.param(
            [
                {EQUIPMENT: 600_000, CAPITAL: -600_000},
                {"6430": 90_000, ACCUMULATED_DEPRECIATION: -90_000},
            ],
            BALANCE_SHEET,
            [
                "    property_plant_equipment",
                "      工具、器具及び備品 600,000",
                "      減価償却累計額 -90,000",
                "    total_property_plant_equipment 510,000",
                "  total_noncurrent_assets 510,000",
                "total_assets 510,000",
            ],
            id="accumulated depreciation",
        ),
        pytest.param(
            [{RECEIVABLES: 200_000, SALES: -200_000}, {"6450": 4_000, "1490": -4_000}],
            BALANCE_SHEET,
            [
                "  current_assets",
                "    売掛金 200,000",
                "    貸倒引当金 -4,000",
                "  total_current_assets 196,000",
                "total_assets 196,000",
            ],
            id="allowance for doubtful accounts",
        ),
        pytest.param(
            [{CASH: 500_000, CAPITAL: -500_000}, {"3310": 70_000, CASH: -70_000}],
            BALANCE_SHEET,
            [
                "    自己株式 -70,000",
                "  total_shareholders_equity 430,000",
                "total_net_assets 430,000",
                "total_liabilities_and_net_assets 430,000",
            ],
            id="treasury stock",
        ),
        pytest.param(
            [{CASH: 80_000, SALES: -80_000}, {SALES_ALLOWANCES: 5_000, CASH: -5_000}],
            INCOME_STATEMENT,
            ["net_sales", "  売上高 80,000", "  売上値引及び返品 -5,000", "total_net_sales 75,000"],
            id="sales deductions",
        ),
        pytest.param(
            [{"5120": 60_000, CASH: -60_000}, {CASH: 2_000, "5130": -2_000}],
            INCOME_STATEMENT,
            [
                "cost_of_sales",
                "  仕入高 60,000",
                "  仕入値引及び返品 -2,000",
                "total_cost_of_sales 58,000",
            ],
            id="purchase deductions",
        ),
    ],
)
def test_contra_accounts_are_taken_off_their_section(
    entries: Sequence[dict[str, int]], kind: StatementKind, shown: list[str]
) -> None:
    """OFBIZ-12754: contra accounts stood on the balance sheet as positive amounts."""
    books = posting(*(entry("2026-05-10", amounts) for amounts in entries))
    printed = lines(statement(books, MAY, kind), ["current"])
    first = printed.index(shown[0])
    assert printed[first : first + len(shown)] == shown
    assert format_amount(-5_000, 0) == "△5,000"
