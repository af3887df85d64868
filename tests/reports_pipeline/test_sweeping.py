"""What is lost, stuck or due is asked for again, not too often, and nothing else is."""

from __future__ import annotations

import dataclasses
import datetime
import json
import logging
from collections.abc import Collection, Iterator
from pathlib import Path

import dagster as dg
import psycopg
import pytest

from assets.monthly_reports import STAGES
from assets.tenant_batch import Stage
from reports_pipeline.accounting.failures import FailureCode, TenantFailure
from reports_pipeline.accounting.periods import Month
from reports_pipeline.delivery.deliveries import DeliveryMessage, Recipient
from reports_pipeline.delivery.feedback import Feedback, FeedbackKind
from reports_pipeline.delivery.preferences import Corrections, DeliveryPreferences
from reports_pipeline.delivery.states import WAITING, reference
from reports_pipeline.launching import missing_runs
from reports_pipeline.sweeping import TICK, Sweeper
from reports_pipeline.tokyo import TOKYO
from resources.canaries import Canaries
from resources.delivery_decisions import DeliveryDecisions
from resources.delivery_months import DeliveryMonths
from resources.delivery_preferences import DeliveryPreferencesStore
from resources.delivery_register import PostgresDeliveryRegister
from resources.departures import Departures
from resources.launches import SWEEPER, Launch, Launches
from resources.month_records import MonthRecords
from resources.notifier import FolderNotifier, Notice, Notifier
from resources.stage_outcomes import StageOutcomes
from resources.tenants import Tenants
from resources.unknown_mails import UnknownMails
from tests.delivery.examples import OCTOBER, SATO, SUZUKI, delivery
from tests.reports_pipeline.requested_runs import create_runs

TENANTS = ["t0001", "t0002", "t0003", "t0004"]
ATTEMPTS = 3
LOG = logging.getLogger(__name__)


