"""Which tenants are verified unasked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports_pipeline.accounting.periods import Month
from resources import verification
from resources.accounting_engines import BeancountEngine
from resources.journal import Journals
from resources.verification import StatementVerifier, in_drawn_order
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
def journals(postgres_server: str) -> Journals:
    return Journals(sample_database(postgres_server))


def sample(journals: Journals, count: int) -> list[str]:
    verifier = StatementVerifier(BeancountEngine(), journals, tenants_per_run=count)
    return verifier.sample(APRIL, TENANTS)


def test_a_sample_has_so_many_or_all(journals: Journals) -> None:
    order = in_drawn_order(APRIL, TENANTS)
    for count in range(8):
        assert sample(journals, count) == order[:count]


def test_a_tenant_with_many_entries_is_passed_over(
    journals: Journals, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = {t: len(list(journals.entries(t, before=APRIL.end))) for t in TENANTS}
    largest = max(counts, key=counts.__getitem__)
    limit = sorted(counts.values())[-2]
    monkeypatch.setattr(verification, "_MOST_ENTRIES_IN_A_SAMPLE", limit)
    assert sample(journals, 5) == [t for t in in_drawn_order(APRIL, TENANTS) if t != largest]
    monkeypatch.setattr(verification, "_MOST_ENTRIES_IN_A_SAMPLE", 0)
    assert sample(journals, 5) == []
