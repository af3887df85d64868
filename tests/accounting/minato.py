"""株式会社みなと商会: long-lived assets, provisions and consumption tax kept apart, as in
日商簿記2級 (商業簿記).

Its year is the calendar year 2025.
"""

from __future__ import annotations

from dataclasses import replace

from reports_pipeline.accounting.accounts import AccountClass as Class
from reports_pipeline.accounting.charts import Account, default_chart
from reports_pipeline.accounting.journal import EntryKind
from reports_pipeline.accounting.periods import Month
from tests.accounting.extracts import company
from tests.accounting.worksheets import Journal, Worksheet

ACCOUNTS = (
    *default_chart("ja"),
    Account("2220", "１年内返済予定の長期借入金", Class.SHORT_TERM_BORROWINGS),
    Account("5191", "棚卸減耗損", Class.COST_OF_SALES),
    Account("5192", "商品評価損", Class.COST_OF_SALES),
    Account("6131", "賞与引当金繰入額", Class.SELLING_GENERAL_ADMINISTRATIVE),
    Account("6431", "ソフトウェア償却", Class.DEPRECIATION),
)
_entry = Journal(ACCOUNTS).entry

_TRANSACTIONS = (
    # 建物 6,000,000 after six years; 備品 of 1,200,000 after one year (300,000 depreciated) and of
    # 400,000 after two (175,000): 1,200,000 + 300,000 + 175,000 = 1,675,000.
    _entry(
        "2025-01-01",
        {
            "普通預金": 5_200_000,
            "売掛金": 2_400_000,
            "商品": 900_000,
            "建物": 6_000_000,
            "工具、器具及び備品": 1_600_000,
            "ソフトウェア": 480_000,
            "投資有価証券": 700_000,
        },  # 17,280,000
        {
            "貸倒引当金": 30_000,
            "減価償却累計額": 1_675_000,
            "買掛金": 1_500_000,
            "未払費用": 15_000,
            "未払法人税等": 250_000,
            "長期借入金": 3_000_000,
            "退職給付引当金": 800_000,
            "資本金": 5_000_000,
            "資本準備金": 500_000,
            "利益準備金": 200_000,
            "繰越利益剰余金": 4_310_000,
        },  # 17,280,000
        EntryKind.OPENING,
    ),
    # 再振替: last year's accrued interest.
    _entry("2025-01-01", {"未払費用": 15_000}, {"支払利息": 15_000}),
    _entry("2025-02-28", {"未払法人税等": 250_000}, {"普通預金": 250_000}),
    # A warehouse, one year from 1 March in advance.
    _entry("2025-03-01", {"地代家賃": 720_000, "仮払消費税等": 72_000}, {"普通預金": 792_000}),
    # A dividend of 400,000; a tenth of it goes to the legal reserve, which is below its limit.
    _entry(
        "2025-03-28",
        {"繰越利益剰余金": 440_000},
        {"普通預金": 400_000, "利益準備金": 40_000},
    ),
    # A customer of last year fails.
    _entry("2025-05-20", {"貸倒引当金": 20_000}, {"売掛金": 20_000}),
    _entry("2025-06-10", {"賞与": 600_000}, {"普通預金": 600_000}),
    _entry("2025-06-25", {"普通預金": 24_000}, {"受取配当金": 24_000}),
    # The older 備品 is sold for 150,000 and tax. Half a year's depreciation before that:
    # (400,000 - 175,000) x 0.25 x 6/12 = 28,125; its book value: 225,000 - 28,125 = 196,875.
    _entry(
        "2025-06-30",
        {
            "普通預金": 165_000,
            "減価償却累計額": 175_000,
            "減価償却費": 28_125,
            "固定資産売却損": 46_875,
        },
        {"工具、器具及び備品": 400_000, "仮受消費税等": 15_000},
    ),
    _entry("2025-08-29", {"仮払法人税等": 300_000}, {"普通預金": 300_000}),
    # Interest of 2% for the year to September, and the first instalment of the loan.
    _entry("2025-09-30", {"支払利息": 60_000, "長期借入金": 500_000}, {"普通預金": 560_000}),
    _entry("2025-10-31", {"広告宣伝費": 420_000, "仮払消費税等": 42_000}, {"普通預金": 462_000}),
    _entry("2025-11-28", {"売掛金": 19_800_000}, {"売上高": 18_000_000, "仮受消費税等": 1_800_000}),
    _entry("2025-11-28", {"仕入高": 10_500_000, "仮払消費税等": 1_050_000}, {"買掛金": 11_550_000}),
    _entry(
        "2025-12-05",
        {"売上値引及び返品": 300_000, "仮受消費税等": 30_000},
        {"売掛金": 330_000},
    ),
    _entry("2025-12-25", {"給料手当": 3_200_000}, {"普通預金": 3_200_000}),
    _entry("2025-12-26", {"普通預金": 19_000_000}, {"売掛金": 19_000_000}),
    _entry("2025-12-26", {"買掛金": 11_200_000}, {"普通預金": 11_200_000}),
)

