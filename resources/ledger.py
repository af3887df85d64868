"""Reads the ledger: one month of a batch of tenants, in one read-only transaction.

Reading goes through Arrow (ADBC), which hands over columns instead of rows. What the ledger
itself must obey (entries balance, currencies agree, snapshots are fresh) is asked of the database
here, since only it sees the lines.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence

import adbc_driver_postgresql.dbapi as adbc
import pandas as pd
import pyarrow as pa

from reports_pipeline.accounting.failures import FailureCode, TenantFailure
from reports_pipeline.accounting.ledger import EXTRACT_TABLES, LedgerExtract
from reports_pipeline.accounting.periods import Month

_TENANT_ID = re.compile(r"[a-z0-9]{1,32}")
# The first of the twelve months of a trend, and the month before it.
_CASH_FLOW_MONTHS = 12


class Ledger(ABC):
    """Where the tenants' books are."""

    @abstractmethod
    def extract(
        self, month: Month, tenant_ids: Sequence[str]
    ) -> tuple[LedgerExtract, list[TenantFailure]]:
        """The month of these tenants, and the failures the ledger itself shows.

        A tenant with a failure may be in the tables too; a tenant may have several failures.
        Codes: UNKNOWN_TENANT, LEDGER_IMBALANCE, CURRENCY_MISMATCH, SNAPSHOT_MISMATCH.

        Raises:
            ValueError: a tenant id is malformed.
        """


class PostgresLedger(Ledger):
    """The schema `ledger` of a PostgreSQL database, for example a read-only replica."""

    def __init__(self, url: str, *, timeout_seconds: int = 300) -> None:
        self._url = url
        self._timeout_seconds = timeout_seconds

    def extract(
        self, month: Month, tenant_ids: Sequence[str]
    ) -> tuple[LedgerExtract, list[TenantFailure]]:
        for tenant_id in tenant_ids:
            if _TENANT_ID.fullmatch(tenant_id) is None:
                raise ValueError(f"not a tenant id: {tenant_id!r}")
        # COPY, which ADBC reads through, takes no parameters; both are safe as literals.
        values = {
            "tenants": f"'{{{','.join(tenant_ids)}}}'::text[]",
            "month": f"date '{month.start}'",
        }
        with adbc.connect(self._url) as connection, connection.cursor() as cursor:
            cursor.execute("set transaction isolation level repeatable read, read only")
            cursor.execute(f"set local statement_timeout = '{self._timeout_seconds}s'")

            def query(statement: str) -> pa.Table:
                cursor.execute(statement.format(**values))
                return cursor.fetch_arrow_table()

            extract = LedgerExtract(
                month=month,
                **{name: _frame(query(_EXTRACTS[name]), name) for name in EXTRACT_TABLES},
            )
            failures = [
                TenantFailure(row["tenant_id"], code, json.loads(row["details"]))
                for code, statement in _LEDGER_CHECKS.items()
                for row in query(statement).to_pylist()
            ]
            connection.rollback()
        return extract, failures


def _frame(table: pa.Table, name: str) -> pd.DataFrame:
    frame: pd.DataFrame = table.to_pandas()
    return frame.astype(dict(EXTRACT_TABLES[name]))


def _ordinal(month: str) -> str:
    return f"(extract(year from {month}) * 12 + extract(month from {month}) - 1)::bigint"


def _columns(table: str, *left_out: str) -> str:
    return ", ".join(column for column in EXTRACT_TABLES[table] if column not in left_out)


# The statements below are put together from column names of the contract, and filled in with
# checked literals only.
# ruff: noqa: S608
_MOVEMENTS = _columns("movements", "tenant_id", "account_code", "month")

