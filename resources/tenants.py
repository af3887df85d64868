"""Who the tenants are: the companies table, as far as the pipeline asks."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

import psycopg

from reports_pipeline.accounting.periods import Month

# Of a month's lines; 90 bytes each.
_COUNTED_BYTES = 16 * 2**20


class ContactPurpose(StrEnum):
    """What a contact is for."""

    REPORTS = "reports"  # gets the mails
    ALTERNATIVE = "alternative"  # is reached by a person when mails come back


class CompanyStatus(StrEnum):
    """Whether a company is a customer: only active ones get reports."""

    ACTIVE = "active"
    SUSPENDED = "suspended"  # for now
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class Contact:
    """A person at a tenant."""

    contact_no: int
    name: str
    email: str
    purpose: ContactPurpose = ContactPurpose.REPORTS


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

    def statuses(self, tenant_ids: Collection[str]) -> dict[str, CompanyStatus]:
        """Whether each of the tenants is a customer; whom the ledger does not know has left."""
        with psycopg.connect(self._url) as connection:
            rows = connection.execute(
                "select tenant_id, status from ledger.companies where tenant_id = any(%s)",
                [list(tenant_ids)],
            )
            known = {tenant_id: CompanyStatus(status) for tenant_id, status in rows}
        return {tenant_id: known.get(tenant_id, CompanyStatus.LEFT) for tenant_id in tenant_ids}

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

    def time_zones(self, tenant_ids: Collection[str]) -> dict[str, str]:
        """The companies' time zones, by their IANA names."""
        with psycopg.connect(self._url) as connection:
            rows = connection.execute(
                "select tenant_id, time_zone from ledger.companies where tenant_id = any(%s)",
                [list(tenant_ids)],
            )
            return dict(rows.fetchall())

    def contacts(self, tenant_ids: Collection[str]) -> dict[str, list[Contact]]:
        """The contacts of each tenant of either purpose, in their order; a tenant without any is
        missing."""
        contacts: dict[str, list[Contact]] = {}
        with psycopg.connect(self._url) as connection:
            rows = connection.execute(
                """
                select tenant_id, contact_no, name, email, purpose from ledger.contacts
                where tenant_id = any(%s) order by tenant_id, contact_no
                """,
                [list(tenant_ids)],
            )
            for tenant_id, contact_no, name, email, purpose in rows:
                contact = Contact(contact_no, name, email, ContactPurpose(purpose))
                contacts.setdefault(tenant_id, []).append(contact)
        return contacts

    def line_counts(self, month: Month, tenant_ids: Collection[str]) -> dict[str, int]:
        """About how many ledger lines each of the tenants has in about the month (the calendar's,
        whatever the tenant's own): how much work it will be.

        All are counted up to some hundred thousand. Of more, a part is counted and the rest
        inferred: of five million, a tenant's hundred thousand within a third or so, while a tenant
        of few may seem to have none. Asked again, the answer is the same while the lines are.
        """
        partition = f"ledger.journal_lines_{month.start:%Y_%m}"
        with psycopg.connect(self._url) as connection:
            [size] = connection.execute(
                "select pg_relation_size(to_regclass(%s))", [partition]
            ).fetchone() or (None,)
            share = min(1, _COUNTED_BYTES / size) if size else 1
            rows = connection.execute(
                """
                select tenant_id, count(*)
                from ledger.journal_lines tablesample system (%s) repeatable (0)
                where posted_on >= %s and posted_on < %s and tenant_id = any(%s)
                group by tenant_id
                """,
                [100 * share, month.start, month.end, list(tenant_ids)],
            )
            counts = {tenant_id: round(counted / share) for tenant_id, counted in rows}
        return {tenant_id: counts.get(tenant_id, 0) for tenant_id in tenant_ids}
