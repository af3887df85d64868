"""What is extracted from the ledger for a batch of tenants: tables with documented columns.

The tables are DataFrames; amounts are int64 minor units of the tenant's currency.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from reports_pipeline.accounting.periods import Month

# column -> pandas dtype, per table. `month` is Month.ordinal.
EXTRACT_TABLES: Mapping[str, Mapping[str, str]] = {
    # one row a tenant. Days as ISO text: the reported month is [month_start, month_end), which is
    # no calendar month where books close on the 20th, say. `closed`: the month is closed, else it
    # prints as provisional
    "companies": {
        "tenant_id": "str",
        "name": "str",
        "language": "str",
        "currency": "str",
        "time_zone": "str",
        "fiscal_year_start": "str",
        "month_start": "str",
        "month_end": "str",
        "consumption_tax_basis": "str",
        "display_unit": "str",
        "plan": "str",
        "closed": "bool",
        "copy_language": "str",  # empty for none
    },
    # at least one row a tenant: a fiscal year begins with `first_month` (Month.ordinal) and every
    # twelve months before and after, until the next of the tenant's rows begins another one
    "fiscal_years": {
        "tenant_id": "str",
        "first_month": "int64",
    },
    # the chart; `account_class` is the AccountClass that the account is mapped to in the reported
    # month, for every column; another text if it is mapped to none
    "accounts": {
        "tenant_id": "str",
        "account_code": "str",
        "name": "str",
        "account_class": "str",
    },
    # movements of the month a year before the reported one and every month since, posted entries
    # only; what is older stands in two months, the last before the fiscal year of the month a year
    # ago and the last before that month itself, or in more:
    # closing entries apart, opening entries within debit and credit; the opening columns say which
    # part of debit and credit opening entries brought
    "movements": {
        "tenant_id": "str",
        "account_code": "str",
        "month": "int64",
        "debit": "int64",
        "credit": "int64",
        "closing_debit": "int64",
        "closing_credit": "int64",
        "opening_debit": "int64",
        "opening_credit": "int64",
    },
    # counterparts of entries that touch cash, every month from 12 before the reported one on
    "cash_flows": {
        "tenant_id": "str",
        "account_code": "str",
        "month": "int64",
        "inflow": "int64",
        "outflow": "int64",
    },
    # expense claims incurred in the reported month, in order of date and id; the date as ISO text
    "claims": {
        "tenant_id": "str",
        "claim_id": "str",
        "incurred_on": "str",
        "employee": "str",
        "category": "str",
        "payee": "str",
        "description": "str",
        "amount": "int64",
        "consumption_tax": "int64",
        "status": "str",
    },
}


@dataclass(frozen=True)
class LedgerExtract:
    """One month of a batch of tenants, as of one instant; tables as in EXTRACT_TABLES."""

    month: Month
    companies: pd.DataFrame
    fiscal_years: pd.DataFrame
    accounts: pd.DataFrame
    movements: pd.DataFrame
    cash_flows: pd.DataFrame
    claims: pd.DataFrame
