"""Programs that others wrote say the same of a journal as our statements, whatever is in it."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reports_pipeline.accounting.accounts import AccountClass
from reports_pipeline.accounting.charts import Account
from reports_pipeline.accounting.journal import EntryKind, JournalEntry, JournalLine
from reports_pipeline.accounting.periods import Month
from reports_pipeline.accounting.verification import EngineFigures, Verification, verify
from resources.accounting_engines import (
    AccountingEngine,
    EngineNotInstalledError,
    HledgerEngine,
    JournalRefusedError,
)
from tests.accounting.calendars import Anchor, Calendar, years_from
from tests.accounting.extracts import Bookkeeping, company, extract_of
from tests.accounting.journals import bookkeepings, months
from tests.accounting.printing import reports_of
from tests.accounting.sakura import CASH, MAY, SAKURA, SALES, entry, posting
from tests.accounting.test_verification import BY_HAND
from tests.resources.engines import ENGINES, engine_named

OCTOBER = Month(2026, 10)


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> AccountingEngine:
    return engine_named(request.param)


def computed(
    engine: AccountingEngine,
    month: Month,
    books: Bookkeeping,
    more: Sequence[JournalEntry] = (),
) -> EngineFigures:
    """What the engine makes of the books, and more entries, up to the end of the month."""
    company = books.company.in_month(month)
    end = datetime.date.fromisoformat(company.month_end)
    entries = [entry for entry in (*books.entries, *more) if entry.posted_on < end]
    return engine.figures(company, books.accounts, entries)


def verified(engine: AccountingEngine, month: Month, books: Bookkeeping) -> Verification:
    [reports] = reports_of(extract_of(month, [books]))
    return verify(reports, books.accounts, computed(engine, month, books))


def test_a_worked_example_has_the_figures_made_by_hand(engine: AccountingEngine) -> None:
    figures = computed(engine, MAY, SAKURA)
    for name in ("balances", "prior_balances", "balances_before_year"):
        expected = getattr(BY_HAND, name)
        assert _without_zeros(getattr(figures, name)) == _without_zeros(expected), name
    assert figures.earlier_income == BY_HAND.earlier_income
    for theirs, by_hand in (
        (figures.month, BY_HAND.month),
        (figures.year_to_date, BY_HAND.year_to_date),
    ):
        for name in ("income", "receipts", "payments"):
            sums, expected = getattr(theirs, name), getattr(by_hand, name)
            assert _without_zeros(sums.accounts) == expected.accounts
            assert sums.total == expected.total
        assert _without_zeros(theirs.opened) == by_hand.opened


def test_what_opening_entries_brought_is_told_by_month_and_year(engine: AccountingEngine) -> None:
    days = ["2026-03-31", "2026-04-01", "2026-04-30", "2026-05-01", "2026-05-31"]
    books = posting(
        *(
            entry(day, {CASH: 10**number, SALES: -(10**number)}, EntryKind.OPENING)
            for number, day in enumerate(days)
        )
    )
    figures = computed(engine, MAY, books)
    assert figures.month.opened == {CASH: 11_000, SALES: -11_000}
    assert figures.year_to_date.opened == {CASH: 11_110, SALES: -11_110}


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(data=st.data(), month=months)
def test_books_of_any_kind_agree(
    engine: AccountingEngine, data: st.DataObject, month: Month
) -> None:
    """Closing and opening entries at any time, cancelled ones, compound ones that touch cash; in
    years that are cut short or changed, and months that end on any day."""
    books = data.draw(bookkeepings(month, "any"))
    assert verified(engine, month, books).differences == ()


CODES = ["1110", "現金 手許", "Assets:US:BofA", "a+b.c*", "A+B.C*", "total"]


@pytest.mark.parametrize("currency", ["JPY", "USD", "KWD"])
def test_codes_and_currencies_that_could_be_misread(
    engine: AccountingEngine, currency: str
) -> None:
    """1.234 KWD are 1,234 fils; codes that differ in case only are different accounts."""
    chart = [
        *(Account(code, code, AccountClass.CASH_AND_DEPOSITS) for code in CODES[:3]),
        *(Account(code, code, AccountClass.OTHER_CURRENT_ASSETS) for code in CODES[3:]),
        Account("4110", "売上高", AccountClass.NET_SALES),
    ]
    entries = [
        JournalEntry(
            datetime.date(2026, 10, number),
            number,
            'memo; "quoted" \\ |\n  1110  5',
            (JournalLine(code, 1_234_567 * number), JournalLine("4110", -1_234_567 * number)),
        )
        for number, code in enumerate(CODES, start=1)
    ]
    books = Bookkeeping(dataclasses.replace(company(), currency=currency), chart, entries)
    assert verified(engine, OCTOBER, books).differences == ()
    figures = computed(engine, OCTOBER, books)
    assert figures.balances["現金 手許"] == 2 * 1_234_567


def test_a_tenant_without_entries_has_zeros(engine: AccountingEngine) -> None:
    books = Bookkeeping(company(), SAKURA.accounts, [])
    assert verified(engine, OCTOBER, books) == Verification(0, ())


@pytest.mark.parametrize("month", ["2026-03", "2026-04", "2026-05", "2026-06", "2027-04"])
@pytest.mark.parametrize(
    "calendar",
    [
        years_from("2020-04", closing_day=20),
        years_from("2020-04", "2026-05"),
        Calendar((Anchor(Month(2020, 1)), Anchor(Month(2026, 5), 20), Anchor(Month(2026, 7), 10))),
    ],
    ids=["closes on the 20th", "changed its years", "changed both"],
)
def test_a_companys_own_months_and_years_agree(
    engine: AccountingEngine, calendar: Calendar, month: str
) -> None:
    """With entries on both sides of every closing day, one of them an opening entry."""
    days = [datetime.date(2026, m, day) for m in range(3, 7) for day in (10, 11, 20, 21, 30)]
    postings = [
        JournalEntry(
            day,
            900 + number,
            "",
            (JournalLine("6310", 3**number), JournalLine("1110", -(3**number))),
            EntryKind.OPENING if number % 5 == 3 else EntryKind.NORMAL,
        )
        for number, day in enumerate(days)
    ]
    books = dataclasses.replace(
        SAKURA, company=company(calendar=calendar), entries=[*SAKURA.entries, *postings]
    )
    found = verified(engine, Month.parse(month), books)
    assert found.differences == ()
    assert found.compared > 20


def test_a_posting_that_only_the_engine_sees_is_found(engine: AccountingEngine) -> None:
    [reports] = reports_of(extract_of(MAY, [SAKURA]))
    late = JournalEntry(
        datetime.date(2026, 5, 31), 999, "", (JournalLine("6310", 70), JournalLine("1110", -70))
    )
    figures = computed(engine, MAY, SAKURA, [late])
    found = verify(reports, SAKURA.accounts, figures).differences
    assert {(difference.what, difference.line): difference.difference for difference in found} == {
        ("balance_sheet.current", "account:1110"): 70,
        ("balance_sheet.current", "net_profit_for_year"): 70,
        **{
            (f"income_statement.{column}", line): difference
            for column in ("current", "year_to_date")
            for line, difference in {"account:6310": -70, "net_profit": 70}.items()
        },
        **{
            (f"cash_flow.{column}", line): difference
            for column in ("current", "year_to_date")
            for line, difference in {
                "outflows account:6310": -70,
                "total_outflows": -70,
                "net_cash_change": 70,
                "closing_cash": 70,
            }.items()
        },
        **{
            (f"indirect_cash_flow.{column}", line): 70
            for column in ("current", "year_to_date")
            for line in (
                "profit_before_tax_in_cash_flow",
                "subtotal_of_operating_activities",
                "total_operating_activities",
                "net_cash_change",
                "closing_cash",
            )
        },
    }


def test_entries_of_every_class_and_kind_agree(engine: AccountingEngine) -> None:
    """Before the year, in it and in the month; no two amounts are the same."""
    accounts = [Account(account_class, "", account_class) for account_class in AccountClass]
    amounts = (10_000 + 7 * number for number in itertools.count())
    entries = [
        entry(day, {account.account_code: amount, "cash_and_deposits": -amount}, kind)
        for kind in EntryKind
        for day in ("2026-03-31", "2026-04-01", "2026-05-31")
        for account, amount in zip(accounts[1:], amounts, strict=False)
    ]
    books = dataclasses.replace(posting(*entries), accounts=accounts)
    assert verified(engine, MAY, books).differences == ()


@pytest.mark.parametrize("mutation", ["dropped", "doubled", "turned round", "closing"])
def test_an_entry_of_ours_that_went_wrong_is_found(engine: AccountingEngine, mutation: str) -> None:
    """The engine has the journal as it is; our side lost, doubled, turned or misjudged an entry."""
    entry = SAKURA.entries[-3]
    turned = tuple(JournalLine(line.account_code, -line.amount) for line in entry.lines)
    replacements = {
        "dropped": [],
        "doubled": [entry, entry],
        "turned round": [dataclasses.replace(entry, lines=turned)],
        "closing": [dataclasses.replace(entry, kind=EntryKind.CLOSING)],
    }[mutation]
    entries = [*SAKURA.entries[:-3], *replacements, *SAKURA.entries[-2:]]
    [reports] = reports_of(extract_of(MAY, [dataclasses.replace(SAKURA, entries=entries)]))
    figures = computed(engine, MAY, SAKURA)
    found = verify(reports, SAKURA.accounts, figures).differences
    assert {line.account_code for line in entry.lines} <= {
        difference.line.rpartition(":")[2] for difference in found
    }


def test_a_journal_that_does_not_balance_is_refused(engine: AccountingEngine) -> None:
    lines = (JournalLine("1110", 5), JournalLine("4110", -4))
    entry = JournalEntry(datetime.date(2026, 10, 1), 1, "", lines)
    with pytest.raises(JournalRefusedError, match=r"(?s)balance.*\b1 JPY"):
        computed(engine, OCTOBER, Bookkeeping(company(), SAKURA.accounts, [entry]))


def test_a_code_that_hledger_cannot_read_is_refused() -> None:
    engine = engine_named("hledger")
    chart = [Account("a  b", "", AccountClass.NET_SALES)]
    with pytest.raises(JournalRefusedError, match="hledger cannot read the account code 'a  b'"):
        computed(engine, OCTOBER, Bookkeeping(company(), chart, []))


def test_where_hledger_is_missing_its_debian_package_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(EngineNotInstalledError, match="apt-get install hledger"):
        HledgerEngine()


def _without_zeros(amounts: Mapping[str, int]) -> dict[str, int]:
    return {code: amount for code, amount in amounts.items() if amount}
