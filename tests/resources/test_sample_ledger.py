"""The sample is the same at every making, and its books are such as an accountant would accept."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pandas as pd
import psycopg
import pyarrow as pa
import pytest

from reports_pipeline.accounting.accounts import AccountClass
from reports_pipeline.accounting.charts import default_chart
from reports_pipeline.accounting.periods import Month
from reports_pipeline.documents.glyphs import printable_characters
from resources.ledger_loading import TABLES, LedgerTables, load_ledger
from resources.sample_ledger import SampleScale, lines_per_tenant, sample_ledger, sample_tenant
from tests.accounting.calendars import Anchor, Calendar

SCALE = SampleScale(tenants=40, first_month=Month(2024, 11), months=15, lines_per_month=8_000)


@pytest.fixture(scope="module")
def sample() -> dict[str, pd.DataFrame]:
    return _frames(list(sample_ledger(SCALE, seed=7)))


@pytest.fixture(scope="module")
def posted(sample: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Posted lines with debit - credit as `amount`, the class of their account, and the company's
    month that they are in."""
    classes = {account.account_code: account.account_class for account in default_chart("ja")}
    lines = sample["journal_lines"].query("status == 'posted'")
    return lines.assign(
        amount=lines["debit"] - lines["credit"],
        account_class=lines["account_code"].map(classes),
        month=_months(sample, lines["tenant_id"], lines["posted_on"]),
    )


@pytest.fixture(scope="module")
def calendars(sample: dict[str, pd.DataFrame]) -> dict[str, Calendar]:
    anchors = {
        company["tenant_id"]: [
            Anchor(Month(2023, company["fiscal_year_start_month"]), company["closing_day"])
        ]
        for company in sample["companies"].to_dict("records")
    }
    for change in sample["fiscal_year_changes"].to_dict("records"):
        anchor = Anchor(Month.of(change["first_month"]), change["closing_day"])
        anchors[change["tenant_id"]].append(anchor)
    return {tenant_id: Calendar(tuple(of_tenant)) for tenant_id, of_tenant in anchors.items()}


def test_the_same_seed_makes_the_same_rows() -> None:
    small = SampleScale(tenants=3, first_month=Month(2025, 1), months=4, lines_per_month=300)
    assert list(sample_ledger(small, seed=1)) == list(sample_ledger(small, seed=1))
    assert list(sample_ledger(small, seed=1)) != list(sample_ledger(small, seed=2))


def test_a_tenant_does_not_depend_on_the_others() -> None:
    alone = sample_tenant(9, 7, SCALE.first_month, SCALE.months, lines_per_month=200)
    after_another = [
        sample_tenant(number, 7, SCALE.first_month, SCALE.months, lines_per_month=200)
        for number in (4, 9)
    ][-1]
    assert alone == after_another


def test_a_company_is_the_same_in_a_smaller_sample(sample: dict[str, pd.DataFrame]) -> None:
    few = SampleScale(tenants=3, first_month=Month(2025, 1), months=1, lines_per_month=200)
    companies = _frames(list(sample_ledger(few, seed=7)))["companies"]
    pd.testing.assert_frame_equal(companies, sample["companies"].head(3))


def test_some_companies_on_the_premium_plan_get_a_copy_in_the_other_language(
    sample: dict[str, pd.DataFrame],
) -> None:
    companies = sample["companies"]
    copied = companies[companies["copy_language"].notna()]
    assert 0 < len(copied) < (companies["plan"] == "premium").sum()
    assert set(copied["plan"]) == {"premium"}
    assert (copied["copy_language"] != copied["language"]).all()


def test_there_are_about_as_many_lines_as_were_asked_for(sample: dict[str, pd.DataFrame]) -> None:
    asked = SCALE.lines_per_month * SCALE.months
    assert len(sample["journal_lines"]) == pytest.approx(asked, rel=0.15)


