"""The register as a state machine: whatever processes and people may do to the deliveries of one
tenant's month, in any order, beside a small model of what has to come of it.

Time passes by moving leases. A process is a value: it acts on a message as it once read it, which
may be long ago, so each is a zombie as soon as another one was faster.
"""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal

import psycopg
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from psycopg.rows import DictRow

from reports_pipeline.accounting.failures import FailureCode
from reports_pipeline.accounting.periods import Month
from reports_pipeline.delivery.deliveries import (
    Delivery,
    DeliveryMessage,
    LetterCorrection,
    Recipient,
    RegisteredDelivery,
)
from reports_pipeline.delivery.errors import (
    CorrectionPendingError,
    DecisionError,
    DeliveryError,
    DeliveryHeldError,
    IllegalMoveError,
    LostClaimError,
    RevisionConflictError,
)
from reports_pipeline.delivery.feedback import Feedback, FeedbackKind, moves_of
from reports_pipeline.delivery.states import HELD, MAYBE_SENT, MOVES, SENT, WAITING, DeliveryState
from resources.delivery_decisions import DeliveryDecisions
from resources.delivery_register import PostgresDeliveryRegister
from tests.delivery.examples import LETTER

NAMES = ("sato", "suzuki", "Tanaka")
LEASE_MINUTES = 10
OVERDUE_MINUTES = 15
REVISIONS = 4

# What comes of a post: taken, with and without an answer; not taken, with and without one.
Answer = Literal["accepted", "silent", "throttled", "refused", "lost"]
ANSWERS: tuple[Answer, ...] = ("accepted", "silent", "throttled", "refused", "lost")
HalfWay = Literal["claimed", "posting", "posted"]
HALF_WAY: tuple[HalfWay, ...] = ("claimed", "posting", "posted")
_TAKEN: tuple[Answer, ...] = ("accepted", "silent")

_S = DeliveryState
_Key = tuple[str, int]  # delivery id and number of the recipient
_machines = itertools.count()
# Of something that was met before, counted from the newest: that one, or an older one.
_earlier = st.just(0) | st.integers(0, 7)
_contacts = st.lists(st.sampled_from(NAMES), unique=True, max_size=len(NAMES))


@dataclass
class Mail:
    """What the model knows of a message."""

    revision: int
    state: DeliveryState
    version: int
    address: str
    resend_of: int | None
    blocked_code: str | None
    lease: int = 0  # minutes that are left of it; below zero, since it ran out
    dealt_with: bool = False

    def go(self, to: DeliveryState, blocked_code: str | None = None) -> None:
        self.state = to
        self.version += 1
        self.blocked_code = blocked_code
        if to in HELD:
            self.lease = LEASE_MINUTES

    @property
    def is_expired(self) -> bool:
        if self.state is _S.POSTING:
            return self.lease <= -OVERDUE_MINUTES
        return self.state is _S.CLAIMED and self.lease <= 0

    @property
    def is_unclear(self) -> bool:
        return self.state is _S.POSTING or (self.state is _S.UNKNOWN and not self.dealt_with)


@dataclass(frozen=True)
class Taken:
    """A mail that the provider took."""

    key: _Key
    provider_id: str


class _Decisions(DeliveryDecisions):
    """All on one connection, which saves a machine half its time."""

    def __init__(self, url: str, connection: psycopg.Connection[DictRow]) -> None:
        super().__init__(url, actor="person")
        self._kept = connection

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection[DictRow]]:
        with self._kept.transaction():
            yield self._kept


