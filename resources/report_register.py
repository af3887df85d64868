"""Which revisions of a tenant's month exist, what each corrects, and which stored documents belong
to it."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from reports_pipeline.accounting.periods import Month
from reports_pipeline.accounting.reports import LineChange
from reports_pipeline.delivery.states import MAYBE_SENT


@dataclass(frozen=True, slots=True)
class Revision:
    """A revision of a tenant's month. One that corrects an earlier one has `changes` as soon as
    somebody has compared the two."""

    number: int
    corrects: int | None = None
    changes: tuple[LineChange, ...] | None = None


@dataclass(frozen=True, slots=True)
class Correction:
    """A revision that corrects an earlier one, and when and by which run it was made."""

    tenant_id: str
    revision: Revision
    created_at: datetime.datetime
    run_id: str


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document as it was stored: what may be sent is exactly these bytes."""

    tenant_id: str
    month: Month
    revision: int
    name: str
    file_name: str
    object_key: str
    media_type: str
    sha256: str
    bytes: int
    branding_version: int  # of the company's brandings; 0 is the house's


class ReportRegister:
    """The tables `reporting.report_revisions` and `reporting.documents`."""

    def __init__(self, url: str) -> None:
        self._url = url

    def assign_revisions(
        self,
        month: Month,
        numbers_hashes: Mapping[str, str],
        *,
        closed: Collection[str],
        statements_key: str,
        run_id: str,
    ) -> dict[str, Revision]:
        """The revision of each tenant's month, by the hash of what its documents show.

        The same hash as in the newest revision is that revision; another one is the next, unless
        figures returned to those of an earlier revision and nothing was to be sent since. The next
        one corrects the newest one that was issued: its month was closed, or a mail of it went out
        or may have. A revision that was issued only after the same figures had got a later number
        is corrected by them under a new one. `closed` are the tenants whose month is closed now,
        and `statements_key` is the file that says what the documents show.
        """
        with psycopg.connect(self._url) as connection:
            connection.execute("set local lock_timeout = '60s'")
            # Two runs on the same tenant take turns, so that neither takes the other's number.
            connection.execute(
                "select pg_advisory_xact_lock(hashtext('report_revisions/' || %s))", [str(month)]
            )
            connection.execute(
                """
                with shown as (
                    select tenant_id, numbers_hash, tenant_id = any(%(closed)s) as closed
                    from unnest(%(tenants)s::text[], %(hashes)s::text[])
                        as shown (tenant_id, numbers_hash)
                ), registered as (
                    select tenant_id, revision, numbers_hash, corrects, closed or exists (
                        select from reporting.deliveries
                        join reporting.delivery_messages using (delivery_id)
                        where deliveries.tenant_id = registered.tenant_id
                          and deliveries.month = registered.month
                          and deliveries.revision = registered.revision
                          and state = any(%(maybe_sent)s)
                    ) as issued
                    from reporting.report_revisions registered
                    where month = %(month)s and tenant_id = any(%(tenants)s)
                ), revisions as (
                    select *, max(revision) over (partition by tenant_id) as newest,
                           max(revision) filter (where issued) over (
                               partition by tenant_id order by revision
                               rows between unbounded preceding and 1 preceding
                           ) as issued_before
                    from registered
                ), standing as (
                    select tenant_id from revisions join shown using (tenant_id, numbers_hash)
                    where coalesce(corrects, 0) >= coalesce(issued_before, 0)
                      and (revision = newest or not exists (
                          select from reporting.deliveries later
                          where later.tenant_id = revisions.tenant_id and later.month = %(month)s
                            and later.revision > revisions.revision
                      ))
                )
                insert into reporting.report_revisions
                    (tenant_id, month, revision, numbers_hash, closed, statements_key, corrects,
                     run_id)
                select tenant_id, %(month)s, coalesce(max(newest), 0) + 1, shown.numbers_hash,
                       shown.closed, %(statements_key)s,
                       max(revision) filter (where issued), %(run_id)s
                from shown left join revisions using (tenant_id)
                where tenant_id not in (select tenant_id from standing)
                group by tenant_id, shown.numbers_hash, shown.closed
                """,
                {
                    "tenants": list(numbers_hashes),
                    "hashes": list(numbers_hashes.values()),
                    "closed": list(closed),
                    "maybe_sent": list(MAYBE_SENT),
                    "month": month.start,
                    "statements_key": statements_key,
                    "run_id": run_id,
                },
            )
            return _revisions(connection, month, numbers_hashes)

    def revisions(self, month: Month, numbers_hashes: Mapping[str, str]) -> dict[str, Revision]:
        """The revisions that were assigned to these hashes, by tenant."""
        with psycopg.connect(self._url) as connection:
            return _revisions(connection, month, numbers_hashes)

    def statements_keys(self, month: Month, revisions: Mapping[str, int]) -> dict[str, str]:
        """The file that says what a revision of each tenant shows."""
        with psycopg.connect(self._url) as connection:
            rows = connection.execute(
                """
                select tenant_id, statements_key
                from reporting.report_revisions
                join unnest(%s::text[], %s::integer[]) as asked (tenant_id, revision)
                    using (tenant_id, revision)
                where month = %s
                """,
                [list(revisions), list(revisions.values()), month.start],
            )
            return dict(rows.fetchall())

    def record_changes(self, month: Month, revisions: Mapping[str, Revision]) -> None:
        """Remember what these corrections change."""
        with psycopg.connect(self._url) as connection, connection.cursor() as cursor:
            cursor.executemany(
                """
                update reporting.report_revisions set changes = %s
                where tenant_id = %s and month = %s and revision = %s and changes is null
                """,
                [
                    (Jsonb([asdict(change) for change in revision.changes or ()]),
                     tenant_id, month.start, revision.number)
                    for tenant_id, revision in revisions.items()
                ],
            )  # fmt: skip

    def corrections(
        self, month: Month, tenant_ids: Collection[str] | None = None
    ) -> list[Correction]:
        """The month's corrections of these tenants, or all, in order of tenant and revision."""
        with psycopg.connect(self._url) as connection:
            rows = connection.execute(
                """
                select tenant_id, revision, corrects, changes, created_at, run_id
                from reporting.report_revisions
                where month = %(month)s and corrects is not null
                  and (%(tenants)s::text[] is null or tenant_id = any(%(tenants)s))
                order by tenant_id, revision
                """,
                {
                    "month": month.start,
                    "tenants": None if tenant_ids is None else list(tenant_ids),
                },
            )
            return [
                Correction(tenant_id, Revision(number, corrects, _changes(changes)), at, run_id)
                for tenant_id, number, corrects, changes, at, run_id in rows
            ]

    def record(self, documents: Iterable[StoredDocument], run_id: str) -> None:
        """Remember stored documents; one that is known already stays as it is."""
        with psycopg.connect(self._url) as connection, connection.cursor() as cursor:
            cursor.executemany(
                """
                insert into reporting.documents
                    (tenant_id, month, revision, name, file_name, object_key, media_type, sha256,
                     bytes, branding_version, run_id)
                values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
                on conflict (tenant_id, month, revision, name) do nothing
                """,
                [
                    (d.tenant_id, d.month.start, d.revision, d.name, d.file_name, d.object_key,
                     d.media_type, d.sha256, d.bytes, d.branding_version, run_id)
                    for d in documents
                ],
            )  # fmt: skip

    def documents(
        self, month: Month, tenant_ids: Collection[str]
    ) -> dict[tuple[str, int], list[StoredDocument]]:
        """The stored documents by tenant and revision, in order of their names."""
        found: dict[tuple[str, int], list[StoredDocument]] = {}
        with psycopg.connect(self._url) as connection:
            rows = connection.execute(
                """
                select tenant_id, revision, name, file_name, object_key, media_type, sha256, bytes,
                       branding_version
                from reporting.documents where month = %s and tenant_id = any(%s)
                order by tenant_id, revision, name
                """,
                [month.start, list(tenant_ids)],
            )
            for tenant_id, revision, *facts in rows:
                document = StoredDocument(tenant_id, month, revision, *facts)
                found.setdefault((tenant_id, revision), []).append(document)
        return found


def _revisions(
    connection: psycopg.Connection[Any], month: Month, numbers_hashes: Mapping[str, str]
) -> dict[str, Revision]:
    # Of several with the same hash, figures that returned have the newest.
    rows = connection.execute(
        """
        select distinct on (tenant_id) tenant_id, revision, corrects, changes
        from reporting.report_revisions
        join unnest(%s::text[], %s::text[]) as shown (tenant_id, numbers_hash)
            using (tenant_id, numbers_hash)
        where month = %s order by tenant_id, revision desc
        """,
        [list(numbers_hashes), list(numbers_hashes.values()), month.start],
    )
    return {
        tenant_id: Revision(number, corrects, _changes(changes))
        for tenant_id, number, corrects, changes in rows
    }


def _changes(records: list[dict[str, Any]] | None) -> tuple[LineChange, ...] | None:
    return None if records is None else tuple(LineChange(**record) for record in records)
