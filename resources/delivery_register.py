"""The register that makes a mail go out at most once, whatever else happens twice.

Every move of a message is a compare-and-swap on its version and state, written together with its
line of history. Whoever loses one stops.
"""

from __future__ import annotations

import datetime
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Self

import psycopg
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import Jsonb

from reports_pipeline.accounting.failures import FailureCode
from reports_pipeline.accounting.periods import Month
from reports_pipeline.delivery.deliveries import (
    Delivery,
    DeliveryMessage,
    Letter,
    Recipient,
    RegisteredDelivery,
)
from reports_pipeline.delivery.errors import (
    CorrectionPendingError,
    DeliveryHeldError,
    LostClaimError,
    RevisionConflictError,
)
from reports_pipeline.delivery.feedback import Feedback, moves_of
from reports_pipeline.delivery.preferences import Corrections
from reports_pipeline.delivery.states import (
    HELD,
    MAYBE_SENT,
    SENT,
    WAITING,
    DeliveryState,
)
from resources.delivery_preferences import newest_preferences
from resources.delivery_records import (
    message_of,
    move,
    read_deliveries,
    suppressed_addresses,
    take_turns,
    with_moved,
)

# Of a tenant's month, or of everybody's.
_EXPIRED = """
    select message.* from reporting.delivery_messages message
    join reporting.deliveries using (delivery_id)
    where (%(tenant_id)s::text is null or (tenant_id = %(tenant_id)s and month = %(month)s))
      and lease_until <= now()
      and (state <> 'POSTING' or lease_until <= now() - interval '15 minutes')
"""


