"""A shop with one sale a month, each of another power of two: a sum tells of which months it is."""

from __future__ import annotations

from reports_pipeline.accounting.periods import Month
from tests.accounting.sakura import DEPOSITS, SALES, entry, posting

FIRST_SALE = Month(2024, 1)
SALES_OF = {FIRST_SALE.plus(number): 2**number for number in range(36)}
SHOP = posting(
    *(
        entry(f"{month}-15", {DEPOSITS: amount, SALES: -amount})
        for month, amount in SALES_OF.items()
    )
)


def sales(first: Month, last: Month) -> int:
    """Those from the first to the last month, both included."""
    return sum(amount for month, amount in SALES_OF.items() if first <= month <= last)