def test_few_companies_are_large_and_many_are_small() -> None:
    sizes = lines_per_tenant(SampleScale(1_000, Month(2025, 1), 1, 1_000_000), seed=1)
    assert sizes.max() > 20 * np.median(sizes)
    assert np.median(sizes) < 0.6 * sizes.mean()
    assert sizes.sum() == pytest.approx(1_000_000, rel=0.02)


def test_every_entry_balances(posted: pd.DataFrame) -> None:
    entries = posted.groupby(["tenant_id", "entry_id"])["amount"]
    assert (entries.sum() == 0).all()
    assert (entries.size() >= 2).all()
    assert (posted["amount"] != 0).all()


def test_lines_are_numbered_within_their_entries(sample: dict[str, pd.DataFrame]) -> None:
    lines = sample["journal_lines"]
    numbers = lines.groupby(["tenant_id", "entry_id"]).cumcount() + 1
    assert (lines["line_no"] == numbers).all()
    keys = ["tenant_id", "posted_on", "entry_id", "kind", "status"]
    pd.testing.assert_frame_equal(
        lines[keys].drop_duplicates(ignore_index=True), sample["journal_entries"][keys]
    )


def test_every_month_has_entries_and_no_other(posted: pd.DataFrame) -> None:
    months = posted.groupby("tenant_id")["month"].agg(["min", "max", "nunique"])
    assert set(months["min"].astype(str)) == {"2024-11"}
    assert set(months["max"].astype(str)) == {"2026-01"}
    assert set(months["nunique"]) == {15}


def test_books_begin_with_one_opening_entry(posted: pd.DataFrame) -> None:
    opening = posted[posted["kind"] == "opening"]
    assert set(opening["month"].astype(str)) == {"2024-11"}
    assert set(opening["posted_on"]) == {datetime.date(2024, 10, 21), datetime.date(2024, 11, 1)}
    assert set(opening["entry_id"]) == {1}
    assert opening["tenant_id"].nunique() == SCALE.tenants
    assert (opening["account_code"] < "4").all()


def test_cash_never_runs_out(posted: pd.DataFrame) -> None:
    cash = posted[posted["account_class"] == AccountClass.CASH_AND_DEPOSITS]
    by_day = cash.groupby(["tenant_id", "account_code", "posted_on"])["amount"].sum()
    assert (by_day.groupby(level=[0, 1]).cumsum() > 0).all()


def test_receivables_and_payables_keep_their_side(posted: pd.DataFrame) -> None:
    balances = posted.groupby(["account_code", "tenant_id"])["amount"].sum()
    assert (balances["1210"] >= 0).all()
    assert (balances["2110"] <= 0).all()


def test_most_companies_earn_money_and_some_lose_it(posted: pd.DataFrame) -> None:
    flows = posted[(posted["kind"] == "normal") & (posted["account_code"] >= "4")]
    profits = -flows.groupby("tenant_id")["amount"].sum()
    assert 0.5 < (profits > 0).mean() < 1


def test_closing_entries_empty_the_accounts_of_a_fiscal_year(
    posted: pd.DataFrame,
) -> None:
    closing = posted[posted["kind"] == "closing"]
    assert 0 < closing["tenant_id"].nunique() < SCALE.tenants
    for tenant_id, year_end in closing.groupby("tenant_id")["posted_on"].min().items():
        flows = posted[
            (posted["tenant_id"] == tenant_id)
            & (posted["posted_on"] <= year_end)
            & (posted["account_code"] >= "4")
        ]
        assert (flows.groupby("account_code")["amount"].sum() == 0).all()


def test_taxes_and_closing_entries_fall_on_the_last_day_of_a_fiscal_year(
    sample: dict[str, pd.DataFrame], posted: pd.DataFrame, calendars: dict[str, Calendar]
) -> None:
    year_ends = {
        (tenant_id, calendar.period(month)[1] - datetime.timedelta(days=1))
        for tenant_id, calendar in calendars.items()
        for month in (SCALE.first_month.plus(elapsed) for elapsed in range(SCALE.months))
        if calendar.year_start(month.plus(1)) == month.plus(1)
    }
    entries = sample["journal_entries"]
    taxes = entries[entries["memo"].isin(["法人税等 計上", "Income taxes of the year"])]
    assert set(zip(taxes["tenant_id"], taxes["posted_on"], strict=True)) == year_ends
    closing = posted[posted["kind"] == "closing"]
    assert set(zip(closing["tenant_id"], closing["posted_on"], strict=True)) < year_ends