class DeliveryRegister(ABC):
    """What was sent to whom, and how far each mail has come.

    A move takes messages as they were read and returns them as they are afterwards. It moves all
    of them or none, and raises `LostClaimError` if one is no longer as it was read, or
    `IllegalMoveError` if the move is none of `reports_pipeline.delivery.states.MOVES`.
    """

    @abstractmethod
    def register(self, delivery: Delivery) -> RegisteredDelivery:
        """Enter a delivery and return what the register holds; again, nothing is entered twice.

        Letter and documents stay as they were entered first. The company's own words in the letter
        (note, support address) follow its wishes, and recipients the contacts, as long as nothing
        may have gone out; after that nobody is added, so that repeating an old
        month mails nobody. Who is no longer a contact is blocked. What was blocked starts again
        in BUILT, but an address that was refused stays blocked, and a suppressed one is blocked as
        long as it is suppressed. An address gets one message,
        however often it is listed. A claim whose lease has run out goes back to READY, a post whose
        outcome is 15 minutes overdue is UNKNOWN, and what
        has not gone out of earlier revisions is superseded.

        Raises:
            RevisionConflictError: the revision has other numbers, or a newer one is registered.
            LostClaimError: another process moved one of the messages meanwhile, or sent an earlier
                revision that the letter does not speak of.
            CorrectionPendingError: a mail of an earlier revision went out and neither a person nor
                the company's preferences let this one follow, or it may have gone out and nobody
                has dealt with that.
            DeliveryHeldError: a person holds the tenant's mails, of which some wait.
        """

    @abstractmethod
    def read(
        self, month: Month, tenant_ids: Collection[str]
    ) -> dict[str, tuple[RegisteredDelivery, ...]]:
        """All revisions by tenant, oldest first; a tenant without any is missing."""

    @abstractmethod
    def free_expired(self) -> list[DeliveryMessage]:
        """Take from processes that seem dead what they held, of any month, and return it as it is
        then: CLAIMED → READY where the lease has run out, POSTING → UNKNOWN 15 minutes later. What
        another process is moving at this moment is left to it."""

    @abstractmethod
    def verify(self, messages: Sequence[DeliveryMessage]) -> list[DeliveryMessage]:
        """BUILT → VERIFIED: what is stored was compared with what was built."""

    @abstractmethod
    def release(self, messages: Sequence[DeliveryMessage]) -> list[DeliveryMessage]:
        """VERIFIED → READY: nothing about them stands in the way of their going out."""

    @abstractmethod
    def claim(self, message: DeliveryMessage) -> DeliveryMessage:
        """READY → CLAIMED, for as long as the lease."""

    @abstractmethod
    def begin_posting(self, message: DeliveryMessage) -> DeliveryMessage:
        """CLAIMED → POSTING, safely on disk when this returns. The one post comes next.

        Raises:
            DeliveryHeldError: a person holds the tenant's mails; the message is READY again.
            LostClaimError: also where the address is suppressed; the message is READY again, and
                the next registration blocks it.
        """

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

    @abstractmethod
    def suppressed(self, addresses: Collection[str]) -> set[str]:
        """Those of the addresses that get no mail any more, in small letters."""

    @abstractmethod
    def record(self, feedback: Feedback) -> bool:
        """Make of a message what an event says of it, and tell whether it is one of ours.

        Again, or after a later event, it changes nothing. An address whose mails bounce for good,
        or whose reader complains, is suppressed: it gets no mail any more.

        Raises:
            LostClaimError: the mail is being posted, so what becomes of it is not registered yet;
                come again later.
        """


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
        # By itself: what a dead process left is told, whatever becomes of the registration. Hardly
        # anybody has left anything.
        if self._opened().execute(_EXPIRED, _of_month(delivery)).fetchone() is not None:
            with self._transaction() as connection:
                self._free_expired(connection, delivery)
        with self._transaction() as connection:
            take_turns(connection, delivery.tenant_id, delivery.month)
            revisions = {
                standing.revision: standing
                for standing in read_deliveries(connection, delivery.month, [delivery.tenant_id])
            }
            standing = revisions.pop(delivery.revision, None)
            permission: str | None = ""
            if any(other.among(MAYBE_SENT) for other in revisions.values()):
                permission = _permission(connection, delivery)
            self._supersede(connection, revisions.values(), delivery, permission is not None)
            if standing is None:
                _require_true_letter(delivery, revisions.values())
                registered = self._enter(connection, delivery)
            elif standing.numbers_hash != delivery.numbers_hash:
                raise RevisionConflictError(
                    f"revision {delivery.revision} of {delivery.tenant_id} {delivery.month} "
                    "is registered with other numbers"
                )
            else:
                registered = self._follow_wishes(connection, standing, delivery.letter)
            registered = self._follow_contacts(
                connection, registered, delivery.recipients, permission or ""
            )
            registered, held = self._stop(connection, registered)
        if held is not None:  # what is held is registered all the same
            raise held
        return registered

    def read(
        self, month: Month, tenant_ids: Collection[str]
    ) -> dict[str, tuple[RegisteredDelivery, ...]]:
        found: dict[str, tuple[RegisteredDelivery, ...]] = {}
        with self._transaction() as connection:
            for delivery in read_deliveries(connection, month, tenant_ids):
                found[delivery.tenant_id] = (*found.get(delivery.tenant_id, ()), delivery)
        return found

    def free_expired(self) -> list[DeliveryMessage]:
        with self._transaction() as connection:
            return self._free_expired(connection)

    def verify(self, messages: Sequence[DeliveryMessage]) -> list[DeliveryMessage]:
        return self._moved(messages, DeliveryState.VERIFIED)

    def release(self, messages: Sequence[DeliveryMessage]) -> list[DeliveryMessage]:
        return self._moved(messages, DeliveryState.READY)

    def claim(self, message: DeliveryMessage) -> DeliveryMessage:
        return self._moved([message], DeliveryState.CLAIMED)[0]

    def begin_posting(self, message: DeliveryMessage) -> DeliveryMessage:
        try:
            return self._moved([message], DeliveryState.POSTING)[0]
        except LostClaimError as lost:
            held, suppressed = _obstacles(self._opened(), message.delivery_id, [message])
            if held is None and not suppressed:
                raise
            obstacle = held or LostClaimError("the address was suppressed meanwhile")
            self._moved([message], DeliveryState.READY, str(obstacle))
            raise obstacle from lost

    def accept(self, message: DeliveryMessage, provider_id: str) -> DeliveryMessage:
        return self._moved([message], DeliveryState.ACCEPTED, provider_id=provider_id)[0]

    def postpone(self, message: DeliveryMessage, reason: str) -> DeliveryMessage:
        return self._moved([message], DeliveryState.READY, reason)[0]

    def mark_unknown(self, message: DeliveryMessage, reason: str) -> DeliveryMessage:
        return self._moved([message], DeliveryState.UNKNOWN, reason)[0]

    def block(
        self, messages: Sequence[DeliveryMessage], code: FailureCode, reason: str
    ) -> list[DeliveryMessage]:
        return self._moved(messages, DeliveryState.BLOCKED, reason, blocked_code=code)

    def suppressed(self, addresses: Collection[str]) -> set[str]:
        return suppressed_addresses(self._opened(), addresses)

    def record(self, feedback: Feedback) -> bool:
        key = [feedback.delivery_id, feedback.recipient_no]
        with self._transaction() as connection:
            row = connection.execute(
                """
                select *, lease_until <= now() as is_overdue from reporting.delivery_messages
                where delivery_id = %s and recipient_no = %s for update
                """,
                key,
            ).fetchone()
            if row is None:
                return False
            message = message_of(row)
            # A process that died in its post will not say what came of it.
            is_dead = row["state"] == "POSTING" and row["is_overdue"]
            if message.state in HELD and not is_dead:
                raise LostClaimError(f"{feedback.delivery_id} is {message.state}")
            path = moves_of(feedback, message.state)
            for state in path:
                [message] = self._move(
                    connection,
                    [message],
                    state,
                    feedback.reason,
                    provider_id=(
                        None
                        if state is DeliveryState.UNKNOWN
                        else message.provider_id or feedback.provider_id
                    ),
                )
            # An event that comes again would undo that a person has opened the address.
            if path and feedback.suppresses:
                connection.execute(
                    """
                    insert into reporting.suppressed_addresses
                        (address, reason, delivery_id, recipient_no)
                    values (lower(%s), %s, %s, %s) on conflict (address) do nothing
                    """,
                    [message.recipient.email, feedback.reason, *key],
                )
            return True

    def _opened(self) -> psycopg.Connection[DictRow]:
        """A connection on which each statement is a transaction of its own."""
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self._url, autocommit=True, row_factory=dict_row)
        return self._connection

    @contextmanager
    def _transaction(self) -> Iterator[psycopg.Connection[DictRow]]:
        connection = self._opened()
        with connection.transaction():
            yield connection

    def _free_expired(
        self,
        connection: psycopg.Connection[DictRow],
        delivery: Delivery | None = None,
    ) -> list[DeliveryMessage]:
        """Of the tenant's month, or of everybody's."""
        rows = connection.execute(
            f"{_EXPIRED} for update of message skip locked", _of_month(delivery)
        )
        expired = [message_of(row) for row in rows]
        freed: list[DeliveryMessage] = []
        for held, free in (
            (DeliveryState.CLAIMED, DeliveryState.READY),
            (DeliveryState.POSTING, DeliveryState.UNKNOWN),
        ):
            of_state = [message for message in expired if message.state is held]
            freed += self._move(connection, of_state, free, "the lease ran out")
        return freed

    def _supersede(
        self,
        connection: psycopg.Connection[DictRow],
        others: Iterable[RegisteredDelivery],
        delivery: Delivery,
        may_correct: bool,
    ) -> None:
        revision = delivery.revision
        for other in others:
            if other.revision > revision:
                raise RevisionConflictError(
                    f"revision {other.revision} of {other.tenant_id} {other.month} is registered, "
                    f"so revision {revision} is outdated"
                )
            unclear = [
                message
                for message in other.among(MAYBE_SENT - SENT)
                if message.state is DeliveryState.POSTING or not message.dealt_with
            ]
            if unclear or (other.among(MAYBE_SENT) and not may_correct):
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

    def _enter(
        self, connection: psycopg.Connection[DictRow], delivery: Delivery
    ) -> RegisteredDelivery:
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
        return RegisteredDelivery(
            tenant_id=delivery.tenant_id,
            month=delivery.month,
            revision=delivery.revision,
            delivery_id=delivery.delivery_id,
            numbers_hash=delivery.numbers_hash,
            letter=delivery.letter,
            documents=delivery.documents,
            messages=(),
        )

    def _follow_wishes(
        self, connection: psycopg.Connection[DictRow], standing: RegisteredDelivery, letter: Letter
    ) -> RegisteredDelivery:
        """A company's own words may be mended until somebody may have read them."""
        mended = replace(standing.letter, note=letter.note, support_address=letter.support_address)
        if mended == standing.letter or standing.among(MAYBE_SENT):
            return standing
        connection.execute(
            "update reporting.deliveries set letter = %s where delivery_id = %s",
            [Jsonb(asdict(mended)), standing.delivery_id],
        )
        return replace(standing, letter=mended)

    def _stop(
        self, connection: psycopg.Connection[DictRow], registered: RegisteredDelivery
    ) -> tuple[RegisteredDelivery, DeliveryHeldError | None]:
        """Block what waits for an address that is suppressed; and the hold on what still waits."""
        waiting = registered.among(WAITING)
        if not waiting:
            return registered, None
        held, suppressed = _obstacles(connection, registered.delivery_id, waiting)
        blocked = self._move(
            connection,
            [message for message in waiting if message.recipient.email.lower() in suppressed],
            DeliveryState.BLOCKED,
            "the address is suppressed",
            blocked_code=FailureCode.ADDRESS_SUPPRESSED,
        )
        registered = with_moved(registered, blocked)
        return registered, held if registered.among(WAITING) else None

    def _follow_contacts(
        self,
        connection: psycopg.Connection[DictRow],
        registered: RegisteredDelivery,
        recipients: Sequence[Recipient],
        permission: str,
    ) -> RegisteredDelivery:
        messages = registered.messages
        contacts: dict[str, Recipient] = {}
        for recipient in recipients:
            contacts.setdefault(recipient.email.lower(), recipient)
        # What a person has sent once more goes where the person said.
        known = {
            message.recipient.email.lower(): message
            for message in messages
            if message.resend_of is None
        }

        gone = [
            message
            for address, message in known.items()
            if message.state in WAITING and address not in contacts
        ]
        moved = self._move(
            connection, gone, DeliveryState.BLOCKED, "no longer a contact",
            blocked_code=FailureCode.NO_RECIPIENT,
        )  # fmt: skip
        suppressed = suppressed_addresses(
            connection, [message.recipient.email for message in messages]
        )
        mended = [
            replace(message, recipient=contacts[address])
            for address, message in known.items()
            if message.state is DeliveryState.BLOCKED
            and address in contacts
            and address not in suppressed
            and (
                message.blocked_code is not FailureCode.ADDRESS_REFUSED
                or message.recipient.name != contacts[address].name
            )
        ]
        mended += [
            message
            for message in messages
            if message.resend_of is not None
            and message.state is DeliveryState.BLOCKED
            and message.blocked_code is not FailureCode.ADDRESS_REFUSED
            and message.recipient.email.lower() not in suppressed
        ]
        moved += self._move(connection, mended, DeliveryState.BUILT, "registered again")
        registered = with_moved(registered, moved)
        if any(message.state in MAYBE_SENT for message in messages):
            return registered
        new = [contact for address, contact in contacts.items() if address not in known]
        added = self._add(connection, registered.delivery_id, new, permission, after=len(messages))
        return replace(registered, messages=(*registered.messages, *added))

    def _add(
        self,
        connection: psycopg.Connection[DictRow],
        delivery_id: str,
        recipients: Sequence[Recipient],
        reason: str,
        *,
        after: int,
    ) -> list[DeliveryMessage]:
        if not recipients:
            return []
        rows = connection.execute(
            """
            with added as (
                insert into reporting.delivery_messages
                    (delivery_id, recipient_no, name, email, state)
                select %(delivery_id)s, %(after)s + position, name, email, 'BUILT'
                from unnest(%(names)s::text[], %(emails)s::text[])
                    with ordinality as added (name, email, position)
                returning *
            ), noted as (
                insert into reporting.delivery_moves
                    (delivery_id, recipient_no, version, to_state, actor, reason)
                select delivery_id, recipient_no, version, state, %(actor)s, %(reason)s from added
            )
            select * from added order by recipient_no
            """,
            {
                "delivery_id": delivery_id,
                "after": after,
                "names": [recipient.name for recipient in recipients],
                "emails": [recipient.email for recipient in recipients],
                "actor": self._actor,
                "reason": reason,
            },
        )
        return [message_of(row) for row in rows]

    def _moved(
        self,
        messages: Sequence[DeliveryMessage],
        to: DeliveryState,
        reason: str = "",
        *,
        provider_id: str | None = None,
        blocked_code: FailureCode | None = None,
    ) -> list[DeliveryMessage]:
        """In a transaction of its own."""
        return self._move(
            self._opened(),
            messages,
            to,
            reason,
            provider_id=provider_id,
            blocked_code=blocked_code,
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
        return move(
            connection,
            messages,
            to,
            actor=self._actor,
            reason=reason,
            lease=self._lease,
            provider_id=provider_id,
            blocked_code=blocked_code,
        )


def _of_month(delivery: Delivery | None) -> dict[str, object]:
    return {
        "tenant_id": delivery and delivery.tenant_id,
        "month": delivery and delivery.month.start,
    }


def _obstacles(
    connection: psycopg.Connection[DictRow], delivery_id: str, messages: Sequence[DeliveryMessage]
) -> tuple[DeliveryHeldError | None, set[str]]:
    """What keeps messages of a delivery from going out: a person's hold, and those of their
    addresses that are suppressed."""
    [row] = connection.execute(
        """
        select reason, decided_by, array(
            select address from reporting.suppressed_addresses where address = any(%(addresses)s)
        ) as suppressed
        from reporting.deliveries delivery
        left join lateral (
            select reason, decided_by from reporting.delivery_holds
            where tenant_id = delivery.tenant_id and (month is null or month = delivery.month)
            order by month nulls first limit 1
        ) hold on true
        where delivery_id = %(delivery_id)s
        """,
        {
            "addresses": [message.recipient.email.lower() for message in messages],
            "delivery_id": delivery_id,
        },
    ).fetchall()
    held = row["decided_by"] and DeliveryHeldError(f"held by {row['decided_by']}: {row['reason']}")
    return held, set(row["suppressed"])


def _permission(connection: psycopg.Connection[DictRow], delivery: Delivery) -> str | None:
    """Why a correction of what was sent may go out, for the history; None if it may not."""
    approved = connection.execute(
        """
        select from reporting.delivery_decisions
        where decision = 'approve' and tenant_id = %s and month = %s and revision = %s
        """,
        [delivery.tenant_id, delivery.month.start, delivery.revision],
    ).fetchone()
    if approved is not None:
        return ""  # the history has the decision itself
    newest = newest_preferences(connection, [delivery.tenant_id]).get(delivery.tenant_id)
    if newest is not None and newest.preferences.corrections is Corrections.AUTOMATIC:
        return f"corrections are automatic by version {newest.version} of the preferences"
    return None


def _require_true_letter(delivery: Delivery, earlier: Iterable[RegisteredDelivery]) -> None:
    """The letter was written from what had been sent at that moment."""
    sent = [other.revision for other in earlier if other.among(MAYBE_SENT)]
    corrects = delivery.letter.correction and delivery.letter.correction.corrects
    if sent and corrects != max(sent):
        raise LostClaimError(
            f"revision {max(sent)} of {delivery.tenant_id} {delivery.month} was sent meanwhile"
        )
