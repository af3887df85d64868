"""The statements of a batch of tenants as one table of lines.

A statement's own lines and amounts are data of its module; here they become a table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from pandas.api.extensions import ExtensionArray

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
    return _table(_joined([lay_out(spec, books) for spec in STATEMENT_SPECS]), books)


def trend_matrix(statements: pd.DataFrame) -> Ints:
    """[rows, TREND_MONTHS] the trends of a table of statement lines."""
    nothing = np.empty(0, dtype=np.int64)
    return np.concatenate([nothing, *statements["trend"]]).reshape(-1, TREND_MONTHS)


def _joined(laid_out: Sequence[LaidOut]) -> LaidOut:
    """The lines of all statements by tenant and then as they print; lines are numbered through
    the specifications, one after the other."""
    first_lines = np.cumsum([0, *(len(spec.lines) for spec in STATEMENT_SPECS[:-1])])
    tenant = np.concatenate([lines.tenant for lines in laid_out])
    order = np.argsort(tenant, kind="stable")
    line = [lines.line + first for lines, first in zip(laid_out, first_lines, strict=True)]
    return LaidOut(
        tenant=tenant[order],
        line=np.concatenate(line)[order],
        position=np.concatenate([lines.position for lines in laid_out])[order],
        account=np.concatenate([lines.account for lines in laid_out])[order],
        amounts=np.concatenate([lines.amounts for lines in laid_out])[order],
    )


def _table(lines: LaidOut, books: Books) -> pd.DataFrame:
    specified = [(spec, line) for spec in STATEMENT_SPECS for line in spec.lines]
    null = {
        "prior": ~books.has_prior[lines.tenant],
        "opening": ~books.has_opening[lines.tenant],
    }
    amounts = {}
    for number, column in enumerate(AMOUNT_COLUMNS):
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
    trend[:] = list(lines.amounts[:, len(AMOUNT_COLUMNS) :])
    keys = ["" if isinstance(line, AccountLines) else line.key for _, line in specified]
    account_keys = [f"account:{code}" for code in books.account_codes]
    key = np.where(lines.account < 0, lines.line, len(keys) + lines.account)
    return pd.DataFrame(
        {
            "tenant_id": _texts(books.tenant_ids, lines.tenant),
            "statement": _texts([spec.kind for spec, _ in specified], lines.line),
            "position": lines.position,
            "key": _texts(keys + account_keys, key),
            # An account of -1 selects the last text, the empty one.
            "label": _texts([*books.account_names, ""], lines.account),
            "kind": _texts([_kind(line) for _, line in specified], lines.line),
            "level": np.array([line.level for _, line in specified])[lines.line],
            **amounts,
            "trend": trend,
        }
    )


def _kind(line: Line | AccountLines) -> LineKind:
    return LineKind.ACCOUNT if isinstance(line, AccountLines) else line.kind


def _texts(texts: Sequence[str] | Texts, numbers: Ints) -> ExtensionArray:
    """A column of texts by their numbers: much faster than from a Python string for each row."""
    return pd.array([str(text) for text in texts], dtype="str").take(numbers)
