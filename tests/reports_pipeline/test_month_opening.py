"""A month is opened when it is over in Tokyo, for whoever is a customer then."""

from __future__ import annotations

import datetime

import psycopg
import pytest

from reports_pipeline.accounting.periods import Month
from reports_pipeline.month_opening import MonthNotOverError, OpeningError, open_month
from resources.delivery_months import DeliveryMonths
from resources.tenants import Tenants

OCTOBER = Month(2026, 10)
# The first moment of November in Tokyo.
OVER = datetime.datetime(2026, 10, 31, 15, tzinfo=datetime.UTC)


@pytest.fixture
def url(database_url: str) -> str:
    """Two customers, and one who has left."""
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "insert into ledger.companies (tenant_id, name, status) values"
            " ('ume', '梅', 'active'), ('sakura', '桜', 'active'), ('matsu', '松', 'left')"
        )
    return database_url


def opened(
    url: str, *, canaries: tuple[str, ...] = (), by: str = "sato", now: datetime.datetime = OVER
) -> bool:
    return open_month(
        DeliveryMonths(url), Tenants(url), OCTOBER, canaries=canaries, opened_by=by, now=now
    )


def test_it_is_opened_once_for_the_customers_of_that_moment(url: str) -> None:
    assert opened(url, canaries=("ume",))
    with psycopg.connect(url) as connection:
        connection.execute("update ledger.companies set status = 'active'")
    assert not opened(url, canaries=("matsu",), by="suzuki")
    months = DeliveryMonths(url)
    assert months.expected(OCTOBER) == ["sakura", "ume"]
    assert months.canaries(OCTOBER) == ["ume"]


def test_not_before_it_is_over_in_tokyo(url: str) -> None:
    with pytest.raises(MonthNotOverError, match="2026-10 is not over; it can be opened from"):
        opened(url, now=OVER - datetime.timedelta(seconds=1))
    assert DeliveryMonths(url).find(OCTOBER) is None


def test_a_canary_that_has_left_stops_nobody(url: str) -> None:
    assert opened(url, canaries=("take", "ume", "matsu"))
    assert DeliveryMonths(url).canaries(OCTOBER) == ["ume"]


def test_without_any_canary_of_those_asked_for_it_is_not_opened(url: str) -> None:
    with pytest.raises(OpeningError, match="none of matsu, take is an active tenant; correct"):
        opened(url, canaries=("take", "matsu"))
    assert DeliveryMonths(url).find(OCTOBER) is None


def test_an_opened_month_does_not_ask_for_its_canaries_again(url: str) -> None:
    opened(url)
    assert not opened(url, canaries=("take",))


def test_a_month_of_nobody_is_not_opened(database_url: str) -> None:
    with pytest.raises(OpeningError, match="no active tenant"):
        opened(database_url)
    assert DeliveryMonths(database_url).find(OCTOBER) is None