def test_some_calendars_are_not_what_is_usual(
    sample: dict[str, pd.DataFrame], calendars: dict[str, Calendar]
) -> None:
    changed = sample["fiscal_year_changes"]["tenant_id"]
    assert 0 < len(changed) < 0.1 * SCALE.tenants
    for tenant_id in changed:
        short, change = calendars[tenant_id].year_start, Month(2025, 6)
        assert short(change) == change
        assert short(change.plus(-1)) > change.plus(-12)
    closing_days = sample["companies"]["closing_day"]
    assert 0 < (closing_days == 20).sum() < 0.2 * SCALE.tenants
    assert set(closing_days) == {20, 31}


def test_there_is_a_flow_for_every_section_of_a_cash_flow_statement(posted: pd.DataFrame) -> None:
    flows = posted[posted["kind"] == "normal"]
    assert set(flows["account_class"].dropna()) >= {
        AccountClass.DEPRECIATION,
        AccountClass.ALLOWANCE_FOR_DOUBTFUL_ACCOUNTS,
        AccountClass.INTEREST_AND_DIVIDEND_INCOME,
        AccountClass.INTEREST_EXPENSE,
        AccountClass.GAIN_ON_DISPOSAL_OF_ASSETS,
        AccountClass.INCOME_TAXES_PAYABLE,
        AccountClass.PROPERTY_PLANT_EQUIPMENT,
        AccountClass.LONG_TERM_BORROWINGS,
        AccountClass.RETAINED_EARNINGS_BROUGHT_FORWARD,
    }


def test_dividends_are_paid_of_earnings(posted: pd.DataFrame) -> None:
    retained = posted[
        (posted["account_class"] == AccountClass.RETAINED_EARNINGS_BROUGHT_FORWARD)
        & (posted["kind"] != "closing")
    ]
    dividends = retained[retained["kind"] == "normal"]
    assert (dividends["amount"] > 0).all()
    paid_by = retained[retained["tenant_id"].isin(dividends["tenant_id"])]
    assert (paid_by.groupby("tenant_id")["amount"].sum() < 0).all()


def test_consumption_tax_stands_apart_in_exclusive_books_only(
    sample: dict[str, pd.DataFrame], posted: pd.DataFrame
) -> None:
    taxed = posted[posted["account_code"].isin(["1460", "2360"])]["tenant_id"].unique()
    companies = sample["companies"]
    exclusive = companies[companies["consumption_tax_basis"] == "exclusive"]["tenant_id"]
    assert set(taxed) == set(exclusive)


def test_some_entries_are_cancelled(sample: dict[str, pd.DataFrame]) -> None:
    cancelled = sample["journal_entries"].query("status == 'cancelled'")
    assert 0 < len(cancelled) < 0.01 * len(sample["journal_entries"])


def test_accepted_claims_are_in_the_journal(
    sample: dict[str, pd.DataFrame], posted: pd.DataFrame
) -> None:
    claims = sample["expense_claims"].query("status in ('paid', 'approved')")
    entries = sample["journal_entries"]
    about_claims = entries[entries["memo"].str.startswith(("経費精算 ", "Claim: "))]
    owed = posted.merge(about_claims[["tenant_id", "entry_id"]]).query("account_code == '2310'")
    pd.testing.assert_series_equal(
        -owed.groupby("tenant_id")["amount"].sum(),
        claims.groupby("tenant_id")["amount"].sum(),
        check_names=False,
    )
    claims = sample["expense_claims"]
    newest = _months(sample, claims["tenant_id"], claims["incurred_on"]) == pd.Period("2026-01")
    assert set(sample["expense_claims"][newest]["status"]) == {"submitted", "approved", "rejected"}
    assert set(sample["expense_claims"][~newest]["status"]) == {"paid", "rejected"}


