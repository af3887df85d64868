"""Which tenants are verified unasked, and what is said of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports_pipeline.accounting.failures import FailureCode
from reports_pipeline.accounting.periods import Month
from reports_pipeline.accounting.verification import Difference, Verification
from resources import verification
from resources.accounting_engines import BeancountEngine
from resources.journal import Journals
from resources.ledger import PostgresLedger
from resources.verification import StatementVerifier, Verdict, in_drawn_order
from tests.accounting.journals import months
from tests.sample_ledgers import APRIL, TENANTS, sample_database

tenant_ids = st.lists(st.from_regex(r"[a-z0-9]{1,5}", fullmatch=True), unique=True)


@given(month=months, tenants=tenant_ids, others=tenant_ids)
def test_a_tenant_is_drawn_before_another_whoever_else_there_is(
    month: Month, tenants: list[str], others: list[str]
) -> None:
    order = in_drawn_order(month, tenants)
    assert sorted(order) == sorted(tenants)
    more = in_drawn_order(month, {*tenants, *others})
    assert [tenant_id for tenant_id in more if tenant_id in tenants] == order


def test_over_the_months_every_tenant_has_its_turn() -> None:
    first = {in_drawn_order(APRIL.plus(number), TENANTS)[0] for number in range(36)}
    assert first == set(TENANTS)


@pytest.fixture(scope="module")
def url(postgres_server: str) -> str:
    return sample_database(postgres_server)


def sample(url: str, count: int) -> list[str]:
    verifier = StatementVerifier(
        BeancountEngine(), Journals(url), PostgresLedger(url), tenants_per_run=count
    )
    return verifier.sample(APRIL, TENANTS)


def test_a_sample_has_so_many_or_all(url: str) -> None:
    order = in_drawn_order(APRIL, TENANTS)
    for count in range(8):
        assert sample(url, count) == order[:count]


def test_a_tenant_with_many_entries_is_passed_over(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    journals = Journals(url)
    counts = {t: len(list(journals.entries(t, before=APRIL.end))) for t in TENANTS}
    largest = max(counts, key=counts.__getitem__)
    limit = sorted(counts.values())[-2]
    monkeypatch.setattr(verification, "_MOST_ENTRIES_IN_A_SAMPLE", limit)
    assert sample(url, 5) == [t for t in in_drawn_order(APRIL, TENANTS) if t != largest]
    monkeypatch.setattr(verification, "_MOST_ENTRIES_IN_A_SAMPLE", 0)
    assert sample(url, 5) == []


@pytest.mark.parametrize(
    ("currency", "ours", "theirs"),
    [("JPY", "123,456", "△7"), ("USD", "1,234.56", "△0.07"), ("KWD", "123.456", "△0.007")],
)
def test_a_failure_shows_amounts_as_they_print(currency: str, ours: str, theirs: str) -> None:
    differences = (
        Difference("balance_sheet.current", "account:1120", 123_456, -7),
        Difference("balance_sheet.current", "account:4110", 0, 5),
    )
    failure = Verdict("aoba", "beancount", Verification(40, differences), currency).failure
    assert failure is not None
    assert failure.code is FailureCode.VERIFICATION_FAILED
    assert failure.details == {
        "engine": "beancount", "what": "balance_sheet.current", "line": "account:1120",
        "ours": ours, "theirs": theirs, "currency": currency, "differences": 2,
    }  # fmt: skip


@pytest.mark.parametrize("outcome", [Verification(40, ()), "the journal is refused: no such day"])
def test_where_nothing_differs_or_nothing_is_compared_there_is_no_failure(
    outcome: Verification | str,
) -> None:
    assert Verdict("aoba", "beancount", outcome, "JPY").failure is None
