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
    return tuple(
        Account(
            account_code=row["account_code"],
            name=row[f"name_{language}"],
            account_class=AccountClass(row["account_class"]),
        )
        for row in _rows()
    )


def suggested_class(name: str) -> AccountClass | None:
    """The class of the account that has exactly this name in the default chart, in Japanese or
    English."""
    return _classes_by_name().get(name)


@functools.cache
def _classes_by_name() -> dict[str, AccountClass]:
    return {
        row[column]: AccountClass(row["account_class"])
        for row in _rows()
        for column in ("name_ja", "name_en")
    }


def _rows() -> list[dict[str, str]]:
    chart = resources.files(__package__).joinpath("default_chart.csv").read_text("utf-8")
    return list(csv.DictReader(chart.splitlines()))