def test_companies_are_japanese(sample: dict[str, pd.DataFrame]) -> None:
    companies = sample["companies"]
    japanese = companies[companies["language"] == "ja"]
    assert japanese["name"].str.contains("株式会社|有限会社|合同会社").all()
    assert 0 < (companies["language"] == "en").mean() < 0.25
    texts = "".join(sample["contacts"]["name"]) + "".join(sample["expense_claims"]["employee"])
    assert {"髙", "﨑", "邉"} <= set(texts)


def test_addresses_reach_nobody(sample: dict[str, pd.DataFrame]) -> None:
    contacts = sample["contacts"]
    assert contacts["email"].str.fullmatch(r"t\d{4}\.[1-4]@example\.(jp|com)").all()
    readers = contacts[contacts["purpose"] == "reports"]
    assert readers.groupby("tenant_id").size().between(1, 3).all()
    assert readers["tenant_id"].nunique() == SCALE.tenants


def test_a_few_companies_have_an_alternative_contact(sample: dict[str, pd.DataFrame]) -> None:
    contacts = sample["contacts"]
    alternative = contacts[contacts["purpose"] == "alternative"]
    assert alternative["tenant_id"].is_unique
    assert 0.1 * SCALE.tenants < len(alternative) < 0.4 * SCALE.tenants


def test_every_character_prints(sample: dict[str, pd.DataFrame]) -> None:
    texts = [
        *sample["companies"]["name"],
        *sample["contacts"]["name"],
        *sample["accounts"]["name"],
        *sample["journal_entries"]["memo"].unique(),
        *sample["expense_claims"][["employee", "category", "payee", "description"]].stack(),
    ]
    assert set("".join(texts)) - printable_characters() == set()


def test_loaded_cash_flows_explain_the_change_of_cash(database_url: str) -> None:
    small = SampleScale(tenants=8, first_month=Month(2025, 2), months=3, lines_per_month=1_000)
    loaded = load_ledger(database_url, sample_ledger(small, seed=3), replace=False)
    assert (loaded.tenants, loaded.first_month, loaded.last_month) == (
        8,
        Month(2025, 2),
        Month(2025, 4),
    )
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            """
            with changes as (
                select tenant_id, month,
                       sum(debit - credit - opening_debit + opening_credit) as change
                from ledger.balance_snapshots join ledger.accounts using (tenant_id, account_code)
                where account_class = 'cash_and_deposits' group by 1, 2
            ), flows as (
                select tenant_id, month, sum(inflow - outflow) as flow
                from ledger.balance_snapshots group by 1, 2
            )
            select change, flow from changes full join flows using (tenant_id, month)
            """
        ).fetchall()
    assert len(rows) == 8 * 3
    assert [change for change, _ in rows] == [flow for _, flow in rows]


def test_the_last_month_of_a_few_companies_is_open(sample: dict[str, pd.DataFrame]) -> None:
    closings = sample["month_closings"].groupby("tenant_id")["month"].agg(["size", "max"])
    still_open = closings["max"] < datetime.date(2026, 1, 1)
    assert 0 < still_open.sum() < 0.3 * SCALE.tenants
    assert (closings["size"] == np.where(still_open, 14, 15)).all()


def _months(
    sample: dict[str, pd.DataFrame], tenant_ids: pd.Series[Any], days: pd.Series[Any]
) -> pd.PeriodIndex:
    """The companies' months that days are in: what is after the closing day is in the next."""
    closing_days = sample["companies"].set_index("tenant_id")["closing_day"]
    timestamps = pd.DatetimeIndex(days)
    months = timestamps.to_period("M")
    over = timestamps.day.to_numpy() > tenant_ids.map(closing_days).to_numpy()
    return pd.PeriodIndex(np.where(over, months + 1, months), freq="M")


def _frames(batches: list[LedgerTables]) -> dict[str, pd.DataFrame]:
    return {
        name: pa.concat_tables([batch[name] for batch in batches]).to_pandas() for name in TABLES
    }
