"""Where each tenant stands in the delivery of a month: what the register says, never Dagster."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

import psycopg

from assets.monthly_reports import STAGES
from reports_pipeline.accounting.failures import FailureCode, TenantFailure
from reports_pipeline.accounting.periods import Month
from reports_pipeline.delivery.states import MAYBE_SENT, SENT, WAITING, DeliveryState
from resources.delivery_decisions import Hold
from resources.delivery_months import DeliveryMonths
from resources.departures import Departure, Departures
from resources.launches import Launches, Sweeps
from resources.month_records import (
    MonthRecords,
    StageRecord,
    TenantRecord,
    month_records,
    tenants_with_open_mails,
)
from resources.tenants import CompanyStatus, Tenants

_LAST_STAGE = STAGES[-1].name
_GOING_OUT = WAITING | {DeliveryState.CLAIMED}


class Standing(StrEnum):
    """Where a tenant stands in the delivery of a month."""

    DELIVERED = "DELIVERED"  # the newest revision went out, or a person has dealt with it
    WAIVED = "WAIVED"  # a person said that nothing of the month goes to it
    LEFT = "LEFT"  # it is no customer any more, and nothing is under way
    SUSPENDED = "SUSPENDED"  # it is no customer for now, and nothing is under way
    WAITING = "WAITING"  # mails may go out when it is time, or with the next run
    HELD = "HELD"  # a person holds its mails
    UNKNOWN = "UNKNOWN"  # a mail may or may not have gone out, and nobody has dealt with that
    FAILED = "FAILED"
    NOT_STARTED = "NOT_STARTED"  # no run has brought its newest revision to the last stage


# Nothing more is expected of the month.
ENDED = frozenset({Standing.DELIVERED, Standing.WAIVED, Standing.LEFT})


@dataclass(frozen=True, slots=True)
class TenantStanding:
    """A tenant's standing; `failure` is the first one that stands, whatever the standing is.

    `departure`: when its mails may go, of a tenant that is WAITING. `parked`: the sweeper has
    asked for it as often as it may, and leaves it to a person.
    """

    tenant_id: str
    standing: Standing
    failure: TenantFailure | None = None
    departure: Departure | None = None
    hold: Hold | None = None
    parked: bool = False


def month_standings(
    records: MonthRecords,
    months: DeliveryMonths,
    tenants: Tenants,
    launches: Launches,
    departures: Departures,
    month: Month,
    now: datetime.datetime,
) -> dict[str, TenantStanding]:
    """Where each expected tenant stands, in order; each active one if the month was never opened.

    A run under way shows only by what it has left in the register.
    """
    opened = months.find(month)
    expected = tenants.active_ids() if opened is None else months.expected(month)
    return _standings_now(records, tenants, launches, departures, month, expected, now)


def other_standings(
    records: MonthRecords,
    tenants: Tenants,
    launches: Launches,
    departures: Departures,
    month: Month,
    expected: Collection[str],
    now: datetime.datetime,
) -> dict[str, TenantStanding]:
    """Where those stand, in order, who have mails of the month that may still go out, or of unknown
    fate, without being among the `expected`."""
    others = sorted(set(records.with_open_mails(month)) - set(expected))
    found = _standings_now(records, tenants, launches, departures, month, others, now)
    return {t: of_tenant for t, of_tenant in found.items() if of_tenant.standing not in ENDED}


def tenants_to_run_again(
    records: MonthRecords,
    months: DeliveryMonths,
    tenants: Tenants,
    launches: Launches,
    departures: Departures,
    month: Month,
    now: datetime.datetime,
) -> list[str]:
    """The active tenants that lack a run of the month, in order: whoever failed, which somebody has
    mended by now; whose run died or never came; and whose mails are due and still here. Those who
    wait for a person's decision or for their time are none.

    Whom a run never came to is one of them if the month was opened, or asked for, with the tenant.
    """
    active = tenants.active_ids()
    of_active = records.read(month, active)
    standings = _standings(of_active, dict.fromkeys(active, CompanyStatus.ACTIVE))
    begun = {tenant_id for tenant_id, record in of_active.items() if record.stages}
    wanted = begun.union(months.expected(month), launches.tenants_of(month))
    waiting = [t for t, found in standings.items() if found.standing is Standing.WAITING]
    departure_by_tenant = departures.of(month, waiting, now)
    sweeps = launches.sweeps(month)

    def lacks_run(found: TenantStanding) -> bool:
        tenant_id = found.tenant_id
        if _with_parked(found, sweeps).parked and found.standing is not Standing.HELD:
            return True
        match found.standing:
            case Standing.FAILED:
                code = found.failure and found.failure.code
                return code is not FailureCode.CORRECTION_PENDING
            case Standing.WAITING:
                return departure_by_tenant[tenant_id].may_go(now)
            case standing:
                return standing is Standing.NOT_STARTED and tenant_id in wanted

    return [tenant_id for tenant_id, found in standings.items() if lacks_run(found)]


@dataclass(frozen=True, slots=True)
class ClosingAttempt:
    """What became of closing a month: who is in the way, nobody if it is closed; and whose mails
    wait without being expected, which is in nobody's way."""

    obstacles: dict[str, TenantStanding]
    others_waiting: list[str]