class World:
    """A month of four companies in which nothing has happened; `now` is on a tick, an hour after
    the month was opened."""

    def __init__(self, url: str, notices: Path) -> None:
        self.url = url
        self.notices = notices
        self.instance = dg.DagsterInstance.ephemeral()
        self.now = datetime.datetime.fromtimestamp(
            datetime.datetime.now(datetime.UTC).timestamp() // 300 * 300 + 3600, datetime.UTC
        )
        self.months = DeliveryMonths(url)
        self.launches = Launches(url)
        self.outcomes = StageOutcomes(url)
        self.preferences = DeliveryPreferencesStore(url)
        self.decisions = DeliveryDecisions(url, actor="yamada")
        self.register = PostgresDeliveryRegister(url, actor=SWEEPER)
        with psycopg.connect(url) as connection:
            connection.execute(
                """
                insert into ledger.companies (tenant_id, name)
                select tenant_id, tenant_id from unnest(%s::text[]) as tenant_id
                """,
                [TENANTS],
            )
        self.months.open(OCTOBER, TENANTS, opened_by="schedule")

    def sweeper(self, notifier: Notifier | None = None) -> Sweeper:
        tenants = Tenants(self.url)
        canaries = Canaries(self.url)
        return Sweeper(
            months=self.months,
            records=MonthRecords(self.url),
            unknown_mails=UnknownMails(self.url),
            tenants=tenants,
            launches=self.launches,
            departures=Departures(self.preferences, tenants, self.months, canaries),
            preferences=self.preferences,
            register=self.register,
            notifier=notifier or FolderNotifier(self.notices),
            attempts=ATTEMPTS,
            tenants_per_run=2,
        )

    def sweep(self, *, minutes: int = 0) -> tuple[list[str], list[str]]:
        """Whom a tick some minutes from now asks for: from the ledger on, and their mails only.
        Their runs have ended when this returns, and left nothing."""
        self.now += datetime.timedelta(minutes=minutes)
        self.sweeper().sweep(self.instance, self.now, LOG)
        asked = self.launches.unlaunched()
        with psycopg.connect(self.url) as connection:
            # as if the database's clock were ours; a launch is written down after its tick
            connection.execute(
                "update reporting.launches set requested_at = %s where launched_at is null",
                [self.now + datetime.timedelta(seconds=3)],
            )
        self.launches.mark_launched([launch.launch_id for launch in asked])
        return (
            tenants_of([launch for launch in asked if not launch.deliveries_only]),
            tenants_of([launch for launch in asked if launch.deliveries_only]),
        )

    def finish(self, *tenant_ids: str) -> None:
        """Everything went well; their mails are with the provider."""
        self.make_reports(*tenant_ids)
        self.finish_mails(*tenant_ids)

    def finish_mails(self, *tenant_ids: str) -> None:
        for tenant_id in tenant_ids:
            for message in self.make_ready(tenant_id):
                self.post(message)
            self.end_deliveries(tenant_id)

    def make_reports(
        self, *tenant_ids: str, revision: int = 1, stages: Collection[Stage] = STAGES[:-1]
    ) -> None:
        """All stages before the last are done, or the first of them only."""
        with psycopg.connect(self.url) as connection:
            connection.execute(
                """
                insert into reporting.report_revisions
                    (tenant_id, month, revision, numbers_hash, closed, statements_key, run_id)
                select tenant_id, '2026-10-01', %s, repeat('a', 64), false, 'a.arrow', 'run'
                from unnest(%s::text[]) as tenant_id
                """,
                [revision, list(tenant_ids)],
            )
        self.end_stages(*tenant_ids, revision=revision, stages=stages)

    def end_stages(
        self, *tenant_ids: str, revision: int = 1, stages: Collection[Stage] = STAGES[:-1]
    ) -> None:
        """These stages are done with figures that have a revision already."""
        keys, revisions = dict.fromkeys(tenant_ids, "key"), dict.fromkeys(tenant_ids, revision)
        for stage in stages:
            self.outcomes.record(stage.name, OCTOBER, "run", keys, [], revisions)

    def make_ready(self, tenant_id: str, *, revision: int = 1) -> list[DeliveryMessage]:
        made = delivery(SATO, SUZUKI, tenant_id=tenant_id, revision=revision)
        messages = self.register.register(made).messages
        return self.register.release(self.register.verify(messages))

    def post(self, message: DeliveryMessage) -> DeliveryMessage:
        posting = self.register.begin_posting(self.register.claim(message))
        return self.register.accept(posting, "ses-1")

    def end_deliveries(
        self, *tenant_ids: str, code: FailureCode | None = None, revision: int = 1
    ) -> None:
        """The last stage is done with a revision, or failed."""
        artefacts = {} if code else dict.fromkeys(tenant_ids, "key")
        failures = [TenantFailure(t, code) for t in tenant_ids] if code else []
        revisions = dict.fromkeys(tenant_ids, revision)
        self.outcomes.record(STAGES[-1].name, OCTOBER, "run", artefacts, failures, revisions)

    def fail(self, tenant_id: str, code: FailureCode, *, stage: int = 0) -> None:
        failure = TenantFailure(tenant_id, code)
        self.outcomes.record(STAGES[stage].name, OCTOBER, "run", {}, [failure])

    def told(self) -> dict[str, str]:
        """The notices in English, by key: title and body."""
        notices = {}
        for path in self.notices.glob("*.json"):
            record = json.loads(path.read_text(encoding="utf-8"))
            notices[path.stem] = f"{record['title']['en']}\n{record['body']['en']}"
        return notices

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.url) as connection:
            connection.execute(statement.encode())


def tenants_of(launches: Collection[Launch]) -> list[str]:
    return sorted(t for launch in launches for batch in launch.batches for t in batch)


class BrokenNotifier(Notifier):
    def notify(self, notice: Notice) -> None:
        raise OSError(notice.key)


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Iterator[World]:
    world = World(database_url, tmp_path)
    with world.instance, world.register:
        yield world


def test_who_was_forgotten_is_run_from_the_ledger_on(world: World) -> None:
    world.finish("t0002")
    # and then their runs died
    world.make_reports("t0003", stages=STAGES[:2])
    assert world.sweep() == (["t0001", "t0003", "t0004"], [])


def test_of_reports_that_are_made_only_the_mails_are_asked_for(world: World) -> None:
    world.make_reports(*TENANTS)
    for tenant_id in ("t0002", "t0003"):
        sent, throttled = world.make_ready(tenant_id)
        world.post(sent)
        world.register.postpone(
            world.register.begin_posting(world.register.claim(throttled)), "429"
        )
        world.end_deliveries(tenant_id, code=FailureCode.INTERNAL_ERROR)
    # what the reports are made of changed since, and no run came further
    world.make_reports("t0003", revision=2, stages=STAGES[:2])
    # and so it did after the mails had gone out
    world.finish_mails("t0004")
    world.make_reports("t0004", revision=2)
    assert world.sweep() == (["t0003"], ["t0001", "t0002", "t0004"])


def test_a_month_that_was_just_opened_is_left_to_its_schedule(world: World) -> None:
    world.now -= datetime.timedelta(minutes=55)
    assert world.sweep() == ([], [])
    assert world.sweep(minutes=10) == (TENANTS, [])


