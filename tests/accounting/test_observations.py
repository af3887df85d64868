"""What the rules find, just on the one side of each threshold and just on the other."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports_pipeline.accounting.observations import (
    MOST_OBSERVATIONS,
    MOST_OF_A_KIND,
    Direction,
    Observation,
    ObservationCode,
    doubled_median,
    is_outlier,
    leaves_rules_out,
    observations,
)
from reports_pipeline.accounting.periods import Month
from reports_pipeline.accounting.reports import (
    TREND_MONTHS,
    LineKind,
    Statement,
    StatementKind,
    StatementLine,
    TenantReports,
)
from tests.accounting.extracts import extract_of
from tests.accounting.printing import reports_of
from tests.accounting.sakura import MAY, SAKURA

MONTHS_BEFORE = TREND_MONTHS - 1
# A year in which nothing is worth a word: amounts of each month, by account or total.
QUIET_FLOWS = {
    "net_sales": {"sales": [10_000] * TREND_MONTHS},
    "cost_of_sales": {"purchases": [6_000] * TREND_MONTHS},
    "selling_general_administrative": {
        "salaries": [2_500] * TREND_MONTHS,
        "rent": [500] * TREND_MONTHS,
    },
}
QUIET_BALANCES = {
    "current_assets": {"cash": 12_000, "receivables": 10_000},
    "property_plant_equipment": {"machines": 8_000},
    "current_liabilities": {"payables": 15_000},
    "noncurrent_liabilities": {"loans": 5_000},
}

Trends = Mapping[str, Mapping[str, Sequence[int]]]
Balances = Mapping[str, Mapping[str, int]]


def line(
    key: str,
    kind: LineKind,
    trend: Sequence[int],
    *,
    prior_year: int | None,
    is_contra: bool = False,
) -> StatementLine:
    return StatementLine(
        key=key,
        label=key.removeprefix("account:") if key.startswith("account:") else "",
        kind=kind,
        level=0,
        current=None if kind is LineKind.HEADING else trend[-1],
        prior=None if kind is LineKind.HEADING else trend[-2],
        prior_year=None if kind is LineKind.HEADING else prior_year,
        year_to_date=None,
        opening=None,
        trend=tuple(trend),
        is_contra=is_contra,
    )


def added(trends: Sequence[Sequence[int]]) -> list[int]:
    return [sum(month) for month in zip([0] * TREND_MONTHS, *trends, strict=True)]


def company(
    flows: Trends = QUIET_FLOWS,
    balances: Balances = QUIET_BALANCES,
    *,
    cash: int = 12_000,
    year_before: Mapping[str, int] | None = None,
    contra: frozenset[str] = frozenset(),
    begins: int = 0,
    interest: int = 0,
    taxes: int = 0,
) -> TenantReports:
    """A tenant's statements; a year before, every line was as it is now unless `year_before` says
    otherwise, and every month has the same interest and taxes. Books that begin after the first
    month of the trends have nothing a year before."""
    nothing = [0] * TREND_MONTHS

    def before(key: str, trend: Sequence[int]) -> int | None:
        return None if begins else (year_before or {}).get(key, trend[-1])

    def flow(key: str, kind: LineKind, trend: Sequence[int]) -> StatementLine:
        reached = [0] * begins + list(trend[begins:])
        return line(key, kind, reached, prior_year=before(key, reached))

    totals = {section: added(list(accounts.values())) for section, accounts in flows.items()}
    sales = totals.get("net_sales", nothing)
    cost = totals.get("cost_of_sales", nothing)
    overhead = totals.get("selling_general_administrative", nothing)
    gross = [a - b for a, b in zip(sales, cost, strict=True)]
    income_statement = []
    for section, accounts in flows.items():
        income_statement += [
            flow(section, LineKind.HEADING, nothing),
            *(flow(f"account:{n}", LineKind.ACCOUNT, trend) for n, trend in accounts.items()),
            flow(f"total_{section}", LineKind.SUBTOTAL, totals[section]),
        ]
    operating = [a - b for a, b in zip(gross, overhead, strict=True)]
    income_statement += [
        flow("gross_profit", LineKind.TOTAL, gross),
        flow("operating_profit", LineKind.TOTAL, operating),
        flow("ordinary_profit", LineKind.TOTAL, [p - interest for p in operating]),
        flow("net_profit", LineKind.TOTAL, [p - interest - taxes for p in operating]),
    ]

    def balance(key: str, kind: LineKind, amount: int) -> StatementLine:
        return line(
            key,
            kind,
            [0] * begins + [amount] * (TREND_MONTHS - begins),
            prior_year=before(key, [amount]),
            is_contra=key.removeprefix("account:") in contra,
        )

    balance_sheet = []
    sides = {"assets": 0, "liabilities": 0}
    for section, standing in balances.items():
        balance_sheet += [
            balance(section, LineKind.HEADING, 0),
            *(balance(f"account:{n}", LineKind.ACCOUNT, a) for n, a in standing.items()),
            balance(f"total_{section}", LineKind.SUBTOTAL, sum(standing.values())),
        ]
        sides["liabilities" if "liabilities" in section else "assets"] += sum(standing.values())
    balance_sheet += [
        balance("total_assets", LineKind.TOTAL, sides["assets"]),
        balance("total_liabilities", LineKind.TOTAL, sides["liabilities"]),
        balance("total_net_assets", LineKind.TOTAL, sides["assets"] - sides["liabilities"]),
    ]
    expenses = flow("total_expenses", LineKind.TOTAL, added([cost, overhead]))
    closing_cash = line("closing_cash", LineKind.TOTAL, [cash] * TREND_MONTHS, prior_year=None)
    (sakura,) = reports_of(extract_of(MAY, [SAKURA]))
    return TenantReports(
        sakura.company,
        Month(2026, 10),
        1,
        (
            Statement(StatementKind.INCOME_STATEMENT, tuple(income_statement)),
            Statement(StatementKind.BALANCE_SHEET, tuple(balance_sheet)),
            Statement(StatementKind.EXPENSE_ANALYSIS, (expenses,)),
            Statement(StatementKind.CASH_FLOW, (closing_cash,)),
            Statement(StatementKind.INDIRECT_CASH_FLOW, ()),
        ),
        (),
    )


def flows(**accounts: Sequence[int]) -> dict[str, dict[str, Sequence[int]]]:
    """The quiet year with these trends of accounts instead; a new one is an expense."""
    changed: dict[str, dict[str, Sequence[int]]] = {
        section: {name: accounts.pop(name, trend) for name, trend in trends.items()}
        for section, trends in QUIET_FLOWS.items()
    }
    changed["selling_general_administrative"].update(accounts)
    return changed


def balances(**accounts: int) -> dict[str, dict[str, int]]:
    return {
        section: {name: accounts.get(name, amount) for name, amount in standing.items()}
        for section, standing in QUIET_BALANCES.items()
    }


def month(amount: int, before: int) -> list[int]:
    """A trend of equal months and another one at the end."""
    return [before] * MONTHS_BEFORE + [amount]


def codes(reports: TenantReports) -> list[ObservationCode]:
    return [observation.code for observation in observations(reports)]


def only(reports: TenantReports, code: ObservationCode) -> Observation:
    [found] = [observation for observation in observations(reports) if observation.code is code]
    return found


def test_a_quiet_month_is_worth_no_word() -> None:
    assert observations(company()) == ()


def test_books_without_any_amount_are_worth_no_word() -> None:
    assert observations(company({}, {}, cash=0)) == ()


def test_current_assets_below_current_liabilities() -> None:
    even = company(balances=balances(receivables=3_000))
    below = company(balances=balances(receivables=2_999))

    assert ObservationCode.LOW_CURRENT_RATIO not in codes(even)
    found = only(below, ObservationCode.LOW_CURRENT_RATIO)
    assert found.amounts == {"assets": 14_999, "liabilities": 15_000}
    assert found.ratios["ratio"] == Fraction(14_999, 15_000)


def test_net_assets_below_a_fifth_of_assets() -> None:
    """Assets of 25,000: a fifth is 5,000."""
    even = company(balances=balances(receivables=5_000))
    below = company(balances=balances(receivables=4_999))

    assert ObservationCode.LOW_EQUITY_RATIO not in codes(even)
    found = only(below, ObservationCode.LOW_EQUITY_RATIO)
    assert found.amounts == {"assets": 24_999, "equity": 4_999}
    assert found.ratios["ratio"] == Fraction(4_999, 24_999)


def test_share_acquisition_rights_are_no_equity_yet() -> None:
    """Net assets are a fifth of assets, but only with the rights among them."""
    even = company(balances=balances(receivables=5_000))
    rights = line(
        "total_share_acquisition_rights", LineKind.SUBTOTAL, [1] * TREND_MONTHS, prior_year=1
    )
    below = replace(
        even,
        statements=tuple(
            replace(statement, lines=(*statement.lines, rights))
            if statement.kind is StatementKind.BALANCE_SHEET
            else statement
            for statement in even.statements
        ),
    )

    found = only(below, ObservationCode.LOW_EQUITY_RATIO)
    assert found.amounts == {"assets": 25_000, "equity": 4_999}
    assert found.ratios["ratio"] == Fraction(4_999, 25_000)


def test_liabilities_above_assets() -> None:
    even = company(balances=balances(loans=15_000))
    above = company(balances=balances(loans=15_001))

    assert ObservationCode.NEGATIVE_NET_ASSETS not in codes(even)
    assert codes(even) == [ObservationCode.LOW_EQUITY_RATIO]
    assert codes(above) == [ObservationCode.NEGATIVE_NET_ASSETS]
    found = only(above, ObservationCode.NEGATIVE_NET_ASSETS)
    assert found.amounts == {"assets": 30_000, "liabilities": 30_001, "deficit": 1}


def test_operating_loss() -> None:
    even = company(flows(salaries=[3_500] * TREND_MONTHS))
    loss = company(flows(salaries=[3_501] * TREND_MONTHS))

    assert codes(even) == []
    assert codes(loss) == [ObservationCode.OPERATING_LOSS]
    assert only(loss, ObservationCode.OPERATING_LOSS).amounts == {"loss": 1, "base": 10_000}


def test_loss_below_an_operating_profit() -> None:
    """The operating profit is 1,000."""
    assert codes(company(interest=1_000)) == []
    assert codes(company(interest=900, taxes=100)) == []
    by_interest = only(company(interest=1_001, taxes=100), ObservationCode.ORDINARY_LOSS)
    assert by_interest.amounts == {"loss": 1, "base": 1_000}
    by_taxes = only(company(interest=900, taxes=101), ObservationCode.NET_LOSS)
    assert by_taxes.amounts == {"loss": 1, "base": 100}


def test_of_losses_the_uppermost_is_told() -> None:
    reports = company(flows(salaries=[3_501] * TREND_MONTHS), interest=10, taxes=10)

    assert codes(reports) == [ObservationCode.OPERATING_LOSS]


def test_gross_margin_five_points_below_that_of_the_year() -> None:
    """Of 12 equal months, the last weighs a twelfth: 40 % falls to the mean less 5 points where
    its cost is 6,000 + 500 * 12 / 11."""
    above = company(flows(purchases=month(6_545, 6_000)))
    below = company(flows(purchases=month(6_546, 6_000)))

    assert ObservationCode.GROSS_MARGIN_FALL not in codes(above)
    found = only(below, ObservationCode.GROSS_MARGIN_FALL)
    assert found.amounts == {"profit": 3_454, "sales": 10_000}
    assert found.ratios == {
        "margin": Fraction(3_454, 10_000),
        "mean": Fraction(11 * 4_000 + 3_454, 120_000),
    }
    assert found.counts == {"months": 12, "points": 5}


def test_no_margin_without_sales() -> None:
    assert ObservationCode.GROSS_MARGIN_FALL not in codes(company(flows(sales=month(0, 10_000))))


@pytest.mark.parametrize(("begins", "found"), [(9, True), (10, False)])
def test_margin_is_compared_with_three_months_at_least(begins: int, *, found: bool) -> None:
    reports = company(flows(purchases=month(9_500, 6_000)), begins=begins)

    assert (ObservationCode.GROSS_MARGIN_FALL in codes(reports)) is found


def test_cash_below_a_month_of_expenses() -> None:
    """Expenses are 9,000 a month."""
    even, below = company(cash=9_000), company(cash=8_999)

    assert codes(even) == []
    found = only(below, ObservationCode.LOW_CASH)
    assert found.amounts == {"cash": 8_999, "mean_expenses": 9_000}
    assert found.counts == {"months": 12}


def test_expenses_of_young_books_are_averaged_over_their_own_months() -> None:
    reports = company(cash=8_999, begins=8)

    found = only(reports, ObservationCode.LOW_CASH)

    assert found.amounts["mean_expenses"] == 9_000
    assert found.counts == {"months": 4}
    assert codes(company(cash=9_000, begins=8)) == []
    assert codes(company(cash=0, begins=10)) == []  # two months say nothing of a usual one


def test_cash_below_a_mean_by_less_than_a_yen() -> None:
    """Of 11 months with 9,000 and one with 9,001 the mean is 9,000 1/12."""
    reports = company(flows(rent=month(501, 500)), cash=9_000)

    assert only(reports, ObservationCode.LOW_CASH).amounts == {
        "cash": 9_000,
        "mean_expenses": 9_001,
    }


def test_asset_and_liability_on_the_wrong_side() -> None:
    nothing = company(balances=balances(machines=0, receivables=20_000))
    negative = company(balances=balances(machines=-1, receivables=20_000, loans=-2))

    assert codes(nothing) == []
    found = [
        (observation.label, observation.amounts)
        for observation in observations(negative)
        if observation.code is ObservationCode.NEGATIVE_BALANCE
    ]
    assert found == [("loans", {"balance": -2}), ("machines", {"balance": -1})]


def test_contra_accounts_belong_on_the_other_side() -> None:
    standing = balances(machines=-1, receivables=20_000)

    assert codes(company(balances=standing)) == [ObservationCode.NEGATIVE_BALANCE]
    assert codes(company(balances=standing, contra=frozenset({"machines"}))) == []


def test_expense_far_from_its_median() -> None:
    """Of 11 months with 480, 490, …, 580 the median is 530 and the MAD 30: what is farther than
    155.673 is unusual, and farther than a hundredth of all expenses (91) anyway."""
    spread = list(range(480, 590, 10))

    usual = company(flows(rent=[*spread, 530 + 155]))
    above = company(flows(rent=[*spread, 530 + 156]))
    below = company(flows(rent=[*spread, 530 - 156]))

    assert codes(usual) == []
    assert codes(above) == codes(below) == [ObservationCode.UNUSUAL_EXPENSE]
    found = only(above, ObservationCode.UNUSUAL_EXPENSE)
    assert found.label == "rent"
    assert found.amounts == {"amount": 686, "median": 530, "difference": 156}
    assert found.counts == {"months": 11}
    assert found.direction is Direction.ABOVE
    assert only(below, ObservationCode.UNUSUAL_EXPENSE).direction is Direction.BELOW


def test_expense_that_never_varied_is_unusual_from_a_hundredth_of_expenses_on() -> None:
    """500 + d of 9,000 + d: a hundredth is reached where 99 d = 9,000."""
    assert codes(company(flows(rent=month(590, 500)))) == []
    assert codes(company(flows(rent=month(591, 500)))) == [ObservationCode.UNUSUAL_EXPENSE]


@pytest.mark.parametrize(
    "bills",
    [
        pytest.param([600, 0] * 6, id="a bill of every other month"),
        pytest.param([500] * 6 + [700] * 6, id="a rent raised half a year ago"),
    ],
)
def test_an_amount_within_those_of_the_months_before_is_usual(bills: list[int]) -> None:
    assert ObservationCode.UNUSUAL_EXPENSE not in codes(company(flows(bills=bills)))


def test_an_amount_beyond_all_before_is_unusual_where_most_are_equal() -> None:
    for amount in (-700, 1_300):
        reports = company(flows(bills=[*[600, 0] * 5, 600, amount]))

        assert only(reports, ObservationCode.UNUSUAL_EXPENSE).label == "bills"


def test_expense_of_few_months_has_no_usual_amount() -> None:
    five = [0] * 6 + [500] * 5
    six = [0] * 5 + [500] * 6

    assert ObservationCode.UNUSUAL_EXPENSE not in codes(company(flows(repairs=[*five, 5_000])))
    assert ObservationCode.UNUSUAL_EXPENSE in codes(company(flows(repairs=[*six, 5_000])))


def test_months_before_the_books_are_no_months_without_expense() -> None:
    """Six months of 500: with the five before the books as zeros, they would spread wide."""
    reports = company(flows(rent=month(600, 500)), begins=5)

    found = only(reports, ObservationCode.UNUSUAL_EXPENSE)

    assert found.amounts["median"] == 500
    assert found.counts == {"months": 6}


def test_change_that_moves_expenses_by_a_twentieth() -> None:
    """A change d of 9,000 + d: a twentieth is reached where 19 d = 9,000. An account that is new
    is compared with 0."""
    new = [0] * MONTHS_BEFORE

    assert codes(company(flows(repairs=[*new, 473]), year_before={"account:repairs": 473})) == []
    found = only(company(flows(repairs=[*new, 474])), ObservationCode.CHANGE_FROM_PRIOR_MONTH)
    assert found.amounts == {"amount": 474, "before": 0, "change": 474}
    assert found.direction is Direction.ABOVE


def test_change_of_sales_against_the_month_before_and_the_year_before() -> None:
    dropped = company(flows(sales=month(9_500, 10_000)))
    nearly = company(flows(sales=month(9_501, 10_000)))
    year_before = company(
        year_before={"account:sales": 9_500, "total_net_sales": 9_500},
    )

    found = only(dropped, ObservationCode.CHANGE_FROM_PRIOR_MONTH)
    assert found.amounts == {"amount": 9_500, "before": 10_000, "change": 500}
    assert found.direction is Direction.BELOW
    assert codes(nearly) == []
    found = only(year_before, ObservationCode.CHANGE_FROM_PRIOR_YEAR)
    assert found.amounts == {"amount": 10_000, "before": 9_500, "change": 500}


@pytest.mark.parametrize(
    ("before", "now"),
    [
        pytest.param(-730, -1_288, id="closing stock rose"),
        pytest.param(-1_288, -730, id="closing stock fell"),
        pytest.param(0, -1_288, id="the first stock"),
        pytest.param(-730, 500, id="a credit became an expense"),
    ],
)
def test_a_change_of_negative_amounts_has_no_direction(before: int, now: int) -> None:
    reports = company(flows(closing_stock=[-2_000, 2_000] * 5 + [before, now]))

    found = only(reports, ObservationCode.CHANGE_FROM_PRIOR_MONTH)
    assert found.amounts == {"amount": now, "before": before, "change": abs(now - before)}
    assert found.direction is Direction.APART


def test_an_unusual_negative_amount_has_no_direction() -> None:
    reports = company(flows(refunds=month(-3_000, -700)))

    assert only(reports, ObservationCode.UNUSUAL_EXPENSE).direction is Direction.APART


def test_nothing_is_compared_with_a_year_that_the_books_do_not_reach() -> None:
    assert codes(company(begins=3)) == []


@pytest.mark.parametrize(("begins", "too_young"), [(0, False), (5, False), (6, True), (11, True)])
def test_seven_months_of_books_leave_no_rule_out(begins: int, *, too_young: bool) -> None:
    assert leaves_rules_out(company(begins=begins)) is too_young


def test_a_line_is_told_once() -> None:
    """The rent is unusual, and changed from the month before as well."""
    reports = company(flows(rent=month(5_000, 500)))

    assert [o.code for o in observations(reports) if o.label == "rent"] == [
        ObservationCode.UNUSUAL_EXPENSE
    ]


def test_the_most_severe_come_first_and_not_too_many_of_a_kind() -> None:
    repairs = {f"repairs{number}": month(5_000 + number, 500) for number in range(6)}
    claims = {f"claims{number}": -1 - number for number in range(6)}
    reports = company(
        flows(**repairs),
        {"current_assets": claims, "current_liabilities": {"payables": 15_000}},
        cash=1,
    )

    found = observations(reports)

    assert MOST_OF_A_KIND == 3
    assert len(found) == MOST_OBSERVATIONS
    assert [(o.code, o.label) for o in found] == [
        (ObservationCode.NEGATIVE_NET_ASSETS, ""),
        (ObservationCode.OPERATING_LOSS, ""),
        (ObservationCode.LOW_CASH, ""),
        (ObservationCode.LOW_CURRENT_RATIO, ""),
        (ObservationCode.NEGATIVE_BALANCE, "claims5"),
        (ObservationCode.NEGATIVE_BALANCE, "claims4"),
        (ObservationCode.NEGATIVE_BALANCE, "claims3"),
        (ObservationCode.UNUSUAL_EXPENSE, "repairs5"),
    ]
    assert [o.code.is_warning for o in found] == [True] * 7 + [False]


amounts = st.integers(-10_000_000, 10_000_000)


@given(amounts, st.lists(amounts, min_size=1, max_size=11), st.integers(0, 1_000_000))
def test_outliers_are_those_of_the_textbook(amount: int, others: list[int], least: int) -> None:
    """|x - median| > 3.5 * 1.4826 * MAD, computed with exact quotients."""
    exact = [Fraction(other) for other in others]
    median = statistics.median(exact)
    mad = statistics.median([abs(other - median) for other in exact])
    deviation = abs(amount - median)
    expected = deviation > Fraction("3.5") * Fraction("1.4826") * mad and deviation >= least

    assert is_outlier(amount, others, least=Fraction(least)) is expected
    assert Fraction(doubled_median(others), 2) == median


@given(st.lists(st.integers(0, 50), min_size=3, max_size=11), st.integers(-50, 150))
def test_outliers_of_small_amounts_too(others: list[int], amount: int) -> None:
    """Where medians fall between amounts, and the MAD is often 0."""
    exact = [Fraction(other) for other in others]
    median = statistics.median(exact)
    mad = statistics.median([abs(other - median) for other in exact])

    assert is_outlier(amount, others, least=Fraction(0)) is (
        abs(amount - median) > Fraction("5.1891") * mad
    )
