"""What a reader of the statements should be told: rules over one tenant's reports.

A rule compares exact integers, by cross-multiplication where it speaks of ratios, and its
observation carries the figures that it compared. Wording belongs to the documents.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from functools import cached_property

from reports_pipeline.accounting.accounts import Section, Side
from reports_pipeline.accounting.reports import (
    TREND_MONTHS,
    LineKind,
    StatementKind,
    StatementLine,
    TenantReports,
)

# A page that tells everything tells nothing.
MOST_OBSERVATIONS = 8
MOST_OF_A_KIND = 3

# 流動比率: below it, what is due within a year exceeds what turns into cash within a year.
LEAST_CURRENT_RATIO = Fraction(1)
# 自己資本比率: companies below a fifth live on borrowed money; the small companies of 中小企業実態
# 基本調査 have about two fifths on average.
LEAST_EQUITY_RATIO = Fraction(1, 5)
# Points of percent; about what a price rise of a tenth in purchases costs a trader whose goods are
# half of its sales.
GROSS_MARGIN_FALL_POINTS = 5
# A mean of fewer months says nothing of what is usual.
FEWEST_MONTHS_OF_A_MEAN = 3
# A modified z-score above 3.5 marks an outlier (Iglewicz and Hoaglin, How to Detect and Handle
# Outliers, 1993); 1.4826 makes the MAD of normally distributed amounts their standard deviation.
OUTLIER_SCORE = Fraction("3.5")
MAD_TO_STANDARD_DEVIATION = Fraction("1.4826")
# Half of the 11 months before, and the median is one of the amounts that are usual.
FEWEST_MONTHS_WITH_EXPENSE = 6
# A rent that rises by a hundred yen deviates, too, where all months before are equal: a deviation
# counts from a hundredth of the month's expenses on, which auditors take for material where
# expenses are the measure (ISA 320, A8).
LEAST_DEVIATION_OF_EXPENSES = Fraction(1, 100)
# A change of one account counts where it moves its side of the statement, sales or expenses, by a
# twentieth: a reader of totals then sees it there and asks what it was.
LEAST_CHANGE_OF_TOTAL = Fraction(1, 20)


class ObservationCode(StrEnum):
    """What was observed, the most severe first."""

    NEGATIVE_NET_ASSETS = "negative_net_assets"
    OPERATING_LOSS = "operating_loss"
    ORDINARY_LOSS = "ordinary_loss"
    NET_LOSS = "net_loss"
    LOW_CASH = "low_cash"
    LOW_CURRENT_RATIO = "low_current_ratio"
    LOW_EQUITY_RATIO = "low_equity_ratio"
    GROSS_MARGIN_FALL = "gross_margin_fall"
    NEGATIVE_BALANCE = "negative_balance"
    UNUSUAL_EXPENSE = "unusual_expense"
    CHANGE_FROM_PRIOR_MONTH = "change_from_prior_month"
    CHANGE_FROM_PRIOR_YEAR = "change_from_prior_year"

    @property
    def is_warning(self) -> bool:
        """Whether a company should act on it; what else is observed is news."""
        return self not in _NEWS


_NEWS = frozenset(
    {
        ObservationCode.UNUSUAL_EXPENSE,
        ObservationCode.CHANGE_FROM_PRIOR_MONTH,
        ObservationCode.CHANGE_FROM_PRIOR_YEAR,
    }
)


class Direction(StrEnum):
    """How an amount stands to the one it is compared with; the end of its sentence's message id."""

    NONE = ""  # compared with nothing
    ABOVE = ".above"
    BELOW = ".below"
    APART = ".apart"  # one of them is △: what is less there may be more of a discount, or of stock


@dataclass(frozen=True, slots=True)
class Observation:
    """Something that a rule found, and the figures by which it did.

    `key` and `label` are those of the statement line. Amounts are minor units: between two of
    them, a mean is the upper one, and a median the one nearer to zero. Counts are of months or
    points of percent.
    """

    code: ObservationCode
    key: str
    label: str
    size: int  # minor units; of two observations with one code the larger is told first
    amounts: Mapping[str, int] = dataclasses.field(default_factory=dict)
    ratios: Mapping[str, Fraction] = dataclasses.field(default_factory=dict)
    counts: Mapping[str, int] = dataclasses.field(default_factory=dict)
    direction: Direction = Direction.NONE


