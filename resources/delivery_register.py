"""The register that makes a mail go out at most once, whatever else happens twice.

Every move of a message is a compare-and-swap on its version and state, written together with its
line of history. Whoever loses one stops.
"""

from __future__ import annotations

import datetime
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any, Self

import psycopg
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import Jsonb

from reports_pipeline.accounting.failures import FailureCode
from reports_pipeline.accounting.periods import Month
from reports_pipeline.delivery.deliveries import (
    ChangedFigure,
    Delivery,
    DeliveryMessage,
    DocumentReference,
    KeyFigure,
    Letter,
    LetterCorrection,
    Recipient,
    RegisteredDelivery,
)
from reports_pipeline.delivery.errors import (
    CorrectionPendingError,
    LostClaimError,
    RevisionConflictError,
)
from reports_pipeline.delivery.states import MAYBE_SENT, WAITING, DeliveryState, check_move


class DeliveryRegister(ABC):
    """What was sent to whom, and how far each mail has come.

    A move takes messages as they were read and returns them as they are afterwards. It moves all
    of them or none, and raises `LostClaimError` if one is no longer as it was read, or
    `IllegalMoveError` if the move is none of `reports_pipeline.delivery.states.MOVES`.
    """

    @abstractmethod
    def register(self, delivery: Delivery) -> RegisteredDelivery:
        """Enter a delivery and return what the register holds; again, nothing is entered twice.

        Letter and documents stay as they were entered first. Recipients follow the contacts as
        long as nothing may have gone out; after that nobody is added, so that repeating an old
        month mails nobody. Who is no longer a contact is blocked. What was blocked starts again
        in BUILT, but an address that was refused stays blocked. An address gets one message,
        however often it is listed. A claim whose lease has run out goes back to READY, a post whose
        outcome is 15 minutes overdue is UNKNOWN, and what
        has not gone out of earlier revisions is superseded.

        Raises:
            RevisionConflictError: the revision has other numbers, or a newer one is registered.
            CorrectionPendingError: a mail of an earlier revision may have gone out.
            LostClaimError: another process moved one of the messages meanwhile.
        """

    @abstractmethod
    def read(
        self, month: Month, tenant_ids: Collection[str]
    ) -> dict[str, tuple[RegisteredDelivery, ...]]:
        """All revisions by tenant, oldest first; a tenant without any is missing."""

    @abstractmethod
    def verify(self, messages: Sequence[DeliveryMessage]) -> list[DeliveryMessage]:
        """BUILT → VERIFIED: what is stored was compared with what was built."""

    @abstractmethod
    def release(self, messages: Sequence[DeliveryMessage]) -> list[DeliveryMessage]:
        """VERIFIED → READY: they may go out now."""

    @abstractmethod
    def claim(self, message: DeliveryMessage) -> DeliveryMessage:
        """READY → CLAIMED, for as long as the lease."""

    @abstractmethod
    def begin_posting(self, message: DeliveryMessage) -> DeliveryMessage:
        """CLAIMED → POSTING, safely on disk when this returns. The one post comes next."""

    @abstractmethod
    def accept(self, message: DeliveryMessage, provider_id: str) -> DeliveryMessage:
        """POSTING → ACCEPTED: the provider has it under `provider_id`."""

    @abstractmethod
    def postpone(self, message: DeliveryMessage, reason: str) -> DeliveryMessage:
        """POSTING → READY: certainly nothing went out, and a later post may succeed."""

    @abstractmethod
    def mark_unknown(self, message: DeliveryMessage, reason: str) -> DeliveryMessage:
        """POSTING → UNKNOWN: a mail may have gone out."""

    @abstractmethod
    def block(
        self, messages: Sequence[DeliveryMessage], code: FailureCode, reason: str
    ) -> list[DeliveryMessage]:
        """Waiting or POSTING → BLOCKED: certainly nothing went out, and nothing will as it is."""