def test_requests_are_one_launch_of_balanced_batches(world: World) -> None:
    world.sweeper().sweep_month(world.instance, OCTOBER, world.now)
    [launch] = world.launches.unlaunched()
    moment = world.now.astimezone(TOKYO).strftime("%Y%m%dT%H%M")
    assert launch.launch_id == f"sweep-2026-10-{moment}"
    assert sorted(len(batch) for batch in launch.batches) == [2, 2]


def test_what_may_pass_by_itself_is_run_again(world: World) -> None:
    world.finish("t0004")
    world.fail("t0001", FailureCode.INTERNAL_ERROR)
    world.fail("t0002", FailureCode.INPUT_MISSING, stage=1)
    world.fail("t0003", FailureCode.IDENTITY_VIOLATED, stage=1)
    assert world.sweep() == (["t0001", "t0002", "t0003"], [])


def test_what_a_person_has_to_mend_is_left_to_the_person(world: World) -> None:
    world.fail("t0001", FailureCode.LEDGER_IMBALANCE)
    world.fail("t0002", FailureCode.VERIFICATION_FAILED, stage=1)
    world.fail("t0003", FailureCode.MISSING_GLYPH, stage=2)
    world.fail("t0004", FailureCode.DOCUMENT_MISMATCH, stage=3)
    # what a later stage says follows from it
    world.end_deliveries(*TENANTS, code=FailureCode.INPUT_MISSING)
    assert world.sweep() == ([], [])


def test_who_left_or_was_waived_is_not_asked_for(world: World) -> None:
    world.finish("t0003")
    world.execute("update ledger.companies set status = 'left' where tenant_id = 't0001'")
    world.decisions.waive(["t0002"], OCTOBER, "解約手続き中")
    assert world.sweep() == (["t0004"], [])


def test_who_came_after_the_opening_is_not_asked_for(world: World) -> None:
    world.finish(*TENANTS)
    world.execute("insert into ledger.companies (tenant_id, name) values ('t0005', '新規')")
    assert world.sweep() == ([], [])


def test_who_is_under_way_is_left_alone(world: World) -> None:
    scheduled = Launch("month-2026-10", OCTOBER, (("t0001", "t0002"),))
    create_runs(world.instance, missing_runs(world.instance, scheduled))
    asked = Launch("backfill-1", OCTOBER, (("t0003",),))
    world.launches.request(asked, requested_by="yamada")
    world.sweeper().sweep_month(world.instance, OCTOBER, world.now)
    [_, swept] = world.launches.unlaunched()
    assert swept.batches == (("t0004",),)
    # its own launches too
    world.sweeper().sweep_month(world.instance, OCTOBER, world.now + TICK)
    assert len(world.launches.unlaunched()) == 2


def nine_tomorrow(world: World) -> datetime.datetime:
    tomorrow = world.now.astimezone(TOKYO).date() + datetime.timedelta(days=1)
    return datetime.datetime.combine(tomorrow, datetime.time(9), TOKYO).astimezone(datetime.UTC)


def test_mails_that_wait_go_out_when_it_is_time(world: World) -> None:
    world.finish("t0002", "t0003", "t0004")
    world.preferences.set(
        "t0001", DeliveryPreferences(not_before=datetime.time(9)), set_by="yamada"
    )
    world.make_reports("t0001")
    world.make_ready("t0001")
    world.end_deliveries("t0001")
    world.now = nine_tomorrow(world) - datetime.timedelta(minutes=5)
    assert world.sweep() == ([], [])
    assert world.sweep(minutes=5) == ([], ["t0001"])


def test_mails_wait_for_the_canaries(world: World) -> None:
    world.execute("update reporting.expected_tenants set is_canary = true where tenant_id='t0001'")
    world.make_reports(*TENANTS)
    for tenant_id in TENANTS:
        world.make_ready(tenant_id)
    world.end_deliveries(*TENANTS)
    assert world.sweep() == ([], ["t0001"])
    world.execute(
        """
        update reporting.delivery_messages set state = 'DELIVERED', provider_id = 'ses-1'
        where delivery_id = (
            select delivery_id from reporting.deliveries where tenant_id = 't0001'
        )
        """
    )
    assert world.sweep(minutes=5) == ([], ["t0002", "t0003", "t0004"])


def enter_waiting_newcomer(world: World) -> None:
    """t0005 became a customer after October was opened; its mails wait."""
    world.finish(*TENANTS)
    world.execute("insert into ledger.companies (tenant_id, name) values ('t0005', '新規')")
    world.make_reports("t0005")
    world.make_ready("t0005")
    world.end_deliveries("t0005")


