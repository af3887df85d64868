"""What is lost, stuck or due, found every five minutes and asked for again: everything of the open
months, and of any month the mails that wait.

Nothing is sent from here: what is asked for goes the way of every launch. Who is under way is left
alone, and what only a person can mend to the person.
docs/decisions/0013-what-the-sweeper-does.md says where it ends.
"""

from __future__ import annotations

import contextlib
import datetime
import logging
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import dagster as dg

from assets.monthly_reports import STAGES
from reports_pipeline.accounting.failures import FailureCode
from reports_pipeline.accounting.periods import Month
from reports_pipeline.delivery.deliveries import DeliveryMessage
from reports_pipeline.delivery.preferences import DEFAULT_PREFERENCES, Corrections
from reports_pipeline.delivery.states import MAYBE_SENT, SENT, WAITING, DeliveryState
from reports_pipeline.launching import balanced_batches, tenants_under_way
from reports_pipeline.month_standing import (
    Standing,
    TenantStanding,
    has_unclear_mail,
    standing_of,
)
from reports_pipeline.sweep_notices import (
    canaries_notice,
    month_late_notice,
    month_not_opened_notice,
    parked_notice,
    unknown_notice,
)
from reports_pipeline.tokyo import TOKYO
from resources.delivery_months import DeliveryMonths
from resources.delivery_preferences import DeliveryPreferencesStore
from resources.delivery_register import DeliveryRegister
from resources.departures import Departure, Departures
from resources.launches import SWEEPER, Launch, Launches, Sweeps
from resources.month_records import MonthRecords, TenantRecord
from resources.notifier import Notifier
from resources.tenants import CompanyStatus, Contact, ContactPurpose, Tenants
from resources.unknown_mails import UnknownMails

TICK = datetime.timedelta(minutes=5)
# By then the runs of a month that was just opened exist.
_HEAD_START = 2 * TICK
_LATEST_OPENING = datetime.time(2)
# From when a mail may go: of a month that is opened at 01:00, 09:00, when offices open.
_LATE_AFTER = datetime.timedelta(hours=8)

_UNFINISHED = frozenset({Standing.WAITING, Standing.UNKNOWN, Standing.FAILED, Standing.NOT_STARTED})
# What may be gone when the same is tried again: whatever broke, a stage whose run died before it,
# a ledger that changed while it was read. All else is wrong with what a person entered.
_MAY_PASS = frozenset(
    {FailureCode.INTERNAL_ERROR, FailureCode.INPUT_MISSING, FailureCode.IDENTITY_VIOLATED}
)
_NOBODY_TO_MAIL = frozenset(
    {FailureCode.NO_RECIPIENT, FailureCode.ADDRESS_SUPPRESSED, FailureCode.ADDRESS_REFUSED}
)
# None of these leaves a mail waiting, so one that waits was made ready by somebody since.
_OF_MAILS_POSTED = _NOBODY_TO_MAIL | {FailureCode.MAIL_REFUSED, FailureCode.DELIVERY_UNKNOWN}
# What became of a mail that will not arrive unless a person does something.
_ASTRAY = frozenset(
    {
        DeliveryState.BOUNCED,
        DeliveryState.COMPLAINED,
        DeliveryState.BLOCKED,
        DeliveryState.UNKNOWN,
    }
)


@dataclass(frozen=True, slots=True)
class Sweep:
    """What was done about a month: the tenants that were asked for again, from the ledger on or
    their mails only, or given up."""

    month: Month
    whole: list[str]
    mails: list[str]
    parked: list[str]

    def __str__(self) -> str:
        return (
            f"{self.month}: {len(self.whole)} tenants and the mails of {len(self.mails)} asked for "
            f"again, {len(self.parked)} given up"
        )


@dataclass(frozen=True, slots=True)
class _Sight:
    """What a sweep sees of a month; `expected` is nobody in a month that is not open."""

    month: Month
    now: datetime.datetime
    opened_at: datetime.datetime | None  # None: it is not open
    expected: frozenset[str]
    records: Mapping[str, TenantRecord]
    standings: Mapping[str, TenantStanding]
    idle: list[str]  # the active ones for whom nothing is under way


