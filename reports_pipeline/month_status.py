"""How far the delivery of a month is, and what keeps it from being closed, as operators read it."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assets.monthly_reports import STAGES
from reports_pipeline.accounting.failures import FailureCode, TenantFailure
from reports_pipeline.accounting.periods import Month
from reports_pipeline.command_line import first_named, in_tokyo
from reports_pipeline.documents.catalogs import failure_text
from reports_pipeline.environments import Environment
from reports_pipeline.launching import backfill_command
from reports_pipeline.month_standing import (
    ENDED,
    Standing,
    TenantStanding,
    month_standings,
    other_standings,
)
from reports_pipeline.progress import MonthProgress, estimated_end
from resources.delivery_months import DeliveryMonth
from resources.month_closings import Closing

# Of which the rate is taken.
_LAST_MINUTES = datetime.timedelta(minutes=10)
# The standing itself says as much.
_SAID_BY_STANDING = {
    Standing.HELD: FailureCode.DELIVERY_HELD,
    Standing.UNKNOWN: FailureCode.DELIVERY_UNKNOWN,
}


@dataclass(frozen=True)
class MonthStatus:
    """A month at the moment `now`; `opened` is None if it never was, and `standings` are of the
    active tenants then. `ends_at`: when those that lack a run will be through, if that can be
    told. `others` are not among them, and have mails that may still go out or are of unknown
    fate."""

    month: Month
    now: datetime.datetime
    opened: DeliveryMonth | None
    closings: tuple[Closing, ...]
    standings: dict[str, TenantStanding]
    others: dict[str, TenantStanding]
    progress: MonthProgress
    canaries: list[str]
    awaited_canaries: list[str]
    ends_at: datetime.datetime | None

    @classmethod
    def read(cls, environment: Environment, month: Month, now: datetime.datetime) -> MonthStatus:
        """Read all of it from the register, and companies and their time zones from the ledger."""
        months, departures = environment.delivery_months(), environment.departures()
        records, tenants = environment.month_records(), environment.tenants()
        outcomes, launches = environment.stage_outcomes(), environment.launches()
        standings = month_standings(records, months, tenants, launches, departures, month, now)
        lately = outcomes.recorded_since(STAGES[-1].name, month, now - _LAST_MINUTES)
        remaining = _of(standings, Standing.NOT_STARTED)
        return cls(
            month,
            now,
            opened=months.find(month),
            closings=months.closings(month),
            standings=standings,
            others=other_standings(records, tenants, launches, departures, month, standings, now),
            progress=MonthProgress.read(outcomes, month, list(standings)),
            canaries=months.canaries(month),
            awaited_canaries=departures.awaited_canaries(month),
            ends_at=estimated_end(lately, len(remaining), now=now),
        )

    def lines(self) -> Iterator[str]:
        """What is shown in a terminal."""
        yield from self._history()
        counts = Counter(found.standing for found in self.standings.values())
        text = ", ".join(f"{counts[found]:,} {found}" for found in Standing if counts[found])
        who = "active" if self.opened is None else "expected"
        yield f"{len(self.standings):,} tenants {who}{': ' if text else ''}{text}"
        for stage, by_code in self._stages().items():
            text = ", ".join(f"{count} {code}" for code, count in sorted(by_code.items()))
            yield f"  {stage:18}{text or 'not started'}"
        if self.canaries:
            awaited = first_named(self.awaited_canaries)
            yield f"canaries: {first_named(self.canaries)}" + (
                f"; mails to the others wait for {awaited}" if awaited else ""
            )
        for found, failure in self._failed():
            is_parked = " (parked)" if found.parked else ""
            yield f"{found.tenant_id}: {failure.code}: {failure_text(failure, 'ja')}{is_parked}"
        for until, tenant_ids in _waiting(self.standings, self.now).items():
            yield f"waiting {until}: {len(tenant_ids):,}: {first_named(tenant_ids)}"
        if suspended := list(_of(self.standings, Standing.SUSPENDED)):
            yield (
                f"suspended: {len(suspended):,}: {first_named(suspended)}; "
                f"{_advice_to_suspended(self.month, suspended)}"
            )
        for tenant_id, found in _of(self.standings, Standing.HELD).items():
            if found.hold is not None:
                yield f"{tenant_id}: held by {found.hold.held_by}: {found.hold.reason}"
        if unknown := _of(self.standings | self.others, Standing.UNKNOWN):
            yield (
                f"UNKNOWN: {len(unknown):,}: {first_named(list(unknown))}; see "
                f"`reports deliveries list --month {self.month} --state unknown`"
            )
        yield from self._others()
        everybody = self.standings | self.others
        if parked := [t for t, found in everybody.items() if found.parked]:
            yield (
                f"parked: {len(parked):,}: {first_named(parked)}; they wait for "
                f"`{backfill_command(self.month, parked)}`"
            )
        if self.ends_at is not None:
            yield f"at the rate of the last minutes, done about {in_tokyo(self.ends_at)}"

    def document(self) -> dict[str, Any]:
        """What is shown as JSON: the entries that docs/runbook.md describes."""
        opened = self.opened
        return {
            "month": str(self.month),
            "opened_by": None if opened is None else opened.opened_by,
            "opened_at": None if opened is None else _iso(opened.opened_at),
            "closed_by": None if opened is None else opened.closed_by,
            "closed_at": None if opened is None else _iso(opened.closed_at),
            "standings": Counter(found.standing for found in self.standings.values()),
            "stages": self._stages(),
            "canaries": self.canaries,
            "awaited_canaries": self.awaited_canaries,
            "done_about": _iso(self.ends_at),
            "tenants": [_document(found) for found in self.standings.values()],
            "others": [_document(found) for found in self.others.values()],
        }

    def _history(self) -> Iterator[str]:
        if self.opened is None:
            yield f"{self.month}: never opened"
            return
        at = in_tokyo(self.opened.opened_at)
        yield f"{self.month}: opened {at} by {self.opened.opened_by}"
        for closing in self.closings:
            yield f"closed {in_tokyo(closing.closed_at)} by {closing.closed_by}"
            if closing.reopened_at is not None:
                at = in_tokyo(closing.reopened_at)
                yield f"reopened {at} by {closing.reopened_by}: {closing.reason}"

    def _stages(self) -> dict[str, Counter[str]]:
        """How many tenants are done, or failed with which code, by stage."""
        return {
            stage: Counter(outcome.failure_code or "done" for outcome in outcomes.values())
            for stage, outcomes in self.progress.outcomes.items()
        }

    def _failed(self) -> Iterator[tuple[TenantStanding, TenantFailure]]:
        """Those with a failure of which their standing does not tell."""
        for found in self.standings.values():
            if found.failure is None or found.standing in ENDED:
                continue
            if _SAID_BY_STANDING.get(found.standing) is not found.failure.code:
                yield found, found.failure

    def _others(self) -> Iterator[str]:
        """Whose mails are not finished and who is not among the tenants that are counted."""
        for until, tenant_ids in _waiting(self.others, self.now).items():
            named = f"{len(tenant_ids):,}: {first_named(tenant_ids)}"
            yield f"not expected, waiting {until}: {named}"
        for standing in (s for s in Standing if s not in (Standing.WAITING, Standing.UNKNOWN)):
            if tenant_ids := list(_of(self.others, standing)):
                yield f"not expected, {standing}: {len(tenant_ids):,}: {first_named(tenant_ids)}"


def _waiting(
    standings: Mapping[str, TenantStanding], now: datetime.datetime
) -> dict[str, list[str]]:
    """Whose mails wait, by what they wait for; the first that are due first."""
    waiting = [
        (found.departure, tenant_id)
        for tenant_id, found in _of(standings, Standing.WAITING).items()
        if found.departure is not None
    ]
    groups: dict[str, list[str]] = {}
    for departure, tenant_id in sorted(waiting, key=lambda one: (one[0].at, one[1])):
        what = [f"until {in_tokyo(departure.at)}"] if departure.at > now else []
        what += ["for the canaries"] if departure.waits_for_canaries else []
        groups.setdefault(" and ".join(what) or "for the next run", []).append(tenant_id)
    return groups


def _advice_to_suspended(month: Month, tenant_ids: Sequence[str]) -> str:
    return f"once they are active again: {backfill_command(month, tenant_ids)}"


def obstacle_lines(month: Month, standings: Mapping[str, TenantStanding]) -> Iterator[str]:
    """What keeps a month from being closed: whom, and what to do about it; `standings` are those
    that have not ended."""
    obstacles: dict[str, list[TenantStanding]] = {}
    for found in standings.values():
        what: str = found.standing
        if found.standing is Standing.FAILED and found.failure is not None:
            what = found.failure.code
        obstacles.setdefault(what, []).append(found)
    for what, of_kind in sorted(obstacles.items()):
        tenant_ids = [found.tenant_id for found in of_kind]
        yield f"{what}: {len(tenant_ids):,}: {first_named(tenant_ids)}"
        for line in _remedy(month, what, of_kind):
            yield f"  {line}"
    yield (
        "whoever needs nothing of the month: "
        f"reports deliveries waive --month {month} --tenant … --reason …"
    )


def _remedy(month: Month, what: str, of_kind: Sequence[TenantStanding]) -> Iterator[str]:
    """What an operator types, with the first of the tenants where it is one command for each."""
    tenant_ids = [found.tenant_id for found in of_kind]
    deliveries, first = "reports deliveries", f"--month {month} --tenant {tenant_ids[0]}"
    match what:
        case Standing.NOT_STARTED:
            yield backfill_command(month, tenant_ids)
        case Standing.WAITING:
            if parked := [found.tenant_id for found in of_kind if found.parked]:
                yield f"asked for in vain: {backfill_command(month, parked)}"
            if len(parked) < len(of_kind):
                yield f"they go out when it is time: reports month status --month {month}"
        case Standing.SUSPENDED:
            yield _advice_to_suspended(month, tenant_ids)
        case Standing.HELD:
            for hold in (found.hold for found in of_kind[:1] if found.hold is not None):
                of_month = "" if hold.month is None else f"--month {month} "
                yield f"{deliveries} release {of_month}--tenant {hold.tenant_id} --reason …"
        case Standing.UNKNOWN:
            yield f"which mails: {deliveries} list --month {month} --state unknown --state posting"
            yield (
                f"ask the recipient, then: {deliveries} resolve {first} --recipient … "
                "--as arrived --reason … (or signed-off)"
            )
        case FailureCode.CORRECTION_PENDING:
            yield f"what it changes: reports month corrections {first}"
            yield f"to let it out: {deliveries} approve {first} --revision … --reason …"
        case _:
            yield (
                "mend it as docs/runbook.md says of the code, then: "
                f"reports backfill --month {month} --failed"
            )


def _of(standings: Mapping[str, TenantStanding], standing: Standing) -> dict[str, TenantStanding]:
    return {t: found for t, found in standings.items() if found.standing is standing}


def _document(found: TenantStanding) -> dict[str, Any]:
    failure, departure, hold = found.failure, found.departure, found.hold
    return {
        "tenant_id": found.tenant_id,
        "standing": found.standing,
        "failure": failure and {"code": failure.code, "details": failure.details},
        "may_go_at": None if departure is None else _iso(departure.at),
        "waits_for_canaries": departure is not None and departure.waits_for_canaries,
        "held_by": None if hold is None else hold.held_by,
        "parked": found.parked,
    }


def _iso(moment: datetime.datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(datetime.UTC).isoformat()