def close_month(
    months: DeliveryMonths, tenants: Tenants, launches: Launches, month: Month, *, closed_by: str
) -> ClosingAttempt:
    """Close the month if everybody expected is DELIVERED, WAIVED or LEFT, and no mail of it to
    anybody is on its way or of unknown fate; else it stays open. `DeliveryMonths.close` says what
    may happen meanwhile.

    Raises:
        DecisionError: the month was never opened, or is closed already.
    """
    expected = months.expected(month)
    sweeps = launches.sweeps(month)
    waiting: list[str] = []

    def check(connection: psycopg.Connection) -> None:
        others = sorted(set(tenants_with_open_mails(connection, month)) - set(expected))
        concerned = [*expected, *others]
        records = month_records(connection, month, concerned)
        found = _standings(records, tenants.statuses(concerned))
        unclear = [t for t in others if found[t].standing is Standing.UNKNOWN]
        waiting.extend(t for t in others if found[t].standing not in ENDED and t not in unclear)
        obstacles = [t for t in expected if found[t].standing not in ENDED] + unclear
        if obstacles:
            raise _NotEndedError({t: _with_parked(found[t], sweeps) for t in obstacles})

    try:
        months.close(month, closed_by=closed_by, check=check)
    except _NotEndedError as error:
        return ClosingAttempt(error.standings, waiting)
    return ClosingAttempt({}, waiting)


class _NotEndedError(Exception):
    def __init__(self, standings: dict[str, TenantStanding]) -> None:
        super().__init__(f"{len(standings)} tenants")
        self.standings = standings


def _standings_now(
    records: MonthRecords,
    tenants: Tenants,
    launches: Launches,
    departures: Departures,
    month: Month,
    tenant_ids: Collection[str],
    now: datetime.datetime,
) -> dict[str, TenantStanding]:
    standings = _standings(records.read(month, tenant_ids), tenants.statuses(tenant_ids))
    waiting = [t for t, found in standings.items() if found.standing is Standing.WAITING]
    departure_by_tenant = departures.of(month, waiting, now)
    sweeps = launches.sweeps(month)
    return {
        tenant_id: _with_parked(
            replace(found, departure=departure_by_tenant.get(tenant_id)), sweeps
        )
        for tenant_id, found in standings.items()
    }


def _with_parked(found: TenantStanding, sweeps: Mapping[str, Sweeps]) -> TenantStanding:
    if found.standing in ENDED or found.tenant_id not in sweeps:
        return found
    return replace(found, parked=sweeps[found.tenant_id].parked)


def _standings(
    records: Mapping[str, TenantRecord], statuses: Mapping[str, CompanyStatus]
) -> dict[str, TenantStanding]:
    return {
        tenant_id: standing_of(record, statuses[tenant_id]) for tenant_id, record in records.items()
    }


