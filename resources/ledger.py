"""Reads the ledger: one month of a batch of tenants, in one read-only transaction.

Reading goes through Arrow (ADBC), which hands over columns instead of rows. What the ledger
itself must obey (entries balance, currencies agree, snapshots are fresh) is asked of the database
here, since only it sees the lines.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence

import adbc_driver_manager
import adbc_driver_postgresql.dbapi as adbc
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from reports_pipeline.accounting.accounts import INCOME_STATEMENT
from reports_pipeline.accounting.books import SHOWN_MONTHS
from reports_pipeline.accounting.failures import FailureCode, TenantFailure
from reports_pipeline.accounting.ledger import EXTRACT_TABLES, LedgerExtract
from reports_pipeline.accounting.periods import Month
from resources.budgets import Budget, BudgetExceededError

_TENANT_ID = re.compile(r"[a-z0-9]{1,32}")
_DEFAULT_BUDGET = Budget()
_SECONDS_FOR_A_LOCK = 30
_LOCK_NOT_AVAILABLE, _QUERY_CANCELED = "55P03", "57014"
# What a byte that Arrow has read becomes as frames and reports.
_BYTES_IN_PYTHON = 8
# Statements show the flows of the month a year before, and of all months since.
_SHOWN_BEFORE = SHOWN_MONTHS - 1


class Ledger(ABC):
    """Where the tenants' books are."""

    @abstractmethod
    def extract(
        self, month: Month, tenant_ids: Sequence[str]
    ) -> tuple[LedgerExtract, list[TenantFailure]]:
        """The month of these tenants, and the failures the ledger itself shows.

        A tenant with a failure may be in the tables too; a tenant may have several failures.
        Codes: UNKNOWN_TENANT, LEDGER_IMBALANCE, CURRENCY_MISMATCH, SNAPSHOT_MISMATCH,
        UNFLAGGED_CLOSING_ENTRY.

        Raises:
            BudgetExceededError: reading takes too much time or memory.
            ValueError: a tenant id is malformed.
        """


class PostgresLedger(Ledger):
    """The schema `ledger` of a PostgreSQL database, for example a read-only replica.

    However many tenants are asked for, they have the time and memory of one, which is plenty for a
    batch of usual ones. If it is not enough, ask for half of them, until one tenant is left that
    needs too much by itself.
    """

    def __init__(self, url: str, *, budget: Budget = _DEFAULT_BUDGET) -> None:
        self._url = url
        self._budget = budget

    def extract(
        self, month: Month, tenant_ids: Sequence[str]
    ) -> tuple[LedgerExtract, list[TenantFailure]]:
        for tenant_id in tenant_ids:
            if _TENANT_ID.fullmatch(tenant_id) is None:
                raise ValueError(f"not a tenant id: {tenant_id!r}")
        reading = _Reading(self._budget)
        with (
            adbc.connect(self._url) as connection,
            connection.cursor() as cursor,
            reading.limits(),
        ):
            cursor.execute("set transaction isolation level repeatable read, read only")
            cursor.execute(f"set local lock_timeout = {reading.lock_milliseconds}")
            # Compiling costs more than it saves in queries as short as these; some years of a
            # batch's snapshots are sorted in memory.
            cursor.execute("set local jit = off")
            cursor.execute("set local work_mem = '64MB'")
            # Of a tenant's month the planner expects a handful of lines, and would sort them all
            # in order to add them up; what has an order to be in is sorted all the same.
            cursor.execute("set local enable_sort = off")

            def query(statement: str, tenant_ids: Sequence[str] = tenant_ids) -> pa.Table:
                # COPY, which ADBC reads through, takes no parameters; both are safe as literals.
                tenants = f"'{{{','.join(tenant_ids)}}}'::text[]"
                cursor.execute(f"set local statement_timeout = {reading.milliseconds_left()}")
                cursor.execute(statement.format(tenants=tenants, month=f"date '{month.start}'"))
                table = cursor.fetch_arrow_table()
                reading.charge(table.nbytes)
                return table

            tables = {name: query(statement) for name, statement in _EXTRACTS.items()}
            marked = {
                code: query(statement)["tenant_id"].to_pylist()
                for code, statement in _MARKS.items()
            }
            suspects = _suspects(tenant_ids, tables, marked)
            failures = [
                TenantFailure(row["tenant_id"], code, json.loads(row["details"]))
                for code, of_code in suspects.items()
                if of_code
                for row in query(_LEDGER_CHECKS[code], of_code).to_pylist()
            ]
            connection.rollback()
        return _extract(month, tables), failures


