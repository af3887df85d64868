"""Where a tenant stands is what the register says, whatever order things happened in."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

import psycopg
import pytest

from reports_pipeline.accounting.failures import FailureCode, TenantFailure
from reports_pipeline.delivery.errors import DecisionError
from reports_pipeline.delivery.states import DeliveryState
from reports_pipeline.month_standing import (
    ClosingAttempt,
    Standing,
    TenantStanding,
    close_month,
    month_standings,
    other_standings,
    standing_of,
    tenants_to_run_again,
)
from resources.canaries import Canaries
from resources.delivery_decisions import DeliveryDecisions, Hold
from resources.delivery_months import DeliveryMonths
from resources.delivery_preferences import DeliveryPreferencesStore
from resources.departures import Departures
from resources.launches import SWEEPER, Launch, Launches
from resources.month_records import MessageRecord, MonthRecords, StageRecord, TenantRecord
from resources.stage_outcomes import StageOutcomes
from resources.tenants import CompanyStatus, Tenants
from tests.delivery.examples import OCTOBER
from tests.reports_pipeline.opened_month import enter_october, move, open_october

NOON = datetime.datetime(2026, 11, 1, 12, tzinfo=datetime.UTC)
HOLD = Hold("t0001", OCTOBER, "勘定の誤り", "sato")
LAST = "report_deliveries"


def minutes(number: int) -> datetime.datetime:
    """So long after noon, when the last stage said what it says."""
    return NOON + datetime.timedelta(minutes=number)


def record(
    *states: str,
    dealt_with: Sequence[int] = (),
    copies: dict[int, int] | None = None,
    moved: int = -1,
    failed: dict[str, FailureCode] | None = None,
    done: Sequence[str] = (LAST,),
    revision: int = 1,
    told: int | None = 1,
    registered: int = 1,
    hold: Hold | None = None,
    waived: bool = False,
) -> TenantRecord:
    """A tenant whose mails are in these states, moved so many minutes after noon. By their place:
    `dealt_with` are those that a person has dealt with, `copies` those that repeat another. `told`:
    of which revision the stages speak."""
    copies = copies or {}
    dealt_with = [*dealt_with, *copies.values()]
    stages: dict[str, StageRecord] = {stage: StageRecord(NOON, None, told) for stage in done}
    for stage, code in (failed or {}).items():
        stages[stage] = StageRecord(NOON, TenantFailure("t0001", code), told)
    return TenantRecord(
        "t0001",
        revision=revision,
        delivery_revision=registered,
        messages=[
            MessageRecord(
                DeliveryState(state),
                minutes(moved),
                dealt_with=place in dealt_with,
                recipient_no=place + 1,
                resend_of=copies[place] + 1 if place in copies else None,
                blocked_code=FailureCode.MAIL_REFUSED if state == "BLOCKED" else None,
            )
            for place, state in enumerate(states)
        ],
        stages=stages,
        hold=hold,
        waived=waived,
    )


def standing(found: TenantRecord, status: CompanyStatus = CompanyStatus.ACTIVE) -> Standing:
    return standing_of(found, status).standing


def failed(code: FailureCode, stage: str = LAST) -> dict[str, FailureCode]:
    return {stage: code}


@pytest.mark.parametrize(
    "found",
    [
        record("ACCEPTED"),
        record("DELIVERED", "BOUNCED", "COMPLAINED"),
        record("BLOCKED", "ACCEPTED"),
        record("UNKNOWN", "ACCEPTED", dealt_with=[0]),
        record("UNKNOWN", dealt_with=[0]),
        record("BOUNCED", "ACCEPTED", copies={1: 0}),
        # a mail of unknown fate arrived, as a person or an event said after the run
        record("ACCEPTED", moved=5, failed=failed(FailureCode.DELIVERY_UNKNOWN)),
        record("UNKNOWN", dealt_with=[0], failed=failed(FailureCode.DELIVERY_UNKNOWN)),
        record("ACCEPTED", failed=failed(FailureCode.INTERNAL_ERROR)),
        record("ACCEPTED", waived=True),
        record("ACCEPTED", hold=HOLD),
        record("ACCEPTED", hold=HOLD, failed=failed(FailureCode.DELIVERY_HELD)),
        # what a run of the revision before says, after that of this one
        record("ACCEPTED", revision=2, registered=2, failed=failed(FailureCode.INTERNAL_ERROR)),
    ],
)
def test_delivered(found: TenantRecord) -> None:
    assert standing(found) is Standing.DELIVERED
    assert standing(found, CompanyStatus.LEFT) is Standing.DELIVERED
    assert standing_of(found, CompanyStatus.ACTIVE).failure is None


@pytest.mark.parametrize(
    "found",
    [
        record("UNKNOWN"),
        record("POSTING"),
        record("ACCEPTED", "UNKNOWN", failed=failed(FailureCode.DELIVERY_UNKNOWN)),
        record("UNKNOWN", hold=HOLD),
        record("UNKNOWN", waived=True),
        record("UNKNOWN", revision=2, told=2, failed=failed(FailureCode.CORRECTION_PENDING)),
        record("UNKNOWN", "UNKNOWN", copies={1: 0}),
    ],
)
def test_unknown_whatever_else_is_true(found: TenantRecord) -> None:
    assert standing(found) is Standing.UNKNOWN
    assert standing(found, CompanyStatus.LEFT) is Standing.UNKNOWN


@pytest.mark.parametrize("state", ["BUILT", "VERIFIED", "READY", "CLAIMED"])
def test_waiting(state: str) -> None:
    assert standing(record(state)) is Standing.WAITING
    assert standing(record("ACCEPTED", state)) is Standing.WAITING


@pytest.mark.parametrize(
    "code", [FailureCode.MAIL_REFUSED, FailureCode.ADDRESS_REFUSED, FailureCode.DELIVERY_UNKNOWN]
)
def test_waiting_again_after_a_person_has_opened_a_mail_or_sent_it_once_more(
    code: FailureCode,
) -> None:
    assert standing(record("BUILT", moved=5, failed=failed(code))) is Standing.WAITING


def test_a_mail_to_be_sent_once_more_waits_whatever_became_of_the_first() -> None:
    unknown = failed(FailureCode.DELIVERY_UNKNOWN)
    assert standing(record("UNKNOWN", "READY", copies={1: 0}, failed=unknown)) is Standing.WAITING


def test_a_mail_sent_once_more_that_was_refused_is_a_failure() -> None:
    others_went_out = record("BOUNCED", "ACCEPTED", "BLOCKED", copies={2: 0})
    found = standing_of(others_went_out, CompanyStatus.ACTIVE)
    assert found.standing is Standing.FAILED
    assert found.failure == TenantFailure("t0001", FailureCode.MAIL_REFUSED, {"recipient_no": 3})
    unknown = failed(FailureCode.DELIVERY_UNKNOWN)
    found = standing_of(
        record("UNKNOWN", "BLOCKED", copies={1: 0}, failed=unknown), CompanyStatus.ACTIVE
    )
    assert found.failure == TenantFailure("t0001", FailureCode.MAIL_REFUSED, {"recipient_no": 2})


def test_held_and_waiting_again_after_the_release() -> None:
    held = record("BUILT", hold=HOLD, failed=failed(FailureCode.DELIVERY_HELD))
    assert standing_of(held, CompanyStatus.ACTIVE) == TenantStanding(
        "t0001",
        Standing.HELD,
        failure=TenantFailure("t0001", FailureCode.DELIVERY_HELD),
        hold=HOLD,
    )
    released = record("BUILT", failed=failed(FailureCode.DELIVERY_HELD))
    assert standing(released) is Standing.WAITING


@pytest.mark.parametrize(
    "found",
    [
        record(failed=failed(FailureCode.NO_RECIPIENT)),
        record("BLOCKED", failed=failed(FailureCode.ADDRESS_REFUSED)),
        record("READY", failed=failed(FailureCode.INTERNAL_ERROR)),
        # the first revision went out, and something newer went wrong
        record("ACCEPTED", revision=2, told=2, failed=failed(FailureCode.CORRECTION_PENDING)),
        record(
            "DELIVERED",
            moved=5,
            revision=2,
            told=2,
            failed=failed(FailureCode.CORRECTION_PENDING),
        ),
        # of no revision in particular
        record("READY", revision=2, told=None, failed=failed(FailureCode.INTERNAL_ERROR)),
        record("ACCEPTED", failed=failed(FailureCode.LEDGER_IMBALANCE, "ledger_extracts")),
        record("READY", failed=failed(FailureCode.LEDGER_IMBALANCE, "ledger_extracts")),
    ],
)
def test_failed(found: TenantRecord) -> None:
    assert standing(found) is Standing.FAILED


def test_the_failure_is_that_of_the_first_stage() -> None:
    stages = {
        LAST: FailureCode.INPUT_MISSING,
        "statements": FailureCode.IDENTITY_VIOLATED,
        "report_pdfs": FailureCode.INPUT_MISSING,
    }
    found = standing_of(record(registered=0, failed=stages), CompanyStatus.ACTIVE)
    assert found.failure == TenantFailure("t0001", FailureCode.IDENTITY_VIOLATED)


@pytest.mark.parametrize(
    "found",
    [
        TenantRecord("t0001"),
        record(registered=0, done=["ledger_extracts", "statements"]),
        # a newer revision, whose run has not come to the last stage
        record("ACCEPTED", revision=2),
        record("READY", revision=2),
        record(revision=2, failed=failed(FailureCode.NO_RECIPIENT)),
        # blocked by a run that died before it could say so
        record("BLOCKED"),
    ],
)
def test_not_started(found: TenantRecord) -> None:
    assert standing(found) is Standing.NOT_STARTED


@pytest.mark.parametrize(
    "found",
    [
        record("READY"),
        record("READY", hold=HOLD),
        record("BLOCKED", failed=failed(FailureCode.ADDRESS_REFUSED)),
        record("ACCEPTED", revision=2, told=2, failed=failed(FailureCode.CORRECTION_PENDING)),
        TenantRecord("t0001"),
    ],
)
def test_waived_left_or_suspended_unless_a_process_has_a_mail_in_hand(
    found: TenantRecord,
) -> None:
    assert standing(found, CompanyStatus.LEFT) is Standing.LEFT
    assert standing(found, CompanyStatus.SUSPENDED) is Standing.SUSPENDED
    found.waived = True
    assert standing(found) is Standing.WAIVED
    found.messages = [MessageRecord(DeliveryState.CLAIMED, NOON)]
    ended = (Standing.WAIVED, Standing.LEFT, Standing.SUSPENDED)
    assert all(standing(found, status) not in ended for status in CompanyStatus)


@pytest.fixture
def url(database_url: str) -> str:
    enter_october(database_url)
    open_october(database_url)
    return database_url


def standings(url: str) -> dict[str, TenantStanding]:
    months, tenants = DeliveryMonths(url), Tenants(url)
    departures = Departures(DeliveryPreferencesStore(url), tenants, months, Canaries(url))
    return month_standings(
        MonthRecords(url), months, tenants, Launches(url), departures, OCTOBER, NOON
    )


def test_everybody_expected_has_a_standing(url: str) -> None:
    found = standings(url)
    assert {tenant_id: of_tenant.standing for tenant_id, of_tenant in found.items()} == {
        "t0001": Standing.WAITING,
        "t0002": Standing.WAITING,
        "t0003": Standing.FAILED,
        "t0004": Standing.LEFT,
    }
    canary, other = found["t0001"].departure, found["t0002"].departure
    assert canary is not None
    assert other is not None
    assert (canary.may_go(NOON), other.may_go(NOON)) == (True, False)
    assert found["t0003"].failure == TenantFailure(
        "t0003", FailureCode.LEDGER_IMBALANCE, {"difference": 3}
    )


def test_of_a_month_that_was_never_opened_the_active_ones_stand_somewhere(
    database_url: str,
) -> None:
    enter_october(database_url)
    found = standings(database_url)
    assert list(found) == ["t0001", "t0002", "t0003", "t0005"]
    assert found["t0005"] == TenantStanding("t0005", Standing.NOT_STARTED)


def test_whom_the_sweeper_gave_up_is_parked(url: str) -> None:
    launches = Launches(url)
    launches.request(Launch("sweep-1", OCTOBER, (("t0003",),)), requested_by=SWEEPER)
    assert not standings(url)["t0003"].parked
    launches.park(OCTOBER, launches.sweeps(OCTOBER))
    assert standings(url)["t0003"].parked
    launches.request(Launch("backfill-1", OCTOBER, (("t0003",),)), requested_by="sato")
    assert not standings(url)["t0003"].parked


def close(url: str) -> dict[str, Standing]:
    """Who is in the way."""
    attempt = attempted(url)
    return {tenant_id: found.standing for tenant_id, found in attempt.obstacles.items()}


def attempted(url: str) -> ClosingAttempt:
    return close_month(DeliveryMonths(url), Tenants(url), Launches(url), OCTOBER, closed_by="sato")


def test_a_month_is_closed_when_everybody_has_been_dealt_with(url: str) -> None:
    decisions = DeliveryDecisions(url, actor="sato")
    assert close(url) == {
        "t0001": Standing.WAITING,
        "t0002": Standing.WAITING,
        "t0003": Standing.FAILED,
    }
    move(url, "t0001", "ACCEPTED")
    decisions.waive(["t0003"], OCTOBER, "解約手続き中")
    decisions.hold(["t0002"], None, "勘定の誤り")
    assert close(url) == {"t0002": Standing.HELD}
    assert DeliveryMonths(url).open_months() == [OCTOBER]
    move(url, "t0002", "ACCEPTED")
    assert close(url) == {}
    assert DeliveryMonths(url).open_months() == []
    with pytest.raises(DecisionError, match="closed already, by sato"):
        close(url)


def test_a_mail_of_unknown_fate_is_signed_off_first(url: str) -> None:
    decisions = DeliveryDecisions(url, actor="sato")
    decisions.waive(["t0001", "t0002", "t0003"], OCTOBER, "解約手続き中")
    move(url, "t0001", "UNKNOWN")
    assert close(url) == {"t0001": Standing.UNKNOWN}
    decisions.sign_off("t0001", OCTOBER, 1, "誰も知らない")
    assert close(url) == {}


def test_mails_to_those_nobody_expects_keep_a_month_open_while_they_are_unclear(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("delete from reporting.expected_tenants where tenant_id <> 't0004'")
    for state in ("POSTING", "UNKNOWN"):
        move(url, "t0002", state)
        attempt = attempted(url)
        assert {t: found.standing for t, found in attempt.obstacles.items()} == {
            "t0002": Standing.UNKNOWN
        }
        assert attempt.others_waiting == ["t0001"]
    DeliveryDecisions(url, actor="sato").sign_off("t0002", OCTOBER, 1, "誰も知らない")
    assert attempted(url) == ClosingAttempt({}, ["t0001"])
    assert DeliveryMonths(url).open_months() == []


def test_who_is_not_expected_and_has_mails_that_are_not_finished_stands_somewhere(
    url: str,
) -> None:
    months, tenants = DeliveryMonths(url), Tenants(url)
    departures = Departures(DeliveryPreferencesStore(url), tenants, months, Canaries(url))

    def others(*expected: str) -> dict[str, Standing]:
        found = other_standings(
            MonthRecords(url), tenants, Launches(url), departures, OCTOBER, expected, NOON
        )
        return {tenant_id: of_tenant.standing for tenant_id, of_tenant in found.items()}

    assert others("t0001", "t0003") == {"t0002": Standing.WAITING}
    move(url, "t0001", "ACCEPTED")
    move(url, "t0002", "UNKNOWN")
    assert others() == {"t0002": Standing.UNKNOWN}


def test_a_waiver_that_was_taken_back_holds_no_more(url: str) -> None:
    decisions = DeliveryDecisions(url, actor="sato")
    decisions.waive(["t0003"], OCTOBER, "解約手続き中")
    decisions.unwaive(["t0003"], OCTOBER, "解約しない")
    assert standings(url)["t0003"].standing is Standing.FAILED
    decisions.waive(["t0003"], OCTOBER, "やはり解約")
    assert standings(url)["t0003"].standing is Standing.WAIVED


def to_run_again(url: str) -> list[str]:
    months, tenants = DeliveryMonths(url), Tenants(url)
    departures = Departures(DeliveryPreferencesStore(url), tenants, months, Canaries(url))
    return tenants_to_run_again(
        MonthRecords(url), months, tenants, Launches(url), departures, OCTOBER, NOON
    )


def test_whoever_failed_or_whose_run_died_is_run_again(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(
            """
            insert into ledger.companies (tenant_id, name, status) values
                ('t0006', '柏', 'active'), ('t0007', '楓', 'active'), ('t0008', '柳', 'active');
            insert into reporting.expected_tenants (month, tenant_id)
            values ('2026-10-01', 't0006');
            """
        )
    # t0007 was asked for by a person; its run died in the first stage, like that of t0006
    Launches(url).request(Launch("backfill-1", OCTOBER, (("t0007",),)), requested_by="sato")
    # t0008 was launched from Dagster's pages; its run died in the second stage
    StageOutcomes(url).record("ledger_extracts", OCTOBER, "run", {"t0008": "a"}, [])
    # t0001 goes first and may go; t0002 waits for it; nobody ever asked for t0005
    assert to_run_again(url) == ["t0001", "t0003", "t0006", "t0007", "t0008"]


def test_who_waits_for_a_person_or_has_been_dealt_with_is_not_run_again(url: str) -> None:
    decisions = DeliveryDecisions(url, actor="sato")
    move(url, "t0001", "UNKNOWN")
    decisions.waive(["t0003"], OCTOBER, "解約手続き中")
    assert to_run_again(url) == []
    decisions.unwaive(["t0003"], OCTOBER, "解約しない")
    assert to_run_again(url) == ["t0003"]
    decisions.hold(["t0003"], None, "勘定の誤り")
    assert to_run_again(url) == []
    decisions.release(["t0003"], None, "訂正済み")
    pending = TenantFailure("t0003", FailureCode.CORRECTION_PENDING)
    StageOutcomes(url).record("ledger_extracts", OCTOBER, "run", {"t0003": "a"}, [])
    StageOutcomes(url).record(LAST, OCTOBER, "run", {}, [pending])
    assert to_run_again(url) == []
    move(url, "t0001", "READY")
    decisions.waive(["t0001"], OCTOBER, "解約手続き中")
    assert to_run_again(url) == ["t0002"]  # which waited for the canary


def test_whom_the_sweeper_gave_up_is_run_again_whatever_it_waits_for(url: str) -> None:
    launches = Launches(url)
    launches.request(Launch("sweep-1", OCTOBER, (("t0001",),)), requested_by=SWEEPER)
    launches.park(OCTOBER, launches.sweeps(OCTOBER))
    move(url, "t0001", "UNKNOWN")
    assert to_run_again(url) == ["t0001", "t0003"]
    DeliveryDecisions(url, actor="sato").hold(["t0001"], None, "勘定の誤り")
    assert to_run_again(url) == ["t0003"]