def observations(reports: TenantReports) -> tuple[Observation, ...]:
    """What the rules find, the most severe first: at most MOST_OBSERVATIONS, at most
    MOST_OF_A_KIND with one code, and one for a line."""
    figures = _Figures(reports)
    severity = {code: number for number, code in enumerate(ObservationCode)}
    found = sorted(
        (observation for rule in _RULES for observation in rule(figures)),
        key=lambda each: (severity[each.code], -each.size, each.key),
    )
    told: dict[str, Observation] = {}
    of_kind = dict.fromkeys(ObservationCode, 0)
    for observation in found:
        if observation.key not in told and of_kind[observation.code] < MOST_OF_A_KIND:
            told[observation.key] = observation
            of_kind[observation.code] += 1
    return tuple(told.values())[:MOST_OBSERVATIONS]


def leaves_rules_out(reports: TenantReports) -> bool:
    """Whether the books are too young for one of the rules about what is usual."""
    months = TREND_MONTHS - reports.trend_start
    return months < FEWEST_MONTHS_OF_A_MEAN or months - 1 < FEWEST_MONTHS_WITH_EXPENSE


class _Figures:
    """The reports as rules ask for them."""

    def __init__(self, reports: TenantReports) -> None:
        self._reports = reports
        # The part of each trend that the books reach.
        self.months = slice(reports.trend_start, None)

    @cached_property
    def income_statement(self) -> Mapping[str, StatementLine]:
        return self._by_key(StatementKind.INCOME_STATEMENT)

    @cached_property
    def balance_sheet(self) -> Mapping[str, StatementLine]:
        return self._by_key(StatementKind.BALANCE_SHEET)

    @cached_property
    def cash_flow(self) -> Mapping[str, StatementLine]:
        """Without those of accounts, whose keys need not be unique there."""
        lines = self._reports.statement(StatementKind.CASH_FLOW).lines
        return {line.key: line for line in lines if line.kind is not LineKind.ACCOUNT}

    @cached_property
    def expenses(self) -> StatementLine | None:
        """Cost of sales and selling, general and administrative expenses."""
        lines = self._reports.statement(StatementKind.EXPENSE_ANALYSIS).lines
        return next((line for line in lines if line.key == "total_expenses"), None)

    def accounts(self, kind: StatementKind) -> Iterator[tuple[Section, StatementLine]]:
        """The accounts of a statement, each with its section: the nearest heading that is one."""
        section = None
        for line in self._reports.statement(kind).lines:
            if line.kind is LineKind.HEADING:
                section = _SECTIONS.get(line.key, section)
            elif section is not None and line.key.startswith("account:"):
                yield section, line

    def _by_key(self, kind: StatementKind) -> Mapping[str, StatementLine]:
        return {line.key: line for line in self._reports.statement(kind).lines}


_SECTIONS = {str(section): section for section in Section}
_BALANCE_SHEET_SIDES = frozenset(
    {
        Section.CURRENT_ASSETS,
        Section.PROPERTY_PLANT_EQUIPMENT,
        Section.INTANGIBLE_ASSETS,
        Section.INVESTMENTS_AND_OTHER_ASSETS,
        Section.DEFERRED_ASSETS,
        Section.CURRENT_LIABILITIES,
        Section.NONCURRENT_LIABILITIES,
    }
)
_EXPENSES = frozenset({Section.COST_OF_SALES, Section.SELLING_GENERAL_ADMINISTRATIVE})


def _current(lines: Mapping[str, StatementLine], key: str) -> int:
    """The line's amount; 0 where the statement lacks the line, which then has no account."""
    line = lines.get(key)
    return 0 if line is None or line.current is None else line.current