_EXTRACTS = {
    "companies": """
        select tenant_id, name, language, currency, time_zone,
               fiscal_year_start_month::bigint, consumption_tax_basis, plan,
               exists (select from ledger.month_closings closing
                       where closing.tenant_id = company.tenant_id
                         and closing.month = {month}) as closed
        from ledger.companies company where tenant_id = any({tenants}) order by tenant_id
        """,
    "accounts": """
        select tenant_id, account_code, name, account_class
        from ledger.accounts where tenant_id = any({tenants}) order by tenant_id, account_code
        """,
    # The month itself comes from its lines, the months before from their snapshots.
    "movements": f"""
        select tenant_id, account_code, {_ordinal("month")} as month, {_MOVEMENTS}
        from (
            select tenant_id, account_code, month, {_MOVEMENTS} from ledger.balance_snapshots
            where tenant_id = any({{tenants}}) and month < {{month}}
            union all
            select tenant_id, account_code, {{month}}, {_MOVEMENTS}
            from ledger.month_movements({{tenants}}, {{month}})
        ) movements order by tenant_id, account_code, month
        """,
    "cash_flows": f"""
        select tenant_id, account_code, {_ordinal("month")} as month, inflow, outflow
        from (
            select tenant_id, account_code, month, inflow, outflow from ledger.cash_flow_snapshots
            where tenant_id = any({{tenants}}) and month < {{month}}
              and month >= ({{month}} - interval '{_CASH_FLOW_MONTHS} months')::date
            union all
            select tenant_id, account_code, {{month}}, inflow, outflow
            from ledger.month_cash_flows({{tenants}}, {{month}})
        ) flows order by tenant_id, account_code, month
        """,
    "claims": """
        select tenant_id, claim_id, incurred_on::text, employee, category, payee, description,
               amount, consumption_tax, status
        from ledger.expense_claims
        where tenant_id = any({tenants}) and incurred_on >= {month}
          and incurred_on < ({month} + interval '1 month')::date
        order by tenant_id, incurred_on, claim_id
        """,
}

# Each finds tenants with something wrong, and the facts to find it by.
_LEDGER_CHECKS = {
    FailureCode.UNKNOWN_TENANT: """
        select tenant_id, '{{}}'::text as details from unnest({tenants}) as tenant_id
        where not exists (select from ledger.companies c where c.tenant_id = tenant_id.tenant_id)
        """,
    FailureCode.LEDGER_IMBALANCE: """
        select distinct on (tenant_id) tenant_id, json_build_object(
            'entry_id', entry_id, 'posted_on', posted_on, 'debit', debit, 'credit', credit,
            'difference', debit - credit, 'entries', count(*) over (partition by tenant_id)
        )::text as details
        from (
            select tenant_id, posted_on, entry_id,
                   sum(debit)::bigint as debit, sum(credit)::bigint as credit
            from ledger.journal_lines
            where tenant_id = any({tenants}) and status = 'posted'
              and posted_on >= {month} and posted_on < ({month} + interval '1 month')::date
            group by tenant_id, posted_on, entry_id having sum(debit) <> sum(credit)
        ) unbalanced order by tenant_id, posted_on, entry_id
        """,
    FailureCode.CURRENCY_MISMATCH: """
        select distinct on (tenant_id) tenant_id, json_build_object(
            'entry_id', entry_id, 'posted_on', posted_on,
            'currency', entry.currency, 'company_currency', company.currency
        )::text as details
        from ledger.journal_entries entry join ledger.companies company using (tenant_id)
        where tenant_id = any({tenants}) and entry.status = 'posted'
          and posted_on >= {month} and posted_on < ({month} + interval '1 month')::date
          and entry.currency <> company.currency
        order by tenant_id, posted_on, entry_id
        """,
    # A posting that came after the snapshot was taken would be missing from next month's report.
    FailureCode.SNAPSHOT_MISMATCH: f"""
        select distinct on (tenant_id) tenant_id, json_build_object(
            'account_code', account_code,
            'lines', lines.debit - lines.credit, 'snapshot', snapshot.debit - snapshot.credit
        )::text as details
        from ledger.month_movements({{tenants}}, {{month}}) lines
        full join (
            select tenant_id, account_code, {_MOVEMENTS} from ledger.balance_snapshots
            where tenant_id = any({{tenants}}) and month = {{month}}
        ) snapshot using (tenant_id, account_code)
        where lines is distinct from snapshot
        order by tenant_id, account_code
        """,
}