def test_mails_of_those_nobody_expects_go_out_too(world: World) -> None:
    enter_waiting_newcomer(world)
    assert world.sweep() == ([], ["t0005"])


def test_mails_go_out_whether_the_month_is_closed_or_was_never_opened(world: World) -> None:
    enter_waiting_newcomer(world)
    world.months.close(OCTOBER, closed_by="yamada")
    assert world.sweep() == ([], ["t0005"])
    world.decisions.resend("t0001", OCTOBER, 1, "紛失")
    assert world.sweep(minutes=60) == ([], ["t0001", "t0005"])
    world.execute(
        """
        delete from reporting.delivery_month_closings; delete from reporting.expected_tenants;
        delete from reporting.delivery_months
        """
    )
    assert world.sweep(minutes=60) == ([], ["t0001", "t0005"])


def test_nothing_else_is_asked_for_of_those_nobody_expects(world: World) -> None:
    enter_waiting_newcomer(world)
    world.fail("t0005", FailureCode.INTERNAL_ERROR)
    assert world.sweep() == ([], [])


def test_the_newest_open_month_is_swept_first(world: World) -> None:
    world.months.open(Month(2026, 8), [], opened_by="schedule")
    world.months.open(Month(2026, 9), [], opened_by="schedule")
    enter_waiting_newcomer(world)
    world.months.close(OCTOBER, closed_by="yamada")
    swept = world.sweeper().sweep(world.instance, world.now, LOG)
    assert [sweep.month for sweep in swept] == [Month(2026, 9), Month(2026, 8), OCTOBER]


def make_canary_wait(world: World) -> list[DeliveryMessage]:
    """t0001 is the canary, for whose mails, which are returned, the others wait."""
    world.execute("update reporting.expected_tenants set is_canary = true where tenant_id='t0001'")
    world.make_reports(*TENANTS)
    mails = [world.make_ready(tenant_id) for tenant_id in TENANTS]
    world.end_deliveries(*TENANTS)
    return mails[0]


def test_canaries_that_do_not_arrive_are_told_once(world: World) -> None:
    for message in make_canary_wait(world):
        world.post(message)
    assert world.sweep() == ([], [])
    assert world.told() == {}
    world.execute(
        """
        update reporting.delivery_messages set state = 'BOUNCED'
        where state = 'ACCEPTED' and recipient_no = 2
        """
    )
    for _ in range(2):
        assert world.sweep(minutes=5) == ([], [])
    [(key, text)] = world.told().items()
    assert key == "canaries-awaited_2026-10"
    assert "the mails of 3 tenants wait" in text
    assert "t0001 DELIVERED" in text
    assert text.endswith("\nreports deliveries end-canary --month 2026-10 --reason REASON")


def test_canaries_that_failed_are_told_unless_they_are_tried_again(world: World) -> None:
    make_canary_wait(world)
    world.fail("t0001", FailureCode.INTERNAL_ERROR)
    for _ in range(2):
        world.sweep(minutes=1)
    assert world.told() == {}
    world.fail("t0001", FailureCode.LEDGER_IMBALANCE)
    world.sweep()
    [text] = world.told().values()
    assert "t0001 LEDGER_IMBALANCE: " in text


def test_what_is_held_waits_until_it_is_released(world: World) -> None:
    world.finish("t0002", "t0003", "t0004")
    world.make_reports("t0001")
    world.make_ready("t0001")
    world.decisions.hold(["t0001"], OCTOBER, "勘定の誤り")
    world.end_deliveries("t0001", code=FailureCode.DELIVERY_HELD)
    assert world.sweep() == ([], [])
    world.decisions.release(["t0001"], OCTOBER, "訂正済み")
    assert world.sweep() == ([], ["t0001"])


def test_a_mail_to_be_sent_once_more_goes_out(world: World) -> None:
    world.finish(*TENANTS)
    assert world.sweep() == ([], [])
    world.decisions.resend("t0001", OCTOBER, 1, "紛失")
    assert world.sweep() == ([], ["t0001"])


def test_a_refused_mail_that_was_reopened_goes_out(world: World) -> None:
    world.finish("t0002", "t0003", "t0004")
    world.make_reports("t0001")
    for message in world.make_ready("t0001"):
        world.register.block([message], FailureCode.MAIL_REFUSED, "554 5.7.1")
    world.end_deliveries("t0001", code=FailureCode.MAIL_REFUSED)
    assert world.sweep() == ([], [])
    world.decisions.reopen("t0001", OCTOBER, 1, "中継サーバの設定誤り")
    # even if the run that found it refused says so only now
    world.end_deliveries("t0001", code=FailureCode.MAIL_REFUSED)
    assert world.sweep() == ([], ["t0001"])


