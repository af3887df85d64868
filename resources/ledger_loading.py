"""Writing tenants' ledgers into the database: whole tables by COPY, in one transaction.

Readers of files and the sample generator hand over Arrow tables; what is in them is theirs to
check. Nothing here knows where a ledger came from.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from psycopg import sql

from reports_pipeline.accounting.periods import Month
from resources.account_mappings import DroppedMapping, drop_void_mappings
from resources.balance_snapshots import refresh_stale_snapshots

# The tables of the schema `ledger` that are loaded, in order of their references, with their
# columns; amounts in minor units.
TABLES: Mapping[str, pa.Schema] = {
    "companies": pa.schema(
        {
            "tenant_id": pa.string(),
            "name": pa.string(),
            "language": pa.string(),
            "currency": pa.string(),
            "time_zone": pa.string(),
            "fiscal_year_start_month": pa.int16(),
            "closing_day": pa.int16(),
            "consumption_tax_basis": pa.string(),
            "display_unit": pa.string(),
            "plan": pa.string(),
            "copy_language": pa.string(),  # null for none
        }
    ),
    "fiscal_year_changes": pa.schema(
        {"tenant_id": pa.string(), "first_month": pa.date32(), "closing_day": pa.int16()}
    ),
    "contacts": pa.schema(
        {
            "tenant_id": pa.string(),
            "contact_no": pa.int16(),
            "name": pa.string(),
            "email": pa.string(),
            "purpose": pa.string(),
        }
    ),
    "accounts": pa.schema(
        {
            "tenant_id": pa.string(),
            "account_code": pa.string(),
            "name": pa.string(),
            "account_class": pa.string(),
        }
    ),
    "journal_entries": pa.schema(
        {
            "tenant_id": pa.string(),
            "posted_on": pa.date32(),
            "entry_id": pa.int64(),
            "memo": pa.string(),
            "currency": pa.string(),
            "kind": pa.string(),
            "status": pa.string(),
        }
    ),
    "journal_lines": pa.schema(
        {
            "tenant_id": pa.string(),
            "posted_on": pa.date32(),
            "entry_id": pa.int64(),
            "line_no": pa.int16(),
            "account_code": pa.string(),
            "debit": pa.int64(),
            "credit": pa.int64(),
            "kind": pa.string(),
            "status": pa.string(),
        }
    ),
    "expense_claims": pa.schema(
        {
            "tenant_id": pa.string(),
            "claim_id": pa.string(),
            "incurred_on": pa.date32(),
            "employee": pa.string(),
            "category": pa.string(),
            "payee": pa.string(),
            "description": pa.string(),
            "amount": pa.int64(),
            "consumption_tax": pa.int64(),
            "status": pa.string(),
        }
    ),
    "month_closings": pa.schema({"tenant_id": pa.string(), "month": pa.date32()}),
}

# Rows of some of TABLES, by table. A table that is absent is left as it is.
LedgerTables = Mapping[str, pa.Table]

# From here on the planner needs to know what was loaded before snapshots are taken.
_LINES_WORTH_ANALYZING = 100_000


class TenantExistsError(Exception):
    """A tenant of that id is in the ledger already, and nobody asked to replace it."""


@dataclass(frozen=True)
class LoadedLedger:
    """What one transaction has written."""

    tenants: int
    entries: int
    lines: int
    claims: int
    first_month: Month | None  # of the journal; None without entries
    last_month: Month | None
    dropped_mappings: tuple[DroppedMapping, ...] = ()


def load_ledger(url: str, batches: Iterable[LedgerTables], *, replace: bool) -> LoadedLedger:
    """Write batches of whole tenants and refresh their snapshots; all of it or nothing.

    Each batch has the companies it writes to. With `replace`, tenants that exist lose their rows
    in the batch's tables first; what the batch lacks (say, contacts) stays as it was. What an
    operator has said of an account stays as long as it can (`drop_void_mappings`), and closings
    that no longer stand stay on record as reopened.

    Raises:
        TenantExistsError: a tenant exists and `replace` is false.
        psycopg.Error: the database refuses a row.
    """
    tenant_ids: list[str] = []
    months: set[datetime.date] = set()
    counts = dict.fromkeys(TABLES, 0)
    with psycopg.connect(url) as connection:
        # Mappings outlive the accounts that are replaced.
        connection.execute("set constraints all deferred")
        for batch in _made_ahead(batches):
            tenant_ids += _prepare_tenants(connection, batch["companies"], batch.keys(), replace)
            months |= _ensure_partitions(connection, batch)
            for name in TABLES:
                if name in batch and name != "companies":
                    _copy(connection, name, batch[name])
                    counts[name] += batch[name].num_rows
        dropped = drop_void_mappings(connection, tenant_ids)
        if counts["journal_lines"] >= _LINES_WORTH_ANALYZING:
            connection.execute("analyze ledger.accounts")
            for month in sorted(months):
                for parent in ("journal_entries", "journal_lines"):
                    partition = sql.Identifier("ledger", f"{parent}_{month:%Y_%m}")
                    connection.execute(sql.SQL("analyze {}").format(partition))
        refresh_stale_snapshots(connection, tenant_ids)
    return LoadedLedger(
        tenants=len(tenant_ids),
        entries=counts["journal_entries"],
        lines=counts["journal_lines"],
        claims=counts["expense_claims"],
        first_month=Month.of(min(months)) if months else None,
        last_month=Month.of(max(months)) if months else None,
        dropped_mappings=tuple(dropped),
    )


def _made_ahead(batches: Iterable[LedgerTables]) -> Iterator[LedgerTables]:
    """The batches, each made while the database takes the one before."""
    iterator = iter(batches)
    with ThreadPoolExecutor(max_workers=1) as maker:
        made = maker.submit(next, iterator, None)
        while (batch := made.result()) is not None:
            made = maker.submit(next, iterator, None)
            yield batch


def _prepare_tenants(
    connection: psycopg.Connection, companies: pa.Table, tables: Iterable[str], replace: bool
) -> list[str]:
    """Write the companies and, of those that exist, empty the tables; returns their ids."""
    tenant_ids: list[str] = companies["tenant_id"].to_pylist()
    existing = [
        tenant_id
        for (tenant_id,) in connection.execute(
            "select tenant_id from ledger.companies where tenant_id = any(%s) order by 1",
            [tenant_ids],
        )
    ]
    if existing and not replace:
        shown = ", ".join(existing[:5]) + (", …" if len(existing) > 5 else "")
        raise TenantExistsError(f"already in the ledger: {shown}")
    if existing:
        kept = ("companies", "month_closings")
        emptied = [name for name in reversed(list(TABLES)) if name in tables and name not in kept]
        if "journal_lines" in emptied:
            emptied.append("balance_snapshots")
        for name in emptied:
            connection.execute(
                sql.SQL("delete from {} where tenant_id = any(%s)").format(
                    sql.Identifier("ledger", name)
                ),
                [existing],
            )
        if "month_closings" in tables:
            connection.execute(
                """
                update ledger.month_closings
                set reopened_at = now(), reopened_by = 'import', reason = 'replaced'
                where tenant_id = any(%s) and reopened_at is null
                """,
                [existing],
            )
    # Not by COPY: a company that exists keeps its row, to which tables of others refer.
    columns = TABLES["companies"].names
    statement = sql.SQL(
        "insert into ledger.companies ({}) values ({}) "
        "on conflict (tenant_id) do update set ({}) = row({})"
    ).format(
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.SQL(", ").join(sql.Placeholder() * len(columns)),
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.SQL(", ").join(sql.Identifier("excluded", column) for column in columns),
    )
    with connection.cursor() as cursor:
        cursor.executemany(statement, zip(*companies.to_pydict().values(), strict=True))
    return tenant_ids


def _ensure_partitions(connection: psycopg.Connection, batch: LedgerTables) -> set[datetime.date]:
    """Make the journal's partitions; returns the first days of the months that have entries."""
    if "journal_lines" not in batch:
        return set()
    starts = pc.floor_temporal(batch["journal_lines"]["posted_on"], unit="month")
    months: set[datetime.date] = set(pc.unique(starts).to_pylist())
    for month in sorted(months):
        connection.execute("select ledger.ensure_month_partitions(%s, %s)", [month, month])
    return months


def _copy(connection: psycopg.Connection, name: str, table: pa.Table) -> None:
    """COPY as CSV written by Arrow: as fast as binary rows from Python lists, without the lists."""
    if table.num_rows == 0:
        return
    schema = TABLES[name]
    buffer = pa.BufferOutputStream()
    pa.csv.write_csv(
        # Arrow 26 writes memory it never set for an empty first chunk: leave it but one chunk.
        table.select(schema.names).cast(schema).combine_chunks(),
        buffer,
        pa.csv.WriteOptions(include_header=False),
    )
    statement = sql.SQL("copy {} ({}) from stdin (format csv)").format(
        sql.Identifier("ledger", name), sql.SQL(", ").join(map(sql.Identifier, schema.names))
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(buffer.getvalue())
