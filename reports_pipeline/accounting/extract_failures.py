"""What in an extract keeps a tenant's month from being reported.

What only the ledger's lines show (an unbalanced entry, a foreign currency) is found where they
are read; whether finished statements agree with each other is the controls' business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pandas as pd

from reports_pipeline.accounting.accounts import RETAINED_EARNINGS, AccountClass
from reports_pipeline.accounting.books import AccountIndex
from reports_pipeline.accounting.failures import FailureCode, TenantFailure
from reports_pipeline.accounting.ledger import EXTRACT_TABLES, LedgerExtract
from reports_pipeline.accounting.periods import Month

# Control characters (line ends and tabs are text), bidirectional controls, which make a text read
# differently from what it is, and lone surrogates.
_BAD_CHARACTER = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)

# By the position in AccountClass, and for -1, no class, which is another failure.
_MAY_BE_CLOSED = np.array(
    [*(c.section.in_income_statement or c in RETAINED_EARNINGS for c in AccountClass), True]
)

# table -> the column that names a row, and the columns that are printed.
_PRINTED_TEXTS = {
    "companies": ("tenant_id", ["name"]),
    "accounts": ("account_code", ["account_code", "name"]),
    "claims": ("claim_id", ["claim_id", "employee", "category", "payee", "description"]),
}


def extract_failures(extract: LedgerExtract) -> list[TenantFailure]:
    """At most one failure of a tenant, in the order of tenant ids: the first of

    1. UNKNOWN_TENANT: a table has rows of a tenant that is no company of the extract (`table`);
    2. BAD_TEXT: a printed text has a character that must not be (`table`, `row`, `field`,
       `code_point` such as U+202E);
    3. UNKNOWN_ACCOUNT: an amount on an account that is not in the chart or whose class is unknown
       (`account_code`; `name` and `account_class`, None if not in the chart);
    4. LEDGER_IMBALANCE: in a month debits and credits differ (`month`, `debit`, `credit`,
       `difference`; `kind` is closing for closing entries, opening for opening entries, else
       normal);
    5. CLOSING_ENTRY_ON_BALANCE_SHEET: what entries marked as closing move on an account in a
       month, and statements leave out, is neither of the income statement nor 利益剰余金
       (`month`, `account_code`, `amount`: debit - credit);
    6. MONTH_EMPTY: the month has no entries and is not closed: nobody has confirmed the zeros, so
       its ledger may not have been loaded yet.

    An account that is not used may be of any class.
    """
    failures: dict[str, TenantFailure] = {}
    index = AccountIndex(extract)
    for found in (
        _unknown_tenants(extract, index),
        _bad_texts(extract),
        _unknown_accounts(extract, index),
        _imbalances(extract),
        _closings_of_balances(extract, index),
        _unconfirmed_zeros(extract),
    ):
        for failure in found:
            failures.setdefault(failure.tenant_id, failure)
    return sorted(failures.values(), key=lambda failure: failure.tenant_id)


def _unknown_tenants(extract: LedgerExtract, index: AccountIndex) -> Iterator[TenantFailure]:
    for name in EXTRACT_TABLES:
        table: pd.DataFrame = getattr(extract, name)
        for tenant_id in table.loc[index.tenants_of(table) < 0, "tenant_id"].unique():
            yield TenantFailure(tenant_id, FailureCode.UNKNOWN_TENANT, {"table": name})


def _unconfirmed_zeros(extract: LedgerExtract) -> Iterator[TenantFailure]:
    movements = extract.movements
    active = movements.loc[movements["month"] == extract.month.ordinal, "tenant_id"].unique()
    companies = extract.companies
    unconfirmed = ~companies["closed"] & ~companies["tenant_id"].isin(active)
    for tenant_id in companies.loc[unconfirmed, "tenant_id"]:
        yield TenantFailure(tenant_id, FailureCode.MONTH_EMPTY, {"month": str(extract.month)})


def _bad_texts(extract: LedgerExtract) -> Iterator[TenantFailure]:
    for name, (row_name, fields) in _PRINTED_TEXTS.items():
        table: pd.DataFrame = getattr(extract, name)
        for field in fields:
            # One search over the different texts: nearly always there is nothing to find.
            if _BAD_CHARACTER.search("\n".join(table[field].unique().tolist())) is None:
                continue
            for tenant_id, row, text in zip(
                table["tenant_id"], table[row_name], table[field], strict=True
            ):
                bad = _BAD_CHARACTER.search(text)
                if bad is not None:
                    yield TenantFailure(
                        tenant_id,
                        FailureCode.BAD_TEXT,
                        {
                            "table": name,
                            "row": _BAD_CHARACTER.sub(_code_point, row),
                            "field": field,
                            "code_point": _code_point(bad),
                        },
                    )


def _code_point(bad: re.Match[str]) -> str:
    return f"U+{ord(bad[0]):04X}"


def _unknown_accounts(extract: LedgerExtract, index: AccountIndex) -> Iterator[TenantFailure]:
    accounts = extract.accounts
    for table in (extract.movements, extract.cash_flows):
        placed = index.place(table)
        unplaced = placed.account_class < 0
        unknown = table.loc[unplaced, ["tenant_id", "account_code"]]
        unknown = unknown.assign(row=placed.account[unplaced])
        for tenant_id, code, row in unknown.drop_duplicates("tenant_id").itertuples(index=False):
            in_chart = row >= 0
            yield TenantFailure(
                tenant_id,
                FailureCode.UNKNOWN_ACCOUNT,
                {
                    "account_code": _BAD_CHARACTER.sub(_code_point, code),
                    "name": accounts["name"].iloc[row] if in_chart else None,
                    "account_class": accounts["account_class"].iloc[row] if in_chart else None,
                },
            )


def _imbalances(extract: LedgerExtract) -> Iterator[TenantFailure]:
    totals = extract.movements.groupby(["tenant_id", "month"]).sum(numeric_only=True)
    of_kinds = {
        kind: (totals[f"{prefix}debit"], totals[f"{prefix}credit"])
        for kind, prefix in {"normal": "", "opening": "opening_", "closing": "closing_"}.items()
    }
    unequal = np.column_stack([debits != credits for debits, credits in of_kinds.values()])
    for row, number in np.argwhere(unequal).tolist():
        tenant_id, month = totals.index[row]
        kind = list(of_kinds)[number]
        debit, credit = (int(side.iloc[row]) for side in of_kinds[kind])
        yield TenantFailure(
            tenant_id,
            FailureCode.LEDGER_IMBALANCE,
            {
                "month": _month_name(month),
                "kind": kind,
                "debit": debit,
                "credit": credit,
                "difference": debit - credit,
            },
        )


def _closings_of_balances(extract: LedgerExtract, index: AccountIndex) -> Iterator[TenantFailure]:
    movements = extract.movements
    amounts = movements["closing_debit"] - movements["closing_credit"]
    lost = (amounts != 0).to_numpy()
    closed, amounts = movements[lost], amounts[lost]
    lost = ~_MAY_BE_CLOSED[index.place(closed).account_class]
    closed = closed.loc[lost, ["tenant_id", "month", "account_code"]].assign(amount=amounts[lost])
    first = closed.sort_values(["tenant_id", "month", "account_code"]).drop_duplicates("tenant_id")
    for tenant_id, month, account_code, amount in first.itertuples(index=False):
        yield TenantFailure(
            tenant_id,
            FailureCode.CLOSING_ENTRY_ON_BALANCE_SHEET,
            {"month": _month_name(month), "account_code": account_code, "amount": amount},
        )


def _month_name(month_ordinal: int) -> str:
    return str(Month(month_ordinal // 12, month_ordinal % 12 + 1))