@dataclass(frozen=True)
class Sweeper:
    """Asks for a tenant at most `attempts` times since a person last had a say in its month; the
    n-th time 5 · 2^(n-2) minutes after the one before, at the earliest."""

    months: DeliveryMonths
    records: MonthRecords
    unknown_mails: UnknownMails
    tenants: Tenants
    launches: Launches
    departures: Departures
    preferences: DeliveryPreferencesStore
    register: DeliveryRegister
    notifier: Notifier
    attempts: int
    tenants_per_run: int

    def sweep(
        self, instance: dg.DagsterInstance, now: datetime.datetime, log: logging.Logger
    ) -> list[Sweep]:
        """Take mails from dead processes, and sweep every month that is open or has mails that
        wait; the newest open one first. What cannot be done stops nothing else.

        Raises:
            ExceptionGroup: something could not be done; all else was.
        """
        errors: dict[str, Exception] = {}
        with _held_back(errors, log, "what dead processes held was not taken from them"):
            if freed := self.register.free_expired():
                log.info(f"{len(freed)} mails taken from dead processes")
        with _held_back(errors, log, "mails of unknown fate were not told of"):
            self._tell_unknown()
        done = []
        for month in self._months():
            with _held_back(errors, log, f"{month} was not swept"):
                done.append(self.sweep_month(instance, month, now))
        with _held_back(errors, log, "whether the last month was opened is not known"):
            self._tell_if_not_opened(now)
        if errors:
            log.info("\n".join(map(str, done)))
            # Dagster shows the first line of it only.
            raise ExceptionGroup("; ".join(errors), list(errors.values()))
        return done

    def sweep_month(
        self, instance: dg.DagsterInstance, month: Month, now: datetime.datetime
    ) -> Sweep:
        """Sweep a month, open or not. Again within the same five minutes, or by two daemons at
        once, nothing is asked for or told twice."""
        # Before the records: a run that ends in between has left what it did in them.
        under_way = tenants_under_way(instance, self.launches, month, now)
        sight = self._look(month, under_way, now)
        broken = _broken(sight)
        whole = {tenant_id for tenant_id in broken if not _reports_are_made(sight, tenant_id)}
        departures = self.departures.of(month, self._ready(sight) - broken, now)
        due = {tenant_id for tenant_id, found in departures.items() if found.may_go(now)}

        sweeps = self.launches.sweeps(month)
        wanted = sorted(broken | due)
        spent = {t: sweeps[t] for t in wanted if t in sweeps and sweeps[t].count >= self.attempts}
        asked = [
            tenant_id
            for tenant_id in wanted
            if tenant_id not in spent
            and (tenant_id not in sweeps or _has_rested(sweeps[tenant_id], now))
        ]
        sweep = Sweep(
            month,
            whole=[tenant_id for tenant_id in asked if tenant_id in whole],
            mails=[tenant_id for tenant_id in asked if tenant_id not in whole],
            parked=[tenant_id for tenant_id, found in spent.items() if not found.parked],
        )
        self._request(sweep, now)
        self._park(sight, {t: spent[t] for t in sweep.parked})
        on_their_way = under_way | (set(wanted) - set(spent))
        self._tell_of_canaries(sight, departures, on_their_way)
        self._tell_if_late(sight)
        return sweep

    def _months(self) -> list[Month]:
        """A tick that is given up after a while has come to the month that matters."""
        opened = self.months.open_months()
        others = set(self.records.months_with_waiting_mails()) - set(opened)
        return [*sorted(opened, reverse=True), *sorted(others, reverse=True)]

    def _look(self, month: Month, under_way: Collection[str], now: datetime.datetime) -> _Sight:
        found = self.months.find(month)
        opened_at = found.opened_at if found is not None and found.closed_at is None else None
        expected = frozenset(self.months.expected(month) if opened_at is not None else [])
        seen = sorted(
            {*expected, *self.months.canaries(month), *self.records.with_open_mails(month)}
        )
        statuses = self.tenants.statuses(seen)
        records = self.records.read(month, seen)
        return _Sight(
            month,
            now,
            opened_at,
            expected,
            records=records,
            standings={t: standing_of(record, statuses[t]) for t, record in records.items()},
            idle=[t for t in seen if statuses[t] is CompanyStatus.ACTIVE and t not in under_way],
        )

    def _ready(self, sight: _Sight) -> set[str]:
        """Those whose mails lack nothing but a run; when they may go is another question."""
        waiting, pending, unreachable = set(), [], []
        for tenant_id in sight.idle:
            record, found = sight.records[tenant_id], sight.standings[tenant_id]
            if found.standing not in _UNFINISHED or not _reports_are_made(sight, tenant_id):
                continue
            code = found.failure and found.failure.code
            if code is FailureCode.CORRECTION_PENDING:
                # Whatever a person says of the correction, it waits until that is settled.
                if not has_unclear_mail(record):
                    pending.append(tenant_id)
            elif any(message.state in WAITING for message in record.messages):
                if code is None or code in _OF_MAILS_POSTED | _MAY_PASS:
                    waiting.add(tenant_id)
            elif code in _NOBODY_TO_MAIL:
                unreachable.append(tenant_id)
        return (
            waiting
            | self._let_out(sight.records, pending)
            | self._reachable(sight.month, unreachable)
        )

    def _let_out(
        self, records: Mapping[str, TenantRecord], tenant_ids: Collection[str]
    ) -> set[str]:
        """Those whose correction was approved, or needs no approval."""
        preferences = self.preferences.current(tenant_ids)
        return {
            tenant_id
            for tenant_id in tenant_ids
            if records[tenant_id].approved_revision == records[tenant_id].revision
            or preferences.get(tenant_id, DEFAULT_PREFERENCES).corrections is Corrections.AUTOMATIC
        }

    def _reachable(self, month: Month, tenant_ids: Collection[str]) -> set[str]:
        """Those who can be mailed by now: somebody has entered or corrected a contact, or opened an
        address again."""
        if not tenant_ids:
            return set()
        contacts = self.tenants.contacts(tenant_ids)
        registered = self.register.read(month, tenant_ids)
        addresses = {
            tenant_id: _untried_addresses(
                contacts.get(tenant_id, []),
                registered[tenant_id][-1].messages if tenant_id in registered else (),
            )
            for tenant_id in tenant_ids
        }
        suppressed = self.register.suppressed([a for found in addresses.values() for a in found])
        return {tenant_id for tenant_id, found in addresses.items() if found - suppressed}

    def _request(self, sweep: Sweep, now: datetime.datetime) -> None:
        # Named by the clock and not by Dagster's tick, of which it makes up for several at once.
        launch_id = f"sweep-{sweep.month}-{_tick_of(now).astimezone(TOKYO):%Y%m%dT%H%M}"
        if sweep.whole:
            counts = self.tenants.line_counts(sweep.month, sweep.whole)
            batches = balanced_batches(counts, self.tenants_per_run)
            self.launches.request(Launch(launch_id, sweep.month, batches), requested_by=SWEEPER)
        if sweep.mails:
            batches = balanced_batches(dict.fromkeys(sweep.mails, 1), self.tenants_per_run)
            self.launches.request(
                Launch(f"{launch_id}-mails", sweep.month, batches, deliveries_only=True),
                requested_by=SWEEPER,
            )

    def _park(self, sight: _Sight, spent: Mapping[str, Sweeps]) -> None:
        """Tell of these, and note that it was told; in this order, so that it cannot be lost."""
        if spent:
            found = [sight.standings[tenant_id] for tenant_id in spent]
            self.notifier.notify(parked_notice(sight.month, found, spent, self.attempts))
            self.launches.park(sight.month, spent)

    def _tell_unknown(self) -> None:
        """In this order: what a tick does not live to tell is told by the next."""
        for month, mails in self.unknown_mails.untold().items():
            self.notifier.notify(unknown_notice(month, mails))
            self.unknown_mails.mark_told(mails)

    def _tell_of_canaries(
        self,
        sight: _Sight,
        departures: Mapping[str, Departure],
        on_their_way: Collection[str],
    ) -> None:
        """Tell if mails wait for nothing but canaries whose own will not arrive by themselves."""
        waiting = [d for d in departures.values() if d.waits_for_canaries and d.at <= sight.now]
        if not waiting:
            return
        stuck = [
            sight.standings[tenant_id]
            for tenant_id in self.departures.awaited_canaries(sight.month)
            if tenant_id not in on_their_way and _is_stuck(sight, tenant_id)
        ]
        if stuck:
            self.notifier.notify(canaries_notice(sight.month, stuck, len(waiting)))

    def _tell_if_late(self, sight: _Sight) -> None:
        """Tell if somebody expected has got nothing of the month, hours after it could have."""
        if sight.opened_at is None or sight.now < sight.opened_at + _LATE_AFTER:
            return
        lacking = [
            tenant_id for tenant_id in sorted(sight.expected) if _has_nothing(sight, tenant_id)
        ]
        departures = self.departures.of(sight.month, lacking, sight.opened_at)
        late = [
            sight.standings[tenant_id]
            for tenant_id in lacking
            if sight.now >= departures[tenant_id].at + _LATE_AFTER
        ]
        if late:
            self.notifier.notify(month_late_notice(sight.month, late, len(sight.expected)))

    def _tell_if_not_opened(self, now: datetime.datetime) -> None:
        in_tokyo = now.astimezone(TOKYO)
        month = Month.of(in_tokyo.date()).plus(-1)
        latest = datetime.datetime.combine(month.end, _LATEST_OPENING, TOKYO)
        if in_tokyo < latest or self.months.find(month) is not None:
            return
        if self.tenants.active_ids():
            self.notifier.notify(month_not_opened_notice(month))