def make_pending_correction(world: World) -> None:
    world.finish(*TENANTS)
    world.make_reports("t0001", revision=2)
    world.end_deliveries("t0001", code=FailureCode.CORRECTION_PENDING, revision=2)
    assert world.sweep() == ([], [])


def test_a_correction_goes_out_once_it_is_approved(world: World) -> None:
    make_pending_correction(world)
    world.decisions.approve("t0001", OCTOBER, 2, "請求書の計上漏れ")
    assert world.sweep() == ([], ["t0001"])
    # the approval is of that revision
    world.make_reports("t0001", revision=3)
    world.end_deliveries("t0001", code=FailureCode.CORRECTION_PENDING, revision=3)
    assert world.sweep(minutes=60) == ([], [])


def test_a_correction_goes_out_once_the_company_wants_them_by_themselves(world: World) -> None:
    make_pending_correction(world)
    world.preferences.set(
        "t0001", DeliveryPreferences(corrections=Corrections.AUTOMATIC), set_by="yamada"
    )
    assert world.sweep() == ([], ["t0001"])


@pytest.mark.parametrize("is_automatic", [True, False])
def test_a_correction_behind_an_unknown_mail_goes_out_once_that_is_settled(
    world: World, is_automatic: bool
) -> None:
    world.finish("t0002", "t0003", "t0004")
    world.make_reports("t0001")
    unclear, other = world.make_ready("t0001")
    world.post(other)
    world.register.mark_unknown(
        world.register.begin_posting(world.register.claim(unclear)), "timed out"
    )
    world.make_reports("t0001", revision=2)
    world.end_deliveries("t0001", code=FailureCode.CORRECTION_PENDING, revision=2)
    if is_automatic:
        automatic = DeliveryPreferences(corrections=Corrections.AUTOMATIC)
        world.preferences.set("t0001", automatic, set_by="yamada")
    else:
        world.decisions.approve("t0001", OCTOBER, 2, "請求書の計上漏れ")
    assert [world.sweep(minutes=5) for _ in range(12)] == [([], [])] * 12
    assert not any(key.startswith("tenants-parked") for key in world.told())
    event = Feedback(
        FeedbackKind.DELIVERY, "t0001", "2026-10", unclear.delivery_id, 1, "ses-9", "Delivery"
    )
    assert world.register.record(event)
    assert world.sweep(minutes=5) == ([], ["t0001"])


def test_what_an_older_run_says_late_does_not_hide_a_newer_revision(world: World) -> None:
    world.finish(*TENANTS)
    world.make_reports("t0001", revision=2)  # by a run that then died
    world.make_reports("t0002", revision=2, stages=STAGES[:2])
    world.end_deliveries("t0001", "t0002")  # by one of the first revision
    assert world.sweep() == (["t0002"], ["t0001"])


def test_figures_that_return_to_what_was_mailed_need_no_run(world: World) -> None:
    make_pending_correction(world)
    world.end_stages("t0001")
    world.end_deliveries("t0001")
    assert world.sweep(minutes=60) == ([], [])


def test_mails_of_an_old_revision_do_not_go_out_while_its_correction_waits(world: World) -> None:
    world.finish("t0002", "t0003", "t0004")
    world.make_reports("t0001")
    world.post(world.make_ready("t0001")[0])
    world.make_reports("t0001", revision=2)
    world.end_deliveries("t0001", code=FailureCode.CORRECTION_PENDING, revision=2)
    assert world.sweep() == ([], [])


def test_who_could_not_be_mailed_is_once_there_is_a_contact(world: World) -> None:
    world.finish("t0003", "t0004")
    world.make_reports("t0001", "t0002")
    for tenant_id, code in (
        ("t0001", FailureCode.ADDRESS_SUPPRESSED),
        ("t0002", FailureCode.NO_RECIPIENT),
    ):
        world.register.block(world.make_ready(tenant_id), code, "nobody")
        world.end_deliveries(tenant_id, code=code)
    world.execute(
        """
        insert into ledger.contacts (tenant_id, contact_no, name, email, purpose) values
            ('t0001', 1, '佐藤', 'Sato@yamada.example', 'reports'),
            ('t0001', 2, '社長', 'ceo@yamada.example', 'alternative');
        insert into reporting.suppressed_addresses
        select 'sato@yamada.example', 'bounced', delivery_id, 1
        from reporting.deliveries where tenant_id = 't0001'
        """
    )
    assert world.sweep() == ([], [])
    world.decisions.unsuppress("sato@yamada.example", "容量不足だった")
    assert world.sweep() == ([], ["t0001"])
    world.execute(
        """
        insert into ledger.contacts (tenant_id, contact_no, name, email)
        values ('t0002', 1, '鈴木', 'suzuki@yamada.example')
        """
    )
    assert world.sweep(minutes=5) == ([], ["t0001", "t0002"])


