"""What a sample company does: sells, buys, pays wages, rent and taxes, borrows and claims expenses.

Each stream of business is one function that posts its entries of all months at once. Streams begin
one month before the books do; what is still unpaid from then makes the opening balances.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reports_pipeline.accounting.journal import EntryKind, EntryStatus
from reports_pipeline.accounting.periods import Month
from resources.sample_companies import (
    SampleCompany,
    Trade,
    in_language,
    partner_names,
    person_names,
)
from resources.sample_journal import FloatArray, IntArray, SampleJournal, TextArray, ledger_table

BoolArray = NDArray[np.bool_]

# Accounts of the default chart.
_CASH, _BANK, _TIME_DEPOSITS, _RECEIVABLES, _STOCK = 1110, 1120, 1140, 1210, 1310
_TAX_REFUND, _INPUT_TAX, _ALLOWANCE = 1430, 1460, 1490
_FIXTURES, _MACHINERY, _VEHICLES, _ACCUMULATED_DEPRECIATION = 1520, 1530, 1540, 1590
_DEPOSITS = 1720
_PAYABLES, _OTHER_PAYABLES, _ACCRUED = 2110, 2310, 2320
_WITHHELD_TAX, _WITHHELD_INHABITANT_TAX, _WITHHELD_INSURANCE = 2341, 2342, 2343
_OUTPUT_TAX, _CONSUMPTION_TAX_PAYABLE, _INCOME_TAX_PAYABLE = 2360, 2370, 2410
_LOAN, _CAPITAL, _LEGAL_RESERVE, _RETAINED = 2510, 3110, 3210, 3230
_SALES, _RETURNS = 4110, 4190
_OPENING_STOCK, _CLOSING_STOCK = 5110, 5190
_DIRECTORS, _SALARIES, _BONUSES, _INSURANCE_CONTRIBUTIONS = 6110, 6120, 6130, 6140
_COMMUNICATIONS, _UTILITIES, _RENT, _FEES, _TAXES_AND_DUES = 6270, 6280, 6310, 6380, 6410
_DEPRECIATION, _BAD_DEBT_PROVISION = 6430, 6450
_INTEREST_INCOME, _OTHER_INCOME, _INTEREST = 7110, 7190, 7510
_DISPOSAL_GAIN, _DISPOSAL_LOSS, _INCOME_TAXES = 8110, 8510, 9110


class _Spending(NamedTuple):
    """What is bought from time to time."""

    account: int
    weight: int
    usual_yen: int
    memo: tuple[str, str]  # Japanese, English


class _ClaimKind(NamedTuple):
    """What employees pay and claim back; words are (Japanese, English)."""

    account: int
    weight: int
    usual_yen: int  # tax included
    tax_percent: int
    category: tuple[str, str]
    payees: tuple[tuple[str, str], ...]
    descriptions: tuple[tuple[str, str], ...]


_SPENDINGS = (
    _Spending(6150, 5, 12_000, ("福利厚生 慶弔・備品", "Employee benefits")),
    _Spending(6210, 8, 90_000, ("業務委託料", "Outsourcing fee")),
    _Spending(6220, 9, 14_000, ("宅配便・梱包資材", "Parcels and packing")),
    _Spending(6230, 9, 70_000, ("広告掲載料", "Advertising")),
    _Spending(6240, 6, 28_000, ("得意先接待", "Client dinner")),
    _Spending(6260, 7, 18_000, ("出張旅費", "Travel")),
    _Spending(6320, 6, 33_000, ("複合機リース料", "Copier lease")),
    _Spending(6330, 14, 9_000, ("消耗品", "Supplies")),
    _Spending(6340, 8, 4_000, ("事務用品", "Office supplies")),
    _Spending(6350, 4, 3_800, ("新聞・書籍", "Books and subscriptions")),
    _Spending(6360, 5, 55_000, ("設備修繕", "Repairs")),
    _Spending(6370, 3, 60_000, ("損害保険料", "Insurance premium")),
    _Spending(6380, 9, 16_000, ("支払手数料", "Service fee")),
    _Spending(6390, 9, 8_500, ("ガソリン・駐車料", "Fuel and parking")),
    _Spending(6420, 2, 12_000, ("商工会費", "Chamber of commerce")),
    _Spending(6490, 3, 3_000, ("雑費", "Sundries")),
)
_CLAIM_KINDS = (
    _ClaimKind(
        6260, 9, 1_800, 10, ("旅費交通費", "Travel"),
        payees=(("東海道鉄道", "Tokaido Railway"), ("武蔵野バス", "Musashino Bus"),
                ("日の出タクシー", "Hinode Taxi")),
        descriptions=(("客先訪問 電車代", "Train to client"), ("終電後タクシー代", "Late taxi"),
                      ("展示会往復交通費", "Trade fair travel")),
    ),
    _ClaimKind(
        6260, 2, 14_500, 10, ("旅費交通費", "Travel"),
        payees=(("ホテルさざなみ", "Hotel Sazanami"), ("旅館すずらん", "Suzuran Inn")),
        descriptions=(("大阪出張 宿泊費", "Osaka hotel"), ("福岡出張 宿泊費", "Fukuoka hotel")),
    ),
    _ClaimKind(
        6240, 3, 16_000, 10, ("接待交際費", "Entertainment"),
        payees=(("鮨 髙はし", "Sushi Takahashi"), ("和食処 あおば", "Aoba Restaurant")),
        descriptions=(("取引先会食 4名", "Client dinner for 4"), ("取引先 手土産", "Gift")),
    ),
    _ClaimKind(
        6250, 4, 2_600, 8, ("会議費", "Meetings"),
        payees=(("こもれび珈琲", "Komorebi Coffee"), ("弁当のみずほ", "Mizuho Box Lunches")),
        descriptions=(("打合せ弁当・飲料", "Meeting lunch"), ("会議用茶菓", "Refreshments")),
    ),
    _ClaimKind(
        6330, 4, 3_900, 10, ("消耗品費", "Supplies"),
        payees=(("ホームセンター旭", "Asahi Home Centre"), ("葛飾電機", "Katsushika Electric")),
        descriptions=(("USBケーブル・電池", "Cables and batteries"), ("作業用手袋", "Work gloves")),
    ),
    _ClaimKind(
        6350, 2, 2_800, 10, ("新聞図書費", "Books and subscriptions"),
        payees=(("北斗書店", "Hokuto Books"),),
        descriptions=(("技術書", "Technical book"), ("業界誌", "Trade journal")),
    ),
    _ClaimKind(
        6270, 1, 4_400, 10, ("通信費", "Communications"),
        payees=(("あおぞら通信", "Aozora Telecom"),),
        descriptions=(("携帯電話代 業務分", "Mobile phone"),),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """How one company does: its size and habits, decided before any entry."""

    company: SampleCompany
    minor_units_per_yen: float
    small: bool  # one person and a shop: no loan, no staff
    # A few companies begin a new fiscal year in the middle of what is made, with this month.
    fiscal_year_change: int | None
    ends_fiscal_year: BoolArray  # by month
    sales_yen: FloatArray  # net, by month
    scale_yen: float  # net sales of an average month
    trend: FloatArray  # by month, 1 at the start
    profit_ratio: float
    labour_ratio: float
    sale_count: int  # a month
    purchase_count: int
    expense_count: int
    claim_count: int
    customers: list[str]
    suppliers: list[str]
    employees: list[str]

    @property
    def taxed(self) -> bool:
        """Consumption tax stands on accounts of its own (税抜経理)."""
        return self.company.consumption_tax_basis == "exclusive"

    @property
    def trade(self) -> Trade:
        return self.company.trade

    def money(self, yen: FloatArray | float, step: int = 1) -> IntArray:
        """Minor units of the company's currency, rounded to multiples of `step`."""
        units = np.asarray(yen, dtype=np.float64) * self.minor_units_per_yen / step
        return np.rint(units).astype(np.int64) * step

    def booked(
        self, net: IntArray, reduced: BoolArray | Literal[False]
    ) -> tuple[IntArray, IntArray]:
        """What a purchase or sale puts on its own account, and on the consumption-tax account."""
        tax = net * np.where(reduced, 8, 10) // 100
        if self.taxed:
            return net, tax
        if self.company.currency != "JPY":
            return net, np.zeros_like(net)
        return net + tax, np.zeros_like(net)

    def text(self, japanese: str, english: str) -> str:
        return in_language((japanese, english), self.company.language)