def standing_of(record: TenantRecord, status: CompanyStatus) -> TenantStanding:
    """A tenant's standing, as far as its own records tell."""
    failure = _standing_failure(record)
    return TenantStanding(
        record.tenant_id,
        _standing(record, failure, status),
        failure=failure,
        hold=record.hold,
    )


def has_unclear_mail(record: TenantRecord) -> bool:
    """Whether a mail may have gone out, or is going out now, and nobody has dealt with that."""
    return any(
        message.state in MAYBE_SENT - SENT and not message.dealt_with for message in record.messages
    )


def _is_unfinished(record: TenantRecord) -> bool:
    """Whether the figures have a newer revision than the one registered for delivery, and the last
    stage has not said anything of it. What runs of other revisions say, however late, does not
    count."""
    last = record.stages.get(_LAST_STAGE)
    return record.delivery_revision < record.revision and (
        last is None or not _is_of_todays_figures(record, last)
    )


def _standing(
    record: TenantRecord, failure: TenantFailure | None, status: CompanyStatus
) -> Standing:
    if has_unclear_mail(record):
        return Standing.UNKNOWN
    if failure is None and not _is_unfinished(record) and _has_gone_out(record):
        return Standing.DELIVERED
    # What a process has in hand may go out at any moment, whatever was said of the tenant.
    states = {message.state for message in record.messages}
    if DeliveryState.CLAIMED not in states:
        if record.waived:
            return Standing.WAIVED
        if status is CompanyStatus.LEFT:
            return Standing.LEFT
        if status is CompanyStatus.SUSPENDED:
            return Standing.SUSPENDED
    if record.hold is not None:
        return Standing.HELD
    if failure is not None:
        return Standing.FAILED
    if states & _GOING_OUT and not _is_unfinished(record):
        return Standing.WAITING
    return Standing.NOT_STARTED


def _standing_failure(record: TenantRecord) -> TenantFailure | None:
    """The failure of the first stage that failed, unless it is out of date; else that of a mail
    that a person had sent once more, since other mails that went out do not stand in for it."""
    for stage in STAGES:
        outcome = record.stages.get(stage.name)
        if outcome is None or outcome.failure is None:
            continue
        if stage.name != _LAST_STAGE or _tells_of_today(record, outcome, outcome.failure):
            return outcome.failure
    for message in record.messages:
        if message.resend_of is not None and message.blocked_code is not None:
            details: dict[str, str | int | float | None] = {"recipient_no": message.recipient_no}
            return TenantFailure(record.tenant_id, message.blocked_code, details)
    return None


def _tells_of_today(record: TenantRecord, last: StageRecord, failure: TenantFailure) -> bool:
    """Whether a failure of the last stage stands: mails move and people decide without a run."""
    if not _is_of_todays_figures(record, last):
        return False
    if failure.code is FailureCode.DELIVERY_HELD and record.hold is None:
        return False
    if failure.code is FailureCode.DELIVERY_UNKNOWN and not has_unclear_mail(record):
        return False
    if record.delivery_revision < record.revision:
        return True
    moved_since = any(
        message.state in _GOING_OUT and message.moved_at > last.recorded_at
        for message in record.messages
    )
    return not moved_since and not _has_gone_out(record)


def _is_of_todays_figures(record: TenantRecord, last: StageRecord) -> bool:
    return last.revision in (None, record.revision)


def _has_gone_out(record: TenantRecord) -> bool:
    """Whether the newest delivery has, as far as it will: somebody has it, or a person has dealt
    with that, and nothing is about to follow. Who was blocked got nothing, which is so, unless a
    person wanted it sent once more."""
    gone = [m for m in record.messages if m.state in SENT or m.dealt_with]
    return bool(gone) and all(
        message in gone or (message.state is DeliveryState.BLOCKED and message.resend_of is None)
        for message in record.messages
    )
