"""Charts of accounts in CSV: a tenant's own, or how another program's accounts become ours."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from reports_pipeline.accounting.accounts import AccountClass
from reports_pipeline.accounting.charts import Account, suggested_class
from resources.ledger_imports.ledger_files import CsvRow, Problems, read_csv


@dataclass(frozen=True, slots=True)
class ImportedAccount:
    """An account as a file names it; its class is None while nobody has said what it is."""

    account_code: str
    name: str
    account_class: AccountClass | None

    @classmethod
    def of(cls, account: Account) -> ImportedAccount:
        return cls(account.account_code, account.name, account.account_class)


def read_chart(path: Path, problems: Problems) -> dict[str, ImportedAccount]:
    """The accounts by code, from the columns account_code, name and account_class.

    An account whose class is empty gets the one that its name has in the default chart, if any.

    Raises:
        LedgerFileError: the file cannot be read, or lacks a column.
    """
    chart: dict[str, ImportedAccount] = {}
    rows = read_csv(path, problems, required=["account_code", "name", "account_class"])
    for row in rows:
        account = _account(row, row["account_code"], problems)
        if account is None:
            continue
        if account.account_code in chart:
            problems.add(row.file, row.line, f"second account {account.account_code}")
        chart[account.account_code] = account
    return chart


def read_mapping(path: Path, problems: Problems) -> dict[str, ImportedAccount]:
    """Our accounts by another program's account names, from the columns account, account_code,
    name and account_class.

    Without a code the other program's name is the code. Several names may share an account. An
    empty class is as in `read_chart`.

    Raises:
        LedgerFileError: the file cannot be read, or lacks a column.
    """
    mapping: dict[str, ImportedAccount] = {}
    accounts: dict[str, ImportedAccount] = {}
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


def distinct(accounts: Iterable[ImportedAccount]) -> tuple[ImportedAccount, ...]:
    """Each account once, in order of codes."""
    return tuple(sorted(set(accounts), key=lambda account: account.account_code))


def _account(row: CsvRow, account_code: str, problems: Problems) -> ImportedAccount | None:
    if not account_code or not row["name"]:
        problems.add(row.file, row.line, "an account needs a code and a name")
        return None
    if not row["account_class"]:
        return ImportedAccount(account_code, row["name"], suggested_class(row["name"]))
    try:
        account_class = AccountClass(row["account_class"])
    except ValueError:
        problems.add(row.file, row.line, f"unknown class {row['account_class']!r}")
        return None
    return ImportedAccount(account_code, row["name"], account_class)
