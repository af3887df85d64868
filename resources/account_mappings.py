"""What operators say the accounts of a tenant are: classes with the month from which they hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg

from reports_pipeline.accounting.accounts import CLASSES_OF_ALL_MONTHS, AccountClass
from reports_pipeline.accounting.periods import Month
from resources.balance_snapshots import refresh_stale_snapshots
from resources.tenants import require_tenants

# A class from this month on holds for all months.
BEGINNING = Month(1900, 1)


class UnknownAccountError(LookupError):
    """The tenant's chart has no such account."""


class HoldsForAllMonthsError(ValueError):
    """A class that must hold for all months, now or before, was to hold from a month on."""


@dataclass(frozen=True, slots=True)
class MappedAccount:
    """An account and the class that is in effect for it, with who said so from when on."""

    account_code: str
    name: str
    account_class: AccountClass | None  # None: nobody has said what it is
    first_month: Month | None  # None: the chart says it
    mapped_by: str | None


@dataclass(frozen=True, slots=True)
class WrittenMapping:
    """What `AccountMappings.write` has done."""

    account: MappedAccount  # as it was for that month before
    replaced: tuple[tuple[Month, str], ...]  # other mappings of that month or later: month, class
    refreshed: tuple[Month, ...]  # months whose snapshots were brought up to date


@dataclass(frozen=True, slots=True)
class DroppedMapping:
    """A mapping that another chart has made void."""

    tenant_id: str
    account_code: str
    first_month: Month
    account_class: str
    charted_as: str | None  # the class of all months that the chart now says; None: no such account


class AccountMappings:
    """Reads and writes `ledger.account_mappings`."""

    def __init__(self, ledger_url: str) -> None:
        self._url = ledger_url

    def accounts(self, tenant_id: str, month: Month) -> list[MappedAccount]:
        """The tenant's accounts as the reports of a month take them, by code.

        Raises:
            UnknownTenantsError: there is no such tenant.
        """
        with psycopg.connect(self._url) as connection:
            return _accounts(connection, tenant_id, month)

    def write(
        self,
        tenant_id: str,
        account_code: str,
        account_class: AccountClass,
        *,
        first_month: Month = BEGINNING,
        mapped_by: str,
    ) -> WrittenMapping:
        """Say what an account is in the reports of a month and all later ones.

        What was said of it for that month or a later one is replaced. Snapshots that become
        stale are refreshed in the same transaction.

        Raises:
            UnknownTenantsError: there is no such tenant.
            UnknownAccountError: it has no such account.
            HoldsForAllMonthsError: `first_month` is not BEGINNING, and the class, or the one that
                the account has now, is one of CLASSES_OF_ALL_MONTHS.
        """
        with psycopg.connect(self._url) as connection:
            for account in _accounts(connection, tenant_id, first_month):
                if account.account_code == account_code:
                    break
            else:
                raise UnknownAccountError(f"{tenant_id} has no account {account_code!r}")
            if first_month != BEGINNING:
                _refuse_undatable(account_class, account.account_class)
            replaced = connection.execute(
                """
                delete from ledger.account_mappings
                where tenant_id = %s and account_code = %s and first_month >= %s
                returning first_month, account_class
                """,
                [tenant_id, account_code, first_month.start],
            ).fetchall()
            connection.execute(
                """
                insert into ledger.account_mappings
                    (tenant_id, account_code, first_month, account_class, mapped_by)
                values (%s, %s, %s, %s, %s)
                """,
                [tenant_id, account_code, first_month.start, account_class, mapped_by],
            )
            refreshed = refresh_stale_snapshots(connection, [tenant_id])
        return WrittenMapping(
            account,
            tuple(sorted((Month.of(month), of_class) for month, of_class in replaced)),
            tuple(refreshed.get(tenant_id, [])),
        )


def drop_void_mappings(
    connection: psycopg.Connection, tenant_ids: Sequence[str]
) -> list[DroppedMapping]:
    """Drop what was said of accounts that the tenants' charts do not have any more, or now have as
    one of CLASSES_OF_ALL_MONTHS where it was said for some months only; returns it.
    """
    dropped = connection.execute(
        """
        delete from ledger.account_mappings
        using (
            select tenant_id, account_code, account.account_class as charted_as
            from ledger.account_mappings
            left join ledger.accounts account using (tenant_id, account_code)
            where tenant_id = any(%s)
            group by tenant_id, account_code, account.tenant_id, account.account_class
            having account.tenant_id is null
                or (account.account_class = any(%s) and min(first_month) > %s)
        ) void
        where (account_mappings.tenant_id, account_mappings.account_code)
            = (void.tenant_id, void.account_code)
        returning void.tenant_id, void.account_code, first_month, account_class, charted_as
        """,
        [list(tenant_ids), list(CLASSES_OF_ALL_MONTHS), BEGINNING.start],
    ).fetchall()
    return [
        DroppedMapping(tenant_id, code, Month.of(first_month), of_class, charted_as)
        for tenant_id, code, first_month, of_class, charted_as in sorted(dropped)
    ]


def _refuse_undatable(*classes: AccountClass | None) -> None:
    for account_class in classes:
        if account_class in CLASSES_OF_ALL_MONTHS:
            raise HoldsForAllMonthsError(
                f"{account_class} holds for all months, since the balances of every month are kept "
                "by it"
            )


def _accounts(connection: psycopg.Connection, tenant_id: str, month: Month) -> list[MappedAccount]:
    require_tenants(connection, [tenant_id])
    rows = connection.execute(
        """
        select account_code, name, account_class, mapped_from, mapped_by
        from ledger.accounts_in(array[%s::text], %s) order by account_code
        """,
        [tenant_id, month.start],
    ).fetchall()
    return [
        MappedAccount(
            code,
            name,
            # A class that no statement has is none.
            AccountClass(of_class) if of_class in set(AccountClass) else None,
            first_month and Month.of(first_month),
            mapped_by,
        )
        for code, name, of_class, first_month, mapped_by in rows
    ]
