"""Dagster's own PostgreSQL storage, for runs that report on hundreds of tenants.

It writes what `dagster_postgres` writes, into the same tables, so either can read what the other
wrote. Two things differ (docs/decisions/0015-dagster-storage.md):

* A process keeps a connection open, rather than opening one for every statement.
* Events that say what a run is about to make are written in batches too, and a batch is one
  statement that SQLAlchemy compiles once, rather than once more for every event in it.

`storage` in dagster.yaml names `PooledPostgresStorage`.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Mapping, Sequence
from typing import Any, Self

from dagster import DagsterEventType, EventLogEntry
from dagster._core.storage.event_log import SqlEventLogStorageTable
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage, PostgresEventLogStorage
from dagster_postgres.auth import PgTokenProvider
from dagster_postgres.utils import (
    create_pg_engine,
    get_token_provider_from_config,
    pg_url_from_config,
)
from sqlalchemy.engine import Engine

_WRITTEN_IN_BATCHES = {
    DagsterEventType.ASSET_MATERIALIZATION,
    DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
}


class BatchingEventLogStorage(PostgresEventLogStorage):
    """An event log that writes planned materializations in batches (dagster 33831)."""

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Write all of the events or none: who called writes them one by one if this fails."""
        kinds = {event.dagster_event_type for event in events}
        if not kinds or not kinds <= _WRITTEN_IN_BATCHES:
            super().store_event_batch(events)
            return
        table = SqlEventLogStorageTable
        with self.index_transaction() as connection:
            event_ids = connection.scalars(
                table.insert().returning(table.c.id, sort_by_parameter_order=True),
                [self._event_to_row(event) for event in events],
            ).all()
            self._store_asset_event_tags(connection, events, event_ids)
            newest = {
                str(event.get_dagster_event().asset_key): (event, event_id)
                for event, event_id in zip(events, event_ids, strict=True)
            }
            # in the same order everywhere, since each locks a row until the end
            for asset_key in sorted(newest):
                self._store_asset_event(connection, *newest[asset_key])

    def dispose(self) -> None:
        """End what the storage keeps open, connections too."""
        super().dispose()
        self._engine.dispose()


class PooledPostgresStorage(DagsterPostgresStorage):
    """Runs, events and schedules on connections that a process keeps."""

    def __init__(
        self,
        postgres_url: str,
        should_autocreate_tables: bool = True,
        inst_data: ConfigurableClassData | None = None,
        token_provider: PgTokenProvider | None = None,
    ) -> None:
        super().__init__(postgres_url, should_autocreate_tables, inst_data, token_provider)
        self._event_log_storage = BatchingEventLogStorage(
            postgres_url, should_autocreate_tables=False, token_provider=token_provider
        )
        # one for all three; the web server gives each of them its own
        engine = _pooled_engine(postgres_url, token_provider)
        self._run_storage._engine = engine
        self._event_log_storage._engine = engine
        self._schedule_storage._engine = engine

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> Self:
        """The storage that dagster.yaml describes, in the same terms as for `postgres`."""
        return cls(
            postgres_url=pg_url_from_config(config_value),
            should_autocreate_tables=config_value.get("should_autocreate_tables", True),
            inst_data=inst_data,
            token_provider=get_token_provider_from_config(config_value),
        )


def _pooled_engine(postgres_url: str, token_provider: PgTokenProvider | None) -> Engine:
    engine = create_pg_engine(
        postgres_url,
        token_provider,
        isolation_level="AUTOCOMMIT",
        # One is kept; threads that need more open their own, as without a pool.
        pool_size=1,
        max_overflow=-1,
        # A database that restarted since must not cost a run.
        pool_pre_ping=True,
    )
    _engines.add(engine)
    return engine


_engines: weakref.WeakSet[Engine] = weakref.WeakSet()


def _forget_connections() -> None:
    """Leave a parent's connections to the parent; two processes on one break both."""
    for engine in _engines:
        engine.dispose(close=False)


os.register_at_fork(after_in_child=_forget_connections)