def test_an_address_that_was_refused_is_tried_again_once_it_is_corrected(world: World) -> None:
    world.finish("t0002", "t0003", "t0004")
    world.make_reports("t0001")
    world.execute(
        f"""
        insert into ledger.contacts (tenant_id, contact_no, name, email)
        values ('t0001', 1, '{SATO.name}', '{SATO.email}')
        """
    )
    world.register.block(world.make_ready("t0001"), FailureCode.ADDRESS_REFUSED, "no such user")
    world.end_deliveries("t0001", code=FailureCode.ADDRESS_REFUSED)
    assert world.sweep() == ([], [])
    world.execute("update ledger.contacts set email = 'hanako@yamada.example'")
    assert world.sweep() == ([], ["t0001"])
    # and refused again
    corrected = delivery(Recipient(SATO.name, "hanako@yamada.example"), tenant_id="t0001")
    waiting = world.register.register(corrected).among(WAITING)
    world.register.block(waiting, FailureCode.ADDRESS_REFUSED, "no such user")
    world.end_deliveries("t0001", code=FailureCode.ADDRESS_REFUSED)
    assert world.sweep(minutes=60) == ([], [])


def test_who_gets_no_contact_after_a_mail_went_out_is_not_asked_for_in_vain(world: World) -> None:
    world.finish("t0002", "t0003", "t0004")
    world.make_reports("t0001")
    first, second = world.make_ready("t0001")
    world.post(first)
    world.register.block([second], FailureCode.ADDRESS_REFUSED, "no such user")
    world.end_deliveries("t0001")
    world.decisions.resend("t0001", OCTOBER, 1, "紛失")
    copy = world.register.register(delivery(SATO, tenant_id="t0001")).among(WAITING)
    world.register.block(copy, FailureCode.ADDRESS_REFUSED, "no such user")
    world.execute(
        """
        insert into ledger.contacts (tenant_id, contact_no, name, email)
        values ('t0001', 1, '新任', 'new@yamada.example')
        """
    )
    assert world.sweep(minutes=60) == ([], [])


def test_mails_of_reports_that_failed_since_do_not_go_out(world: World) -> None:
    world.finish("t0002", "t0003", "t0004")
    world.make_reports("t0001")
    world.make_ready("t0001")
    world.end_deliveries("t0001")
    world.fail("t0001", FailureCode.LEDGER_IMBALANCE)
    assert world.sweep() == ([], [])


def test_a_mail_of_a_dead_process_is_freed_and_goes_out(world: World) -> None:
    world.finish("t0002", "t0003", "t0004")
    world.make_reports("t0001")
    for message in world.make_ready("t0001"):
        world.register.claim(message)
    world.end_deliveries("t0001")
    assert world.sweep() == ([], [])
    world.execute(
        "update reporting.delivery_messages set lease_until = now() where state = 'CLAIMED'"
    )
    assert world.sweep(minutes=5) == ([], ["t0001"])


def test_a_post_of_a_dead_process_is_told_and_never_asked_for(world: World) -> None:
    world.finish("t0002", "t0003", "t0004")
    world.make_reports("t0001")
    posting, other = world.make_ready("t0001")
    world.post(other)
    world.register.begin_posting(world.register.claim(posting))
    world.execute(
        """
        update reporting.delivery_messages set lease_until = now() - interval '16 minutes'
        where state = 'POSTING'
        """
    )
    for _ in range(3):
        assert world.sweep(minutes=5) == ([], [])
    [(key, text)] = world.told().items()
    assert key.startswith("delivery-unknown_2026-10_")
    assert f"t0001: recipient 1, reference {reference(posting.delivery_id)}" in text
    assert "reports deliveries resolve --month 2026-10 --tenant t0001 --recipient 1" in text
    assert SATO.email not in text
    # a person has dealt with it
    world.decisions.sign_off("t0001", OCTOBER, 1, "連絡がつかない")
    assert world.sweep(minutes=5) == ([], [])


def lose_posts(world: World, *tenant_ids: str) -> None:
    """Their mails to the first recipient are posted by processes that died long ago."""
    for tenant_id in tenant_ids:
        world.register.begin_posting(world.register.claim(world.make_ready(tenant_id)[0]))
    world.execute(
        """
        update reporting.delivery_messages set lease_until = now() - interval '2 days'
        where state = 'POSTING'
        """
    )


