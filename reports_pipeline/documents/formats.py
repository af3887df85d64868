"""How figures, ratios and dates are written."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Callable

from babel.dates import format_date
from babel.numbers import get_currency_name

from reports_pipeline.accounting.money import minor_unit_exponent
from reports_pipeline.accounting.reports import Company
from reports_pipeline.documents.catalogs import catalog
from reports_pipeline.documents.tables import Ratio

NOTHING = "—"
NEGATIVE_SIGN = "△"


def format_amount(minor: int, exponent: int) -> str:
    """An amount with all its decimals: 1,234 or △1,234.56."""
    if exponent == 0:
        digits = f"{abs(minor):,}"
    else:
        whole, fraction = divmod(abs(minor), 10**exponent)
        digits = f"{whole:,}.{fraction:0{exponent}d}"
    return NEGATIVE_SIGN + digits if minor < 0 else digits


def format_thousands(minor: int, exponent: int) -> str:
    """An amount in thousands of the main unit, truncated toward zero: 1,234 or △1,234; less than
    a thousand is 0, never △0."""
    thousands = abs(minor) // 10 ** (exponent + 3)
    return f"{NEGATIVE_SIGN if minor < 0 and thousands else ''}{thousands:,}"


def amount_format(company: Company) -> Callable[[int], str]:
    """How the company's pages write an amount: all of it, or in thousands (千円)."""
    write = format_thousands if company.display_unit == "thousand" else format_amount
    return functools.partial(write, exponent=minor_unit_exponent(company.currency))


def format_ratio(ratio: Ratio, *, signed: bool = False) -> str:
    """A percentage with one decimal, rounded half up from the exact quotient: △12.3%."""
    permille, rest = divmod(abs(ratio.numerator) * 1000, ratio.denominator)
    permille += 2 * rest >= ratio.denominator
    digits = f"{permille // 10:,}.{permille % 10}%"
    if permille and ratio.numerator < 0:
        return NEGATIVE_SIGN + digits
    return "+" + digits if signed and permille else digits


@functools.lru_cache(maxsize=1024)
def format_day(day: datetime.date, pattern: str, language: str) -> str:
    """A day in a CLDR pattern that stands in the catalog, such as `pattern.month`."""
    return format_date(day, catalog(language).text(pattern), locale=language)


@functools.lru_cache(maxsize=256)
def currency_name(currency: str, language: str) -> str:
    """円, 米ドル; US dollars."""
    return get_currency_name(currency, count=2, locale=language)
