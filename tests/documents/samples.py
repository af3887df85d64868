"""Reports of imaginary companies, as the statements stage hands them to rendering."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from reports_pipeline.accounting.periods import Month
from reports_pipeline.accounting.reports import (
    Claim,
    Company,
    LineKind,
    Statement,
    StatementKind,
    StatementLine,
    TenantReports,
)

COMPANY = Company(
    tenant_id="t0001",
    name="株式会社さくら製作所",
    language="ja",
    currency="JPY",
    time_zone="Asia/Tokyo",
    fiscal_year_start="2026-04-01",
    month_start="2026-10-01",
    month_end="2026-11-01",
    consumption_tax_basis="exclusive",
    display_unit="one",
    plan="standard",
    closed=True,
)
OCTOBER = Month(2026, 10)


@dataclass(frozen=True)
class Account:
    """An account's figures as they print: this month, the month before, year to date (or the
    balance at the year's start); a year ago it had nine tenths of the month before."""

    code: str
    name: str
    current: int
    prior: int
    third: int

    @property
    def figures(self) -> list[int]:
        return figures_of(self.current, self.prior, self.prior * 9 // 10, self.third)


def figures_of(current: int, prior: int, prior_year: int, third: int) -> list[int]:
    """The columns of a line and ten plausible months before, so that all that adds up this month
    does in every other, too."""
    older = [prior * (80 + 3 * month) // 100 for month in range(10)]
    return [current, prior, prior_year, third, *older]


_NOTHING = figures_of(0, 0, 0, 0)


SALES = {
    "net_sales": [
        Account("4110", "製品売上高", 38_450_000, 35_120_000, 248_310_000),
        Account("4120", "役務収益", 6_200_000, 5_900_000, 41_800_000),
        Account("4190", "売上値引及び戻り高", -312_500, -98_000, -1_204_300),
    ],
    "cost_of_sales": [
        Account("5110", "材料仕入高", 14_820_300, 13_990_120, 97_120_450),
        Account("5120", "外注加工費", 6_310_000, 5_870_000, 40_022_000),
        Account("5130", "製造労務費", 4_980_000, 4_980_000, 34_860_000),
    ],
    "selling_general_administrative": [
        Account("6110", "役員報酬", 1_800_000, 1_800_000, 12_600_000),
        Account("6120", "給料手当", 5_640_000, 5_580_000, 39_240_000),
        Account("6130", "法定福利費", 1_098_420, 1_087_300, 7_640_110),
        Account("6210", "旅費交通費", 418_760, 522_310, 3_120_900),
        Account("6220", "通信費", 186_430, 184_120, 1_301_240),
        Account("6230", "水道光熱費", 242_880, 301_450, 1_980_320),
        Account("6240", "広告宣伝費", 960_000, 420_000, 4_310_000),
        Account("6250", "接待交際費", 138_200, 96_400, 812_700),
        Account("6310", "地代家賃", 850_000, 850_000, 5_950_000),
        Account("6320", "減価償却費", 612_000, 612_000, 4_284_000),
        Account("6330", "支払手数料", 94_380, 88_010, 640_550),
        Account("6390", "雑費", 21_650, 18_900, 133_420),
    ],
    "non_operating_income": [Account("7110", "受取利息", 1_240, 1_180, 8_650)],
    "non_operating_expenses": [Account("7210", "支払利息", 84_300, 86_100, 602_400)],
    "income_taxes": [Account("8110", "法人税、住民税及び事業税", 1_700_000, 1_400_000, 11_000_000)],
}
BALANCES = {
    "current_assets": [
        Account("1110", "現金", 382_450, 290_120, 410_000),
        Account("1120", "普通預金", 48_204_118, 44_911_200, 39_870_455),
        Account("1130", "売掛金", 61_300_200, 58_442_900, 52_119_800),
        Account("1140", "製品", 12_480_000, 13_020_000, 11_900_000),
        Account("1190", "貸倒引当金", -613_000, -584_000, -521_000),
    ],
    "property_plant_equipment": [
        Account("1210", "建物", 84_000_000, 84_000_000, 84_000_000),
        Account("1220", "機械装置", 41_200_000, 41_200_000, 38_600_000),
        Account("1290", "減価償却累計額", -52_284_000, -51_672_000, -48_000_000),
    ],
    "intangible_assets": [Account("1310", "ソフトウェア", 2_160_000, 2_220_000, 2_520_000)],
    "investments_and_other_assets": [
        Account("1410", "敷金及び保証金", 3_400_000, 3_400_000, 3_400_000)
    ],
    "current_liabilities": [
        Account("2110", "買掛金", 23_900_400, 22_111_000, 20_480_900),
        Account("2120", "未払金", 4_118_230, 3_902_000, 3_611_120),
        Account("2130", "未払法人税等", 11_000_000, 9_300_000, 6_200_000),
    ],
    "noncurrent_liabilities": [Account("2210", "長期借入金", 58_000_000, 59_000_000, 65_000_000)],
    "shareholders_equity": [Account("3110", "資本金", 30_000_000, 30_000_000, 30_000_000)],
}
CONTRA_ACCOUNTS = {"1190", "1290"}
SHARE_ACQUISITION_RIGHTS = {
    "share_acquisition_rights": [Account("3510", "新株予約権", 3_211_138, 2_000_000, 0)]
}
RECEIPTS = [
    Account("1130", "売掛金", 41_480_000, 38_200_000, 268_440_000),
    Account("7110", "受取利息", 1_240, 1_180, 8_650),
]
PAYMENTS = [
    Account("2110", "買掛金", 18_330_500, 17_110_000, 118_200_000),
    Account("6120", "給料手当", 5_640_000, 5_580_000, 39_240_000),
    Account("6310", "地代家賃", 850_000, 850_000, 5_950_000),
    Account("1130", "売掛金", 120_000, 0, 120_000),
    Account("2210", "長期借入金", 1_000_000, 1_000_000, 7_000_000),
]
ACTIVITY_LINES = {
    "operating_activities": [
        "profit_before_tax_in_cash_flow",
        "depreciation_and_amortization",
        "change_in_allowance_for_doubtful_accounts",
        "interest_and_dividend_income_excluded",
        "interest_expense_excluded",
        "disposal_of_assets_excluded",
        "change_in_trade_receivables",
        "change_in_inventories",
        "change_in_trade_payables",
        "change_in_other_assets_and_liabilities",
        "interest_and_dividends_received",
        "interest_paid",
        "income_taxes_paid",
    ],
    "investing_activities": [
        "fixed_assets",
        "short_term_investments_in_cash_flow",
        "investments_and_other_assets_in_cash_flow",
    ],
    "financing_activities": [
        "change_in_short_term_borrowings",
        "change_in_long_term_borrowings",
        "repayment_of_lease_obligations",
        "issuance_of_shares",
        "change_in_treasury_stock",
        "dividends_paid",
    ],
}
# This month, the month before, a year ago, year to date.
ACTIVITIES = {
    "operating_activities": {
        "profit_before_tax_in_cash_flow": (6_081_420, 4_936_690, 4_442_000, 36_268_560),
        "depreciation_and_amortization": (612_000, 612_000, 580_000, 4_284_000),
        "change_in_allowance_for_doubtful_accounts": (29_000, 12_000, -8_000, 92_000),
        "interest_and_dividend_income_excluded": (-1_240, -1_180, -1_060, -8_650),
        "interest_expense_excluded": (84_300, 86_100, 98_400, 602_400),
        "disposal_of_assets_excluded": (0, 140_000, 0, 140_000),
        "change_in_trade_receivables": (-2_857_300, -1_204_000, 880_000, -9_180_400),
        "change_in_inventories": (540_000, -310_000, -95_000, -580_000),
        "change_in_trade_payables": (1_789_400, 902_000, -410_500, 3_419_500),
        "interest_and_dividends_received": (1_240, 1_180, 1_060, 8_650),
        "interest_paid": (-84_300, -86_100, -98_400, -602_400),
        "income_taxes_paid": (0, 0, 0, -6_200_000),
    },
    "investing_activities": {"fixed_assets": (-1_480_000, -620_000, 0, -6_240_000)},
    "financing_activities": {
        "change_in_long_term_borrowings": (-1_000_000, -1_000_000, -1_000_000, -7_000_000),
        "repayment_of_lease_obligations": (-86_000, -86_000, -86_000, -602_000),
        "dividends_paid": (0, 0, 0, -3_000_000),
    },
}
_LADDER = {
    "net_sales": None,
    "cost_of_sales": "gross_profit",
    "selling_general_administrative": "operating_profit",
    "non_operating_income": None,
    "non_operating_expenses": "ordinary_profit",
    "extraordinary_income": None,
    "extraordinary_losses": "profit_before_tax",
    "income_taxes": "net_profit",
}
_ADDED = {"net_sales", "non_operating_income", "extraordinary_income"}


def flow(key: str, label: str, kind: LineKind, level: int, figures: Sequence[int]) -> StatementLine:
    """A line of a statement of flows: this month, the month before, a year ago, year to date."""
    current, prior, prior_year, year_to_date, *older = figures
    return StatementLine(
        key=key,
        label=label,
        kind=kind,
        level=level,
        current=current,
        prior=prior,
        prior_year=prior_year,
        year_to_date=year_to_date,
        opening=None,
        trend=(*older, prior, current),
    )


def balance(
    key: str, label: str, kind: LineKind, level: int, figures: Sequence[int]
) -> StatementLine:
    """A line of the balance sheet: month end, the one before, a year ago, start of the year."""
    current, prior, prior_year, opening, *older = figures
    return StatementLine(
        key=key,
        label=label,
        kind=kind,
        level=level,
        current=current,
        prior=prior,
        prior_year=prior_year,
        year_to_date=None,
        opening=opening,
        trend=(*older, prior, current),
    )


def heading(key: str, level: int = 0) -> StatementLine:
    return StatementLine(key, "", LineKind.HEADING, level, None, None, None, None, None, ())


def total(accounts: Iterable[Account]) -> list[int]:
    return added(account.figures for account in accounts)


def added(figures: Iterable[Sequence[int]]) -> list[int]:
    return [sum(column) for column in zip(*figures, strict=True)] or _NOTHING


def income_statement(book: Mapping[str, Sequence[Account]]) -> Statement:
    lines = []
    profit = _NOTHING
    for section, subtotal in _LADDER.items():
        accounts = book.get(section, [])
        if accounts:
            lines.append(heading(section))
            lines += [
                flow(f"account:{a.code}", a.name, LineKind.ACCOUNT, 1, a.figures) for a in accounts
            ]
            lines.append(flow(f"total_{section}", "", LineKind.SUBTOTAL, 0, total(accounts)))
        sign = 1 if section in _ADDED else -1
        profit = [p + sign * t for p, t in zip(profit, total(accounts), strict=True)]
        if subtotal:
            lines.append(flow(subtotal, "", LineKind.TOTAL, 0, profit))
    return Statement(StatementKind.INCOME_STATEMENT, tuple(lines))


def balance_sheet(book: Mapping[str, Sequence[Account]]) -> Statement:
    """Retained earnings are what makes the two sides equal."""

    def section(key: str, level: int) -> list[StatementLine]:
        accounts = book.get(key, [])
        if not accounts:
            return []
        return [
            heading(key, level),
            *(
                replace(
                    balance(f"account:{a.code}", a.name, LineKind.ACCOUNT, level + 1, a.figures),
                    is_contra=a.code in CONTRA_ACCOUNTS,
                )
                for a in accounts
            ),
            balance(f"total_{key}", "", LineKind.SUBTOTAL, level, total(accounts)),
        ]

    def all_of(*keys: str) -> list[int]:
        return total(account for key in keys for account in book.get(key, []))

    noncurrent = (
        "property_plant_equipment", "intangible_assets", "investments_and_other_assets"
    )  # fmt: skip
    assets = all_of("current_assets", *noncurrent)
    liabilities = all_of("current_liabilities", "noncurrent_liabilities")
    capital = all_of("shareholders_equity")
    rights = all_of("share_acquisition_rights")
    net_assets = [a - b for a, b in zip(assets, liabilities, strict=True)]
    shareholders = [a - b for a, b in zip(net_assets, rights, strict=True)]
    earnings = [a - b for a, b in zip(shareholders, capital, strict=True)]
    brought_forward = [earnings[3]] * len(earnings)
    of_the_year = [a - b for a, b in zip(earnings, brought_forward, strict=True)]
    lines = [
        heading("assets"),
        *section("current_assets", 1),
        heading("noncurrent_assets", 1),
        *(line for key in noncurrent for line in section(key, 2)),
        balance("total_noncurrent_assets", "", LineKind.SUBTOTAL, 1, all_of(*noncurrent)),
        balance("total_assets", "", LineKind.TOTAL, 0, assets),
        heading("liabilities"),
        *section("current_liabilities", 1),
        *section("noncurrent_liabilities", 1),
        balance("total_liabilities", "", LineKind.TOTAL, 0, liabilities),
        heading("net_assets"),
        heading("shareholders_equity", 1),
        *section("shareholders_equity", 1)[1:-1],
        heading("retained_earnings", 2),
        balance("retained_earnings_brought_forward", "", LineKind.ACCOUNT, 3, brought_forward),
        balance("net_profit_for_year", "", LineKind.ACCOUNT, 3, of_the_year),
        balance("total_retained_earnings", "", LineKind.SUBTOTAL, 2, earnings),
        balance("total_shareholders_equity", "", LineKind.SUBTOTAL, 1, shareholders),
        *section("share_acquisition_rights", 1),
        balance("total_net_assets", "", LineKind.TOTAL, 0, net_assets),
        balance("total_liabilities_and_net_assets", "", LineKind.TOTAL, 0, assets),
    ]
    return Statement(StatementKind.BALANCE_SHEET, tuple(lines))


def expense_analysis(book: Mapping[str, Sequence[Account]]) -> Statement:
    accounts = book.get("selling_general_administrative", [])
    lines = [flow(f"account:{a.code}", a.name, LineKind.ACCOUNT, 1, a.figures) for a in accounts]
    lines.append(flow("total_expenses", "", LineKind.TOTAL, 0, total(accounts)))
    return Statement(StatementKind.EXPENSE_ANALYSIS, tuple(lines))


def cash_flow(
    receipts: Sequence[Account], payments: Sequence[Account], opening: Sequence[int]
) -> Statement:
    """`opening`: cash at the start of the month, of the one before, of the one a year ago, and of
    the year."""
    change = [i - o for i, o in zip(total(receipts), total(payments), strict=True)]
    closing = [a + b for a, b in zip(opening, change, strict=True)]

    def side(key: str, accounts: Sequence[Account]) -> list[StatementLine]:
        return [
            heading(key),
            *(flow(f"account:{a.code}", a.name, LineKind.ACCOUNT, 1, a.figures) for a in accounts),
            flow(f"total_{key}", "", LineKind.SUBTOTAL, 0, total(accounts)),
        ]

    lines = [
        flow("opening_cash", "", LineKind.TOTAL, 0, opening),
        *side("inflows", receipts),
        *side("outflows", payments),
        flow("net_cash_change", "", LineKind.TOTAL, 0, change),
        flow("closing_cash", "", LineKind.TOTAL, 0, closing),
    ]
    return Statement(StatementKind.CASH_FLOW, tuple(lines))


def indirect_cash_flow(
    activities: Mapping[str, Mapping[str, Sequence[int]]],
    opening: Sequence[int],
    change: Sequence[int],
) -> Statement:
    """The lines of each activity as they are given, except that other assets and liabilities
    explain the rest of the change; zeros on every other line that a statement has."""
    figures: dict[str, Sequence[int]] = {
        key: figures_of(*activities.get(activity, {}).get(key, (0, 0, 0, 0)))
        for activity, keys in ACTIVITY_LINES.items()
        for key in keys
    }
    given = added(figures.values())
    figures["change_in_other_assets_and_liabilities"] = [
        all_of - part for all_of, part in zip(change, given, strict=True)
    ]
    lines = []
    for activity, keys in ACTIVITY_LINES.items():
        lines.append(heading(activity))
        for number, key in enumerate(keys):
            lines.append(flow(key, "", LineKind.ACCOUNT, 1, figures[key]))
            if key == "change_in_other_assets_and_liabilities":
                above = added(figures[each] for each in keys[: number + 1])
                lines.append(flow(f"subtotal_of_{activity}", "", LineKind.SUBTOTAL, 1, above))
        in_all = added(figures[key] for key in keys)
        lines.append(flow(f"total_{activity}", "", LineKind.SUBTOTAL, 0, in_all))
    lines += [
        flow("net_cash_change", "", LineKind.TOTAL, 0, change),
        flow("opening_cash", "", LineKind.TOTAL, 0, opening),
        flow("closing_cash", "", LineKind.TOTAL, 0, added([opening, change])),
    ]
    return Statement(StatementKind.INDIRECT_CASH_FLOW, tuple(lines))


CLAIMS = (
    Claim("EX-20261", "2026-10-02", "髙橋 一郎", "旅費交通費", "東日本旅客鉄道",
          "客先訪問（新宿）", 1_240, 112, "paid"),
    Claim("EX-20262", "2026-10-09", "山﨑 花子", "接待交際費", "𠮷野家 本店",
          "打合せ <b>3名</b> & P&L", 4_980, 452, "approved"),
    Claim("EX-20263", "2026-10-30", "ｱｲｳ ｴｵ", "消耗品費", "文具店",
          "=1+1", 880, 80, "submitted"),
)  # fmt: skip


def reports(
    *,
    company: Company = COMPANY,
    month: Month = OCTOBER,
    revision: int = 1,
    sales: Mapping[str, Sequence[Account]] = SALES,
    balances: Mapping[str, Sequence[Account]] = BALANCES,
    receipts: Sequence[Account] = RECEIPTS,
    payments: Sequence[Account] = PAYMENTS,
    opening_cash: Sequence[int] = (45_201_320, 39_541_320, 37_118_000, 40_280_455),
    activities: Mapping[str, Mapping[str, Sequence[int]]] = ACTIVITIES,
    claims: tuple[Claim, ...] = CLAIMS,
) -> TenantReports:
    """A tenant's month: a small manufacturer's, unless told otherwise."""
    opening = figures_of(*opening_cash)
    return TenantReports(
        company,
        month,
        revision,
        (
            income_statement(sales),
            balance_sheet(balances),
            expense_analysis(sales),
            cash_flow(receipts, payments, opening),
            indirect_cash_flow(
                activities,
                opening,
                [i - o for i, o in zip(total(receipts), total(payments), strict=True)],
            ),
        ),
        claims,
    )


def renamed(
    book: Mapping[str, Sequence[Account]], names: Mapping[str, str]
) -> dict[str, list[Account]]:
    """A book whose accounts of the given codes have other names."""
    return {
        section: [replace(account, name=names.get(account.code, account.name)) for account in group]
        for section, group in book.items()
    }


ENGLISH = replace(
    COMPANY,
    tenant_id="t0002",
    name="Marunouchi Trading & Co. <Tokyo>",
    language="en",
    currency="USD",
    consumption_tax_basis="none",
)
ENGLISH_NAMES = {
    "4110": "Product sales", "4120": "Services", "4190": "Sales returns",
    "5110": "Materials", "5120": "Subcontractors", "5130": "Labour",
    "6110": "Directors' remuneration", "6120": "Salaries", "6130": "Social security",
    "6210": "Travel", "6220": "Communication", "6230": "Utilities", "6240": "Advertising",
    "6250": "Entertainment", "6310": "Rent", "6320": "Depreciation", "6330": "Fees",
    "6390": "Sundries", "7110": "Interest received", "7210": "Interest paid",
    "8110": "Corporate income tax",
}  # fmt: skip


def losing() -> TenantReports:
    """Costs above sales: the ladder turns into losses, while the month before made a profit. A
    corrected edition."""
    sales = {
        **SALES,
        "net_sales": [Account("4110", "製品売上高", 9_450_000, 55_120_000, 148_310_000)],
    }
    usual = reports(
        company=replace(COMPANY, tenant_id="t0003", closed=False), sales=sales, revision=2
    )
    return replace(usual, corrects=1)


def english() -> TenantReports:
    return reports(company=ENGLISH, sales=renamed(SALES, ENGLISH_NAMES))


def empty() -> TenantReports:
    """A month in which nothing happened."""
    return reports(
        company=replace(COMPANY, tenant_id="t0004"),
        sales={},
        balances={},
        receipts=(),
        payments=(),
        opening_cash=(0, 0, 0, 0),
        activities={},
        claims=(),
    )


def large() -> TenantReports:
    """A chart of 90 expense accounts with amounts up to hundreds of billions, long names and
    unusual characters, and 400 claims."""
    names = [
        "髙﨑𠮷商事 <b>P&L</b> ｱﾒﾘｶ支店",
        "長" * 200,
        "International travel and accommodation expenses of the overseas sales department",
    ]
    expenses = [
        Account(
            f"6{number:03}",
            names[number] if number < len(names) else f"経費科目その{number}",
            123_456_789_012 // (number + 1),
            120_000_000_000 // (number + 2),
            890_000_000_000 // (number + 1),
        )
        for number in range(90)
    ]
    claims = tuple(
        Claim(f"EX-{number:05}", f"2026-10-{number % 31 + 1:02}", "山﨑 花子", "旅費交通費",
              "@鉄道", "+移動", 1_000 + number, (1_000 + number) // 11, "approved")
        for number in range(400)
    )  # fmt: skip
    return reports(
        company=replace(
            COMPANY, tenant_id="t0005", name="株式会社髙﨑𠮷商事＆ｻﾝｽﾞ ホールディングス"
        ),
        sales={**SALES, "selling_general_administrative": expenses},
        claims=claims,
    )


def in_thousands() -> TenantReports:
    """A company that reads 千円."""
    return reports(company=replace(COMPANY, tenant_id="t0006", display_unit="thousand"))


def closing_on_the_20th() -> TenantReports:
    """A company whose October begins on 21 September."""
    return reports(
        company=replace(
            COMPANY,
            tenant_id="t0007",
            fiscal_year_start="2026-03-21",
            month_start="2026-09-21",
            month_end="2026-10-21",
        )
    )


def without_a_year_before() -> TenantReports:
    """A company whose books begin less than a year ago."""
    usual = reports(company=replace(COMPANY, tenant_id="t0008"))
    return replace(
        usual,
        statements=tuple(
            replace(
                statement, lines=tuple(replace(line, prior_year=None) for line in statement.lines)
            )
            for statement in usual.statements
        ),
    )


SAMPLES = {
    "usual": reports,
    "in_thousands": in_thousands,
    "closing_on_the_20th": closing_on_the_20th,
    "without_a_year_before": without_a_year_before,
    "losing": losing,
    "english": english,
    "empty": empty,
    "large": large,
}
