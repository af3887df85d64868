from __future__ import annotations

from dataclasses import replace

from reports_pipeline.accounting.journal import EntryKind
from reports_pipeline.accounting.periods import Month
from reports_pipeline.accounting.reports import StatementKind
from tests.accounting.printing import lines, statement
from tests.accounting.sakura import (
    CAPITAL,
    CASH,
    MAY,
    RECEIVABLES,
    SAKURA,
    SALES,
    entry,
)

COLUMNS = ["current", "prior", "prior_year", "year_to_date"]


def test_may_of_sakura() -> None:
    cash_flow = statement(SAKURA, MAY, StatementKind.CASH_FLOW)
    assert lines(cash_flow, COLUMNS) == [
        "opening_cash 2,640,000 1,300,000 1,000,000 1,300,000",
        "inflows",
        "  売掛金 1,045,000 0 0 1,045,000",
        "  預り金（源泉所得税） 8,000 0 0 8,000",
        "  長期借入金 0 2,000,000 0 2,000,000",
        # Last year's cash sale and rent are in the trend only.
        "  売上高 0 0 0 0",
        "total_inflows 1,053,000 2,000,000 0 3,053,000",
        "outflows",
        "  仮払消費税等 0 60,000 0 60,000",
        "  工具、器具及び備品 0 600,000 0 600,000",
        "  給料手当 300,000 0 0 300,000",
        "  地代家賃 0 0 0 0",
        "total_outflows 300,000 660,000 0 960,000",
        "net_cash_change 753,000 1,340,000 0 2,093,000",
        "closing_cash 3,393,000 2,640,000 1,000,000 3,393,000",
    ]


def test_cash_of_opening_entries_is_opening_cash_and_no_flow() -> None:
    april_2025 = statement(SAKURA, Month(2025, 4), StatementKind.CASH_FLOW)
    assert lines(april_2025, COLUMNS) == [
        "opening_cash 1,000,000 — — 1,000,000",
        "inflows",
        "total_inflows 0 — — 0",
        "outflows",
        "total_outflows 0 — — 0",
        "net_cash_change 0 — — 0",
        "closing_cash 1,000,000 — — 1,000,000",
    ]


def test_opening_entries_in_the_middle_of_a_year_are_in_the_years_opening_cash() -> None:
    entries = [
        entry("2026-04-10", {CASH: 5, SALES: -5}),
        entry("2026-05-01", {CASH: 100, CAPITAL: -100}, EntryKind.OPENING),
    ]
    cash_flow = statement(replace(SAKURA, entries=entries), MAY, StatementKind.CASH_FLOW)
    assert lines(cash_flow, COLUMNS) == [
        "opening_cash 105 0 — 100",
        "inflows",
        "  売上高 0 5 — 5",
        "total_inflows 0 5 — 5",
        "outflows",
        "total_outflows 0 0 — 0",
        "net_cash_change 0 5 — 5",
        "closing_cash 105 5 — 105",
    ]


def test_a_counterpart_with_both_directions_stands_in_both_parts() -> None:
    entries = [
        entry("2026-05-01", {CASH: 100, RECEIVABLES: -100}),
        entry("2026-05-02", {CASH: -30, RECEIVABLES: 30}),
    ]
    cash_flow = statement(replace(SAKURA, entries=entries), MAY, StatementKind.CASH_FLOW)
    assert [line for line in lines(cash_flow, ["current"]) if "売掛金" in line] == [
        "  売掛金 100",
        "  売掛金 30",
    ]
