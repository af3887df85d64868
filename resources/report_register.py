"""Which revisions of a tenant's month exist, and which stored documents belong to each."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import psycopg

from reports_pipeline.accounting.periods import Month


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


class ReportRegister:
    """The tables `reporting.report_revisions` and `reporting.documents`."""

    def __init__(self, url: str) -> None:
        self._url = url

    def revisions(
        self, month: Month, numbers_hashes: Mapping[str, str], run_id: str
    ) -> dict[str, int]:
        """The revision of each tenant's month, by the hash of what its documents show.

        The same hash as in the newest revision is that revision; another one is the next, unless
        figures returned to those of an earlier revision and nothing was to be sent since.
        """
        with psycopg.connect(self._url) as connection:
            # Two runs on the same tenant take turns, so that neither takes the other's number.
            connection.execute(
                "select pg_advisory_xact_lock(hashtext('report_revisions/' || %s))", [str(month)]
            )
            rows = connection.execute(
                """
                with shown as (
                    select * from unnest(%(tenants)s::text[], %(hashes)s::text[])
                        as shown (tenant_id, numbers_hash)
                ), revisions as (
                    select tenant_id, revision, numbers_hash,
                           max(revision) over (partition by tenant_id) as newest
                    from reporting.report_revisions
                    where month = %(month)s and tenant_id = any(%(tenants)s)
                ), standing as (
                    select tenant_id, max(revision) as revision
                    from revisions join shown using (tenant_id, numbers_hash)
                    where revision = newest or not exists (
                        select from reporting.deliveries later
                        where later.tenant_id = revisions.tenant_id and later.month = %(month)s
                          and later.revision > revisions.revision
                    )
                    group by tenant_id
                ), added as (
                    insert into reporting.report_revisions
                        (tenant_id, month, revision, numbers_hash, run_id)
                    select tenant_id, %(month)s, coalesce(max(newest), 0) + 1,
                           shown.numbers_hash, %(run_id)s
                    from shown left join revisions using (tenant_id)
                    where tenant_id not in (select tenant_id from standing)
                    group by tenant_id, shown.numbers_hash
                    returning tenant_id, revision
                )
                select tenant_id, revision from added
                union all
                select tenant_id, revision from standing
                """,
                {
                    "tenants": list(numbers_hashes),
                    "hashes": list(numbers_hashes.values()),
                    "month": month.start,
                    "run_id": run_id,
                },
            )
            return dict(rows.fetchall())

    def record(self, documents: Iterable[StoredDocument], run_id: str) -> None:
        """Remember stored documents; one that is known already stays as it is."""
        with psycopg.connect(self._url) as connection, connection.cursor() as cursor:
            cursor.executemany(
                """
                insert into reporting.documents
                    (tenant_id, month, revision, name, file_name, object_key, media_type, sha256,
                     bytes, run_id)
                values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
                on conflict (tenant_id, month, revision, name) do nothing
                """,
                [
                    (d.tenant_id, d.month.start, d.revision, d.name, d.file_name, d.object_key,
                     d.media_type, d.sha256, d.bytes, run_id)
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
                select tenant_id, revision, name, file_name, object_key, media_type, sha256, bytes
                from reporting.documents where month = %s and tenant_id = any(%s)
                order by tenant_id, revision, name
                """,
                [month.start, list(tenant_ids)],
            )
            for tenant_id, revision, *facts in rows:
                document = StoredDocument(tenant_id, month, revision, *facts)
                found.setdefault((tenant_id, revision), []).append(document)
        return found