class _Reading:
    """What is left of the budget while the ledger is read."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._deadline = time.monotonic() + budget.seconds
        self._bytes_left = budget.megabytes * 2**20 // _BYTES_IN_PYTHON

    @property
    def lock_milliseconds(self) -> int:
        # Well before the time is up: a lock is no tenant's fault.
        return int(1000 * min(_SECONDS_FOR_A_LOCK, self._budget.seconds / 2))

    def milliseconds_left(self) -> int:
        # 0 would be no limit
        return max(1, int(1000 * (self._deadline - time.monotonic())))

    def charge(self, arrow_bytes: int) -> None:
        """Count in what was read.

        Raises:
            BudgetExceededError: with all that was read before, it would become too large.
        """
        self._bytes_left -= arrow_bytes
        if self._bytes_left < 0:
            raise BudgetExceededError("megabytes", self._budget.megabytes)

    @contextlib.contextmanager
    def limits(self) -> Iterator[None]:
        """Say what the database means when it stops a statement.

        Raises:
            BudgetExceededError: the time was up.
            TimeoutError: somebody held a lock.
        """
        try:
            yield
        except adbc_driver_manager.Error as error:
            if error.sqlstate == _LOCK_NOT_AVAILABLE:
                raise TimeoutError(f"a table of the ledger is locked: {error}") from error
            # An administrator may cancel a statement too.
            if error.sqlstate == _QUERY_CANCELED and time.monotonic() >= self._deadline:
                raise BudgetExceededError("seconds", self._budget.seconds) from error
            raise


def _suspects(
    tenant_ids: Sequence[str],
    tables: Mapping[str, pa.Table],
    marked: Mapping[FailureCode, Sequence[str]],
) -> dict[FailureCode, list[str]]:
    """The tenants to ask a check about. Most are sound, and finding that costs next to nothing
    while their movements are read; `marked` are those of whom the ledger says so."""
    movements = tables["movements"]

    def flagged(column: str) -> list[str]:
        of_tenants = movements.filter(movements[column])["tenant_id"]
        suspects: list[str] = of_tenants.unique().to_pylist()
        return suspects

    companies = set(tables["companies"]["tenant_id"].to_pylist())
    return {
        FailureCode.UNKNOWN_TENANT: [t for t in tenant_ids if t not in companies],
        FailureCode.LEDGER_IMBALANCE: flagged("unbalanced"),
        FailureCode.CURRENCY_MISMATCH: list(marked[FailureCode.CURRENCY_MISMATCH]),
        FailureCode.SNAPSHOT_MISMATCH: sorted(
            {*flagged("stale"), *marked[FailureCode.SNAPSHOT_MISMATCH]}
        ),
        FailureCode.UNFLAGGED_CLOSING_ENTRY: _perhaps_closed(tables),
    }


def _perhaps_closed(tables: Mapping[str, pa.Table]) -> list[str]:
    """The tenants of profit and loss accounts that met 利益剰余金, and no cash, in an entry that is
    not marked as closing. A dividend, say, is of balance sheet accounts only."""
    accounts, movements = tables["accounts"], tables["movements"]
    met = movements.filter(movements["with_retained_earnings"])
    if met.num_rows == 0:
        return []
    of_profit = accounts.filter(
        pc.is_in(accounts["account_class"], pa.array(list(INCOME_STATEMENT)))
    )
    met = met.join(of_profit, ["tenant_id", "account_code"], join_type="left semi")
    tenants: list[str] = met["tenant_id"].unique().to_pylist()
    return tenants


def _extract(month: Month, tables: Mapping[str, pa.Table]) -> LedgerExtract:
    movements = tables["movements"]
    # A row without movements is a snapshot of this month that has no lines.
    movements = movements.filter(pc.is_valid(movements["debit"]))
    movements = movements.sort_by([(key, "ascending") for key in _KEYS])
    in_trend = pc.greater_equal(movements["month"], month.ordinal - _SHOWN_BEFORE)
    flows = movements.filter(pc.and_(pc.is_valid(movements["inflow"]), in_trend))
    tables = {**tables, "movements": movements, "cash_flows": flows}
    return LedgerExtract(month, **{name: _frame(tables[name], name) for name in EXTRACT_TABLES})


def _frame(table: pa.Table, name: str) -> pd.DataFrame:
    columns = EXTRACT_TABLES[name]
    frame: pd.DataFrame = table.select(list(columns)).to_pandas()
    return frame.astype(dict(columns))


def _ordinal(month: str) -> str:
    # `extract` would compute in numeric.
    return f"(date_part('year', {month}) * 12 + date_part('month', {month}) - 1)::bigint"


def _of(table: str) -> str:
    """What a snapshot says, from a table in a statement."""
    return ", ".join(f"{table}.{column}" for column in _SNAPSHOT_COLUMNS)


# The statements below are put together from column names of the contract, and filled in with
# checked literals only.
# ruff: noqa: S608
_KEYS = ("tenant_id", "account_code", "month")
_MOVEMENT_COLUMNS = [c for c in EXTRACT_TABLES["movements"] if "debit" in c or "credit" in c]
_SNAPSHOT_COLUMNS = [*_MOVEMENT_COLUMNS, "inflow", "outflow", "with_retained_earnings"]
_SNAPSHOT = ", ".join(_SNAPSHOT_COLUMNS)
_SUMS = ", ".join(f"ledger.bigint_sum({column}) as {column}" for column in _MOVEMENT_COLUMNS)
_FIRST_SHOWN = f"({{month}} - interval '{_SHOWN_BEFORE} months')::date"

_EXTRACTS = {
    "companies": """
        select tenant_id, name, language, currency, time_zone,
               ledger.month_start(tenant_id, ledger.fiscal_year_of(tenant_id, {month}))::text
                   as fiscal_year_start,
               ledger.month_start(tenant_id, {month})::text as month_start,
               ledger.month_end(tenant_id, {month})::text as month_end,
               consumption_tax_basis, display_unit, plan,
               coalesce(copy_language, '') as copy_language,
               exists (select from ledger.month_closings closing
                       where closing.tenant_id = company.tenant_id
                         and closing.month = {month} and reopened_at is null) as closed
        from ledger.companies company where tenant_id = any({tenants}) order by tenant_id
        """,
    "fiscal_years": f"""
        select tenant_id, {_ordinal("first_month")} as first_month from (
            select tenant_id, make_date(1900, fiscal_year_start_month, 1) as first_month
            from ledger.companies
            union all
            select tenant_id, first_month from ledger.fiscal_year_changes
        ) beginnings
        where tenant_id = any({{tenants}}) order by tenant_id, first_month
        """,
    # An unmapped account has the class ''.
    "accounts": """
        select tenant_id, account_code, name, coalesce(account_class, '') as account_class
        from ledger.accounts_in({tenants}, {month}) order by tenant_id, account_code
        """,
    # The month itself comes from its lines, the months before from their snapshots. Of those that
    # no statement shows, it counts only whether they are in the fiscal year of the first that is
    # shown or before it; each part is added up into its last month. Cash flows are columns of the
    # same rows. `unbalanced`, `stale` and `with_retained_earnings` mark what the checks below look
    # into. In no order: Arrow sorts in a quarter of the time.
    "movements": f"""
        with this_month as (
            select coalesce(lines.tenant_id, snapshot.tenant_id) as tenant_id,
                   coalesce(lines.account_code, snapshot.account_code) as account_code,
                   {_of("lines")}, lines.unbalanced,
                   ({_of("lines")}) is distinct from ({_of("snapshot")}) as stale
            from ledger.month_movements({{tenants}}, {{month}}) lines
            full join (
                select * from ledger.balance_snapshots
                where tenant_id = any({{tenants}}) and month = {{month}}
            ) snapshot using (tenant_id, account_code)
        )
        select tenant_id, account_code, {_ordinal("month")} as month, {_SNAPSHOT}, unbalanced, stale
        from (
            select tenant_id, account_code,
                   (case when month < year_start then year_start else {_FIRST_SHOWN} end
                       - interval '1 month')::date as month,
                   {_SUMS}, null::bigint as inflow, null::bigint as outflow,
                   bool_or(with_retained_earnings) as with_retained_earnings,
                   false as unbalanced, false as stale
            from (
                select tenant, ledger.fiscal_year_of(tenant, {_FIRST_SHOWN}) as year_start
                from unnest({{tenants}}) tenant
                offset 0 -- once for a tenant
            ) years
            cross join lateral (
                select * from ledger.balance_snapshots
                where tenant_id = tenant and month < {_FIRST_SHOWN}
                offset 0 -- else all snapshots of all tenants would be read
            ) older
            group by tenant_id, account_code, month < year_start, year_start
            union all
            select tenant_id, account_code, month, {_SNAPSHOT}, false, false
            from ledger.balance_snapshots
            where tenant_id = any({{tenants}}) and month >= {_FIRST_SHOWN} and month < {{month}}
            union all
            select tenant_id, account_code, {{month}}, {_SNAPSHOT}, unbalanced, stale
            from this_month
        ) movements
        """,
    "claims": """
        select tenant_id, claim_id, incurred_on::text, employee, category, payee, description,
               amount, consumption_tax, status
        from unnest({tenants}) tenant
        cross join lateral ledger.period(tenant, {month})
        cross join lateral (
            select * from ledger.expense_claims
            where tenant_id = tenant and incurred_on >= starts_on and incurred_on < ends_on
            offset 0 -- else all claims of all time would be read
        ) claims
        order by tenant_id collate "C", claims.incurred_on, claim_id collate "C"
        """,
}

_MARKS = {
    FailureCode.SNAPSHOT_MISMATCH: """
        select distinct tenant_id from ledger.stale_snapshots
        where tenant_id = any({tenants}) and month <= {month}
        """,
    FailureCode.CURRENCY_MISMATCH: """
        select distinct tenant_id from ledger.foreign_currency_months
        where tenant_id = any({tenants}) and month <= {month}
        """,
}

# Each finds tenants with something wrong, and the facts to find it by; asked of suspects only.
_LEDGER_CHECKS = {
    FailureCode.UNKNOWN_TENANT: """
        select tenant_id, '{{}}' as details from unnest({tenants}) as tenant_id
        """,
    FailureCode.LEDGER_IMBALANCE: """
        select distinct on (tenant_id) tenant_id, json_build_object(
            'entry_id', entry_id, 'posted_on', posted_on, 'debit', debit, 'credit', credit,
            'difference', debit - credit, 'entries', count(*) over (partition by tenant_id)
        )::text as details
        from (
            select tenant_id, posted_on, entry_id,
                   sum(debit)::bigint as debit, sum(credit)::bigint as credit
            from unnest({tenants}) tenant
            cross join lateral ledger.period(tenant, {month})
            join ledger.journal_lines
                on tenant_id = tenant and posted_on >= starts_on and posted_on < ends_on
            where status = 'posted'
            group by tenant_id, posted_on, entry_id having sum(debit) <> sum(credit)
        ) unbalanced order by tenant_id, posted_on, entry_id
        """,
    FailureCode.CURRENCY_MISMATCH: """
        select distinct on (tenant_id) tenant_id, json_build_object(
            'entry_id', entry_id, 'posted_on', posted_on,
            'currency', entry.currency, 'company_currency', company.currency
        )::text as details
        from ledger.companies company
        join ledger.foreign_currency_months marked using (tenant_id)
        cross join lateral ledger.period(tenant_id, {month})
        cross join lateral (
            select entry_id, posted_on, currency from ledger.journal_entries
            where tenant_id = company.tenant_id and status = 'posted'
              and posted_on >= marked.month
              and posted_on < least(ends_on, (marked.month + interval '1 month')::date)
              and currency <> company.currency
            order by posted_on, entry_id limit 1
        ) entry
        where tenant_id = any({tenants}) order by tenant_id, posted_on
        """,
    # A posting that came after its month's snapshot was taken would be missing from every later
    # month. A mark alone says little: what was changed may have been changed back.
    FailureCode.SNAPSHOT_MISMATCH: f"""
        select distinct on (tenant_id) tenant_id, json_build_object(
            'month', to_char(suspect.month, 'YYYY-MM'), 'account_code', account_code,
            'lines', difference.lines, 'snapshot', difference.snapshot
        )::text as details
        from (
            select tenant_id, month from ledger.stale_snapshots
            where tenant_id = any({{tenants}}) and month < {{month}}
            union all
            select tenant_id, {{month}} from unnest({{tenants}}) as tenant_id
        ) suspect
        cross join lateral (
            select account_code, lines.debit - lines.credit as lines,
                   snapshot.debit - snapshot.credit as snapshot
            from ledger.month_movements(array[suspect.tenant_id], suspect.month) lines
            full join (
                select account_code, {_SNAPSHOT} from ledger.balance_snapshots
                where tenant_id = suspect.tenant_id and month = suspect.month
            ) snapshot using (account_code)
            where ({_of("lines")}) is distinct from ({_of("snapshot")})
        ) difference
        order by tenant_id, month, account_code
        """,
    # 損益振替 that is not marked as closing empties the profit and loss accounts of its month, and
    # so falsifies that month in every comparison.
    FailureCode.UNFLAGGED_CLOSING_ENTRY: f"""
        select distinct on (tenant_id) tenant_id, json_build_object(
            'entry_id', entry_id, 'posted_on', posted_on, 'account_code', account_code,
            'debit', debit, 'credit', credit
        )::text as details
        from (
            select distinct tenant_id, month from ledger.balance_snapshots
            where tenant_id = any({{tenants}}) and with_retained_earnings and month < {{month}}
            union
            select tenant_id, {{month}} from unnest({{tenants}}) as tenant_id
        ) suspect
        cross join lateral ledger.period(tenant_id, month)
        cross join lateral (
            select ledger.cash_accounts(tenant_id) as cash,
                   ledger.retained_earnings_accounts(tenant_id) as retained
            offset 0 -- else every line would ask again
        ) known
        cross join lateral (
            select posted_on, entry_id from ledger.journal_lines
            where tenant_id = suspect.tenant_id and posted_on >= starts_on and posted_on < ends_on
              and kind = 'normal' and status = 'posted'
            group by posted_on, entry_id
            having bool_or(account_code = any(retained))
                and not coalesce(bool_or(account_code = any(cash)), false)
        ) entry
        join ledger.journal_lines line using (tenant_id, posted_on, entry_id)
        join ledger.accounts_in({{tenants}}, {{month}}) using (tenant_id, account_code)
        where account_class = any('{{{{{",".join(sorted(INCOME_STATEMENT))}}}}}')
        order by tenant_id, posted_on, entry_id, line_no
        """,
}
