"""What can be asked of a tenant's reports."""

from __future__ import annotations

import pytest

from reports_pipeline.accounting.periods import Month
from tests.accounting.extracts import extract_of
from tests.accounting.printing import reports_of
from tests.accounting.sakura import SAKURA
from tests.accounting.shop import FIRST_SALE, SHOP


@pytest.mark.parametrize(
    ("months_later", "start"), [(0, 11), (1, 10), (10, 1), (11, 0), (12, 0), (13, 0)]
)
def test_trends_begin_with_the_books(months_later: int, start: int) -> None:
    [reports] = reports_of(extract_of(FIRST_SALE.plus(months_later), [SHOP]))

    assert reports.trend_start == start


def test_books_without_a_movement_have_the_month_itself() -> None:
    """Nothing was posted up to this month, which is shown nevertheless."""
    [reports] = reports_of(extract_of(Month(2020, 1), [SAKURA]))

    assert reports.trend_start == 11
