"""Who the tenants are: the companies table, as far as the pipeline asks."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import psycopg

from reports_pipeline.accounting.periods import Month


@dataclass(frozen=True, slots=True)
class Contact:
    """A person who receives a tenant's reports."""

    contact_no: int
    name: str
    email: str


class UnknownTenantsError(LookupError):
    """Some of the tenants are no companies of the ledger; the message names them."""

    def __init__(self, tenant_ids: Collection[str]) -> None:
        super().__init__(f"no such tenants: {', '.join(tenant_ids)}")


def require_tenants(connection: psycopg.Connection, tenant_ids: Collection[str]) -> None:
    """Make sure that all of them are companies of the ledger, active or not.

    Raises:
        UnknownTenantsError: some are not; in the order given.
    """
    rows = connection.execute(
        "select tenant_id from ledger.companies where tenant_id = any(%s)", [list(tenant_ids)]
    )
    known = {tenant_id for (tenant_id,) in rows}
    if unknown := [tenant_id for tenant_id in tenant_ids if tenant_id not in known]:
        raise UnknownTenantsError(unknown)


class Tenants:
    """Reads `ledger.companies` and `ledger.contacts`."""

    def __init__(self, ledger_url: str) -> None:
        self._url = ledger_url

    def all_ids(self) -> list[str]:
        """Every tenant, active or not, in order."""
        with psycopg.connect(self._url) as connection:
            rows = connection.execute("select tenant_id from ledger.companies order by 1")
            return [row[0] for row in rows]

    def active_ids(self, among: Collection[str] | None = None) -> list[str]:
        """The active tenants, in order; of `among` only, if given."""
        with psycopg.connect(self._url) as connection:
            rows = connection.execute(
                """
                select tenant_id from ledger.companies
                where status = 'active'
                  and (%(among)s::text[] is null or tenant_id = any(%(among)s))
                order by tenant_id
                """,
                {"among": None if among is None else list(among)},
            )
            return [row[0] for row in rows]

    def names(self, tenant_ids: Collection[str]) -> dict[str, str]:
        """The companies' names."""
        with psycopg.connect(self._url) as connection:
            rows = connection.execute(
                "select tenant_id, name from ledger.companies where tenant_id = any(%s)",
                [list(tenant_ids)],
            )
            return dict(rows.fetchall())

    def require(self, tenant_ids: Collection[str]) -> None:
        """Make sure that all of them are companies of the ledger, active or not.

        Raises:
            UnknownTenantsError: some are not.
        """
        with psycopg.connect(self._url) as connection:
            require_tenants(connection, sorted(set(tenant_ids)))

    def currencies(self, tenant_ids: Collection[str]) -> dict[str, str]:
        """The companies' currencies, ISO 4217."""
        with psycopg.connect(self._url) as connection:
            rows = connection.execute(
                "select tenant_id, currency from ledger.companies where tenant_id = any(%s)",
                [list(tenant_ids)],
            )
            return dict(rows.fetchall())

    def contacts(self, tenant_ids: Collection[str]) -> dict[str, list[Contact]]:
        """The contacts of each tenant, in their order; a tenant without any is missing."""
        contacts: dict[str, list[Contact]] = {}
        with psycopg.connect(self._url) as connection:
            rows = connection.execute(
                """
                select tenant_id, contact_no, name, email from ledger.contacts
                where tenant_id = any(%s) order by tenant_id, contact_no
                """,
                [list(tenant_ids)],
            )
            for tenant_id, *contact in rows:
                contacts.setdefault(tenant_id, []).append(Contact(*contact))
        return contacts

    def line_counts(self, month: Month, tenant_ids: Collection[str]) -> dict[str, int]:
        """Ledger lines in about the month (the calendar's, whatever the tenant's own), for each of
        the tenants: how much work it will be."""
        with psycopg.connect(self._url) as connection:
            rows = connection.execute(
                """
                select tenant_id, count(*) from ledger.journal_lines
                where posted_on >= %s and posted_on < %s and tenant_id = any(%s)
                group by tenant_id
                """,
                [month.start, month.end, list(tenant_ids)],
            )
            counts: dict[str, int] = dict(rows.fetchall())
        return {tenant_id: counts.get(tenant_id, 0) for tenant_id in tenant_ids}