def make_plan(
    company: SampleCompany,
    rng: np.random.Generator,
    first_month: Month,
    months: int,
    lines_per_month: int,
) -> Plan:
    trade = company.trade
    small = lines_per_month < 100
    customer_count = int(np.clip(lines_per_month // 45, 2, 80))
    supplier_count = int(np.clip(lines_per_month // 70, 1, 50))
    # Lines a month that come whatever the volume: wages, rent, taxes, a settlement per partner.
    recurring = (33 if small else 42) + 2.5 * customer_count * trade.on_credit + 2 * supplier_count
    lines_per_entry = 3 if company.consumption_tax_basis == "exclusive" else 2
    entries = max(lines_per_month - recurring, 9) / lines_per_entry
    sale_count = max(round(entries * 0.5), 2)

    elapsed = np.arange(months + 1)
    next_calendar_months = (first_month.month - 1 + elapsed) % 12 + 1
    ends_fiscal_year = next_calendar_months == company.fiscal_year_start_month
    change = months // 2 + 1 if company.changes_fiscal_year else None
    if change is not None:
        ends_fiscal_year[change:] = (elapsed[change:] + 1 - change) % 12 == 0
        ends_fiscal_year[change - 1] = True

    trend = (1 + float(rng.normal(0.03, 0.08))) ** (elapsed / 12)
    season = np.array(trade.season)[(first_month.month - 2 + elapsed) % 12]
    scale_yen = max(sale_count * trade.ticket_yen * float(rng.lognormal(0, 0.3)), 1_500_000.0)
    profit_ratio = float(rng.normal(0.08, 0.045))
    labour_ratio = 1 - trade.cost - trade.rent - trade.expenses - trade.depreciation - profit_ratio
    staff = 0 if small else max(round(labour_ratio * scale_yen / 450_000), 1)
    return Plan(
        company=company,
        minor_units_per_yen=1.0 if company.currency == "JPY" else 2 / 3,
        small=small,
        fiscal_year_change=change,
        ends_fiscal_year=ends_fiscal_year,
        sales_yen=scale_yen * trend * season * rng.normal(1, 0.06, months + 1),
        scale_yen=scale_yen,
        trend=trend,
        profit_ratio=profit_ratio,
        labour_ratio=labour_ratio,
        sale_count=sale_count,
        purchase_count=max(round(entries * 0.2), 1),
        expense_count=max(round(entries * 0.15), 1),
        claim_count=max(round(entries * 0.15), 1),
        customers=partner_names(rng, customer_count, company.language),
        suppliers=partner_names(rng, supplier_count, company.language),
        employees=person_names(rng, int(np.clip(staff, 1, 60)), company.language),
    )


def do_business(plan: Plan, journal: SampleJournal, rng: np.random.Generator) -> pa.Table:
    """Post everything, opening and closing entries included; returns the expense claims."""
    _sell(plan, journal, rng)
    _purchase(plan, journal, rng)
    _pay_wages(plan, journal)
    _run_premises(plan, journal, rng)
    _spend(plan, journal, rng)
    claims = _claim(plan, journal, rng)
    _hold_assets(plan, journal, rng)
    _borrow(plan, journal, rng)
    _receive_other_income(plan, journal, rng)
    _pay_dividends(plan, journal, rng)
    _end_fiscal_years(plan, journal)
    _open(plan, journal)
    return claims


@dataclass(frozen=True)
class _Invoices:
    """Sales or purchases, one a row."""

    months: IntArray
    days: IntArray
    partners: IntArray
    booked: IntArray
    tax: IntArray

    @property
    def gross(self) -> IntArray:
        return self.booked + self.tax


def _invoices(
    plan: Plan,
    journal: SampleJournal,
    rng: np.random.Generator,
    monthly_yen: FloatArray,
    monthly_count: int,
    partner_count: int,
) -> _Invoices:
    """Split each month's sum over its invoices: amounts lognormal, a few partners dominant."""
    counts = np.maximum(np.rint(monthly_count * monthly_yen / monthly_yen.mean()), 1)
    months = np.repeat(journal.months, counts.astype(np.int64))
    weights = rng.lognormal(0, 0.8, len(months))
    shares = weights / np.bincount(months, weights)[months]
    net = np.maximum(plan.money(monthly_yen[months] * shares, 10), 10)
    booked, tax = plan.booked(net, rng.random(len(months)) < plan.trade.reduced_rate)
    return _Invoices(
        months=months,
        days=journal.days_in(months, rng.random(len(months)), weekends=plan.trade.on_credit < 0.5),
        partners=(rng.random(len(months)) ** 2 * partner_count).astype(np.int64),
        booked=booked,
        tax=tax,
    )


def _settlements(
    months: IntArray, partners: IntArray, amounts: IntArray
) -> tuple[IntArray, IntArray, IntArray]:
    """What is due of each partner for each month: months, partners, sums."""
    width = int(partners.max(initial=0)) + 1
    keys, position = np.unique(months * width + partners, return_inverse=True)
    sums = np.zeros(len(keys), dtype=np.int64)
    np.add.at(sums, position, amounts)
    return keys // width, keys % width, sums


def _texts(rng: np.random.Generator, count: int, words: list[str]) -> TextArray:
    """A text drawn for each of `count` entries."""
    return np.array(words, dtype=object)[rng.integers(len(words), size=count)]


def _sell(plan: Plan, journal: SampleJournal, rng: np.random.Generator) -> None:
    """Sales, on credit or for cash; credit is collected in the following month."""
    sales = _invoices(plan, journal, rng, plan.sales_yen, plan.sale_count, len(plan.customers))
    sold = [plan.text(*words) for words in plan.trade.sold]
    customers = np.array(plan.customers, dtype=object)
    memos = _texts(rng, len(sales.days), [f"{item} " for item in sold]) + customers[sales.partners]
    on_credit = rng.random(len(sales.days)) < plan.trade.on_credit
    received_on = np.where(on_credit, _RECEIVABLES, _CASH if plan.trade.on_credit < 0.5 else _BANK)
    lines = (
        (received_on, sales.gross),
        (np.full(len(memos), _SALES), -sales.booked),
        (np.full(len(memos), _OUTPUT_TAX), -sales.tax),
    )
    journal.post(sales.days, memos, *lines)
    # Entered twice by mistake, and cancelled.
    twice = np.flatnonzero(rng.random(len(memos)) < 0.004)
    journal.post(
        sales.days[twice],
        plan.text("【取消】二重計上 ", "[Cancelled] entered twice: ") + memos[twice],
        *((accounts[twice], amounts[twice]) for accounts, amounts in lines),
        status=EntryStatus.CANCELLED,
    )

    months, partners, due = _settlements(
        sales.months[on_credit], sales.partners[on_credit], sales.gross[on_credit]
    )
    pay_days = rng.choice([10, 20, 25, 31], len(plan.customers))
    bears_fee = rng.random(len(plan.customers)) < 0.3
    fee, fee_tax = plan.booked(plan.money(np.where(bears_fee, 600.0, 0.0), 10)[partners], False)
    fee, fee_tax = np.minimum(fee, due // 2), np.minimum(fee_tax, due // 20)
    journal.post(
        journal.day_of(months + 1, pay_days[partners]),
        plan.text("売掛金入金 ", "Receipt from ") + customers[partners],
        (_BANK, due - fee - fee_tax),
        (_FEES, fee),
        (_INPUT_TAX, fee_tax),
        (_RECEIVABLES, -due),
    )
    journal.open(_RECEIVABLES, due[months == 0].sum())

    refunds = plan.money(plan.sales_yen * 0.01 * rng.random(len(journal.months)), 10)
    refunds = np.where(rng.random(len(refunds)) < 0.25, refunds, 0)
    booked, tax = plan.booked(refunds, False)
    journal.post(
        journal.day_of(journal.months, 18),
        plan.text("売上返品・値引", "Sales returns"),
        (_RETURNS, booked),
        (_OUTPUT_TAX, tax),
        (_BANK, -booked - tax),
    )

    takings = np.zeros(len(journal.months), dtype=np.int64)
    in_cash = received_on == _CASH
    np.add.at(takings, sales.months[in_cash], sales.gross[in_cash])
    for week in range(1, 5):
        journal.post(
            journal.day_of(journal.months, week * 7),
            plan.text("売上金預入", "Takings banked"),
            (_BANK, takings // 4),
            (_CASH, -(takings // 4)),
        )


def _purchase(plan: Plan, journal: SampleJournal, rng: np.random.Generator) -> None:
    """Purchases on account, paid in the following month, and the stock of goods."""
    cost_yen = plan.sales_yen * plan.trade.cost * rng.normal(1, 0.04, len(journal.months))
    bought = _invoices(plan, journal, rng, cost_yen, plan.purchase_count, len(plan.suppliers))
    suppliers = np.array(plan.suppliers, dtype=object)
    kinds = [plan.text(*words) for words in plan.trade.bought]
    journal.post(
        bought.days,
        _texts(rng, len(bought.days), [f"{kind} " for kind in kinds]) + suppliers[bought.partners],
        (rng.choice(np.array(plan.trade.cost_accounts), len(bought.days)), bought.booked),
        (_INPUT_TAX, bought.tax),
        (_PAYABLES, -bought.gross),
    )
    months, partners, due = _settlements(bought.months, bought.partners, bought.gross)
    journal.post(
        journal.day_of(months + 1, rng.choice([20, 25, 31], len(plan.suppliers))[partners]),
        plan.text("買掛金支払 ", "Payment to ") + suppliers[partners],
        (_PAYABLES, due),
        (_BANK, -due),
    )
    journal.open(_PAYABLES, -due[months == 0].sum())

    if plan.trade.stock:
        # Month 0's stock is the opening one; the others replace each other.
        stock = plan.money(cost_yen * plan.trade.stock * rng.normal(1, 0.05, len(cost_yen)), 100)
        before = np.concatenate([stock[:1], stock[:-1]])
        last_days = journal.last_day(journal.months)
        journal.post(
            last_days,
            plan.text("期首商品棚卸高 振替", "Opening stock"),
            (_OPENING_STOCK, before),
            (_STOCK, -before),
        )
        journal.post(
            last_days,
            plan.text("期末商品棚卸高 振替", "Closing stock"),
            (_STOCK, stock),
            (_CLOSING_STOCK, -stock),
        )
        journal.open(_STOCK, stock[0])


def _pay_wages(plan: Plan, journal: SampleJournal) -> None:
    """Salaries with what is withheld from them; a bonus in July and December."""
    monthly_yen = plan.labour_ratio * plan.scale_yen / 1.3  # the rest is insurance and bonuses
    # Without staff the owner takes what is left.
    directors_yen = monthly_yen if plan.small else min(monthly_yen * 0.3, 2_000_000)
    staff_yen = 0 if plan.small else monthly_yen - directors_yen
    directors = plan.money(max(directors_yen, 150_000) * plan.trend, 1000)
    salaries = plan.money(staff_yen * plan.trend, 10)
    bonuses = np.where(np.isin(journal.calendar_months, [7, 12]), salaries * 9 // 10, 0)

    withheld = np.zeros((3, len(journal.months)), dtype=np.int64)
    insured = np.zeros(len(journal.months), dtype=np.int64)
    for day, memo, directors_part, account, staff_part in (
        (25, plan.text("給与支払", "Payroll"), directors, _SALARIES, salaries),
        (10, plan.text("賞与支払", "Bonus"), directors * 0, _BONUSES, bonuses),
    ):
        pay = directors_part + staff_part
        kept = np.stack(
            [directors_part * 6 // 100 + staff_part * 3 // 100, pay // 20, pay * 15 // 100]
        )
        if account == _BONUSES:
            kept[1] = 0  # inhabitant tax is not withheld from bonuses
        journal.post(
            journal.day_of(journal.months, day),
            memo,
            (_DIRECTORS, directors_part),
            (account, staff_part),
            (_WITHHELD_TAX, -kept[0]),
            (_WITHHELD_INHABITANT_TAX, -kept[1]),
            (_WITHHELD_INSURANCE, -kept[2]),
            (_BANK, kept.sum(axis=0) - pay),
        )
        withheld += kept
        insured += pay
    contributions = insured * 155 // 1000
    journal.post(
        journal.last_day(journal.months),
        plan.text("社会保険料 会社負担分", "Employer's social insurance"),
        (_INSURANCE_CONTRIBUTIONS, contributions),
        (_ACCRUED, -contributions),
    )
    journal.post(
        journal.day_of(journal.months + 1, 10),
        plan.text("源泉所得税・住民税 納付", "Withheld taxes paid"),
        (_WITHHELD_TAX, withheld[0]),
        (_WITHHELD_INHABITANT_TAX, withheld[1]),
        (_BANK, -withheld[0] - withheld[1]),
    )
    journal.post(
        journal.day_of(journal.months + 1, 31),
        plan.text("社会保険料 納付", "Social insurance paid"),
        (_WITHHELD_INSURANCE, withheld[2]),
        (_ACCRUED, contributions),
        (_BANK, -withheld[2] - contributions),
    )
    journal.open(_WITHHELD_TAX, -withheld[0, 0])
    journal.open(_WITHHELD_INHABITANT_TAX, -withheld[1, 0])
    journal.open(_WITHHELD_INSURANCE, -withheld[2, 0])
    journal.open(_ACCRUED, -contributions[0])


def _run_premises(plan: Plan, journal: SampleJournal, rng: np.random.Generator) -> None:
    """Rent, energy and telephone, debited from the bank account."""
    rent = plan.money(
        np.full(len(journal.months), max(plan.trade.rent * plan.scale_yen, 50_000)), 1000
    )
    journal.open(_DEPOSITS, 6 * rent[0])
    energy_yen = (
        0.009 * plan.scale_yen * (1 + 0.35 * np.cos((journal.calendar_months - 1.5) * np.pi / 3))
    )
    bills = [
        (27, _RENT, plan.text("事務所家賃", "Office rent"), rent),
        (20, _UTILITIES, plan.text("電気・ガス・水道料金", "Electricity, gas and water"),
         plan.money(energy_yen * rng.normal(1, 0.05, len(journal.months)))),
    ]  # fmt: skip
    if not plan.small:
        lines = 0.004 * plan.scale_yen * rng.normal(1, 0.03, len(journal.months))
        bills.append(
            (
                15,
                _COMMUNICATIONS,
                plan.text("電話・回線料", "Telephone and internet"),
                plan.money(lines),
            )
        )
    for day, account, memo, net in bills:
        booked, tax = plan.booked(net, False)
        journal.post(
            journal.day_of(journal.months, day),
            memo,
            (account, booked),
            (_INPUT_TAX, tax),
            (_BANK, -booked - tax),
        )


def _spend(plan: Plan, journal: SampleJournal, rng: np.random.Generator) -> None:
    """Everyday expenses: by company card (paid the month after), by bank transfer, in cash."""
    months = np.repeat(journal.months, plan.expense_count)
    drawn = _drawn(rng, len(months), [kind.weight for kind in _SPENDINGS])
    sizes = np.array([kind.usual_yen for kind in _SPENDINGS])[drawn]
    sizes = sizes * rng.lognormal(0, 0.6, len(months))
    # Scaled so that the month's sum fits the company.
    budget = plan.trade.expenses * plan.scale_yen * plan.trend
    net = plan.money(sizes * (budget / np.bincount(months, sizes))[months])
    booked, tax = plan.booked(net, False)
    memos = [plan.text(*kind.memo) for kind in _SPENDINGS]
    paid_from = rng.choice([_OTHER_PAYABLES, _BANK, _CASH], p=[0.6, 0.3, 0.1], size=len(months))
    journal.post(
        journal.days_in(months, rng.random(len(months)), weekends=False),
        np.array(memos, dtype=object)[drawn],
        (np.array([kind.account for kind in _SPENDINGS])[drawn], booked),
        (_INPUT_TAX, tax),
        (paid_from, -booked - tax),
    )
    by_card, in_cash = np.zeros((2, len(journal.months)), dtype=np.int64)
    for sums, account in ((by_card, _OTHER_PAYABLES), (in_cash, _CASH)):
        chosen = paid_from == account
        np.add.at(sums, months[chosen], (booked + tax)[chosen])
    journal.post(
        journal.day_of(journal.months + 1, 27),
        plan.text("法人カード利用代金 引落", "Company card"),
        (_OTHER_PAYABLES, by_card),
        (_BANK, -by_card),
    )
    journal.post(
        journal.day_of(journal.months, 1),
        plan.text("小口現金補充", "Petty cash"),
        (_CASH, in_cash),
        (_BANK, -in_cash),
    )
    journal.open(_OTHER_PAYABLES, -by_card[0])


def _claim(plan: Plan, journal: SampleJournal, rng: np.random.Generator) -> pa.Table:
    """Employees' expense claims, refunded the month after; returns the table of claims."""
    months = np.repeat(journal.months, plan.claim_count)
    count = len(months)
    drawn = _drawn(rng, count, [kind.weight for kind in _CLAIM_KINDS])
    sizes = np.array([kind.usual_yen for kind in _CLAIM_KINDS])[drawn]
    gross = np.maximum(plan.money(sizes * rng.lognormal(0, 0.5, count), 10), 10)
    percent = np.array([kind.tax_percent for kind in _CLAIM_KINDS])[drawn]
    tax = gross * percent // (100 + percent) if plan.company.currency == "JPY" else gross * 0
    days = journal.days_in(months, rng.random(count), weekends=False)
    people = rng.integers(len(plan.employees), size=count)
    employees = np.array(plan.employees, dtype=object)
    payees = _words_of(plan, rng, drawn, [kind.payees for kind in _CLAIM_KINDS])
    descriptions = _words_of(plan, rng, drawn, [kind.descriptions for kind in _CLAIM_KINDS])
    categories = [plan.text(*kind.category) for kind in _CLAIM_KINDS]

    # The newest month's claims still wait: for approval, or for their refund.
    fate = rng.random(count)
    waiting = np.where(fate < 0.2, "submitted", "approved")
    states = np.where(months == journal.last, waiting, "paid")
    states = np.where(fate < 0.01, "rejected", states)
    accepted = np.isin(states, ["paid", "approved"])
    tax_apart = tax * plan.taxed
    journal.post(
        days[accepted],
        (plan.text("経費精算 ", "Claim: ") + employees[people] + " " + descriptions)[accepted],
        (
            np.array([kind.account for kind in _CLAIM_KINDS])[drawn[accepted]],
            (gross - tax_apart)[accepted],
        ),
        (_INPUT_TAX, tax_apart[accepted]),
        (_OTHER_PAYABLES, -gross[accepted]),
    )
    due_months, due_people, due = _settlements(months[accepted], people[accepted], gross[accepted])
    journal.post(
        journal.day_of(due_months + 1, 10),
        plan.text("立替経費精算 ", "Refund to ") + employees[due_people],
        (_OTHER_PAYABLES, due),
        (_BANK, -due),
    )
    journal.open(_OTHER_PAYABLES, -due[due_months == 0].sum())

    order = np.argsort(days, kind="stable")
    order = order[days[order] >= journal.first_day]
    return ledger_table(
        "expense_claims",
        len(order),
        tenant_id=plan.company.tenant_id,
        claim_id=[f"EX{number:07d}" for number in range(1, len(order) + 1)],
        incurred_on=days[order].astype(np.int32),
        employee=employees[people[order]],
        category=np.array(categories, dtype=object)[drawn[order]],
        payee=payees[order],
        description=descriptions[order],
        amount=gross[order],
        consumption_tax=tax[order],
        status=states[order].astype(object),
    )


def _drawn(rng: np.random.Generator, count: int, weights: list[int]) -> IntArray:
    """Positions drawn by weight."""
    return rng.choice(len(weights), p=np.array(weights) / sum(weights), size=count)


def _words_of(
    plan: Plan,
    rng: np.random.Generator,
    drawn: IntArray,
    choices: list[tuple[tuple[str, str], ...]],
) -> TextArray:
    """One of the words of each drawn position."""
    words = np.array([plan.text(*word) for choice in choices for word in choice], dtype=object)
    sizes = np.array([len(choice) for choice in choices])
    firsts = np.cumsum(sizes) - sizes
    picked = firsts[drawn] + (rng.random(len(drawn)) * sizes[drawn]).astype(np.int64)
    texts: TextArray = words[picked]
    return texts


def _hold_assets(plan: Plan, journal: SampleJournal, rng: np.random.Generator) -> None:
    """Fixed assets: monthly depreciation, now and then one is bought or sold."""
    account = int(rng.choice([_FIXTURES, _MACHINERY, _VEHICLES]))
    monthly_yen = plan.trade.depreciation * plan.scale_yen
    life = int(rng.choice([60, 72, 96, 120, 180]))
    cost = int(plan.money(max(monthly_yen * life, 300_000), 1000))
    depreciated = int(cost * rng.uniform(0.1, 0.6))
    journal.open(account, cost)
    journal.open(_ACCUMULATED_DEPRECIATION, -depreciated)
    # To a memorandum value of one, never below.
    planned = np.minimum(np.cumsum(np.full(journal.last, cost // life)), cost - depreciated - 1)
    monthly = np.diff(planned, prepend=0)

    if rng.random() < 0.3:
        month = int(rng.integers(1, journal.last + 1))
        price = plan.money(np.array([plan.scale_yen * rng.uniform(0.1, 0.6)]), 1000)
        booked, tax = plan.booked(price, False)
        journal.post(
            journal.day_of(np.array([month]), 12),
            plan.text("車両購入", "Vehicle bought"),
            (_VEHICLES, booked),
            (_INPUT_TAX, tax),
            (_BANK, -booked - tax),
        )
        monthly[month:] += int(booked[0]) // 72
    journal.post(
        journal.last_day(journal.months[1:]),
        plan.text("減価償却費 当月分", "Depreciation of the month"),
        (_DEPRECIATION, monthly),
        (_ACCUMULATED_DEPRECIATION, -monthly),
    )

    if rng.random() < 0.15:
        sold = plan.money(np.array([plan.scale_yen * 0.1]), 1000)
        written_off = sold * int(rng.integers(40, 95)) // 100
        price = (sold - written_off) * int(rng.integers(20, 180)) // 100
        _, tax = plan.booked(price, False)
        result = price - (sold - written_off)
        journal.open(_VEHICLES, sold[0])
        journal.open(_ACCUMULATED_DEPRECIATION, -written_off[0])
        journal.post(
            journal.day_of(rng.integers(1, journal.last + 1, 1), 16),
            plan.text("車両売却", "Vehicle sold"),
            (_BANK, price + tax),
            (_ACCUMULATED_DEPRECIATION, written_off),
            (_VEHICLES, -sold),
            (_OUTPUT_TAX, -tax),
            (_DISPOSAL_GAIN, -np.maximum(result, 0)),
            (_DISPOSAL_LOSS, np.maximum(-result, 0)),
        )


def _borrow(plan: Plan, journal: SampleJournal, rng: np.random.Generator) -> None:
    """A bank loan, repaid monthly with interest; one company in five draws another."""
    if plan.small or rng.random() < 0.2:
        return
    principal = int(plan.money(plan.scale_yen * rng.uniform(0.3, 3), 10_000))
    repaid = np.minimum(np.cumsum(np.full(journal.last, principal // 84)), principal)
    rate = rng.uniform(0.009, 0.024)
    outstanding = np.concatenate([[principal], principal - repaid[:-1]])
    interest = np.rint(outstanding * rate / 12).astype(np.int64)
    journal.open(_LOAN, -principal)
    journal.post(
        journal.day_of(journal.months[1:], 28),
        plan.text("借入金返済・利息", "Loan repayment and interest"),
        (_LOAN, np.diff(repaid, prepend=0)),
        (_INTEREST, interest),
        (_BANK, -np.diff(repaid, prepend=0) - interest),
    )
    if rng.random() < 0.2:
        drawn = plan.money(np.array([plan.scale_yen * rng.uniform(0.5, 2)]), 10_000)
        journal.post(
            journal.day_of(rng.integers(1, journal.last + 1, 1), 14),
            plan.text("運転資金 借入実行", "Working capital loan"),
            (_BANK, drawn),
            (_LOAN, -drawn),
        )


def _receive_other_income(plan: Plan, journal: SampleJournal, rng: np.random.Generator) -> None:
    """Interest on deposits twice a year, taxed at source; a subsidy now and then."""
    interest_months = np.isin(journal.calendar_months, [2, 8])
    interest = np.where(interest_months, plan.money(plan.scale_yen * 0.0008), 0)
    withheld = interest * 15315 // 100_000  # 所得税 15 % and 復興特別所得税
    journal.post(
        journal.day_of(journal.months, 17),
        plan.text("預金利息", "Interest on deposits"),
        (_BANK, interest - withheld),
        (_INCOME_TAXES, withheld),
        (_INTEREST_INCOME, -interest),
    )
    subsidy = plan.money(plan.scale_yen * rng.uniform(0.01, 0.1, len(journal.months)), 1000)
    subsidy = np.where(rng.random(len(subsidy)) < 0.08, subsidy, 0)
    journal.post(
        journal.day_of(journal.months, 22),
        plan.text("助成金入金", "Subsidy received"),
        (_BANK, subsidy),
        (_OTHER_INCOME, -subsidy),
    )


def _pay_dividends(plan: Plan, journal: SampleJournal, rng: np.random.Generator) -> None:
    """Three months after the end of a fiscal year profitable companies pay a dividend, if any."""
    if plan.small or plan.profit_ratio < 0.06 or rng.random() < 0.5:
        return
    year_ends = np.append(
        -_months_of_open_year(plan, journal), np.flatnonzero(plan.ends_fiscal_year[1:]) + 1
    )
    months = year_ends[year_ends > -3] + 3
    dividend = plan.money(np.full(len(months), 1.8 * plan.profit_ratio * plan.scale_yen), 1000)
    journal.open(_TIME_DEPOSITS, plan.money(4 * plan.scale_yen, 10_000))  # past years' profits
    reserve = dividend // 10  # 会社法 第445条第4項
    withheld = dividend * 2042 // 10_000  # 所得税 20 % and 復興特別所得税
    journal.post(
        journal.day_of(np.minimum(months, journal.last + 1), 20),
        plan.text("配当金支払", "Dividend"),
        (_RETAINED, dividend + reserve),
        (_LEGAL_RESERVE, -reserve),
        (_WITHHELD_TAX, -withheld),
        (_BANK, withheld - dividend),
    )
    journal.post(
        journal.day_of(np.minimum(months, journal.last + 1) + 1, 10),
        plan.text("配当源泉税 納付", "Tax on dividends paid"),
        (_WITHHELD_TAX, withheld),
        (_BANK, -withheld),
    )


def _months_of_open_year(plan: Plan, journal: SampleJournal) -> int:
    """How many months of a fiscal year have passed when the books begin."""
    return int((journal.calendar_months[1] - plan.company.fiscal_year_start_month) % 12)


def _end_fiscal_years(plan: Plan, journal: SampleJournal) -> None:
    """Taxes of each fiscal year, paid two months after it, and the closing entries."""
    _owe_taxes_of_the_year_before(plan, journal)
    movements = journal.movements()
    unsettled = {account: journal.opening.get(account, 0) for account in (_OUTPUT_TAX, _INPUT_TAX)}
    receivables = journal.opening.get(_RECEIVABLES, 0)
    allowance = 0
    year_start = 1
    for month in (np.flatnonzero(plan.ends_fiscal_year[1:]) + 1).tolist():
        year = {
            account: int(moved[year_start : month + 1].sum())
            for account, moved in movements.items()
        }
        results = {account: moved for account, moved in year.items() if account >= _SALES}
        if plan.taxed:
            _settle_consumption_tax(
                plan,
                journal,
                month,
                received=-year.get(_OUTPUT_TAX, 0) - unsettled.pop(_OUTPUT_TAX, 0),
                paid=year.get(_INPUT_TAX, 0) + unsettled.pop(_INPUT_TAX, 0),
            )
        elif plan.company.consumption_tax_basis == "inclusive":
            tax = max(-year.get(_SALES, 0), 0) // 40
            memo = plan.text("消費税等 確定", "Consumption tax of the year")
            _accrue(journal, month, memo, tax, _TAXES_AND_DUES, _CONSUMPTION_TAX_PAYABLE, results)
            _pay_tax(plan, journal, month, _CONSUMPTION_TAX_PAYABLE, tax)
        if not plan.small:
            receivables += year.get(_RECEIVABLES, 0)
            added = max(receivables // 100 - allowance, 0)
            allowance += added
            memo = plan.text("貸倒引当金 繰入", "Provision for doubtful accounts")
            _accrue(journal, month, memo, added, _BAD_DEBT_PROVISION, _ALLOWANCE, results)
        profit = -sum(results.values())
        tax = max(profit * 27 // 100, int(plan.money(70_000)))
        memo = plan.text("法人税等 計上", "Income taxes of the year")
        _accrue(journal, month, memo, tax, _INCOME_TAXES, _INCOME_TAX_PAYABLE, results)
        _pay_tax(plan, journal, month, _INCOME_TAX_PAYABLE, tax)
        if plan.company.posts_closing_entries:
            _post_at_end(
                journal,
                month,
                plan.text("損益振替", "Closing entry"),
                {
                    **{account: -moved for account, moved in results.items()},
                    _RETAINED: -(profit - tax),
                },
                EntryKind.CLOSING,
            )
        year_start = month + 1


def _owe_taxes_of_the_year_before(plan: Plan, journal: SampleJournal) -> None:
    """What the opening balances hold of consumption and income taxes."""
    elapsed = _months_of_open_year(plan, journal)
    if plan.taxed:
        costs = plan.trade.cost + plan.trade.expenses + plan.trade.rent
        journal.open(_OUTPUT_TAX, -plan.money(elapsed * 0.1 * plan.scale_yen))
        journal.open(_INPUT_TAX, plan.money(elapsed * 0.1 * costs * plan.scale_yen))
    year_end = -elapsed  # month 0 if the books begin with a fiscal year
    if year_end < -1:
        return  # paid before the books begin
    owed = {_INCOME_TAX_PAYABLE: plan.money(max(plan.profit_ratio, 0.01) * 3 * plan.scale_yen, 100)}
    if plan.company.consumption_tax_basis != "none":
        owed[_CONSUMPTION_TAX_PAYABLE] = plan.money(0.3 * plan.scale_yen, 100)
    for account, amount in owed.items():
        journal.open(account, -amount)
        _pay_tax(plan, journal, year_end, account, int(amount))


def _settle_consumption_tax(
    plan: Plan, journal: SampleJournal, month: int, *, received: int, paid: int
) -> None:
    """What was received beyond what was paid is owed; the reverse is refunded."""
    owed, refund = max(received - paid, 0), max(paid - received, 0)
    _post_at_end(
        journal,
        month,
        plan.text("消費税等 確定", "Consumption tax of the year"),
        {
            _OUTPUT_TAX: received,
            _INPUT_TAX: -paid,
            _CONSUMPTION_TAX_PAYABLE: -owed,
            _TAX_REFUND: refund,
        },
    )
    _pay_tax(plan, journal, month, _CONSUMPTION_TAX_PAYABLE, owed)
    _pay_tax(plan, journal, month, _TAX_REFUND, -refund)


def _accrue(
    journal: SampleJournal,
    month: int,
    memo: str,
    amount: int,
    expense: int,
    liability: int,
    results: dict[int, int],
) -> None:
    """An expense known at the end of the year only; it enters the year's results."""
    _post_at_end(journal, month, memo, {expense: amount, liability: -amount})
    results[expense] = results.get(expense, 0) + amount


def _post_at_end(
    journal: SampleJournal,
    month: int,
    memo: str,
    amounts: dict[int, int],
    kind: EntryKind = EntryKind.NORMAL,
) -> None:
    lines = ((account, np.array([amount])) for account, amount in amounts.items())
    journal.post(journal.last_day(np.array([month])), memo, *lines, kind=kind)


def _pay_tax(plan: Plan, journal: SampleJournal, month: int, account: int, amount: int) -> None:
    """Taxes fall due two months after the fiscal year's last month; negative: a refund."""
    journal.post(
        journal.day_of(np.array([month + 2]), 31),
        plan.text("税金納付", "Taxes paid") if amount > 0 else plan.text("税金還付", "Tax refund"),
        (account, np.array([amount])),
        (_BANK, np.array([-amount])),
    )


def _open(plan: Plan, journal: SampleJournal) -> None:
    """The opening entry: enough cash for what comes, capital, and the rest retained earnings."""
    for account, usual_yen in ((_CASH, 80_000.0), (_BANK, plan.scale_yen * 2.2)):
        usual = int(plan.money(usual_yen))
        journal.open(account, usual - journal.lowest_balance(account))
    capital = 10 ** round(np.log10(plan.scale_yen)) * 1.0
    journal.open(_CAPITAL, -plan.money(np.clip(capital, 1_000_000, 90_000_000)))
    journal.open(_RETAINED, -sum(journal.opening.values()))
    journal.post(
        np.array([journal.first_day]),
        plan.text("開始残高", "Opening balances"),
        *((account, np.array([amount])) for account, amount in sorted(journal.opening.items())),
        kind=EntryKind.OPENING,
    )