def _net_assets(figures: _Figures) -> Iterator[Observation]:
    """債務超過, or a low equity ratio, whose 自己資本 has no share acquisition rights in it."""
    assets = _current(figures.balance_sheet, "total_assets")
    liabilities = _current(figures.balance_sheet, "total_liabilities")
    net_assets = _current(figures.balance_sheet, "total_net_assets")
    if net_assets < 0:
        yield Observation(
            ObservationCode.NEGATIVE_NET_ASSETS,
            "total_net_assets",
            "",
            -net_assets,
            {"assets": assets, "liabilities": liabilities, "deficit": -net_assets},
        )
        return
    equity = net_assets - _current(figures.balance_sheet, "total_share_acquisition_rights")
    if assets > 0 and _is_below(equity, LEAST_EQUITY_RATIO, assets):
        yield Observation(
            ObservationCode.LOW_EQUITY_RATIO,
            "total_net_assets",
            "",
            assets,
            {"assets": assets, "equity": equity},
            {"ratio": Fraction(equity, assets), "least": LEAST_EQUITY_RATIO},
        )


def _current_ratio(figures: _Figures) -> Iterator[Observation]:
    assets = _current(figures.balance_sheet, "total_current_assets")
    liabilities = _current(figures.balance_sheet, "total_current_liabilities")
    if liabilities > 0 and _is_below(assets, LEAST_CURRENT_RATIO, liabilities):
        yield Observation(
            ObservationCode.LOW_CURRENT_RATIO,
            "total_current_assets",
            "",
            liabilities - assets,
            {"assets": assets, "liabilities": liabilities},
            {"ratio": Fraction(assets, liabilities), "least": LEAST_CURRENT_RATIO},
        )


# What may be a loss, from the top of the statement down, and the line that it started from.
_LOSSES = (
    (ObservationCode.OPERATING_LOSS, "operating_profit", "total_net_sales"),
    (ObservationCode.ORDINARY_LOSS, "ordinary_profit", "operating_profit"),
    (ObservationCode.NET_LOSS, "net_profit", "ordinary_profit"),
)


def _loss(figures: _Figures) -> Iterator[Observation]:
    """The uppermost loss alone: it is in those below it."""
    for code, key, base_key in _LOSSES:
        profit = _current(figures.income_statement, key)
        if profit < 0:
            base = _current(figures.income_statement, base_key)
            yield Observation(code, key, "", -profit, {"loss": -profit, "base": base})
            return


def _gross_margin(figures: _Figures) -> Iterator[Observation]:
    """Against the margin of all months of the trend together, as its table shows them."""
    profit_line = figures.income_statement.get("gross_profit")
    sales_line = figures.income_statement.get("total_net_sales")
    if profit_line is None or sales_line is None:
        return
    profits, sales = profit_line.trend[figures.months], sales_line.trend[figures.months]
    profit, sold, all_profit, all_sold = profits[-1], sales[-1], sum(profits), sum(sales)
    if len(sales) < FEWEST_MONTHS_OF_A_MEAN or sold <= 0 or all_sold <= 0:
        return
    fall = all_profit * sold - profit * all_sold
    if fall * 100 >= GROSS_MARGIN_FALL_POINTS * sold * all_sold:
        yield Observation(
            ObservationCode.GROSS_MARGIN_FALL,
            "gross_profit",
            "",
            sold,
            {"profit": profit, "sales": sold},
            {"margin": Fraction(profit, sold), "mean": Fraction(all_profit, all_sold)},
            {"months": len(sales), "points": GROSS_MARGIN_FALL_POINTS},
        )