@contextlib.contextmanager
def _held_back(errors: dict[str, Exception], log: logging.Logger, what: str) -> Iterator[None]:
    """Whatever goes wrong is logged, put to `errors` as `what`, and goes no further."""
    try:
        yield
    except Exception as error:
        log.exception(what)
        errors[what] = error


def _broken(sight: _Sight) -> set[str]:
    """Those expected that no run has finished, or that failed for what may pass by itself."""
    broken = set()
    runs_exist = sight.opened_at is not None and sight.opened_at + _HEAD_START <= sight.now
    for tenant_id in sight.expected.intersection(sight.idle):
        found = sight.standings[tenant_id]
        may_pass = found.failure is not None and found.failure.code in _MAY_PASS
        if (found.standing is Standing.FAILED and may_pass) or (
            found.standing is Standing.NOT_STARTED and runs_exist
        ):
            broken.add(tenant_id)
    return broken


def _reports_are_made(sight: _Sight, tenant_id: str) -> bool:
    """Whether the last stage has all that it builds on, of the same revision, and nothing newer
    is registered."""
    record = sight.records[tenant_id]
    stages = [record.stages.get(stage.name) for stage in STAGES[:-1]]
    return record.delivery_revision <= record.revision and all(
        stage is not None and stage.failure is None and stage.revision in (None, record.revision)
        for stage in stages
    )


