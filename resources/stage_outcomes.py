"""The last fate of every tenant's month in every stage: an artefact, or a failure with its code.

Dagster shows the same, but this is what decides: a stage works on what the stage before it left
here, never on what Dagster believes.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from reports_pipeline.accounting.failures import TenantFailure
from reports_pipeline.accounting.periods import Month


@dataclass(frozen=True, slots=True)
class StageOutcome:
    """`artefact` is a document key or an id that the next stage understands; with a failure it
    is None."""

    run_id: str
    artefact: str | None
    failure_code: str | None
    failure_details: dict[str, Any] | None


class StageOutcomes:
    """The table `reporting.stage_outcomes`."""

    def __init__(self, url: str) -> None:
        self._url = url

    def record(
        self,
        stage: str,
        month: Month,
        run_id: str,
        artefacts: Mapping[str, str],
        failures: Iterable[TenantFailure],
        revisions: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """Write the fate of a batch of tenants, all or nothing. `revisions` are those of the
        figures that the stage made or worked on, as far as it knows."""
        fates: list[tuple[str, str | None, str | None, Jsonb | None]] = [
            *((tenant_id, artefact, None, None) for tenant_id, artefact in artefacts.items()),
            *((f.tenant_id, None, f.code.value, Jsonb(f.details)) for f in failures),
        ]
        with psycopg.connect(self._url) as connection, connection.cursor() as cursor:
            cursor.executemany(
                """
                insert into reporting.stage_outcomes
                    (month, tenant_id, stage, run_id, artefact, failure_code, failure_details,
                     revision)
                values (%s, %s, %s, %s, %s, %s, %s, %s)
                on conflict (month, tenant_id, stage) do update set
                    run_id = excluded.run_id, artefact = excluded.artefact,
                    failure_code = excluded.failure_code,
                    failure_details = excluded.failure_details, revision = excluded.revision,
                    recorded_at = now()
                """,
                [
                    (month.start, tenant_id, stage, run_id, *fate, revisions.get(tenant_id))
                    for tenant_id, *fate in fates
                ],
            )

    def read(
        self, stage: str, month: Month, tenant_ids: Collection[str]
    ) -> dict[str, StageOutcome]:
        """The outcomes by tenant; a tenant that the stage never saw is missing."""
        with psycopg.connect(self._url) as connection:
            rows = connection.execute(
                """
                select tenant_id, run_id, artefact, failure_code, failure_details
                from reporting.stage_outcomes
                where stage = %s and month = %s and tenant_id = any(%s)
                """,
                [stage, month.start, list(tenant_ids)],
            ).fetchall()
        return {row[0]: StageOutcome(*row[1:]) for row in rows}

    def recorded_since(
        self, stage: str, month: Month, moment: datetime.datetime
    ) -> list[datetime.datetime]:
        """When the outcomes of a stage were recorded, of those that were since; of each tenant the
        last."""
        with psycopg.connect(self._url) as connection:
            rows = connection.execute(
                """
                select recorded_at from reporting.stage_outcomes
                where stage = %s and month = %s and recorded_at >= %s
                """,
                [stage, month.start, moment],
            )
            return [row[0] for row in rows]
