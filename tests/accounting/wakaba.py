"""株式会社わかば文具: a shop that writes purchases by 三分法, in the manner of 日商簿記3級.

Its year is April 2025 to March 2026; it writes amounts with consumption tax in them.
"""

from __future__ import annotations

from dataclasses import replace

from reports_pipeline.accounting.accounts import AccountClass as Class
from reports_pipeline.accounting.charts import Account
from reports_pipeline.accounting.journal import EntryKind
from reports_pipeline.accounting.periods import Month
from tests.accounting.extracts import company
from tests.accounting.worksheets import Journal, Worksheet

ACCOUNTS = (
    Account("101", "現金", Class.CASH_AND_DEPOSITS),
    Account("102", "普通預金", Class.CASH_AND_DEPOSITS),
    Account("111", "売掛金", Class.TRADE_RECEIVABLES),
    Account("112", "貸倒引当金", Class.ALLOWANCE_FOR_DOUBTFUL_ACCOUNTS),
    Account("121", "繰越商品", Class.INVENTORIES),
    Account("131", "前払保険料", Class.OTHER_CURRENT_ASSETS),
    Account("132", "仮払法人税等", Class.INCOME_TAXES_RECEIVABLE),
    Account("151", "備品", Class.PROPERTY_PLANT_EQUIPMENT),
    Account("152", "備品減価償却累計額", Class.ACCUMULATED_DEPRECIATION),
    Account("201", "買掛金", Class.TRADE_PAYABLES),
    Account("202", "借入金", Class.SHORT_TERM_BORROWINGS),
    Account("211", "未払利息", Class.OTHER_CURRENT_LIABILITIES),
    Account("212", "前受家賃", Class.OTHER_CURRENT_LIABILITIES),
    Account("213", "未払法人税等", Class.INCOME_TAXES_PAYABLE),
    Account("301", "資本金", Class.CAPITAL_STOCK),
    Account("302", "繰越利益剰余金", Class.RETAINED_EARNINGS_BROUGHT_FORWARD),
    Account("401", "売上", Class.NET_SALES),
    Account("411", "受取家賃", Class.NON_OPERATING_INCOME),
    Account("501", "仕入", Class.COST_OF_SALES),
    Account("511", "給料", Class.SELLING_GENERAL_ADMINISTRATIVE),
    Account("512", "支払家賃", Class.SELLING_GENERAL_ADMINISTRATIVE),
    Account("513", "水道光熱費", Class.SELLING_GENERAL_ADMINISTRATIVE),
    Account("514", "旅費交通費", Class.SELLING_GENERAL_ADMINISTRATIVE),
    Account("515", "保険料", Class.SELLING_GENERAL_ADMINISTRATIVE),
    Account("516", "減価償却費", Class.DEPRECIATION),
    Account("517", "貸倒引当金繰入", Class.SELLING_GENERAL_ADMINISTRATIVE),
    Account("521", "支払利息", Class.INTEREST_EXPENSE),
    Account("522", "雑損", Class.NON_OPERATING_EXPENSES),
    Account("531", "法人税、住民税及び事業税", Class.INCOME_TAXES),
)
_entry = Journal(ACCOUNTS).entry

_TRANSACTIONS = (
    _entry(
        "2025-04-01",
        {
            "現金": 150_000,
            "普通預金": 1_200_000,
            "売掛金": 500_000,
            "繰越商品": 240_000,
            "備品": 600_000,
        },
        {
            "貸倒引当金": 8_000,
            "備品減価償却累計額": 200_000,
            "買掛金": 350_000,
            "資本金": 1_500_000,
            "繰越利益剰余金": 632_000,
        },
        EntryKind.OPENING,
    ),
    # A loan on 1 August at 3% a year, interest to be paid each January and July.
    _entry("2025-08-01", {"普通預金": 400_000}, {"借入金": 400_000}),
    _entry("2025-09-30", {"売掛金": 3_100_000}, {"売上": 3_100_000}),
    _entry("2025-09-30", {"仕入": 2_050_000}, {"買掛金": 2_050_000}),
    # A year of insurance from 1 November.
    _entry("2025-11-01", {"保険料": 48_000}, {"普通預金": 48_000}),
    _entry("2025-11-28", {"仮払法人税等": 60_000}, {"普通預金": 60_000}),
    _entry("2025-12-20", {"普通預金": 6_100_000}, {"売掛金": 6_100_000}),
    _entry("2025-12-25", {"買掛金": 3_850_000}, {"普通預金": 3_850_000}),
    # Half a year of rent from 1 January, for a room that is let.
    _entry("2026-01-05", {"普通預金": 90_000}, {"受取家賃": 90_000}),
    _entry("2026-01-31", {"支払利息": 6_000}, {"普通預金": 6_000}),
    _entry("2026-02-20", {"旅費交通費": 54_000}, {"現金": 54_000}),
    _entry("2026-02-27", {"給料": 1_080_000, "支払家賃": 600_000}, {"普通預金": 1_680_000}),
    _entry("2026-02-27", {"水道光熱費": 96_000}, {"普通預金": 96_000}),
    _entry("2026-03-20", {"売掛金": 3_300_000}, {"売上": 3_300_000}),
    _entry("2026-03-20", {"仕入": 1_850_000}, {"買掛金": 1_850_000}),
)