def test_lost_posts_are_told_whoever_expects_them_and_however_many(world: World) -> None:
    # nobody expects t0005, and October is closed
    newcomers = [f"n{number:04}" for number in range(60)]
    world.finish(*TENANTS)
    world.make_reports("t0005", *newcomers)
    lose_posts(world, "t0005")
    world.months.close(OCTOBER, closed_by="yamada")
    world.sweep()
    [text] = world.told().values()
    assert "1 mails" in text
    lose_posts(world, *newcomers)
    world.sweep(minutes=5)
    world.sweep(minutes=5)
    assert len(world.told()) == 2
    [text] = [text for text in world.told().values() if "60 mails" in text]
    assert text.count("recipient 1, reference") == 50
    assert "\n…\n" in text


def test_an_unknown_mail_that_could_not_be_told_is_told_by_the_next_tick(world: World) -> None:
    world.finish("t0002", "t0003", "t0004")
    world.make_reports("t0001")
    lose_posts(world, "t0001")
    with pytest.raises(ExceptionGroup):
        world.sweeper(BrokenNotifier()).sweep(world.instance, world.now, LOG)
    assert world.told() == {}
    world.sweep(minutes=5)
    assert len(world.told()) == 1


def test_beside_a_post_of_unknown_fate_the_other_mails_go_out(world: World) -> None:
    world.finish("t0002", "t0003", "t0004")
    world.make_reports("t0001")
    posting, _ = world.make_ready("t0001")
    world.register.mark_unknown(
        world.register.begin_posting(world.register.claim(posting)), "timed out"
    )
    world.end_deliveries("t0001", code=FailureCode.DELIVERY_UNKNOWN)
    assert world.sweep() == ([], ["t0001"])


def test_it_asks_less_and_less_often_and_then_tells_a_person_once(world: World) -> None:
    world.finish("t0002", "t0003", "t0004")
    world.fail("t0001", FailureCode.INTERNAL_ERROR)
    # 5 minutes after the first time, 10 after the second
    asked = [world.sweep(minutes=5)[0] for _ in range(4)]
    assert asked == [["t0001"], ["t0001"], [], ["t0001"]]
    assert world.told() == {}
    assert [world.sweep(minutes=5) for _ in range(12)] == [([], [])] * 12
    [(key, text)] = world.told().items()
    assert key.startswith("tenants-parked_2026-10_")
    assert "t0001 INTERNAL_ERROR: " in text
    assert "again 3 times" in text
    assert text.endswith("\nreports backfill --month 2026-10 --tenant t0001")
    assert world.launches.sweeps(OCTOBER)["t0001"].parked


def test_an_operators_launch_lets_it_begin_anew(world: World) -> None:
    world.finish("t0002", "t0003", "t0004")
    world.fail("t0001", FailureCode.INTERNAL_ERROR)
    for _ in range(10):
        world.sweep(minutes=5)
    world.launches.request(Launch("backfill-1", OCTOBER, (("t0001",),)), requested_by="yamada")
    world.launches.mark_launched(["backfill-1"])
    world.now += datetime.timedelta(days=1)
    world.execute(
        """
        update reporting.launches set requested_at = requested_at + interval '1 day'
        where launch_id = 'backfill-1'
        """
    )
    assert world.sweep(minutes=5) == (["t0001"], [])
    for _ in range(10):
        world.sweep(minutes=5)
    assert len([key for key in world.told() if key.startswith("tenants-parked_")]) == 2


def test_each_of_those_parked_later_is_told_once(world: World) -> None:
    world.finish("t0003", "t0004")
    world.fail("t0001", FailureCode.INTERNAL_ERROR)
    for _ in range(5):
        world.sweep(minutes=5)
    world.fail("t0002", FailureCode.INTERNAL_ERROR)
    # t0002 began as one that was not started
    for _ in range(8):
        world.sweep(minutes=5)
    parked = [text.rsplit("--tenant ", 1)[1] for text in world.told().values()]
    assert sorted(",".join(parked).split(",")) == ["t0001", "t0002"]


def test_a_parked_notice_that_could_not_be_told_is_told_by_the_next_tick(world: World) -> None:
    world.finish("t0002", "t0003", "t0004")
    world.fail("t0001", FailureCode.INTERNAL_ERROR)
    for _ in range(4):
        world.sweep(minutes=5)
    with pytest.raises(ExceptionGroup):
        world.sweeper(BrokenNotifier()).sweep(world.instance, world.now + TICK, LOG)
    assert world.told() == {}
    world.sweep(minutes=10)
    assert len(world.told()) == 1


