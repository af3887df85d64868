"""Charts of accounts: what an account is, and the chart a tenant without one of its own gets."""

from __future__ import annotations

import csv
import functools
from dataclasses import dataclass
from importlib import resources

from reports_pipeline.accounting.accounts import AccountClass


@dataclass(frozen=True, slots=True)
class Account:
    """One account of a tenant's chart."""

    account_code: str
    name: str
    account_class: AccountClass


@functools.cache
def default_chart(language: str) -> tuple[Account, ...]:
    """The chart of a small Japanese company, named in `language` (`ja` or `en`), by code.

    Names follow 会社計算規則 and the items customary in small companies' books.

    Raises:
        KeyError: there is no chart in `language`.
    """
    chart = resources.files(__package__).joinpath("default_chart.csv").read_text("utf-8")
    return tuple(
        Account(
            account_code=row["account_code"],
            name=row[f"name_{language}"],
            account_class=AccountClass(row["account_class"]),
        )
        for row in csv.DictReader(chart.splitlines())
    )