_TRIAL_BALANCE = (
    {
        "現金": 96_000,
        "普通預金": 2_050_000,
        "売掛金": 800_000,
        "仮払法人税等": 60_000,
        "繰越商品": 240_000,
        "備品": 600_000,
        "仕入": 3_900_000,
        "給料": 1_080_000,
        "支払家賃": 600_000,
        "水道光熱費": 96_000,
        "旅費交通費": 54_000,
        "保険料": 48_000,
        "支払利息": 6_000,
    },  # 9,630,000
    {
        "買掛金": 400_000,
        "借入金": 400_000,
        "貸倒引当金": 8_000,
        "備品減価償却累計額": 200_000,
        "資本金": 1_500_000,
        "繰越利益剰余金": 632_000,
        "売上": 6_400_000,
        "受取家賃": 90_000,
    },  # 9,630,000
)

_ADJUSTMENTS = (
    # 1. 95,500 are in the till; the cause of the difference cannot be found.
    _entry("2026-03-31", {"雑損": 500}, {"現金": 500}),
    # 2. 貸倒引当金, 2% of receivables: 800,000 x 2% = 16,000, of which 8,000 are there (差額補充).
    _entry("2026-03-31", {"貸倒引当金繰入": 8_000}, {"貸倒引当金": 8_000}),
    # 3. 310,000 of goods are left. Cost of sales: 240,000 + 3,900,000 - 310,000 = 3,830,000.
    _entry("2026-03-31", {"仕入": 240_000}, {"繰越商品": 240_000}),
    _entry("2026-03-31", {"繰越商品": 310_000}, {"仕入": 310_000}),
    # 4. 備品, straight-line over 6 years without residual value: 600,000 / 6 = 100,000.
    _entry("2026-03-31", {"減価償却費": 100_000}, {"備品減価償却累計額": 100_000}),
    # 5. Insurance of April to October is next year's: 48,000 x 7/12 = 28,000.
    _entry("2026-03-31", {"前払保険料": 28_000}, {"保険料": 28_000}),
    # 6. Interest of February and March: 400,000 x 3% x 2/12 = 2,000.
    _entry("2026-03-31", {"支払利息": 2_000}, {"未払利息": 2_000}),
    # 7. Rent of April to June is next year's: 90,000 x 3/6 = 45,000.
    _entry("2026-03-31", {"受取家賃": 45_000}, {"前受家賃": 45_000}),
    # 8. Taxes, 30% of the profit before them: 648,500 x 30% = 194,550; 60,000 are paid.
    _entry(
        "2026-03-31",
        {"法人税、住民税及び事業税": 194_550},
        {"仮払法人税等": 60_000, "未払法人税等": 134_550},
    ),
)

_CLOSING = _entry(
    "2026-03-31",
    {"売上": 6_400_000, "受取家賃": 45_000},
    {
        "仕入": 3_830_000,
        "給料": 1_080_000,
        "支払家賃": 600_000,
        "水道光熱費": 96_000,
        "旅費交通費": 54_000,
        "保険料": 20_000,
        "減価償却費": 100_000,
        "貸倒引当金繰入": 8_000,
        "支払利息": 8_000,
        "雑損": 500,
        "法人税、住民税及び事業税": 194_550,
        "繰越利益剰余金": 453_950,
    },
    EntryKind.CLOSING,
)

WAKABA = Worksheet(
    company=replace(
        company("wakaba"), name="株式会社わかば文具", consumption_tax_basis="inclusive"
    ),
    accounts=ACCOUNTS,
    last_month=Month(2026, 3),
    transactions=_TRANSACTIONS,
    trial_balance=_TRIAL_BALANCE,
    adjustments=_ADJUSTMENTS,
    closing=_CLOSING,
)