_TRIAL_BALANCE = (
    {
        "普通預金": 6_625_000,
        "売掛金": 2_850_000,
        "商品": 900_000,
        "仮払消費税等": 1_164_000,
        "仮払法人税等": 300_000,
        "建物": 6_000_000,
        "工具、器具及び備品": 1_200_000,
        "ソフトウェア": 480_000,
        "投資有価証券": 700_000,
        "売上値引及び返品": 300_000,
        "仕入高": 10_500_000,
        "給料手当": 3_200_000,
        "賞与": 600_000,
        "広告宣伝費": 420_000,
        "地代家賃": 720_000,
        "減価償却費": 28_125,
        "支払利息": 45_000,
        "固定資産売却損": 46_875,
    },  # 36,079,000
    {
        "買掛金": 1_850_000,
        "仮受消費税等": 1_785_000,
        "貸倒引当金": 10_000,
        "減価償却累計額": 1_500_000,
        "長期借入金": 2_500_000,
        "退職給付引当金": 800_000,
        "資本金": 5_000_000,
        "資本準備金": 500_000,
        "利益準備金": 240_000,
        "繰越利益剰余金": 3_870_000,
        "売上高": 18_000_000,
        "受取配当金": 24_000,
    },  # 36,079,000
)

_ADJUSTMENTS = (
    # 1. By the books 1,000 pieces at 1,200 are left; 980 are counted, and sell for 1,150 net.
    #    期末商品棚卸高 1,000 x 1,200 = 1,200,000; 棚卸減耗損 20 x 1,200 = 24,000;
    #    商品評価損 980 x 50 = 49,000; so 980 x 1,150 = 1,127,000 stand on the balance sheet.
    _entry("2025-12-31", {"期首商品棚卸高": 900_000}, {"商品": 900_000}),
    _entry("2025-12-31", {"商品": 1_200_000}, {"期末商品棚卸高": 1_200_000}),
    _entry("2025-12-31", {"棚卸減耗損": 24_000, "商品評価損": 49_000}, {"商品": 73_000}),
    # 2. 貸倒引当金, 1% of receivables: 2,850,000 x 1% = 28,500, of which 10,000 are there.
    _entry("2025-12-31", {"貸倒引当金繰入額": 18_500}, {"貸倒引当金": 18_500}),
    # 3. 建物, straight-line over 30 years: 6,000,000 / 30 = 200,000. 備品, 200%定率法 over 8 years
    #    (0.25): (1,200,000 - 300,000) x 0.25 = 225,000.
    _entry("2025-12-31", {"減価償却費": 425_000}, {"減価償却累計額": 425_000}),
    # 4. Software bought a year ago for 600,000, over 5 years: 480,000 / 4 = 120,000.
    _entry("2025-12-31", {"ソフトウェア償却": 120_000}, {"ソフトウェア": 120_000}),
    # 5. その他有価証券 are worth 760,000 (全部純資産直入法, without tax effect).
    _entry("2025-12-31", {"投資有価証券": 60_000}, {"その他有価証券評価差額金": 60_000}),
    # 6. and 7. Retirement benefits; bonuses for October to March, half of 630,000.
    _entry("2025-12-31", {"退職給付費用": 150_000}, {"退職給付引当金": 150_000}),
    _entry("2025-12-31", {"賞与引当金繰入額": 315_000}, {"賞与引当金": 315_000}),
    # 8. The warehouse of January and February: 720,000 x 2/12 = 120,000.
    _entry("2025-12-31", {"前払費用": 120_000}, {"地代家賃": 120_000}),
    # 9. Interest of October to December: 2,500,000 x 2% x 3/12 = 12,500.
    _entry("2025-12-31", {"支払利息": 12_500}, {"未払費用": 12_500}),
    # 10. Consumption tax: 1,785,000 - 1,164,000 = 621,000.
    _entry(
        "2025-12-31",
        {"仮受消費税等": 1_785_000},
        {"仮払消費税等": 1_164_000, "未払消費税等": 621_000},
    ),
    # 11. The instalment of next September.
    _entry("2025-12-31", {"長期借入金": 500_000}, {"１年内返済予定の長期借入金": 500_000}),
    # 12. Taxes, 30% of the profit before them: 1,470,000 x 30% = 441,000; 300,000 are paid.
    _entry(
        "2025-12-31",
        {"法人税、住民税及び事業税": 441_000},
        {"仮払法人税等": 300_000, "未払法人税等": 141_000},
    ),
)

_CLOSING = _entry(
    "2025-12-31",
    {"売上高": 18_000_000, "期末商品棚卸高": 1_200_000, "受取配当金": 24_000},
    {
        "売上値引及び返品": 300_000,
        "期首商品棚卸高": 900_000,
        "仕入高": 10_500_000,
        "棚卸減耗損": 24_000,
        "商品評価損": 49_000,
        "給料手当": 3_200_000,
        "賞与": 600_000,
        "賞与引当金繰入額": 315_000,
        "退職給付費用": 150_000,
        "広告宣伝費": 420_000,
        "地代家賃": 600_000,
        "減価償却費": 453_125,
        "ソフトウェア償却": 120_000,
        "貸倒引当金繰入額": 18_500,
        "支払利息": 57_500,
        "固定資産売却損": 46_875,
        "法人税、住民税及び事業税": 441_000,
        "繰越利益剰余金": 1_029_000,
    },
    EntryKind.CLOSING,
)

MINATO = Worksheet(
    company=replace(company("minato", fiscal_year_start_month=1), name="株式会社みなと商会"),
    accounts=ACCOUNTS,
    last_month=Month(2025, 12),
    transactions=_TRANSACTIONS,
    trial_balance=_TRIAL_BALANCE,
    adjustments=_ADJUSTMENTS,
    closing=_CLOSING,
)