def test_two_daemons_at_once_ask_once(world: World) -> None:
    for seconds in (0, 2):
        moment = world.now + datetime.timedelta(seconds=seconds)
        # the other's launch is not written down yet when this one looks
        with dg.DagsterInstance.ephemeral() as instance:
            blind = dataclasses.replace(world.sweeper(), launches=_BlindLaunches(world.url))
            blind.sweep_month(instance, OCTOBER, moment)
    [launch] = world.launches.unlaunched()
    assert tenants_of([launch]) == TENANTS


class _BlindLaunches(Launches):
    """Sees nothing that others write down."""

    def unlaunched(self) -> list[Launch]:
        return []


def test_a_month_that_cannot_be_swept_stops_no_other(world: World) -> None:
    september = Month(2026, 9)
    world.months.open(september, ["t0001"], opened_by="schedule")
    world.execute(
        """
        insert into reporting.stage_outcomes (month, tenant_id, stage, run_id, failure_code)
        values ('2026-09-01', 't0001', 'statements', 'run', 'NO_SUCH_CODE')
        """
    )
    with pytest.raises(ExceptionGroup, match=r"^2026-09 was not swept"):
        world.sweeper().sweep(world.instance, world.now, LOG)
    assert tenants_of(world.launches.unlaunched()) == TENANTS


def test_a_closed_month_is_not_swept(world: World) -> None:
    world.months.close(OCTOBER, closed_by="yamada")
    assert world.sweeper().sweep(world.instance, world.now, LOG) == []


def test_a_month_that_nobody_opened_is_told_once(world: World) -> None:
    world.months.close(OCTOBER, closed_by="yamada")

    def told_at(day: int, hour: int, minute: int) -> list[str]:
        moment = datetime.datetime(2026, 12, day, hour, minute, tzinfo=TOKYO)
        world.sweeper().sweep(world.instance, moment, LOG)
        return list(world.told())

    assert told_at(1, 1, 55) == []
    assert told_at(1, 2, 0) == ["month-not-opened_2026-11"]
    assert told_at(24, 9, 0) == ["month-not-opened_2026-11"]
    [text] = world.told().values()
    assert "reports month open --month 2026-11" in text


def test_nothing_is_told_of_a_month_that_was_opened(world: World) -> None:
    world.finish(*TENANTS)
    moment = datetime.datetime(2026, 11, 30, 23, 55, tzinfo=TOKYO)
    world.sweeper().sweep(world.instance, moment, LOG)
    assert world.told() == {}


def test_a_month_that_is_late_is_told_once(world: World) -> None:
    world.finish("t0003", "t0004")
    world.fail("t0001", FailureCode.LEDGER_IMBALANCE)
    world.launches.request(
        Launch("operator", OCTOBER, (("t0002",),)), requested_by="yamada"
    )  # it is under way
    world.now -= datetime.timedelta(hours=1)
    world.sweep(minutes=8 * 60 - 5)
    assert world.told() == {}
    for _ in range(2):
        world.sweep(minutes=5)
    [(key, text)] = world.told().items()
    assert key == "month-late_2026-10"
    assert "2 of 4 tenants" in text
    assert "\nt0001 LEDGER_IMBALANCE: " in text
    assert "\nt0002 NOT_STARTED\n" in text


def test_who_wants_mails_later_or_is_held_makes_no_month_late(world: World) -> None:
    world.execute("update reporting.delivery_months set opened_at = '2026-11-01 01:00 Asia/Tokyo'")
    world.finish("t0003", "t0004")
    world.make_reports("t0001", "t0002")
    for tenant_id in ("t0001", "t0002"):
        world.make_ready(tenant_id)
    world.end_deliveries("t0001", "t0002")
    world.preferences.set(
        "t0001", DeliveryPreferences(not_before=datetime.time(9)), set_by="yamada"
    )
    world.decisions.hold(["t0002"], OCTOBER, "勘定の誤り")
    world.now = datetime.datetime(2026, 11, 1, 8, 55, tzinfo=TOKYO)
    for minutes in (0, 5, 5, 7 * 60 + 50):
        world.sweep(minutes=minutes)
        assert "month-late_2026-10" not in world.told()
    world.sweep(minutes=5)
    assert "1 of 4 tenants still lack them" in world.told()["month-late_2026-10"]
    assert "\nt0001 WAITING\n" in world.told()["month-late_2026-10"]


def test_a_correction_makes_no_month_late(world: World) -> None:
    make_pending_correction(world)
    world.sweep(minutes=9 * 60)
    assert world.told() == {}
