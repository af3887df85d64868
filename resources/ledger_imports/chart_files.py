"""Charts of accounts in CSV: a tenant's own, or how another program's accounts become ours."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from reports_pipeline.accounting.accounts import AccountClass
from reports_pipeline.accounting.charts import Account
from resources.ledger_imports.ledger_files import CsvRow, Problems, read_csv


def read_chart(path: Path, problems: Problems) -> dict[str, Account]:
    """The accounts by code, from the columns account_code, name and account_class.

    Raises:
        LedgerFileError: the file cannot be read, or lacks a column.
    """
    chart: dict[str, Account] = {}
    rows = read_csv(path, problems, required=["account_code", "name", "account_class"])
    for row in rows:
        account = _account(row, row["account_code"], problems)
        if account is None:
            continue
        if account.account_code in chart:
            problems.add(row.file, row.line, f"second account {account.account_code}")
        chart[account.account_code] = account
    return chart


def read_mapping(path: Path, problems: Problems) -> dict[str, Account]:
    """Our accounts by another program's account names, from the columns account, account_code,
    name and account_class.

    Without a code the other program's name is the code. Several names may share an account.

    Raises:
        LedgerFileError: the file cannot be read, or lacks a column.
    """
    mapping: dict[str, Account] = {}
    accounts: dict[str, Account] = {}
    rows = read_csv(
        path, problems, required=["account", "name", "account_class"], optional=["account_code"]
    )
    for row in rows:
        account = _account(row, row["account_code"] or row["account"], problems)
        if account is None:
            continue
        if row["account"] in mapping:
            problems.add(row.file, row.line, f"second row for {row['account']}")
        if accounts.setdefault(account.account_code, account) != account:
            reason = f"{account.account_code} has another name or class above"
            problems.add(row.file, row.line, reason)
        mapping[row["account"]] = account
    return mapping


def distinct(accounts: Iterable[Account]) -> tuple[Account, ...]:
    """Each account once, in order of codes."""
    return tuple(sorted(set(accounts), key=lambda account: account.account_code))


def _account(row: CsvRow, account_code: str, problems: Problems) -> Account | None:
    if not account_code or not row["name"]:
        problems.add(row.file, row.line, "an account needs a code and a name")
        return None
    try:
        account_class = AccountClass(row["account_class"])
    except ValueError:
        problems.add(row.file, row.line, f"unknown class {row['account_class']!r}")
        return None
    return Account(account_code, row["name"], account_class)