def _untried_addresses(
    contacts: Collection[Contact], messages: Collection[DeliveryMessage]
) -> set[str]:
    """Where the next run would try to mail, of those whom no mail has reached, in small letters. An
    address that was refused is none, unless its name was corrected; and once a mail may have gone
    out, only addresses that were to get one are tried."""
    blocked = [message for message in messages if message.state is DeliveryState.BLOCKED]
    refused = {
        (message.recipient.email.lower(), message.recipient.name)
        for message in blocked
        if message.blocked_code is FailureCode.ADDRESS_REFUSED
    }
    to_contacts = {
        contact.email.lower()
        for contact in contacts
        if contact.purpose is ContactPurpose.REPORTS
        and (contact.email.lower(), contact.name) not in refused
    }
    if any(message.state in MAYBE_SENT for message in messages):
        to_contacts &= {m.recipient.email.lower() for m in blocked if m.resend_of is None}
    copies = {
        message.recipient.email.lower()
        for message in blocked
        if message.resend_of is not None and message.blocked_code is not FailureCode.ADDRESS_REFUSED
    }
    return to_contacts | copies


def _has_nothing(sight: _Sight, tenant_id: str) -> bool:
    """Whether no mail of the month went out that anybody knows of, and no person keeps it back."""
    found, record = sight.standings[tenant_id], sight.records[tenant_id]
    return (
        found.standing in _UNFINISHED
        # of a correction, whose earlier revision went out
        and (found.failure is None or found.failure.code is not FailureCode.CORRECTION_PENDING)
        and not any(message.state in SENT or message.dealt_with for message in record.messages)
    )


def _is_stuck(sight: _Sight, tenant_id: str) -> bool:
    """Whether a canary's mails will not arrive unless a person does something."""
    return sight.standings[tenant_id].standing in (Standing.FAILED, Standing.HELD) or any(
        message.state in _ASTRAY
        and not message.dealt_with
        and message.blocked_code is not FailureCode.NO_RECIPIENT
        for message in sight.records[tenant_id].messages
    )


def _has_rested(sweeps: Sweeps, now: datetime.datetime) -> bool:
    """Whether it is time to ask once more: 5, 10, 20, 40 … minutes after the last time."""
    return now >= _tick_of(sweeps.last_at) + TICK * int(2 ** (sweeps.count - 1))


def _tick_of(moment: datetime.datetime) -> datetime.datetime:
    """The tick to which a moment belongs, in UTC."""
    seconds = TICK.total_seconds()
    return datetime.datetime.fromtimestamp(moment.timestamp() // seconds * seconds, datetime.UTC)
