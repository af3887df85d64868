"""How figures are written."""

from __future__ import annotations

import datetime
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports_pipeline.documents.formats import (
    currency_name,
    format_amount,
    format_day,
    format_ratio,
    format_thousands,
)
from reports_pipeline.documents.tables import Ratio


@pytest.mark.parametrize(
    ("minor", "exponent", "written"),
    [
        (0, 0, "0"),
        (1_234_567, 0, "1,234,567"),
        (-1_234, 0, "△1,234"),
        (123_456, 2, "1,234.56"),
        (-5, 2, "△0.05"),
        (1_000_001, 3, "1,000.001"),
        (9_007_199_254_740_993, 0, "9,007,199,254,740,993"),
    ],
)
def test_amounts_have_separators_and_all_their_decimals(
    minor: int, exponent: int, written: str
) -> None:
    assert format_amount(minor, exponent) == written


@pytest.mark.parametrize(
    ("minor", "exponent", "written"),
    [
        (999, 0, "0"),
        (-999, 0, "0"),  # nothing is left to be negative
        (1_999, 0, "1"),
        (-1_999, 0, "△1"),
        (1_234_567_890, 0, "1,234,567"),
        (99_999, 2, "0"),
        (-12_345_678, 2, "△123"),
        (5_999_999, 3, "5"),
    ],
)
def test_thousands_are_truncated_toward_zero(minor: int, exponent: int, written: str) -> None:
    assert format_thousands(minor, exponent) == written


@pytest.mark.parametrize(
    ("numerator", "denominator", "written"),
    [
        (1, 3, "33.3%"),
        (2, 3, "66.7%"),
        (1, 2000, "0.1%"),  # half up
        (-1, 2000, "△0.1%"),
        (-1, 100_000, "0.0%"),  # nothing is left to be negative
        (50, 4, "1,250.0%"),
    ],
)
def test_percentages_have_one_decimal(numerator: int, denominator: int, written: str) -> None:
    assert format_ratio(Ratio(numerator, denominator)) == written


@given(st.integers(-(10**18), 10**18), st.integers(1, 10**18))
def test_percentages_are_rounded_from_the_exact_quotient(numerator: int, denominator: int) -> None:
    exact = (Decimal(abs(numerator)) * 100 / Decimal(denominator)).quantize(
        Decimal("0.1"), ROUND_HALF_UP
    )

    written = format_ratio(Ratio(numerator, denominator))

    assert Decimal(written.strip("△%").replace(",", "")) == exact
    assert written.startswith("△") == (numerator < 0 and exact > 0)


def test_growth_is_written_with_its_sign() -> None:
    assert format_ratio(Ratio(83, 1000), signed=True) == "+8.3%"
    assert format_ratio(Ratio(-83, 1000), signed=True) == "△8.3%"
    assert format_ratio(Ratio(0, 1000), signed=True) == "0.0%"


def test_no_ratio_to_a_base_that_is_missing_or_not_positive() -> None:
    assert Ratio.of(1, 0) is None
    assert Ratio.of(1, -5) is None
    assert Ratio.of(1, None) is None
    assert Ratio.of(None, 5) is None


def test_days_and_currencies_follow_the_language() -> None:
    day = datetime.date(2026, 10, 31)

    assert format_day(day, "pattern.period", "ja") == "2026年10月度"
    assert format_day(day, "pattern.period", "en") == "Month ended October 31, 2026"
    assert format_day(day, "pattern.balance_date", "ja") == "2026年10月31日現在"
    assert currency_name("JPY", "ja") == "円"
    assert currency_name("USD", "ja") == "米ドル"
    assert currency_name("JPY", "en") == "Japanese yen"
