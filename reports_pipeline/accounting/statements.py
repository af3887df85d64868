"""The statements of a batch of tenants as one table of lines.

A statement's own lines and amounts are data of its module; here they become a table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from reports_pipeline.accounting.accounts import CONTRA_CLASSES, AccountClass
from reports_pipeline.accounting.balance_sheet import BALANCE_SHEET
from reports_pipeline.accounting.books import Books, Ints, read_books
from reports_pipeline.accounting.cash_flow import CASH_FLOW
from reports_pipeline.accounting.expense_analysis import EXPENSE_ANALYSIS
from reports_pipeline.accounting.income_statement import INCOME_STATEMENT
from reports_pipeline.accounting.indirect_cash_flow import INDIRECT_CASH_FLOW
from reports_pipeline.accounting.ledger import LedgerExtract
from reports_pipeline.accounting.reports import TREND_MONTHS, LineKind
from reports_pipeline.accounting.statement_layout import (
    AMOUNT_COLUMNS,
    TREND_COLUMNS,
    AccountLines,
    LaidOut,
    Line,
    lay_out,
)

_IS_CONTRA = np.array([account_class in CONTRA_CLASSES for account_class in AccountClass])

STATEMENT_SPECS = (INCOME_STATEMENT, BALANCE_SHEET, EXPENSE_ANALYSIS, CASH_FLOW, INDIRECT_CASH_FLOW)

# column -> pandas dtype. One row a line, by tenant (in the order of companies), statement (in the
# order of StatementKind) and position; what a column holds is said at StatementLine.
STATEMENT_COLUMNS: Mapping[str, str] = {
    "tenant_id": "str",
    "statement": "str",  # StatementKind
    "position": "int64",  # from 0 in each statement
    "key": "str",
    "label": "str",
    "kind": "str",  # LineKind
    "level": "int64",
    "current": "Int64",
    "prior": "Int64",
    "prior_year": "Int64",
    "year_to_date": "Int64",
    "opening": "Int64",
    "trend": "object",  # 12 int64 each; a heading's are 0
    "is_contra": "bool",  # the line is of a contra account
}


def build_statements(extract: LedgerExtract) -> pd.DataFrame:
    """The statements of every tenant, with the columns STATEMENT_COLUMNS.

    Amounts are null in headings, in columns that a statement does not have, in `prior` and
    `prior_year` if the tenant's books begin after that month, and in `opening` if they begin within
    the fiscal year and no opening entry says what was there before. An account line is left out if
    all its amounts are 0, the trend's too, so that the lines add up in every column.

    A tenant with an amount on an unknown account, or an account of an unknown class, is left out:
    see `extract_failures`. Accounts must be unique per tenant.

    Raises:
        ValueError: a movement is later than the month of the extract, or a company has no fiscal
            year.
    """
    books = read_books(extract)
    return _table(_in_order(books), books)


def trend_matrix(statements: pd.DataFrame) -> Ints:
    """[rows, TREND_MONTHS] the trends of a table of statement lines."""
    nothing = np.empty(0, dtype=np.int64)
    return np.concatenate([nothing, *statements["trend"]]).reshape(-1, TREND_MONTHS)


def _in_order(books: Books) -> LaidOut:
    """The lines of all statements by tenant and then as they print; lines are numbered through
    the specifications, one after the other."""
    parts: list[LaidOut] = []
    first_line = 0
    for spec in STATEMENT_SPECS:
        parts += [
            replace(laid_out, line=laid_out.line + first_line) for laid_out in lay_out(spec, books)
        ]
        first_line += len(spec.lines)
    tenant, line, rank, account = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("tenant", "line", "rank", "account")
    )
    # The sort is stable: lines of accounts with equal rank stay in the order of accounts.
    order = np.lexsort((rank, line, tenant))
    return LaidOut(
        tenant=tenant[order],
        line=line[order],
        rank=rank[order],
        account=account[order],
        amounts=np.concatenate([part.amounts for part in parts]).take(order, axis=0),
    )


def _table(lines: LaidOut, books: Books) -> pd.DataFrame:
    specified = [(spec, line) for spec in STATEMENT_SPECS for line in spec.lines]
    null = {
        "prior": ~books.has_prior[lines.tenant],
        "prior_year": ~books.has_prior_year[lines.tenant],
        "opening": ~books.has_opening[lines.tenant],
    }
    amounts = {}
    for column, number in AMOUNT_COLUMNS.items():
        absent = np.array(
            [
                _kind(line) is LineKind.HEADING or column not in spec.columns
                for spec, line in specified
            ]
        )
        amounts[column] = pd.arrays.IntegerArray(
            lines.amounts[:, number].copy(), absent[lines.line] | null.get(column, False)
        )
    trend = np.empty(len(lines.line), dtype=object)
    trend[:] = list(lines.amounts[:, TREND_COLUMNS])
    of_account = lines.account >= 0
    keys = _texts("" if isinstance(line, AccountLines) else line.key for _, line in specified)
    account_keys = "account:" + books.account_codes
    return pd.DataFrame(
        {
            "tenant_id": books.tenant_ids.array.take(lines.tenant),
            "statement": _texts(spec.kind for spec, _ in specified).array.take(lines.line),
            "position": _positions(lines),
            "key": pd.concat([keys, account_keys]).array.take(
                np.where(of_account, len(keys) + lines.account, lines.line)
            ),
            # An account of -1 selects the last text, the empty one.
            "label": pd.concat([books.account_names, _texts([""])]).array.take(lines.account),
            "kind": _texts(_kind(line) for _, line in specified).array.take(lines.line),
            "level": np.array([line.level for _, line in specified])[lines.line],
            **amounts,
            "trend": trend,
            # An account of -1 selects the last flag, too.
            "is_contra": np.append(_IS_CONTRA[books.account_class], False)[lines.account],
        }
    )


def _positions(lines: LaidOut) -> Ints:
    """[m] the number of each line in its tenant's statement, from 0."""
    statement_of_line = np.repeat(
        np.arange(len(STATEMENT_SPECS)), [len(spec.lines) for spec in STATEMENT_SPECS]
    )
    statement = lines.tenant * len(STATEMENT_SPECS) + statement_of_line[lines.line]
    return np.arange(len(statement)) - np.searchsorted(statement, statement)


def _kind(line: Line | AccountLines) -> LineKind:
    return LineKind.ACCOUNT if isinstance(line, AccountLines) else line.kind


def _texts(texts: Iterable[str]) -> pd.Series[str]:
    return pd.Series([str(text) for text in texts], dtype="str")
