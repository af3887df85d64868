"""How deliveries are read from the register's tables, and the one way a message moves."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import psycopg
from psycopg.rows import DictRow

from reports_pipeline.accounting.failures import FailureCode
from reports_pipeline.accounting.periods import Month
from reports_pipeline.delivery.deliveries import (
    ChangedFigure,
    DeliveryMessage,
    DocumentReference,
    KeyFigure,
    Letter,
    LetterCorrection,
    Recipient,
    RegisteredDelivery,
)
from reports_pipeline.delivery.errors import LostClaimError
from reports_pipeline.delivery.states import DeliveryState, check_move


def move(
    connection: psycopg.Connection[DictRow],
    messages: Sequence[DeliveryMessage],
    to: DeliveryState,
    *,
    actor: str,
    reason: str = "",
    lease: datetime.timedelta | None = None,
    provider_id: str | None = None,
    blocked_code: FailureCode | None = None,
) -> list[DeliveryMessage]:
    """Move all messages, of any number of deliveries, or none, in one statement, and note it in
    their history. `lease`: of a message that one process holds from now on.

    A mail of a tenant that a person holds, or to an address that is suppressed, does not move to
    POSTING. One that does is on disk once it is committed, also on a server that acknowledges
    commits before they are: in a crash that could forget the post, and the mail would go out again.

    Raises:
        IllegalMoveError: `to` never follows a message's state.
        LostClaimError: a message is no longer as it was read, or may not be posted.
    """
    if not messages:
        return []
    for message in messages:
        check_move(message.state, to)
    rows = connection.execute(
        """
        with held as (
            select * from unnest(
                %(delivery_ids)s::text[], %(recipient_nos)s::integer[], %(names)s::text[],
                %(versions)s::integer[], %(states)s::text[]
            ) as held (delivery_id, recipient_no, name, version, state)
        ), movable as (
            select from reporting.delivery_messages message
            join held using (delivery_id, recipient_no, version, state)
            where %(to)s <> 'POSTING'
               or set_config('synchronous_commit', 'on', true) = 'on'
              and not exists (
                  select from reporting.delivery_holds hold
                  join reporting.deliveries delivery using (tenant_id)
                  where delivery.delivery_id = message.delivery_id
                    and (hold.month is null or hold.month = delivery.month)
              )
              and not exists (
                  select from reporting.suppressed_addresses where address = lower(message.email)
              )
            for update of message
        ), moved as (
            update reporting.delivery_messages as message
            set state = %(to)s,
                version = message.version + 1,
                name = held.name,
                attempts = message.attempts + (%(to)s = 'POSTING')::integer,
                lease_until =
                    case when %(to)s in ('CLAIMED', 'POSTING') then now() + %(lease)s end,
                provider_id = %(provider_id)s,
                blocked_code = %(blocked_code)s,
                updated_at = now()
            from held
            where message.delivery_id = held.delivery_id
              and message.recipient_no = held.recipient_no
              and message.version = held.version
              and message.state = held.state
              and (select count(*) from movable) = (select count(*) from held)
            returning message.*, held.state as from_state
        ), noted as (
            insert into reporting.delivery_moves
                (delivery_id, recipient_no, version, from_state, to_state, actor, reason)
            select delivery_id, recipient_no, version, from_state, state, %(actor)s, %(reason)s
            from moved
        )
        select * from moved order by delivery_id, recipient_no
        """,
        {
            "delivery_ids": [message.delivery_id for message in messages],
            "recipient_nos": [message.recipient_no for message in messages],
            "names": [message.recipient.name for message in messages],
            "versions": [message.version for message in messages],
            "states": [message.state for message in messages],
            "to": to,
            "lease": lease,
            "provider_id": provider_id,
            "blocked_code": blocked_code,
            "actor": actor,
            "reason": reason,
        },
    ).fetchall()
    if len(rows) < len(messages):
        raise LostClaimError(
            f"not all of {len(messages)} messages are as they were read, or may become {to}"
        )
    dealt_with = {(m.delivery_id, m.recipient_no) for m in messages if m.dealt_with}
    return [
        replace(moved, dealt_with=(moved.delivery_id, moved.recipient_no) in dealt_with)
        for moved in map(message_of, rows)
    ]


def with_moved(
    delivery: RegisteredDelivery, moved: Iterable[DeliveryMessage]
) -> RegisteredDelivery:
    """The delivery with its messages as they are after some were moved."""
    after = {message.recipient_no: message for message in moved}
    messages = tuple(after.get(message.recipient_no, message) for message in delivery.messages)
    return replace(delivery, messages=messages)


def read_deliveries(
    connection: psycopg.Connection[DictRow], month: Month, tenant_ids: Collection[str]
) -> list[RegisteredDelivery]:
    """In order of tenant and revision."""
    deliveries = connection.execute(
        """
        select * from reporting.deliveries where month = %s and tenant_id = any(%s)
        order by tenant_id, revision
        """,
        [month.start, list(tenant_ids)],
    ).fetchall()
    if not deliveries:
        return []
    messages: dict[str, list[DeliveryMessage]] = {}
    for row in connection.execute(
        """
        select message.*, exists (
            select from reporting.delivery_decisions decision
            where decision.tenant_id = delivery.tenant_id and decision.month = delivery.month
              and decision.revision = delivery.revision
              and decision.recipient_no = message.recipient_no
              and decision in ('resend', 'sign_off')
        ) as dealt_with
        from reporting.delivery_messages message
        join reporting.deliveries delivery using (delivery_id)
        where delivery_id = any(%s) order by delivery_id, recipient_no
        """,
        [[delivery["delivery_id"] for delivery in deliveries]],
    ):
        messages.setdefault(row["delivery_id"], []).append(message_of(row))
    return [
        RegisteredDelivery(
            tenant_id=row["tenant_id"],
            month=month,
            revision=row["revision"],
            delivery_id=row["delivery_id"],
            numbers_hash=row["numbers_hash"],
            letter=_letter(row["letter"]),
            documents=tuple(DocumentReference(**document) for document in row["documents"]),
            messages=tuple(messages.get(row["delivery_id"], ())),
        )
        for row in deliveries
    ]


def take_turns(connection: psycopg.Connection[DictRow], tenant_id: str, month: Month) -> None:
    """Wait until nobody else registers, or decides about, this tenant's month; until the end of the
    transaction nobody else does."""
    connection.execute(
        "select pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"deliveries/{tenant_id}/{month}"]
    )


def suppressed_addresses(
    connection: psycopg.Connection[DictRow], addresses: Collection[str]
) -> set[str]:
    """Those that get no mail any more, in small letters."""
    if not addresses:
        return set()
    rows = connection.execute(
        "select address from reporting.suppressed_addresses where address = any(%s)",
        [[address.lower() for address in addresses]],
    )
    return {row["address"] for row in rows}


def _letter(record: Mapping[str, Any]) -> Letter:
    figures = tuple(KeyFigure(**figure) for figure in record["figures"])
    correction = record["correction"]
    if correction is not None:
        changed = tuple(ChangedFigure(**figure) for figure in correction["figures"])
        correction = LetterCorrection(**{**correction, "figures": changed})
    return Letter(**{**record, "figures": figures, "correction": correction})


def message_of(row: Mapping[str, Any]) -> DeliveryMessage:
    """A row of `reporting.delivery_messages`."""
    code = row["blocked_code"]
    return DeliveryMessage(
        delivery_id=row["delivery_id"],
        recipient_no=row["recipient_no"],
        recipient=Recipient(row["name"], row["email"]),
        state=DeliveryState(row["state"]),
        version=row["version"],
        attempts=row["attempts"],
        provider_id=row["provider_id"],
        blocked_code=None if code is None else FailureCode(code),
        resend_of=row["resend_of"],
        dealt_with=bool(row.get("dealt_with")),
    )
