"""The statements of a batch of tenants as one table of lines.

A statement's own lines and amounts are data of its module; here they become a table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from reports_pipeline.accounting.balance_sheet import BALANCE_SHEET
from reports_pipeline.accounting.books import TREND_MONTHS, Books, Ints, Texts, read_books
from reports_pipeline.accounting.cash_flow import CASH_FLOW
from reports_pipeline.accounting.expense_analysis import EXPENSE_ANALYSIS
from reports_pipeline.accounting.income_statement import INCOME_STATEMENT
from reports_pipeline.accounting.ledger import LedgerExtract
from reports_pipeline.accounting.reports import LineKind
from reports_pipeline.accounting.statement_layout import (
    AMOUNT_COLUMNS,
    AccountLines,
    LaidOut,
    Line,
    StatementSpec,
    lay_out,
)

STATEMENT_SPECS = (INCOME_STATEMENT, BALANCE_SHEET, EXPENSE_ANALYSIS, CASH_FLOW)

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
    "year_to_date": "Int64",
    "opening": "Int64",
    "trend": "object",  # 12 int64 each; a heading's are 0
}


def build_statements(extract: LedgerExtract) -> pd.DataFrame:
    """The statements of every tenant, with the columns STATEMENT_COLUMNS.

    Amounts are null in headings, in columns that a statement does not have, in `prior` if the
    tenant's books begin with the reported month, and in `opening` if they begin within the fiscal
    year and no opening entry says what was there before. An account line is left out if all its
    amounts are 0, the trend's too, so that the lines add up in every column.

    A tenant with an amount on an unknown account, or an account of an unknown class, is left out:
    see `extract_failures`. Accounts must be unique per tenant.

    Raises:
        ValueError: a movement is later than the month of the extract.
    """
    books = read_books(extract)
    laid_out = [(spec, lay_out(spec, books)) for spec in STATEMENT_SPECS]
    table = pd.concat([_table(spec, lines, books) for spec, lines in laid_out], ignore_index=True)
    tenant = np.concatenate([lines.tenant for _, lines in laid_out])
    return table.iloc[np.argsort(tenant, kind="stable")].reset_index(drop=True)


def trend_matrix(statements: pd.DataFrame) -> Ints:
    """[rows, TREND_MONTHS] the trends of a table of statement lines."""
    return np.array(statements["trend"].tolist(), dtype=np.int64).reshape(-1, TREND_MONTHS)


def _table(spec: StatementSpec, lines: LaidOut, books: Books) -> pd.DataFrame:
    """A statement's lines; an account of -1 selects the empty text appended to the accounts'."""
    of_account = lines.account >= 0
    kind = _of_lines(spec, lambda line: line.kind.value, LineKind.ACCOUNT.value)[lines.line]
    keys = _of_lines(spec, lambda line: line.key, "")[lines.line]
    account_keys = np.append("account:" + books.account_codes, "")[lines.account]
    levels = np.array([line.level for line in spec.lines], dtype=np.int64)
    null = {
        "prior": ~books.has_prior[lines.tenant],
        "opening": ~books.has_opening[lines.tenant],
    }
    amounts = {}
    for number, column in enumerate(AMOUNT_COLUMNS):
        absent = (kind == LineKind.HEADING.value) | (column not in spec.columns)
        amounts[column] = pd.arrays.IntegerArray(
            lines.amounts[:, number].copy(), absent | null.get(column, False)
        )
    trend = np.empty(len(kind), dtype=object)
    trend[:] = list(lines.amounts[:, len(AMOUNT_COLUMNS) :])
    columns = {
        "tenant_id": books.tenant_ids[lines.tenant],
        "statement": np.full(len(kind), spec.kind.value, dtype=object),
        "position": np.arange(len(kind)) - np.searchsorted(lines.tenant, lines.tenant),
        "key": np.where(of_account, account_keys, keys),
        "label": np.append(books.account_names, "")[lines.account],
        "kind": kind,
        "level": levels[lines.line],
        **amounts,
        "trend": trend,
    }
    return pd.DataFrame(columns).astype(dict(STATEMENT_COLUMNS))


def _of_lines(spec: StatementSpec, text: Callable[[Line], str], of_account_lines: str) -> Texts:
    texts = [
        of_account_lines if isinstance(line, AccountLines) else text(line) for line in spec.lines
    ]
    return np.array(texts, dtype=object)
