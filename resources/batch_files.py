"""What one stage leaves for the next: one immutable Arrow file a batch, with several tables.

One object a batch and not one a tenant: on object stores the number of objects is the cost.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence

import pandas as pd
import pyarrow as pa

from reports_pipeline.accounting.periods import Month
from resources.document_store import DocumentStore

_COMPRESSED = pa.ipc.IpcWriteOptions(compression="zstd")


def write_batch(
    store: DocumentStore,
    stage: str,
    month: Month,
    run_id: str,
    tables: Mapping[str, pd.DataFrame],
) -> str:
    """Store the tables; returns the key. The key holds a digest of the content, so that a stage
    that runs again after a crash never collides with what it left the first time."""
    sink = pa.BufferOutputStream()
    for name, frame in tables.items():
        table = pa.Table.from_pandas(frame, preserve_index=False)
        table = table.replace_schema_metadata({**(table.schema.metadata or {}), b"name": name})
        with pa.ipc.new_stream(sink, table.schema, options=_COMPRESSED) as writer:
            writer.write_table(table)
    content = sink.getvalue().to_pybytes()
    digest = hashlib.sha256(content).hexdigest()[:16]
    key = f"intermediates/{month}/{run_id}/{stage}-{digest}.arrow"
    store.put(key, content)
    return key


def read_batch(store: DocumentStore, key: str) -> dict[str, pd.DataFrame]:
    """The tables stored under `key`, by name."""
    source = pa.BufferReader(store.get(key))
    tables = {}
    while source.tell() < source.size():
        with pa.ipc.open_stream(source) as reader:
            table = reader.read_all()
        tables[table.schema.metadata[b"name"].decode()] = table.to_pandas()
    return tables


def read_batches(
    store: DocumentStore, keys_by_tenant: Mapping[str, str]
) -> Iterator[tuple[Sequence[str], dict[str, pd.DataFrame]]]:
    """Each file that these tenants' data is in, once: its tenants among these, and its tables
    cut down to them. Every table has a column `tenant_id`."""
    tenants_by_key: dict[str, list[str]] = {}
    for tenant_id, key in keys_by_tenant.items():
        tenants_by_key.setdefault(key, []).append(tenant_id)
    for key, tenant_ids in tenants_by_key.items():
        tables = read_batch(store, key)
        yield tenant_ids, {name: of_tenants(table, tenant_ids) for name, table in tables.items()}


def of_tenants(table: pd.DataFrame, tenant_ids: Sequence[str]) -> pd.DataFrame:
    """The rows of these tenants."""
    return table[table["tenant_id"].isin(tenant_ids)].reset_index(drop=True)
