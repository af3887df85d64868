import datetime
import threading
from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest

from reports_pipeline.accounting.failures import FailureCode
from reports_pipeline.accounting.periods import Month
from reports_pipeline.delivery.deliveries import (
    ChangedFigure,
    DeliveryMessage,
    LetterCorrection,
    Recipient,
    RegisteredDelivery,
)
from reports_pipeline.delivery.errors import (
    CorrectionPendingError,
    DeliveryHeldError,
    IllegalMoveError,
    LostClaimError,
    RevisionConflictError,
)
from reports_pipeline.delivery.feedback import Feedback, FeedbackKind
from reports_pipeline.delivery.preferences import Corrections, DeliveryPreferences
from reports_pipeline.delivery.states import DeliveryState
from resources.delivery_decisions import DeliveryDecisions
from resources.delivery_history import delivery_history
from resources.delivery_preferences import DeliveryPreferencesStore
from resources.delivery_register import PostgresDeliveryRegister
from tests.delivery.examples import LETTER, OCTOBER, SATO, SUZUKI, delivery


@pytest.fixture
def forgetful(revisions_url: str) -> Iterator[PostgresDeliveryRegister]:
    """A register whose leases run out at once."""
    with PostgresDeliveryRegister(
        revisions_url, actor="run-2", lease=datetime.timedelta()
    ) as register:
        yield register


def states(registered: RegisteredDelivery) -> list[str]:
    return [message.state.value for message in registered.messages]


def ready(register: PostgresDeliveryRegister, *recipients: Recipient) -> list[DeliveryMessage]:
    registered = register.register(delivery(*recipients))
    return register.release(register.verify(registered.messages))


def posting(register: PostgresDeliveryRegister, *recipients: Recipient) -> DeliveryMessage:
    return register.begin_posting(register.claim(ready(register, *recipients)[0]))


def accepted(register: PostgresDeliveryRegister, *recipients: Recipient) -> DeliveryMessage:
    return register.accept(posting(register, *recipients), "ses-1")


def history(revisions_url: str) -> list[tuple[object, ...]]:
    with psycopg.connect(revisions_url) as connection:
        return connection.execute(
            """
            select recipient_no, version, from_state, to_state, actor, reason
            from reporting.delivery_moves order by delivery_id, recipient_no, version
            """
        ).fetchall()


def test_registering_twice_enters_once(
    register: PostgresDeliveryRegister, revisions_url: str
) -> None:
    first = register.register(delivery(SATO, SUZUKI))
    assert states(first) == ["BUILT", "BUILT"]
    assert [message.recipient for message in first.messages] == [SATO, SUZUKI]
    assert first.letter == LETTER
    assert first.documents == delivery().documents
    assert register.register(delivery(SATO, SUZUKI)) == first
    assert len(history(revisions_url)) == 2


def test_a_rebuilt_letter_does_not_replace_the_registered_one(
    register: PostgresDeliveryRegister,
) -> None:
    first = register.register(delivery(SATO))
    rebuilt = delivery(SATO, letter=replace(LETTER, company_name="別の会社"))
    assert register.register(rebuilt) == first


def test_an_address_listed_twice_gets_one_message(register: PostgresDeliveryRegister) -> None:
    again = Recipient("佐藤（経理）", "SATO@Yamada.example")
    assert [m.recipient for m in register.register(delivery(SATO, again)).messages] == [SATO]


def test_the_whole_way_of_a_mail_is_in_the_history(
    register: PostgresDeliveryRegister, revisions_url: str
) -> None:
    message = accepted(register, SATO)
    assert (message.state, message.provider_id, message.attempts) == ("ACCEPTED", "ses-1", 1)
    assert history(revisions_url) == [
        (1, 1, None, "BUILT", "run-1", ""),
        (1, 2, "BUILT", "VERIFIED", "run-1", ""),
        (1, 3, "VERIFIED", "READY", "run-1", ""),
        (1, 4, "READY", "CLAIMED", "run-1", ""),
        (1, 5, "CLAIMED", "POSTING", "run-1", ""),
        (1, 6, "POSTING", "ACCEPTED", "run-1", ""),
    ]


def test_a_throttled_mail_may_be_claimed_again(register: PostgresDeliveryRegister) -> None:
    message = register.postpone(posting(register, SATO), "429")
    assert message.state is DeliveryState.READY
    assert register.begin_posting(register.claim(message)).attempts == 2