class RegisterMachine(RuleBasedStateMachine):
    """Each has a tenant and a month of its own in the database at `url`."""

    def __init__(
        self, url: str, register: PostgresDeliveryRegister, connection: psycopg.Connection[DictRow]
    ) -> None:
        super().__init__()
        self.register = register
        self.decisions = _Decisions(url, connection)
        self.connection = connection
        number = next(_machines)
        self.tenant_id = f"t{number}"
        self.month = Month(1990, 1).plus(number)
        self.revision = 0  # the newest one
        self.approved: set[int] = set()
        self.holds: set[Month | None] = set()
        self.suppressed: set[str] = set()
        self.contacts: Sequence[str] = NAMES[:2]
        self.mails: dict[_Key, Mail] = {}
        self.registered: dict[int, str] = {}  # ids by revision
        self.seen: list[DeliveryMessage] = []
        self.begun: list[DeliveryMessage] = []  # about to be posted, once each
        self.answered: list[tuple[DeliveryMessage, Answer]] = []
        self.taken: list[Taken] = []
        self.regenerate()

    # What the pipeline does.

    @precondition(lambda self: self.revision < REVISIONS)
    @rule()
    def regenerate(self) -> None:
        """The numbers changed."""
        self.revision += 1
        self.connection.execute(
            """
            insert into reporting.report_revisions
                (tenant_id, month, revision, numbers_hash, closed, statements_key, run_id)
            values (%s, %s, %s, %s, false, 'a.arrow', 'run')
            """,
            [self.tenant_id, self.month.start, self.revision, numbers_hash(self.revision)],
        )

    @rule(contacts=_contacts)
    def contacts_change(self, contacts: Sequence[str]) -> None:
        self.contacts = contacts

    @rule(behind=st.integers(0, 1), true_letter=st.integers(0, 7), other_numbers=st.integers(0, 7))
    def registers(self, behind: int, true_letter: int, other_numbers: int) -> None:
        """A process does, perhaps one that read the revision before the newest, wrote its letter
        before something else went out, or has other numbers."""
        revision = max(1, self.revision - behind)
        delivery = self._delivery(revision, with_true_letter=true_letter < 7)
        if other_numbers == 7 and revision in self.registered:
            delivery = replace(delivery, numbers_hash="f" * 64)
        self._register(delivery)

    @rule(answer=st.sampled_from(ANSWERS), stops=st.sampled_from((None, *HALF_WAY)))
    def runs(self, answer: Answer, stops: HalfWay | None) -> None:
        """A run delivers as it should, or stops half-way: for a while, or for ever."""
        self._run(answer, stops)

    @rule()
    def finishes(self) -> None:
        """Once nobody holds it back, the next run leaves no mail waiting."""
        self.time_passes(LEASE_MINUTES + OVERDUE_MINUTES + 1)
        for month in list(self.holds):
            self.releases_the_tenant(every_month=month is None)
        if self._run() is not None:
            left = [mail.state for mail in self._newest() if mail.state in WAITING | HELD]
            assert not left, f"left behind: {left}"

    # What a process does with messages as it read them, early or late.

    @precondition(lambda self: self.seen)
    @rule(earlier=st.lists(_earlier, min_size=1, max_size=3))
    def verifies(self, earlier: list[int]) -> None:
        messages = self._seen(earlier)
        self._move(messages, _S.VERIFIED, lambda: self.register.verify(messages))

    @precondition(lambda self: self.seen)
    @rule(earlier=st.lists(_earlier, min_size=1, max_size=3))
    def releases(self, earlier: list[int]) -> None:
        messages = self._seen(earlier)
        self._move(messages, _S.READY, lambda: self.register.release(messages))

    @precondition(lambda self: self.seen)
    @rule(earlier=_earlier)
    def claims(self, earlier: int) -> None:
        self._claim(self._seen([earlier])[0])

    @precondition(lambda self: self.seen)
    @rule(earlier=_earlier)
    def begins_posting(self, earlier: int) -> None:
        self._begin_posting(self._seen([earlier])[0])

    @precondition(lambda self: self.seen)
    @rule(earlier=st.lists(_earlier, min_size=1, max_size=3))
    def blocks(self, earlier: list[int]) -> None:
        messages = [m for m in self._seen(earlier) if not self._is_posting(m)]
        self._block(messages, FailureCode.DOCUMENT_MISMATCH)

    @precondition(lambda self: self.begun)
    @rule(earlier=_earlier, answer=st.sampled_from(ANSWERS), sleeps=st.booleans())
    def posts(self, earlier: int, answer: Answer, sleeps: bool) -> None:
        message = self.begun.pop(-1 - earlier % len(self.begun))
        self._post(message, answer)
        if sleeps:
            self.answered.append((message, answer))
        else:
            self._report(message, answer)

    @precondition(lambda self: self.answered)
    @rule(earlier=_earlier)
    def wakes_up_with_an_answer(self, earlier: int) -> None:
        self._report(*self.answered.pop(-1 - earlier % len(self.answered)))

    @precondition(lambda self: self.seen)
    @rule(earlier=_earlier, answer=st.sampled_from(ANSWERS))
    def reports_what_is_not_its_own(self, earlier: int, answer: Answer) -> None:
        """Of a message that it does not have in hand, or no longer."""
        [message] = self._seen([earlier])
        if not self._is_posting(message):
            self._report(message, answer)

    # What time and the provider do.

    @rule(minutes=st.sampled_from((LEASE_MINUTES + 1, LEASE_MINUTES + OVERDUE_MINUTES + 1)))
    def time_passes(self, minutes: int) -> None:
        self.connection.execute(
            """
            update reporting.delivery_messages set lease_until = lease_until - %s * interval '1 min'
            where delivery_id = any(%s) and lease_until is not null
            """,
            [minutes, list(self.registered.values())],
        )
        for mail in self.mails.values():
            mail.lease -= minutes

    @rule()
    def sweeper_frees_what_expired(self) -> None:
        expired = {key for key, mail in self.mails.items() if mail.is_expired}
        mine = set(self.registered.values())
        freed = [m for m in self.register.free_expired() if m.delivery_id in mine]
        assert {key_of(message) for message in freed} == expired
        self._free_expired()
        self.seen += freed

    @precondition(lambda self: self.taken)
    @rule(
        earlier=_earlier,
        kind=st.sampled_from(FeedbackKind),
        is_permanent=st.booleans(),
        is_final=st.booleans(),
    )
    def event_comes(
        self, earlier: int, kind: FeedbackKind, is_permanent: bool, is_final: bool
    ) -> None:
        taken = self.taken[-1 - earlier % len(self.taken)]
        feedback = self._feedback(kind, taken, is_permanent, is_final or is_permanent)
        mail = self.mails[taken.key]
        is_dead = mail.state is _S.POSTING and mail.lease <= 0
        if mail.state in HELD and not is_dead:
            self._refused({LostClaimError}, lambda: self.register.record(feedback))
            return
        assert self.register.record(feedback)
        path = moves_of(feedback, mail.state)
        for state in path:
            mail.go(state)
        if path and feedback.suppresses:
            self.suppressed.add(mail.address.lower())

    @rule(kind=st.sampled_from(FeedbackKind))
    def event_of_a_mail_that_is_not_ours(self, kind: FeedbackKind) -> None:
        feedback = self._feedback(kind, Taken(("e" * 64, 1), "x"), True, True)
        assert not self.register.record(feedback)

    @precondition(lambda self: self.mails)
    @rule(name=st.sampled_from(NAMES))
    def address_comes_back_elsewhere(self, name: str) -> None:
        """A mail of another month to it did."""
        address = self._recipient(name).email.lower()
        self.connection.execute(
            """
            insert into reporting.suppressed_addresses (address, reason, delivery_id, recipient_no)
            values (%s, 'elsewhere', %s, %s) on conflict (address) do nothing
            """,
            [address, *next(iter(self.mails))],
        )
        self.suppressed.add(address)

    # What people do.

    @rule(every_month=st.booleans())
    def holds_the_tenant(self, every_month: bool) -> None:
        month = None if every_month else self.month
        self.decisions.hold([self.tenant_id], month, "stop")
        self.holds.add(month)

    @precondition(lambda self: self.holds)
    @rule(every_month=st.booleans())
    def releases_the_tenant(self, every_month: bool) -> None:
        month = None if every_month else self.month
        self.decisions.release([self.tenant_id], month, "go on")
        self.holds.discard(month)

    @precondition(lambda self: self.revision > 1)
    @rule(behind=st.integers(0, 1))
    def approves(self, behind: int) -> None:
        revision = max(1, self.revision - behind)
        sent = self._sent_revisions()
        self._decide(
            bool(sent) and revision == self.revision and revision not in sent,
            lambda: self.decisions.approve(self.tenant_id, self.month, revision, "read"),
            lambda: self.approved.add(revision),
        )

    @precondition(lambda self: self._has_newest(MAYBE_SENT))
    @rule(number=st.integers(1, 3), to=st.sampled_from((None, *NAMES)))
    def resends(self, number: int, to: str | None) -> None:
        delivery_id, mail = self._newest_message(number)
        recipient = to and self._recipient(to)
        address = recipient.email if recipient else mail.address if mail else ""
        self._decide(
            mail is not None
            and mail.revision == self.revision
            and mail.state in MAYBE_SENT - {_S.POSTING, _S.COMPLAINED}
            and number not in [one.resend_of for one in self._newest()]
            and address.lower() not in self.suppressed,
            lambda: self.seen.append(
                self.decisions.resend(
                    self.tenant_id, self.month, number, "lost", to=recipient or None
                )
            ),
            lambda: self._resent(delivery_id, number, address),
        )

    @precondition(lambda self: self._has_newest({_S.BLOCKED}))
    @rule(number=st.integers(1, 3))
    def reopens(self, number: int) -> None:
        _, mail = self._newest_message(number)
        self._decide(
            mail is not None and mail.state is _S.BLOCKED,
            lambda: self.decisions.reopen(self.tenant_id, self.month, number, "mended"),
            lambda: _go(mail, _S.BUILT),
        )

    @precondition(lambda self: self._has_newest({_S.UNKNOWN}))
    @rule(number=st.integers(1, 3))
    def confirms(self, number: int) -> None:
        _, mail = self._newest_message(number)
        self._decide(
            mail is not None and mail.state is _S.UNKNOWN,
            lambda: self.decisions.confirm(self.tenant_id, self.month, number, "asked"),
            lambda: _go(mail, _S.ACCEPTED),
        )

    @precondition(lambda self: self._has_newest({_S.UNKNOWN}))
    @rule(number=st.integers(1, 3))
    def signs_off(self, number: int) -> None:
        _, mail = self._newest_message(number)

        def dealt_with() -> None:
            assert mail is not None
            mail.dealt_with = True

        self._decide(
            mail is not None and mail.state is _S.UNKNOWN,
            lambda: self.decisions.sign_off(self.tenant_id, self.month, number, "nobody knows"),
            dealt_with,
        )

    @precondition(lambda self: self.suppressed)
    @rule(name=st.sampled_from(NAMES))
    def opens_an_address(self, name: str) -> None:
        address = self._recipient(name).email
        self._decide(
            address.lower() in self.suppressed,
            lambda: self.decisions.unsuppress(address, "mended"),
            lambda: self.suppressed.discard(address.lower()),
        )

    # What holds after each step.

    @invariant()
    def register_holds_what_the_model_does(self) -> None:
        for row in self._rows():
            key = (row["delivery_id"], row["recipient_no"])
            mail = self.mails[key]
            assert (row["state"], row["version"]) == (mail.state, mail.version), key
            assert row["email"] == mail.address
            assert row["blocked_code"] == mail.blocked_code
            assert (row["provider_id"] is not None) == (row["state"] in SENT)
            history = row["history"]
            assert [version for version, _, _ in history] == list(range(1, mail.version + 1))
            before = None
            for _, from_state, to_state in history:
                assert from_state == before
                assert before is None or _S(to_state) in MOVES[_S(before)]
                before = to_state
            assert before == mail.state

    @invariant()
    def nobody_has_a_mail_twice(self) -> None:
        assert max(Counter(taken.key for taken in self.taken).values(), default=0) <= 1
        readers = Counter(
            (key[0], mail.address.lower())
            for key, mail in ((taken.key, self.mails[taken.key]) for taken in self.taken)
            if mail.resend_of is None
        )
        assert max(readers.values(), default=0) <= 1

    # The parts that rules are made of.

    def _register(self, delivery: Delivery) -> RegisteredDelivery | None:
        revision = delivery.revision
        # Whatever becomes of the registration.
        self._free_expired()
        others = [mail for mail in self.mails.values() if mail.revision != revision]
        sent = self._sent_revisions()
        expected: set[type[DeliveryError]] = set()
        if any(registered > revision for registered in self.registered):
            expected.add(RevisionConflictError)
        if any(mail.is_unclear for mail in others) or (
            any(mail.state in MAYBE_SENT for mail in others) and revision not in self.approved
        ):
            expected.add(CorrectionPendingError)
        corrects = delivery.letter.correction and delivery.letter.correction.corrects
        if revision not in self.registered and sent and corrects != max(sent):
            expected.add(LostClaimError)
        if revision in self.registered and delivery.numbers_hash != numbers_hash(revision):
            expected.add(RevisionConflictError)
        if expected:
            self._refused(expected, lambda: self.register.register(delivery))
            return None

        before = {key: mail.state for key, mail in self.mails.items()}
        registered: RegisteredDelivery | None = None
        with contextlib.suppress(DeliveryHeldError):
            registered = self.register.register(delivery)
        self.registered[revision] = delivery.delivery_id
        self._learn()
        mails = [mail for mail in self.mails.values() if mail.revision == revision]
        waits = any(mail.state in WAITING for mail in mails)
        assert (registered is None) is bool(self.holds and waits)
        self._check_registered(delivery, before)
        found = self.register.read(self.month, [self.tenant_id])[self.tenant_id][-1]
        assert registered is None or registered == found
        self.seen += found.messages
        return registered

    def _check_registered(self, delivery: Delivery, before: dict[_Key, DeliveryState]) -> None:
        contacts = {recipient.email.lower() for recipient in delivery.recipients}
        own = {k: m for k, m in self.mails.items() if m.revision == delivery.revision}
        for key, mail in self.mails.items():
            was = before.get(key)
            if was in MAYBE_SENT or (was is _S.CLAIMED and key in own):
                assert mail.state is was
            elif key not in own:
                assert mail.state is _S.SUPERSEDED
            elif mail.state in WAITING:
                assert mail.address.lower() not in self.suppressed
                assert mail.resend_of is not None or mail.address.lower() in contacts
            else:
                assert mail.state is _S.BLOCKED
                assert (
                    mail.address.lower() in self.suppressed
                    or mail.blocked_code == FailureCode.ADDRESS_REFUSED
                    or (mail.resend_of is None and mail.address.lower() not in contacts)
                )
        reached = [mail.address.lower() for mail in own.values() if mail.resend_of is None]
        assert len(reached) == len(set(reached))
        if not any(before.get(key) in MAYBE_SENT for key in own):
            assert contacts <= set(reached)

    def _run(
        self, answer: Answer = "accepted", stops: HalfWay | None = None
    ) -> RegisteredDelivery | None:
        """Register what is newest, and send each mail that waits."""
        registered = self._register(self._delivery(self.revision))
        waiting = list(registered.among(WAITING)) if registered else []
        built = [message for message in waiting if message.state is _S.BUILT]
        verified = [message for message in waiting if message.state is _S.VERIFIED]
        ready = [message for message in waiting if message.state is _S.READY]
        if built:
            verified += self._move(built, _S.VERIFIED, lambda: self.register.verify(built))
        if verified:
            ready += self._move(verified, _S.READY, lambda: self.register.release(verified))
        for message in ready:
            claimed = self._claim(message)
            if stops == "claimed":
                break
            posting = claimed and self._begin_posting(claimed)
            if stops == "posting":
                break
            if posting:
                self.begun.remove(posting)
                self._post(posting, answer)
                if stops == "posted":
                    self.answered.append((posting, answer))
                    break
                self._report(posting, answer)
        return registered

    def _claim(self, message: DeliveryMessage) -> DeliveryMessage | None:
        moved = self._move([message], _S.CLAIMED, lambda: [self.register.claim(message)])
        return moved[0] if moved else None

    def _begin_posting(self, message: DeliveryMessage) -> DeliveryMessage | None:
        held_back = self._held_back(message)
        moved = self._move(
            [message],
            _S.POSTING,
            lambda: [self.register.begin_posting(message)],
            held_back=held_back,
        )
        if not moved:
            if held_back and message.state is _S.CLAIMED and self._is_current(message):
                self.mails[key_of(message)].go(_S.READY)
            return None
        earlier = [m for m in self.mails.values() if m.revision < max(self.registered)]
        assert not self._held_back(message), "a mail goes out that is held back"
        assert self.mails[key_of(message)].revision == max(self.registered), "an outdated revision"
        assert not any(mail.is_unclear for mail in earlier), "an earlier one may be on its way"
        assert max(self.registered) in self.approved or not any(
            mail.state in MAYBE_SENT for mail in earlier
        ), "a correction that nobody approved"
        self.begun += moved
        return moved[0]

    def _held_back(self, message: DeliveryMessage) -> set[type[DeliveryError]]:
        return ({DeliveryHeldError} if self.holds else set()) | (
            {LostClaimError} if message.recipient.email.lower() in self.suppressed else set()
        )

    def _block(self, messages: list[DeliveryMessage], code: FailureCode) -> None:
        self._move(
            messages,
            _S.BLOCKED,
            lambda: self.register.block(messages, code, "refused"),
            blocked_code=code,
        )

    def _post(self, message: DeliveryMessage, answer: Answer) -> None:
        """The one post of an attempt, however late."""
        if answer in _TAKEN:
            self.taken.append(Taken(key_of(message), f"ses-{len(self.taken) + 1}"))

    def _report(self, message: DeliveryMessage, answer: Answer) -> None:
        """Tell the register what came of a post."""
        register = self.register
        if answer == "accepted":
            self._move([message], _S.ACCEPTED, lambda: [register.accept(message, "ses-1")])
        elif answer == "throttled":
            self._move([message], _S.READY, lambda: [register.postpone(message, "429")])
        elif answer == "refused":
            self._block([message], FailureCode.ADDRESS_REFUSED)
        else:
            self._move([message], _S.UNKNOWN, lambda: [register.mark_unknown(message, "time-out")])

    def _move(
        self,
        messages: Sequence[DeliveryMessage],
        to: DeliveryState,
        move: Callable[[], list[DeliveryMessage]],
        *,
        blocked_code: FailureCode | None = None,
        held_back: set[type[DeliveryError]] = frozenset(),  # type: ignore[assignment]
    ) -> list[DeliveryMessage]:
        """Move them all as `MOVES` and their versions allow, or see it refused."""
        expected = set(held_back)
        if any(to not in MOVES[message.state] for message in messages):
            expected.add(IllegalMoveError)
        if not all(self._is_current(message) for message in messages):
            expected.add(LostClaimError)
        if expected:
            self._refused(expected, move)
            return []
        moved = move()
        for message in messages:
            self.mails[key_of(message)].go(to, blocked_code)
        self.seen += moved
        return moved

    def _refused(self, expected: set[type[DeliveryError]], act: Callable[[], object]) -> None:
        try:
            act()
        except DeliveryError as error:
            assert type(error) in expected, f"{error!r}, and not one of {expected}"  # noqa: PT017
        else:
            raise AssertionError(f"went through, and should have failed: {expected}")

    def _decide(
        self, allowed: bool, decide: Callable[[], object], then: Callable[[], object]
    ) -> None:
        if allowed:
            decide()
            then()
        else:
            self._refused({DecisionError}, decide)

    def _resent(self, delivery_id: str, number: int, address: str) -> None:
        self.mails[delivery_id, number].dealt_with = True
        self.mails[delivery_id, len(self._newest()) + 1] = Mail(
            max(self.registered), _S.BUILT, 1, address, number, None
        )

    def _free_expired(self) -> None:
        for mail in self.mails.values():
            if mail.is_expired:
                mail.go(_S.UNKNOWN if mail.state is _S.POSTING else _S.READY)

    def _learn(self) -> None:
        """Believe the register; what it did is checked as a whole."""
        revisions = {delivery_id: revision for revision, delivery_id in self.registered.items()}
        for row in self._rows():
            key = (row["delivery_id"], row["recipient_no"])
            known = self.mails.get(key)
            self.mails[key] = Mail(
                revisions[row["delivery_id"]],
                _S(row["state"]),
                row["version"],
                row["email"],
                row["resend_of"],
                row["blocked_code"],
                known.lease if known else 0,
                known.dealt_with if known else False,
            )

    def _rows(self) -> list[DictRow]:
        return self.connection.execute(
            """
            select message.*, (
                select jsonb_agg(jsonb_build_array(version, from_state, to_state) order by version)
                from reporting.delivery_moves moves
                where moves.delivery_id = message.delivery_id
                  and moves.recipient_no = message.recipient_no
            ) as history
            from reporting.delivery_messages message where delivery_id = any(%s)
            """,
            [list(self.registered.values())],
        ).fetchall()

    def _delivery(self, revision: int, *, with_true_letter: bool = True) -> Delivery:
        letter = LETTER
        sent = self._sent_revisions() - {revision}
        if sent and with_true_letter:
            letter = replace(letter, correction=LetterCorrection(max(sent), revision, (), 0))
        return Delivery(
            self.tenant_id,
            self.month,
            revision,
            numbers_hash(revision),
            letter,
            (),
            tuple(self._recipient(name) for name in self.contacts),
        )

    def _recipient(self, name: str) -> Recipient:
        return Recipient(name, f"{name}@m{self.month}.example")

    def _feedback(
        self, kind: FeedbackKind, taken: Taken, is_permanent: bool, is_final: bool
    ) -> Feedback:
        return Feedback(
            kind,
            self.tenant_id,
            str(self.month),
            *taken.key,
            taken.provider_id,
            kind.value,
            is_permanent,
            is_final,
        )

    def _seen(self, earlier: Sequence[int]) -> list[DeliveryMessage]:
        """Messages as they were read, each once."""
        found = [self.seen[-1 - index % len(self.seen)] for index in earlier]
        return list({key_of(message): message for message in found}.values())

    def _is_current(self, message: DeliveryMessage) -> bool:
        mail = self.mails[key_of(message)]
        return (mail.state, mail.version) == (message.state, message.version)

    def _is_posting(self, message: DeliveryMessage) -> bool:
        """Whether a process has it in hand, which alone knows what came of the post."""
        return message.state is _S.POSTING and self._is_current(message)

    def _sent_revisions(self) -> set[int]:
        return {mail.revision for mail in self.mails.values() if mail.state in MAYBE_SENT}

    def _newest(self) -> list[Mail]:
        """Of the newest revision that is registered."""
        newest = max(self.registered, default=0)
        return [mail for mail in self.mails.values() if mail.revision == newest]

    def _has_newest(self, states: Collection[DeliveryState]) -> bool:
        return any(mail.state in states for mail in self._newest())

    def _newest_message(self, number: int) -> tuple[str, Mail | None]:
        delivery_id = self.registered[max(self.registered)]
        return delivery_id, self.mails.get((delivery_id, number))


def _go(mail: Mail | None, to: DeliveryState) -> None:
    assert mail is not None
    mail.go(to)


def key_of(message: DeliveryMessage) -> _Key:
    return message.delivery_id, message.recipient_no


def numbers_hash(revision: int) -> str:
    return f"{revision:064}"
