"""Delivering a month: who is expected to get reports of it, and when and how each wants them."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    # alternative: who is reached, by a person, when mails to the others come back
    op.execute(
        """
        alter table ledger.contacts add purpose text not null default 'reports'
            check (purpose in ('reports', 'alternative'))
        """
    )
    # That of the figures which the stage made or worked on.
    op.execute("alter table reporting.stage_outcomes add revision integer check (revision >= 1)")
    # Of reports that are made: nothing but their mails.
    op.execute("alter table reporting.launches add deliveries_only boolean not null default false")
    # Whom the sweeper asks for no more since it did so in vain for the last time; told once.
    op.execute(
        """
        create table reporting.parked_tenants (
            month date not null check (extract(day from month) = 1),
            tenant_id text not null,
            last_at timestamptz not null,
            parked_at timestamptz not null default now(),
            primary key (month, tenant_id, last_at)
        )
        """
    )
    # What some process holds: few rows, which the sweeper looks through every five minutes.
    op.execute(
        "create index delivery_messages_lease"
        " on reporting.delivery_messages (lease_until) where lease_until is not null"
    )
    # What may still go out, or may have: little of the register, which the sweeper looks through in
    # every month.
    op.execute(
        """
        create index delivery_messages_open on reporting.delivery_messages (delivery_id)
            where state in ('BUILT', 'VERIFIED', 'READY', 'CLAIMED', 'POSTING', 'UNKNOWN')
        """
    )
    # Of which mails of unknown fate operators were told, once each.
    op.execute(
        """
        create table reporting.unknown_mails_told (
            delivery_id text not null,
            recipient_no integer not null,
            told_at timestamptz not null default now(),
            primary key (delivery_id, recipient_no),
            foreign key (delivery_id, recipient_no) references reporting.delivery_messages
        )
        """
    )
    # People decide about more: that nothing goes to a company, that canaries are not waited for;
    # and a mail sent to an operator is in the history as a decision.
    op.execute(
        """
        alter table reporting.delivery_decisions
            drop constraint delivery_decisions_decision_check,
            drop constraint delivery_decisions_check,
            drop constraint delivery_decisions_check1,
            drop constraint delivery_decisions_check2,
            drop constraint delivery_decisions_check3,
            drop constraint delivery_decisions_check4,
            add constraint delivery_decisions_kind check (decision in
                ('hold', 'release', 'waive', 'unwaive', 'approve', 'resend', 'confirm', 'sign_off',
                 'reopen', 'test_send', 'end_canary', 'unsuppress')),
            add constraint delivery_decisions_tenant
                check ((tenant_id is null) = (decision in ('unsuppress', 'end_canary'))),
            add constraint delivery_decisions_address
                check ((address is not null) = (decision in ('unsuppress', 'test_send'))),
            add constraint delivery_decisions_month
                check (month is not null or decision in ('hold', 'release', 'unsuppress')),
            add constraint delivery_decisions_revision check ((revision is null) = (decision in
                ('hold', 'release', 'waive', 'unwaive', 'end_canary', 'unsuppress'))),
            add constraint delivery_decisions_recipient check ((recipient_no is not null) =
                (decision in ('resend', 'confirm', 'sign_off', 'reopen')))
        """
    )
    # Holds in force: of a month, and of all months (null), the newest word of each counts.
    op.execute(
        """
        create view reporting.delivery_holds as
        select tenant_id, month, reason, decided_by from (
            select distinct on (tenant_id, month) * from reporting.delivery_decisions
            where decision in ('hold', 'release')
            order by tenant_id, month, decision_id desc
        ) newest
        where decision = 'hold'
        """
    )
    # A month is opened once. Who was a customer at that moment is expected to get reports of it;
    # mails to the others wait until those of the canaries have arrived.
    op.execute(
        """
        create table reporting.delivery_months (
            month date primary key check (extract(day from month) = 1),
            opened_by text not null,
            opened_at timestamptz not null default now()
        )
        """
    )
    op.execute(
        """
        create table reporting.expected_tenants (
            month date not null references reporting.delivery_months,
            tenant_id text not null,
            is_canary boolean not null default false,
            primary key (month, tenant_id)
        )
        """
    )
    # A month is closed when everybody has been dealt with; it may be opened again and closed again.
    op.execute(
        """
        create table reporting.delivery_month_closings (
            month date not null references reporting.delivery_months,
            closed_by text not null,
            closed_at timestamptz not null default now(),
            reopened_by text,
            reopened_at timestamptz,
            reason text check (reason <> ''),
            primary key (month, closed_at),
            check (num_nulls(reopened_by, reopened_at, reason) in (0, 3))
        )
        """
    )
    op.execute(
        "create unique index delivery_month_closings_standing"
        " on reporting.delivery_month_closings (month) where reopened_at is null"
    )
    # A company's wishes, of which the highest version holds; rows are only added. None in a column
    # is the house's way: see reports_pipeline.delivery.preferences.
    op.execute(
        """
        create table reporting.delivery_preferences (
            tenant_id text not null,
            version integer not null check (version >= 1),
            not_before time check (not_before < '24:00'),
            business_day smallint check (business_day between 1 and 20),
            holidays text,
            corrections text check (corrections in ('approval', 'automatic')),
            attachments text check (attachments in ('attached', 'linked')),
            largest_mail_bytes bigint check (largest_mail_bytes > 0),
            note text check (char_length(note) between 1 and 1000),
            support_address text,
            set_by text not null,
            set_at timestamptz not null default now(),
            primary key (tenant_id, version)
        )
        """
    )
    # Which months Dagster's pages show. The newest row holds; without a month the window rolls on.
    op.execute(
        """
        create table reporting.window_changes (
            change_no bigint generated always as identity primary key,
            first_month date check (extract(day from first_month) = 1),
            reason text not null check (reason <> ''),
            set_by text not null,
            set_at timestamptz not null default now()
        )
        """
    )


def downgrade() -> None:
    op.execute("drop table reporting.window_changes")
    op.execute("drop table reporting.delivery_preferences")
    op.execute("drop table reporting.delivery_month_closings")
    op.execute("drop table reporting.expected_tenants")
    op.execute("drop table reporting.delivery_months")
    op.execute("drop view reporting.delivery_holds")
    # Decisions that 0003 does not know stay: its checks are of new rows only.
    op.execute(
        """
        alter table reporting.delivery_decisions
            drop constraint delivery_decisions_kind,
            drop constraint delivery_decisions_tenant,
            drop constraint delivery_decisions_address,
            drop constraint delivery_decisions_month,
            drop constraint delivery_decisions_revision,
            drop constraint delivery_decisions_recipient,
            add constraint delivery_decisions_decision_check check (decision in
                ('hold', 'release', 'approve', 'resend', 'confirm', 'sign_off', 'reopen',
                 'unsuppress')) not valid,
            add constraint delivery_decisions_check
                check ((tenant_id is null) = (decision = 'unsuppress')) not valid,
            add constraint delivery_decisions_check1
                check ((address is not null) = (decision = 'unsuppress')) not valid,
            add constraint delivery_decisions_check2 check (month is not null
                or decision in ('hold', 'release', 'unsuppress')) not valid,
            add constraint delivery_decisions_check3 check ((revision is null)
                = (decision in ('hold', 'release', 'unsuppress'))) not valid,
            add constraint delivery_decisions_check4 check ((recipient_no is not null)
                = (decision in ('resend', 'confirm', 'sign_off', 'reopen'))) not valid
        """
    )
    op.execute("drop table reporting.unknown_mails_told")
    op.execute("drop index reporting.delivery_messages_open")
    op.execute("drop index reporting.delivery_messages_lease")
    op.execute("drop table reporting.parked_tenants")
    op.execute("alter table reporting.launches drop deliveries_only")
    op.execute("alter table reporting.stage_outcomes drop revision")
    op.execute("alter table ledger.contacts drop purpose")