def test_of_many_that_claim_at_once_exactly_one_wins(
    register: PostgresDeliveryRegister, revisions_url: str
) -> None:
    (message,) = ready(register, SATO)
    start = threading.Barrier(8)
    claims: list[DeliveryMessage] = []
    losses: list[LostClaimError] = []

    def claim() -> None:
        with PostgresDeliveryRegister(revisions_url, actor="thread") as own:
            own.read(OCTOBER, [])  # connect before the race
            start.wait()
            try:
                claims.append(own.claim(message))
            except LostClaimError as error:
                losses.append(error)

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(claims), len(losses)) == (1, 7)


def test_of_many_that_register_at_once_one_enters(revisions_url: str) -> None:
    start = threading.Barrier(4)
    entered: list[RegisteredDelivery] = []

    def enter() -> None:
        with PostgresDeliveryRegister(revisions_url, actor="thread") as own:
            own.read(OCTOBER, [])
            start.wait()
            entered.append(own.register(delivery(SATO, SUZUKI)))

    threads = [threading.Thread(target=enter) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(entered) == 4
    assert all(one == entered[0] for one in entered)


def test_a_claim_is_kept_while_its_lease_runs(register: PostgresDeliveryRegister) -> None:
    register.claim(ready(register, SATO)[0])
    assert states(register.register(delivery(SATO))) == ["CLAIMED"]


def test_a_claim_whose_lease_ran_out_is_free_again(
    register: PostgresDeliveryRegister, forgetful: PostgresDeliveryRegister, revisions_url: str
) -> None:
    forgetful.claim(ready(forgetful, SATO)[0])
    registered = register.register(delivery(SATO))
    assert states(registered) == ["READY"]
    assert history(revisions_url)[-1] == (1, 5, "CLAIMED", "READY", "run-1", "the lease ran out")
    assert register.claim(registered.messages[0]).state is DeliveryState.CLAIMED


def test_what_dead_processes_held_is_freed_for_all_tenants(
    register: PostgresDeliveryRegister, revisions_url: str
) -> None:
    claimed = register.claim(ready(register, SATO)[0])
    other = register.register(delivery(SATO, SUZUKI, tenant_id="t0002"))
    posting_now, alive = [
        register.begin_posting(register.claim(message))
        for message in register.release(register.verify(other.messages))
    ]

    def pass_minutes(message: DeliveryMessage, minutes: int) -> None:
        with psycopg.connect(revisions_url) as connection:
            connection.execute(
                """
                update reporting.delivery_messages set lease_until = now() - %s * interval '1 min'
                where delivery_id = %s and recipient_no = %s
                """,
                [minutes, message.delivery_id, message.recipient_no],
            )

    assert register.free_expired() == []
    pass_minutes(claimed, 1)
    pass_minutes(posting_now, 14)
    assert [(m.delivery_id, m.state) for m in register.free_expired()] == [
        (claimed.delivery_id, "READY")
    ]
    pass_minutes(posting_now, 16)
    assert [(m.recipient_no, m.state) for m in register.free_expired()] == [(1, "UNKNOWN")]
    assert register.free_expired() == []
    assert register.accept(alive, "ses-1").state is DeliveryState.ACCEPTED


def test_what_another_process_moves_is_not_freed(
    forgetful: PostgresDeliveryRegister, revisions_url: str
) -> None:
    message = forgetful.claim(ready(forgetful, SATO)[0])
    with psycopg.connect(revisions_url) as connection:
        connection.execute("select from reporting.delivery_messages for update")
        assert forgetful.free_expired() == []
    assert forgetful.free_expired()[0].version == message.version + 1


def test_a_zombie_whose_lease_ran_out_does_not_post(
    register: PostgresDeliveryRegister, forgetful: PostgresDeliveryRegister
) -> None:
    zombie = forgetful.claim(ready(forgetful, SATO)[0])
    heir = register.claim(register.register(delivery(SATO)).messages[0])
    assert heir.state is zombie.state is DeliveryState.CLAIMED
    with pytest.raises(LostClaimError):
        forgetful.begin_posting(zombie)
    assert register.begin_posting(heir).attempts == 1


def test_a_mail_left_in_posting_is_never_claimed_again(
    register: PostgresDeliveryRegister, forgetful: PostgresDeliveryRegister
) -> None:
    posting(forgetful, SATO)
    registered = register.register(delivery(SATO))
    assert states(registered) == ["POSTING"]
    with pytest.raises(IllegalMoveError):
        register.claim(registered.messages[0])


def test_a_move_as_of_an_old_version_moves_nothing(register: PostgresDeliveryRegister) -> None:
    sato, suzuki = ready(register, SATO, SUZUKI)
    register.claim(sato)
    with pytest.raises(LostClaimError):
        register.block([sato, suzuki], FailureCode.DOCUMENT_MISMATCH, "")
    assert states(register.register(delivery(SATO, SUZUKI))) == ["CLAIMED", "READY"]


def test_messages_of_many_tenants_move_in_one_statement(
    register: PostgresDeliveryRegister,
) -> None:
    one = register.register(delivery(SATO))
    other = register.register(delivery(SATO, SUZUKI, tenant_id="t0002"))
    moved = register.verify([*one.messages, *other.messages])
    assert [message.version for message in moved] == [2, 2, 2]
    found = register.read(OCTOBER, ["t0001", "t0002", "t0003"])
    assert set(found) == {"t0001", "t0002"}
    assert states(*found["t0001"]) == ["VERIFIED"]
    assert states(*found["t0002"]) == ["VERIFIED", "VERIFIED"]


def test_contacts_may_come_later(register: PostgresDeliveryRegister) -> None:
    assert register.register(delivery()).messages == ()
    assert states(register.register(delivery(SATO))) == ["BUILT"]


def test_a_corrected_address_replaces_the_refused_one(register: PostgresDeliveryRegister) -> None:
    registered = register.register(delivery(replace(SATO, email="sato@")))
    register.block(registered.messages, FailureCode.ADDRESS_REFUSED, "not an address")
    assert states(register.register(delivery(SATO))) == ["BLOCKED", "BUILT"]


def test_a_refused_address_stays_refused(register: PostgresDeliveryRegister) -> None:
    registered = register.register(delivery(SATO))
    register.block(registered.messages, FailureCode.ADDRESS_REFUSED, "suppressed")
    assert states(register.register(delivery(SATO))) == ["BLOCKED"]


def test_a_contact_refused_for_its_name_is_tried_under_its_new_name(
    register: PostgresDeliveryRegister,
) -> None:
    registered = register.register(delivery(replace(SATO, name="佐藤\r\n")))
    register.block(registered.messages, FailureCode.ADDRESS_REFUSED, "not a name")
    registered = register.register(delivery(SATO))
    assert states(registered) == ["BUILT"]
    assert registered.messages[0].recipient == SATO


def test_what_was_blocked_for_its_documents_is_verified_anew(
    register: PostgresDeliveryRegister,
) -> None:
    register.block(ready(register, SATO), FailureCode.DOCUMENT_MISMATCH, "sha256")
    registered = register.register(delivery(SATO))
    assert states(registered) == ["BUILT"]
    assert registered.messages[0].blocked_code is None


def test_who_is_no_longer_a_contact_gets_nothing(register: PostgresDeliveryRegister) -> None:
    ready(register, SATO, SUZUKI)
    registered = register.register(delivery(SUZUKI))
    assert states(registered) == ["BLOCKED", "READY"]
    assert registered.messages[0].blocked_code is FailureCode.NO_RECIPIENT


def test_nobody_is_added_after_a_mail_went_out(register: PostgresDeliveryRegister) -> None:
    accepted(register, SATO)
    assert states(register.register(delivery(SATO, SUZUKI))) == ["ACCEPTED"]


def test_other_numbers_need_another_revision(register: PostgresDeliveryRegister) -> None:
    register.register(delivery(SATO))
    with pytest.raises(RevisionConflictError, match="other numbers"):
        register.register(delivery(SATO, numbers_hash="b" * 64))


def test_a_newer_revision_supersedes_what_has_not_gone_out(
    register: PostgresDeliveryRegister,
) -> None:
    first, second, third = ready(register, SATO, SUZUKI, Recipient("高橋", "takahashi@y.example"))
    claimed = register.claim(first)
    register.block([second], FailureCode.ADDRESS_REFUSED, "")
    assert states(register.register(delivery(SATO, revision=2))) == ["BUILT"]

    old, new = register.read(OCTOBER, ["t0001"])["t0001"]
    assert (old.revision, states(old)) == (1, ["SUPERSEDED"] * 3)
    assert (new.revision, states(new)) == (2, ["BUILT"])
    with pytest.raises(LostClaimError):
        register.begin_posting(claimed)
    with pytest.raises(LostClaimError):
        register.claim(third)
    with pytest.raises(RevisionConflictError, match="outdated"):
        register.register(delivery(SATO))


def test_a_newer_revision_waits_while_the_earlier_may_have_gone_out(
    register: PostgresDeliveryRegister,
) -> None:
    message = posting(register, SATO)
    with pytest.raises(CorrectionPendingError) as raised:
        register.register(delivery(SATO, revision=2))
    assert raised.value.earlier_revision == 1
    register.mark_unknown(message, "time-out")
    with pytest.raises(CorrectionPendingError):
        register.register(delivery(SATO, revision=2))
    assert len(register.read(OCTOBER, ["t0001"])["t0001"]) == 1


def test_a_newer_revision_of_a_mail_that_was_sent_needs_a_person(
    register: PostgresDeliveryRegister,
) -> None:
    accepted(register, SATO)
    with pytest.raises(CorrectionPendingError):
        register.register(delivery(SATO, revision=2))


def test_a_correction_follows_by_itself_where_the_company_wishes_so(
    register: PostgresDeliveryRegister, revisions_url: str
) -> None:
    preferences = DeliveryPreferencesStore(revisions_url)
    accepted(register, SATO)
    letter = replace(LETTER, correction=LetterCorrection(1, 2, (), changes=0))
    correction = delivery(SATO, revision=2, letter=letter)
    wish = DeliveryPreferences(corrections=Corrections.AUTOMATIC)
    preferences.set("t0002", wish, set_by="sato")
    with pytest.raises(CorrectionPendingError):
        register.register(correction)
    preferences.set("t0001", wish, set_by="sato")
    preferences.set("t0001", replace(wish, note="a"), set_by="sato")
    assert states(register.register(correction)) == ["BUILT"]
    [step] = [
        s for s in delivery_history(revisions_url, "t0001", OCTOBER) if s.what == "r2/1 BUILT"
    ]
    assert step.reason == "corrections are automatic by version 2 of the preferences"
    # What has not gone out asks the wish of the day.
    preferences.set("t0001", DeliveryPreferences(), set_by="sato")
    with pytest.raises(CorrectionPendingError):
        register.register(correction)


def test_an_automatic_correction_waits_for_the_fate_of_the_earlier_mail(
    register: PostgresDeliveryRegister, revisions_url: str
) -> None:
    wish = DeliveryPreferences(corrections=Corrections.AUTOMATIC)
    DeliveryPreferencesStore(revisions_url).set("t0001", wish, set_by="sato")
    message = posting(register, SATO)
    with pytest.raises(CorrectionPendingError):
        register.register(delivery(SATO, revision=2))
    register.mark_unknown(message, "time-out")
    with pytest.raises(CorrectionPendingError):
        register.register(delivery(SATO, revision=2))


def test_posting_is_on_disk_before_the_post(
    register: PostgresDeliveryRegister, revisions_url: str
) -> None:
    with psycopg.connect(revisions_url) as connection:
        connection.execute(f"alter database {connection.info.dbname} set synchronous_commit = off")
        connection.execute("create table commits (state text, synchronous text)")
        connection.execute(
            """
            create function note_commit() returns trigger language plpgsql as $$
            begin
                insert into commits values (new.state, current_setting('synchronous_commit'));
                return new;
            end $$
            """
        )
        connection.execute(
            "create trigger note_commit after update on reporting.delivery_messages"
            " for each row execute function note_commit()"
        )
    posting(register, SATO)
    with psycopg.connect(revisions_url) as connection:
        commits = connection.execute("select state, synchronous from commits").fetchall()
    assert commits == [
        ("VERIFIED", "off"),
        ("READY", "off"),
        ("CLAIMED", "off"),
        ("POSTING", "on"),
    ]


def test_the_register_survives_a_restart_of_the_database(
    register: PostgresDeliveryRegister, revisions_url: str
) -> None:
    register.register(delivery(SATO))
    with psycopg.connect(revisions_url, autocommit=True) as admin:
        admin.execute(
            """
            select pg_terminate_backend(pid) from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid()
            """
        )
    with pytest.raises(psycopg.OperationalError):
        register.register(delivery(SATO))
    assert states(register.register(delivery(SATO))) == ["BUILT"]


def test_the_database_knows_the_states(revisions_url: str) -> None:
    with psycopg.connect(revisions_url) as connection:
        row = connection.execute(
            """
            select string_agg(pg_get_constraintdef(oid), ' ') from pg_constraint
            where conrelid = 'reporting.delivery_messages'::regclass and contype = 'c'
            """
        ).fetchone()
    assert row is not None
    for state in DeliveryState:
        assert f"'{state}'" in row[0]


def test_a_letter_of_a_correction_comes_back_as_it_was(register: PostgresDeliveryRegister) -> None:
    figures = (ChangedFigure("売上高（当月）", "1,000", "1,200"),)
    letter = replace(LETTER, correction=LetterCorrection(1, 2, figures, changes=14))
    assert register.register(delivery(SATO, letter=letter)).letter == letter


def feedback(message: DeliveryMessage, kind: FeedbackKind) -> Feedback:
    return Feedback(
        kind,
        "t0001",
        str(OCTOBER),
        message.delivery_id,
        message.recipient_no,
        "ses-1",
        f"{kind}",
        is_permanent=True,
    )


def test_events_move_a_mail_and_are_written_into_its_history(
    register: PostgresDeliveryRegister, revisions_url: str
) -> None:
    message = accepted(register, SATO)
    for kind in (FeedbackKind.DELIVERY, FeedbackKind.BOUNCE, FeedbackKind.DELIVERY):
        assert register.record(feedback(message, kind))
    [found] = register.read(OCTOBER, ["t0001"])["t0001"]
    assert states(found) == ["BOUNCED"]
    assert found.messages[0].provider_id == "ses-1"
    assert history(revisions_url)[-2:] == [
        (1, message.version + 1, "ACCEPTED", "DELIVERED", "run-1", "Delivery"),
        (1, message.version + 2, "DELIVERED", "BOUNCED", "run-1", "Bounce"),
    ]


def test_an_event_ends_the_doubt_whether_a_mail_went_out(
    register: PostgresDeliveryRegister,
) -> None:
    unclear = register.mark_unknown(posting(register, SATO), "time-out")
    assert register.record(feedback(unclear, FeedbackKind.SEND))
    [found] = register.read(OCTOBER, ["t0001"])["t0001"]
    assert states(found) == ["ACCEPTED"]
    assert found.messages[0].provider_id == "ses-1"


def test_an_event_that_overtakes_the_answer_to_the_post_comes_again(
    register: PostgresDeliveryRegister,
) -> None:
    message = posting(register, SATO)
    with pytest.raises(LostClaimError):
        register.record(feedback(message, FeedbackKind.DELIVERY))
    register.accept(message, "ses-1")
    assert register.record(feedback(message, FeedbackKind.DELIVERY))


def test_an_event_of_a_mail_that_is_not_ours_is_left_alone(
    register: PostgresDeliveryRegister,
) -> None:
    assert not register.record(
        Feedback(FeedbackKind.BOUNCE, "t0001", str(OCTOBER), "f" * 64, 1, "ses-9", "")
    )


def test_an_address_whose_mail_came_back_gets_none_any_more_until_it_is_opened_again(
    register: PostgresDeliveryRegister, revisions_url: str
) -> None:
    register.record(feedback(accepted(register, SATO), FeedbackKind.BOUNCE))
    shouted = Recipient(SATO.name, SATO.email.upper())
    other = delivery(shouted, SUZUKI, tenant_id="t0002")
    registered = register.register(other)
    assert states(registered) == ["BLOCKED", "BUILT"]
    assert registered.messages[0].blocked_code is FailureCode.ADDRESS_SUPPRESSED
    assert register.register(other) == registered
    with psycopg.connect(revisions_url) as connection:
        connection.execute("delete from reporting.suppressed_addresses")
    assert states(register.register(other)) == ["BUILT", "BUILT"]


def test_an_address_that_was_opened_again_stays_open_when_the_event_comes_twice(
    register: PostgresDeliveryRegister, revisions_url: str
) -> None:
    bounce = feedback(accepted(register, SATO), FeedbackKind.BOUNCE)
    register.record(bounce)
    assert register.suppressed([SATO.email.upper()]) == {SATO.email}
    with psycopg.connect(revisions_url) as connection:
        connection.execute("delete from reporting.suppressed_addresses")
    register.record(bounce)
    assert register.suppressed([SATO.email]) == set()


def test_an_address_suppressed_meanwhile_is_not_posted_to(
    register: PostgresDeliveryRegister,
) -> None:
    claimed = register.claim(ready(register, SATO)[0])
    register.record(feedback(accepted_of_another(register), FeedbackKind.BOUNCE))
    with pytest.raises(LostClaimError, match="suppressed meanwhile"):
        register.begin_posting(claimed)
    [found] = register.read(OCTOBER, ["t0001"])["t0001"]
    assert states(found) == ["READY"]
    registered = register.register(delivery(SATO))
    assert registered.messages[0].blocked_code is FailureCode.ADDRESS_SUPPRESSED


@pytest.mark.parametrize("month", [None, OCTOBER])
def test_a_hold_is_seen_at_the_last_look_before_the_post(
    register: PostgresDeliveryRegister, revisions_url: str, month: Month | None
) -> None:
    decisions = DeliveryDecisions(revisions_url, actor="sato")
    claimed = register.claim(ready(register, SATO)[0])
    decisions.hold(["t0001"], month, "wrong bank data")
    with pytest.raises(DeliveryHeldError, match="held by sato: wrong bank data"):
        register.begin_posting(claimed)
    assert history(revisions_url)[-1] == (
        1, 5, "CLAIMED", "READY", "run-1", "held by sato: wrong bank data",
    )  # fmt: skip
    decisions.release(["t0001"], month, "mended")
    [found] = register.read(OCTOBER, ["t0001"])["t0001"]
    assert register.begin_posting(register.claim(found.messages[0])).attempts == 1


def test_a_hold_does_not_free_what_another_process_has(
    register: PostgresDeliveryRegister, forgetful: PostgresDeliveryRegister, revisions_url: str
) -> None:
    zombie = forgetful.claim(ready(forgetful, SATO)[0])
    register.claim(register.register(delivery(SATO)).messages[0])
    DeliveryDecisions(revisions_url, actor="sato").hold(["t0001"], OCTOBER, "wait")
    with pytest.raises(LostClaimError):
        forgetful.begin_posting(zombie)
    [found] = register.read(OCTOBER, ["t0001"])["t0001"]
    assert states(found) == ["CLAIMED"]


def accepted_of_another(register: PostgresDeliveryRegister) -> DeliveryMessage:
    messages = register.register(delivery(SATO, tenant_id="t0002")).messages
    [message] = register.release(register.verify(messages))
    return register.accept(register.begin_posting(register.claim(message)), "ses-9")


def test_an_event_speaks_for_a_process_that_died_in_its_post(
    forgetful: PostgresDeliveryRegister,
) -> None:
    message = posting(forgetful, SATO)
    assert forgetful.record(feedback(message, FeedbackKind.DELIVERY))
    [found] = forgetful.read(OCTOBER, ["t0001"])["t0001"]
    assert states(found) == ["DELIVERED"]
    with pytest.raises(LostClaimError):
        forgetful.accept(message, "ses-1")


def test_an_event_stops_a_mail_that_was_taken_for_one_that_had_not_gone_out(
    register: PostgresDeliveryRegister,
) -> None:
    postponed = register.postpone(posting(register, SATO), "429, or so it seemed")
    assert register.record(feedback(postponed, FeedbackKind.SEND))
    [found] = register.read(OCTOBER, ["t0001"])["t0001"]
    assert states(found) == ["ACCEPTED"]
    with pytest.raises(LostClaimError):
        register.claim(postponed)


def test_a_letter_from_before_there_were_notes_is_read_with_the_houses_ways(
    register: PostgresDeliveryRegister, revisions_url: str
) -> None:
    register.register(delivery(SATO, letter=replace(LETTER, plan="premium", note="note")))
    with psycopg.connect(revisions_url) as connection:
        connection.execute(
            "update reporting.deliveries set letter ="
            " letter - 'plan' - 'time_zone' - 'note' - 'support_address'"
        )
    [registered] = register.read(OCTOBER, ["t0001"])["t0001"]
    assert registered.letter == LETTER


def test_the_companys_own_words_are_mended_until_somebody_may_have_read_them(
    register: PostgresDeliveryRegister,
) -> None:
    register.register(replace(delivery(SATO), letter=replace(LETTER, note="another's note")))
    mended = replace(LETTER, note=None, support_address="desk@yamada.example")
    later = replace(delivery(SATO), letter=replace(mended, company_name="別の会社"))
    assert register.register(later).letter == mended

    [message] = register.register(later).messages
    [ready] = register.release(register.verify([message]))
    register.accept(register.begin_posting(register.claim(ready)), "1")
    too_late = replace(delivery(SATO), letter=replace(LETTER, note="too late"))
    assert register.register(too_late).letter == mended