def _cash(figures: _Figures) -> Iterator[Observation]:
    """Cash that does not last a month of mean expenses; depreciation counts among them."""
    line = figures.expenses
    if line is None or "closing_cash" not in figures.cash_flow:
        return
    cash, expenses = _current(figures.cash_flow, "closing_cash"), line.trend[figures.months]
    spent = sum(expenses)
    if len(expenses) >= FEWEST_MONTHS_OF_A_MEAN and spent > 0 and cash * len(expenses) < spent:
        yield Observation(
            ObservationCode.LOW_CASH,
            "closing_cash",
            "",
            spent - cash * len(expenses),
            # Rounded up: cash below the mean is below this, too.
            {"cash": cash, "mean_expenses": -(-spent // len(expenses))},
            counts={"months": len(expenses)},
        )


def _negative_balances(figures: _Figures) -> Iterator[Observation]:
    """Assets and liabilities on the wrong side; contra accounts belong there."""
    for section, line in figures.accounts(StatementKind.BALANCE_SHEET):
        if section in _BALANCE_SHEET_SIDES and not line.is_contra and (line.current or 0) < 0:
            balance = line.current or 0
            yield Observation(
                ObservationCode.NEGATIVE_BALANCE,
                line.key,
                line.label,
                -balance,
                {"balance": balance},
            )


def _unusual_expenses(figures: _Figures) -> Iterator[Observation]:
    """Expenses outside the usual spread, and such as none of the months before had: where more than
    half of them are equal their MAD is 0, and a bill of every other month would be an outlier."""
    all_expenses = figures.expenses
    of_month = 0 if all_expenses is None or all_expenses.current is None else all_expenses.current
    least = LEAST_DEVIATION_OF_EXPENSES * max(of_month, 0)
    for section, line in figures.accounts(StatementKind.INCOME_STATEMENT):
        if section not in _EXPENSES or line.current is None:
            continue
        before = line.trend[figures.months][:-1]
        if (
            sum(map(bool, before)) < FEWEST_MONTHS_WITH_EXPENSE
            or min(before) <= line.current <= max(before)
            or not is_outlier(line.current, before, least=least)
        ):
            continue
        median = _truncated_half(doubled_median(before))
        yield Observation(
            ObservationCode.UNUSUAL_EXPENSE,
            line.key,
            line.label,
            abs(line.current - median),
            {
                "amount": line.current,
                "median": median,
                "difference": abs(line.current - median),
            },
            counts={"months": len(before)},
            direction=_direction(line.current, median),
        )


def is_outlier(amount: int, others: Sequence[int], *, least: Fraction) -> bool:
    """Whether the amount is farther from the median of the others than the outlier score allows,
    and at least so far."""
    median = doubled_median(others)
    deviation = abs(2 * amount - median)
    # Four times the MAD: the doubled median of doubled deviations.
    mad = doubled_median([abs(2 * other - median) for other in others])
    allowed = OUTLIER_SCORE * MAD_TO_STANDARD_DEVIATION
    return (
        2 * deviation * allowed.denominator > allowed.numerator * mad
        and deviation * least.denominator >= 2 * least.numerator
    )


def _direction(amount: int, other: int) -> Direction:
    if amount < 0 or other < 0:
        return Direction.APART
    return Direction.ABOVE if amount > other else Direction.BELOW


def doubled_median(amounts: Sequence[int]) -> int:
    """Twice the median, which is whole even where the median is not."""
    ordered = sorted(amounts)
    return ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]


def _truncated_half(doubled: int) -> int:
    return abs(doubled) // 2 * (1 if doubled >= 0 else -1)


def _changes(figures: _Figures) -> Iterator[Observation]:
    """Accounts of sales and expenses that moved, against the month before and a year before."""
    bases = {
        Side.CREDIT: figures.income_statement.get("total_net_sales"),
        Side.DEBIT: figures.expenses,
    }
    for section, line in figures.accounts(StatementKind.INCOME_STATEMENT):
        base = bases[section.side]
        if base is None or line.current is None:
            continue
        for code, before, base_before in (
            (ObservationCode.CHANGE_FROM_PRIOR_MONTH, line.prior, base.prior),
            (ObservationCode.CHANGE_FROM_PRIOR_YEAR, line.prior_year, base.prior_year),
        ):
            if before is None:
                continue
            change = line.current - before
            total = max(base.current or 0, base_before or 0)
            if change == 0 or _is_below(abs(change), LEAST_CHANGE_OF_TOTAL, total):
                continue
            yield Observation(
                code,
                line.key,
                line.label,
                abs(change),
                {"amount": line.current, "before": before, "change": abs(change)},
                direction=_direction(line.current, before),
            )


def _is_below(part: int, least: Fraction, whole: int) -> bool:
    """Whether part / whole < least."""
    return part * least.denominator < least.numerator * whole


_RULES: Sequence[Callable[[_Figures], Iterator[Observation]]] = (
    _net_assets,
    _loss,
    _cash,
    _current_ratio,
    _gross_margin,
    _negative_balances,
    _unusual_expenses,
    _changes,
)