class PostgresDeliveryRegister(DeliveryRegister):
    """The tables `reporting.deliveries`, `delivery_messages` and `delivery_moves`.

    A context manager that keeps one connection for a batch of deliveries, so each thread has its
    own register. `actor` is written into the history: the run, or the person. Leases are measured
    by the clock of the database, which all processes share.
    """

    def __init__(
        self, url: str, *, actor: str, lease: datetime.timedelta = datetime.timedelta(minutes=10)
    ) -> None:
        self._url = url
        self._actor = actor
        self._lease = lease
        self._connection: psycopg.Connection[DictRow] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection is not None:
            self._connection.close()

    def register(self, delivery: Delivery) -> RegisteredDelivery:
        with self._transaction() as connection:
            # Registrations of one tenant's month take turns.
            connection.execute(
                "select pg_advisory_xact_lock(hashtextextended(%s, 0))",
                [f"deliveries/{delivery.tenant_id}/{delivery.month}"],
            )
            self._free_expired_claims(connection, delivery)
            revisions = {
                standing.revision: standing
                for standing in self._read(connection, delivery.month, [delivery.tenant_id])
            }
            standing = revisions.pop(delivery.revision, None)
            self._supersede(connection, revisions.values(), delivery.revision)
            if standing is None:
                self._enter(connection, delivery)
            elif standing.numbers_hash != delivery.numbers_hash:
                raise RevisionConflictError(
                    f"revision {delivery.revision} of {delivery.tenant_id} {delivery.month} "
                    "is registered with other numbers"
                )
            self._follow_contacts(connection, delivery, standing.messages if standing else ())
            return next(
                found
                for found in self._read(connection, delivery.month, [delivery.tenant_id])
                if found.revision == delivery.revision
            )

    def read(
        self, month: Month, tenant_ids: Collection[str]
    ) -> dict[str, tuple[RegisteredDelivery, ...]]:
        found: dict[str, tuple[RegisteredDelivery, ...]] = {}
        with self._transaction() as connection:
            for delivery in self._read(connection, month, tenant_ids):
                found[delivery.tenant_id] = (*found.get(delivery.tenant_id, ()), delivery)
        return found

    def verify(self, messages: Sequence[DeliveryMessage]) -> list[DeliveryMessage]:
        with self._transaction() as connection:
            return self._move(connection, messages, DeliveryState.VERIFIED)

    def release(self, messages: Sequence[DeliveryMessage]) -> list[DeliveryMessage]:
        with self._transaction() as connection:
            return self._move(connection, messages, DeliveryState.READY)

    def claim(self, message: DeliveryMessage) -> DeliveryMessage:
        with self._transaction() as connection:
            return self._move(connection, [message], DeliveryState.CLAIMED)[0]

    def begin_posting(self, message: DeliveryMessage) -> DeliveryMessage:
        with self._transaction() as connection:
            # A server that acknowledges commits before they are on disk could forget this one in
            # a crash, and the mail would go out again.
            connection.execute("set local synchronous_commit = on")
            return self._move(connection, [message], DeliveryState.POSTING)[0]

    def accept(self, message: DeliveryMessage, provider_id: str) -> DeliveryMessage:
        with self._transaction() as connection:
            return self._move(
                connection, [message], DeliveryState.ACCEPTED, provider_id=provider_id
            )[0]

    def postpone(self, message: DeliveryMessage, reason: str) -> DeliveryMessage:
        with self._transaction() as connection:
            return self._move(connection, [message], DeliveryState.READY, reason)[0]

    def mark_unknown(self, message: DeliveryMessage, reason: str) -> DeliveryMessage:
        with self._transaction() as connection:
            return self._move(connection, [message], DeliveryState.UNKNOWN, reason)[0]

    def block(
        self, messages: Sequence[DeliveryMessage], code: FailureCode, reason: str
    ) -> list[DeliveryMessage]:
        with self._transaction() as connection:
            return self._move(
                connection, messages, DeliveryState.BLOCKED, reason, blocked_code=code
            )

    @contextmanager
    def _transaction(self) -> Iterator[psycopg.Connection[DictRow]]:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self._url, autocommit=True, row_factory=dict_row)
        with self._connection.transaction():
            yield self._connection

    def _free_expired_claims(
        self, connection: psycopg.Connection[DictRow], delivery: Delivery
    ) -> None:
        connection.execute(
            """
            with held as (
                select delivery_id, recipient_no, state
                from reporting.delivery_messages join reporting.deliveries using (delivery_id)
                where tenant_id = %(tenant_id)s and month = %(month)s and (
                    (state = 'CLAIMED' and lease_until <= now())
                    or (state = 'POSTING' and lease_until <= now() - interval '15 minutes')
                )
                for update of delivery_messages
            ), freed as (
                update reporting.delivery_messages message
                set state = case held.state when 'CLAIMED' then 'READY' else 'UNKNOWN' end,
                    version = version + 1, lease_until = null, updated_at = now()
                from held
                where message.delivery_id = held.delivery_id
                  and message.recipient_no = held.recipient_no
                returning message.delivery_id, message.recipient_no, message.version,
                          held.state as from_state, message.state as to_state
            )
            insert into reporting.delivery_moves
                (delivery_id, recipient_no, version, from_state, to_state, actor, reason)
            select delivery_id, recipient_no, version, from_state, to_state, %(actor)s,
                   'the lease ran out'
            from freed
            """,
            {
                "tenant_id": delivery.tenant_id,
                "month": delivery.month.start,
                "actor": self._actor,
            },
        )

    def _supersede(
        self,
        connection: psycopg.Connection[DictRow],
        others: Iterable[RegisteredDelivery],
        revision: int,
    ) -> None:
        for other in others:
            if other.revision > revision:
                raise RevisionConflictError(
                    f"revision {other.revision} of {other.tenant_id} {other.month} is registered, "
                    f"so revision {revision} is outdated"
                )
            if other.among(MAYBE_SENT):
                raise CorrectionPendingError(
                    f"revision {other.revision} of {other.tenant_id} {other.month} was sent, "
                    "or may have been",
                    earlier_revision=other.revision,
                )
            self._move(
                connection,
                other.among(WAITING | {DeliveryState.CLAIMED, DeliveryState.BLOCKED}),
                DeliveryState.SUPERSEDED,
                f"revision {revision}",
            )

    def _enter(self, connection: psycopg.Connection[DictRow], delivery: Delivery) -> None:
        connection.execute(
            """
            insert into reporting.deliveries
                (tenant_id, month, revision, delivery_id, numbers_hash, letter, documents)
            values (%s, %s, %s, %s, %s, %s, %s)
            """,
            [
                delivery.tenant_id,
                delivery.month.start,
                delivery.revision,
                delivery.delivery_id,
                delivery.numbers_hash,
                Jsonb(asdict(delivery.letter)),
                Jsonb([asdict(document) for document in delivery.documents]),
            ],
        )

    def _follow_contacts(
        self,
        connection: psycopg.Connection[DictRow],
        delivery: Delivery,
        messages: Sequence[DeliveryMessage],
    ) -> None:
        contacts: dict[str, Recipient] = {}
        for recipient in delivery.recipients:
            contacts.setdefault(recipient.email.lower(), recipient)
        known = {message.recipient.email.lower(): message for message in messages}

        gone = [
            message
            for address, message in known.items()
            if message.state in WAITING and address not in contacts
        ]
        self._move(
            connection, gone, DeliveryState.BLOCKED, "no longer a contact",
            blocked_code=FailureCode.NO_RECIPIENT,
        )  # fmt: skip
        mended = [
            replace(message, recipient=contacts[address])
            for address, message in known.items()
            if message.state is DeliveryState.BLOCKED
            and address in contacts
            and (
                message.blocked_code is not FailureCode.ADDRESS_REFUSED
                or message.recipient.name != contacts[address].name
            )
        ]
        self._move(connection, mended, DeliveryState.BUILT, "registered again")
        if not any(message.state in MAYBE_SENT for message in messages):
            added = [contact for address, contact in contacts.items() if address not in known]
            self._add(connection, delivery.delivery_id, added, after=len(messages))

    def _add(
        self,
        connection: psycopg.Connection[DictRow],
        delivery_id: str,
        recipients: Sequence[Recipient],
        *,
        after: int,
    ) -> None:
        if not recipients:
            return
        connection.execute(
            """
            with added as (
                insert into reporting.delivery_messages
                    (delivery_id, recipient_no, name, email, state)
                select %(delivery_id)s, %(after)s + position, name, email, 'BUILT'
                from unnest(%(names)s::text[], %(emails)s::text[])
                    with ordinality as added (name, email, position)
                returning delivery_id, recipient_no, version
            )
            insert into reporting.delivery_moves
                (delivery_id, recipient_no, version, to_state, actor, reason)
            select delivery_id, recipient_no, version, 'BUILT', %(actor)s, '' from added
            """,
            {
                "delivery_id": delivery_id,
                "after": after,
                "names": [recipient.name for recipient in recipients],
                "emails": [recipient.email for recipient in recipients],
                "actor": self._actor,
            },
        )

    def _move(
        self,
        connection: psycopg.Connection[DictRow],
        messages: Sequence[DeliveryMessage],
        to: DeliveryState,
        reason: str = "",
        *,
        provider_id: str | None = None,
        blocked_code: FailureCode | None = None,
    ) -> list[DeliveryMessage]:
        """Move all messages, of any number of deliveries, in one statement."""
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
                "lease": self._lease,
                "provider_id": provider_id,
                "blocked_code": blocked_code,
                "actor": self._actor,
                "reason": reason,
            },
        ).fetchall()
        if len(rows) < len(messages):
            raise LostClaimError(
                f"{len(messages) - len(rows)} of {len(messages)} messages were moved by another "
                f"process before they became {to}"
            )
        return [_message(row) for row in rows]

    def _read(
        self, connection: psycopg.Connection[DictRow], month: Month, tenant_ids: Collection[str]
    ) -> list[RegisteredDelivery]:
        """In order of tenant and revision."""
        deliveries = connection.execute(
            """
            select * from reporting.deliveries where month = %s and tenant_id = any(%s)
            order by tenant_id, revision
            """,
            [month.start, list(tenant_ids)],
        ).fetchall()
        messages: dict[str, list[DeliveryMessage]] = {}
        for row in connection.execute(
            """
            select * from reporting.delivery_messages where delivery_id = any(%s)
            order by delivery_id, recipient_no
            """,
            [[delivery["delivery_id"] for delivery in deliveries]],
        ):
            messages.setdefault(row["delivery_id"], []).append(_message(row))
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


def _letter(record: Mapping[str, Any]) -> Letter:
    figures = tuple(KeyFigure(**figure) for figure in record["figures"])
    correction = record["correction"]
    if correction is not None:
        changed = tuple(ChangedFigure(**figure) for figure in correction["figures"])
        correction = LetterCorrection(**{**correction, "figures": changed})
    return Letter(**{**record, "figures": figures, "correction": correction})


def _message(row: Mapping[str, Any]) -> DeliveryMessage:
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
    )
