"""What people decide about deliveries: each decision is kept with who, when and why."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg.rows import DictRow, dict_row

from reports_pipeline.accounting.periods import Month
from reports_pipeline.delivery.deliveries import (
    Delivery,
    DeliveryMessage,
    Recipient,
    RegisteredDelivery,
)
from reports_pipeline.delivery.errors import DecisionError
from reports_pipeline.delivery.states import MAYBE_SENT, DeliveryState
from resources.delivery_records import (
    message_of,
    move,
    read_deliveries,
    suppressed_addresses,
    take_turns,
)

# The reader may have it, or it came back. Who complained gets no other.
_MAY_BE_SENT_AGAIN = MAYBE_SENT - {DeliveryState.POSTING, DeliveryState.COMPLAINED}


@dataclass(frozen=True, slots=True)
class Hold:
    """`month` is None: every month."""

    tenant_id: str
    month: Month | None
    reason: str
    held_by: str


class DeliveryDecisions:
    """The table `reporting.delivery_decisions`; `actor` is the person."""

    def __init__(self, url: str, *, actor: str) -> None:
        self._url = url
        self._actor = actor

    def hold(self, tenant_ids: Collection[str], month: Month | None, reason: str) -> None:
        """Let nothing go out to these tenants, of a month or of any, until they are released."""
        self._note_of_tenants("hold", tenant_ids, month, reason)

    def release(self, tenant_ids: Collection[str], month: Month | None, reason: str) -> None:
        """End a hold of the same month, or that of all months; without one, nothing changes."""
        self._note_of_tenants("release", tenant_ids, month, reason)

    def waive(self, tenant_ids: Collection[str], month: Month, reason: str) -> None:
        """Expect nothing of a month to go to these tenants. It keeps no mail back: one that goes
        out all the same counts as any other."""
        self._note_of_tenants("waive", tenant_ids, month, reason)

    def unwaive(self, tenant_ids: Collection[str], month: Month, reason: str) -> None:
        """Expect the month's mails to go to these tenants after all; without a waiver, nothing
        changes."""
        self._note_of_tenants("unwaive", tenant_ids, month, reason)

    def end_canary(self, month: Month, reason: str) -> None:
        """Let the mails of a month go without waiting for those of its canaries any longer."""
        with self._connection() as connection:
            connection.execute(
                """
                insert into reporting.delivery_decisions (decision, month, reason, decided_by)
                values ('end_canary', %s, %s, %s)
                """,
                [month.start, reason, self._actor],
            )

    def holds(self) -> list[Hold]:
        """Those in force, by tenant; that of all months first."""
        with self._connection() as connection:
            rows = connection.execute(
                """
                select tenant_id, month, reason, decided_by from reporting.delivery_holds
                order by tenant_id, month nulls first
                """
            )
            return [
                Hold(
                    row["tenant_id"],
                    row["month"] and Month.of(row["month"]),
                    row["reason"],
                    row["decided_by"],
                )
                for row in rows
            ]

    def approve(self, tenant_id: str, month: Month, revision: int, reason: str) -> None:
        """Let the newest revision, which the person has read, correct what was sent.

        Raises:
            DecisionError: it is not the newest, it was sent, or no earlier one was.
        """
        with self._connection() as connection:
            newest = self._newest_revision(connection, tenant_id, month)
            sent = [
                delivery.revision
                for delivery in read_deliveries(connection, month, [tenant_id])
                if delivery.among(MAYBE_SENT)
            ]
            if newest is None or not sent:
                raise DecisionError(
                    f"{tenant_id} {month}: nothing was sent, so nothing corrects it"
                )
            if revision != newest:
                raise DecisionError(
                    f"{tenant_id} {month}: the newest revision is {newest}, not {revision}; read "
                    "what it changes"
                )
            if revision in sent:
                raise DecisionError(f"{tenant_id} {month}: revision {revision} was sent already")
            self._note(connection, "approve", tenant_id, month, reason, revision=revision)

    def resend(
        self,
        tenant_id: str,
        month: Month,
        recipient_no: int,
        reason: str,
        *,
        to: Recipient | None = None,
    ) -> DeliveryMessage:
        """Have the mail to a recipient sent once more, marked so, to the same one or another. The
        tenant's next run sends it.

        Raises:
            DecisionError: the mail has not gone out, is on its way, was complained about or sent
                once more already, the address is suppressed, or a newer revision is waiting. A copy
                that was refused may be sent elsewhere.
        """
        with self._connection() as connection:
            delivery, message = self._message(connection, tenant_id, month, recipient_no)
            newest = self._newest_revision(connection, tenant_id, month)
            if newest != delivery.revision and not _is_current(connection, delivery):
                raise DecisionError(
                    f"{tenant_id} {month}: revision {newest} waits to correct revision "
                    f"{delivery.revision}, which is not sent once more; see `approve`"
                )
            is_refused_copy = (
                message.resend_of is not None and message.state is DeliveryState.BLOCKED
            )
            if message.state not in _MAY_BE_SENT_AGAIN and not is_refused_copy:
                raise DecisionError(
                    f"{tenant_id} {month}: the mail to recipient {recipient_no} is not sent once "
                    f"more: it is {message.state}"
                )
            if again := [m for m in delivery.messages if m.resend_of == recipient_no]:
                raise DecisionError(
                    f"{tenant_id} {month}: the mail to recipient {recipient_no} is sent once more "
                    f"as {again[0].recipient_no}"
                )
            recipient = to or message.recipient
            if suppressed_addresses(connection, [recipient.email]):
                raise DecisionError(
                    f"{tenant_id} {month}: the address is suppressed; name another contact's with "
                    "--to, or open it with `reports deliveries unsuppress`"
                )
            if is_refused_copy:
                # Else it would go out beside its own copy once what it was refused for is mended.
                move(
                    connection,
                    [message],
                    DeliveryState.SUPERSEDED,
                    actor=self._actor,
                    reason=reason,
                )
            [row] = connection.execute(
                """
                with resent as (
                    insert into reporting.delivery_messages
                        (delivery_id, recipient_no, name, email, state, resend_of)
                    values (%(delivery_id)s, %(number)s, %(name)s, %(email)s, 'BUILT', %(of)s)
                    returning *
                ), noted as (
                    insert into reporting.delivery_moves
                        (delivery_id, recipient_no, version, to_state, actor, reason)
                    select delivery_id, recipient_no, version, 'BUILT', %(actor)s, %(reason)s
                    from resent
                )
                select * from resent
                """,
                {
                    "delivery_id": delivery.delivery_id,
                    "number": len(delivery.messages) + 1,
                    "name": recipient.name,
                    "email": recipient.email,
                    "of": recipient_no,
                    "actor": self._actor,
                    "reason": reason,
                },
            ).fetchall()
            self._note_of_message(connection, "resend", delivery, message, reason)
            return message_of(row)

    def reopen(self, tenant_id: str, month: Month, recipient_no: int, reason: str) -> None:
        """BLOCKED → BUILT: what a mail was refused for is mended. The next run sends it.

        Raises:
            DecisionError: the mail is not blocked.
        """
        with self._connection() as connection:
            delivery, message = self._message(connection, tenant_id, month, recipient_no)
            if message.state is not DeliveryState.BLOCKED:
                raise DecisionError(
                    f"{tenant_id} {month}: the mail to recipient {recipient_no} is not blocked but "
                    f"{message.state}"
                )
            move(connection, [message], DeliveryState.BUILT, actor=self._actor, reason=reason)
            self._note_of_message(connection, "reopen", delivery, message, reason)

    def confirm(self, tenant_id: str, month: Month, recipient_no: int, reason: str) -> None:
        """UNKNOWN → ACCEPTED: a person knows that the mail arrived.

        Raises:
            DecisionError: what became of the mail is known.
        """
        with self._connection() as connection:
            delivery, message = self._unknown(connection, tenant_id, month, recipient_no)
            move(
                connection,
                [message],
                DeliveryState.ACCEPTED,
                actor=self._actor,
                reason=reason,
                provider_id=f"confirmed by {self._actor}",
            )
            self._note_of_message(connection, "confirm", delivery, message, reason)

    def sign_off(self, tenant_id: str, month: Month, recipient_no: int, reason: str) -> None:
        """Leave open for ever whether a mail arrived: it stands in nobody's way any more.

        Raises:
            DecisionError: what became of the mail is known.
        """
        with self._connection() as connection:
            delivery, message = self._unknown(connection, tenant_id, month, recipient_no)
            self._note_of_message(connection, "sign_off", delivery, message, reason)

    def note_test_send(self, delivery: Delivery, address: str, reason: str) -> None:
        """Keep that the person had a delivery's mail sent to an address as a test."""
        with self._connection() as connection:
            connection.execute(
                """
                insert into reporting.delivery_decisions
                    (decision, tenant_id, month, revision, address, reason, decided_by)
                values ('test_send', %s, %s, %s, %s, %s, %s)
                """,
                [
                    delivery.tenant_id,
                    delivery.month.start,
                    delivery.revision,
                    address,
                    reason,
                    self._actor,
                ],
            )

    def unsuppress(self, address: str, reason: str) -> None:
        """Let mails go to an address again.

        Raises:
            DecisionError: it is not suppressed.
        """
        with self._connection() as connection:
            deleted = connection.execute(
                "delete from reporting.suppressed_addresses where address = lower(%s)", [address]
            )
            if deleted.rowcount == 0:
                raise DecisionError(f"not suppressed: {address}")
            connection.execute(
                """
                insert into reporting.delivery_decisions (decision, address, reason, decided_by)
                values ('unsuppress', lower(%s), %s, %s)
                """,
                [address, reason, self._actor],
            )

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection[DictRow]]:
        """One transaction."""
        with psycopg.connect(self._url, row_factory=dict_row) as connection:
            yield connection

    def _note_of_tenants(
        self, decision: str, tenant_ids: Collection[str], month: Month | None, reason: str
    ) -> None:
        with self._connection() as connection:
            connection.execute(
                """
                insert into reporting.delivery_decisions
                    (decision, tenant_id, month, reason, decided_by)
                select %s, tenant_id, %s, %s, %s from unnest(%s::text[]) as tenant_id
                """,
                [decision, month and month.start, reason, self._actor, list(tenant_ids)],
            )

    def _newest_revision(
        self, connection: psycopg.Connection[DictRow], tenant_id: str, month: Month
    ) -> int | None:
        [row] = connection.execute(
            """
            select max(revision) as newest from reporting.report_revisions
            where tenant_id = %s and month = %s
            """,
            [tenant_id, month.start],
        ).fetchall()
        newest: int | None = row["newest"]
        return newest

    def _message(
        self,
        connection: psycopg.Connection[DictRow],
        tenant_id: str,
        month: Month,
        recipient_no: int,
    ) -> tuple[RegisteredDelivery, DeliveryMessage]:
        """Of the newest revision, which nobody else changes until the transaction ends."""
        take_turns(connection, tenant_id, month)
        deliveries = read_deliveries(connection, month, [tenant_id])
        for message in deliveries[-1].messages if deliveries else ():
            if message.recipient_no == recipient_no:
                return deliveries[-1], message
        raise DecisionError(f"{tenant_id} {month}: there is no mail to a recipient {recipient_no}")

    def _unknown(
        self,
        connection: psycopg.Connection[DictRow],
        tenant_id: str,
        month: Month,
        recipient_no: int,
    ) -> tuple[RegisteredDelivery, DeliveryMessage]:
        delivery, message = self._message(connection, tenant_id, month, recipient_no)
        if message.state is not DeliveryState.UNKNOWN:
            raise DecisionError(
                f"{tenant_id} {month}: the mail to recipient {recipient_no} is {message.state}, "
                "which is known"
            )
        return delivery, message

    def _note_of_message(
        self,
        connection: psycopg.Connection[DictRow],
        decision: str,
        delivery: RegisteredDelivery,
        message: DeliveryMessage,
        reason: str,
    ) -> None:
        self._note(
            connection,
            decision,
            delivery.tenant_id,
            delivery.month,
            reason,
            revision=delivery.revision,
            recipient_no=message.recipient_no,
        )

    def _note(
        self,
        connection: psycopg.Connection[DictRow],
        decision: str,
        tenant_id: str,
        month: Month,
        reason: str,
        *,
        revision: int,
        recipient_no: int | None = None,
    ) -> None:
        connection.execute(
            """
            insert into reporting.delivery_decisions
                (decision, tenant_id, month, revision, recipient_no, reason, decided_by)
            values (%s, %s, %s, %s, %s, %s, %s)
            """,
            [decision, tenant_id, month.start, revision, recipient_no, reason, self._actor],
        )


def _is_current(connection: psycopg.Connection[DictRow], delivery: RegisteredDelivery) -> bool:
    """Whether the figures are those of the delivery, though revisions with others were made."""
    found = connection.execute(
        """
        select from reporting.stage_outcomes
        where stage = 'statements' and tenant_id = %s and month = %s and revision = %s
        """,
        [delivery.tenant_id, delivery.month.start, delivery.revision],
    ).fetchone()
    return found is not None
