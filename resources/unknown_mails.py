"""Mails of which nobody knows whether they went out, and of which operators were told."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import psycopg

from reports_pipeline.accounting.periods import Month


@dataclass(frozen=True, slots=True)
class UnknownMail:
    """A mail that is UNKNOWN."""

    tenant_id: str
    delivery_id: str
    recipient_no: int


class UnknownMails:
    """Reads the delivery register; the table `reporting.unknown_mails_told`."""

    def __init__(self, url: str) -> None:
        self._url = url

    def untold(self) -> dict[Month, list[UnknownMail]]:
        """Those of every month of which nobody was told, in order of tenant; not those that a
        person has signed off or had sent once more."""
        with psycopg.connect(self._url) as connection:
            rows = connection.execute(
                """
                select month, tenant_id, delivery_id, recipient_no
                from reporting.delivery_messages message
                join reporting.deliveries delivery using (delivery_id)
                where state = 'UNKNOWN'
                  and not exists (
                      select from reporting.unknown_mails_told told
                      where told.delivery_id = message.delivery_id
                        and told.recipient_no = message.recipient_no
                  )
                  and not exists (
                      select from reporting.delivery_messages copy
                      where copy.delivery_id = message.delivery_id
                        and copy.resend_of = message.recipient_no
                  )
                  and not exists (
                      select from reporting.delivery_decisions decision
                      where decision.tenant_id = delivery.tenant_id
                        and decision.month = delivery.month
                        and decision.revision = delivery.revision
                        and decision.recipient_no = message.recipient_no
                        and decision = 'sign_off'
                  )
                order by month, tenant_id, revision, recipient_no
                """
            )
            found: dict[Month, list[UnknownMail]] = {}
            for month, *mail in rows:
                found.setdefault(Month.of(month), []).append(UnknownMail(*mail))
            return found

    def mark_told(self, mails: Collection[UnknownMail]) -> None:
        """Note that operators were told of these; again, nothing is noted twice."""
        with psycopg.connect(self._url) as connection:
            connection.execute(
                """
                insert into reporting.unknown_mails_told (delivery_id, recipient_no)
                select * from unnest(%s::text[], %s::integer[]) on conflict do nothing
                """,
                [[mail.delivery_id for mail in mails], [mail.recipient_no for mail in mails]],
            )
