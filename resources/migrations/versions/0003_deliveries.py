"""The delivery register: what was sent to whom, at most once, and every step on the way."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    # What is sent. It never changes once it is here. A delivery without messages has nobody to
    # go to (NO_RECIPIENT).
    op.execute(
        """
        create table reporting.deliveries (
            tenant_id text not null,
            month date not null,
            revision integer not null,
            delivery_id text not null unique check (delivery_id ~ '^[0-9a-f]{64}$'),
            numbers_hash text not null,
            letter jsonb not null,
            documents jsonb not null check (jsonb_typeof(documents) = 'array'),
            created_at timestamptz not null default now(),
            primary key (tenant_id, month, revision),
            foreign key (tenant_id, month, revision) references reporting.report_revisions
        )
        """
    )
    # To whom, one mail each. A row changes by compare-and-swap on version and state only. Every
    # claim raises the version, so the version also tells a claim from the one before it.
    op.execute(
        """
        create table reporting.delivery_messages (
            delivery_id text not null references reporting.deliveries (delivery_id),
            recipient_no integer not null check (recipient_no >= 1),
            name text not null,
            email text not null,
            state text not null check (state in (
                'BUILT', 'VERIFIED', 'READY', 'CLAIMED', 'POSTING', 'ACCEPTED', 'DELIVERED',
                'BOUNCED', 'COMPLAINED', 'BLOCKED', 'UNKNOWN', 'SUPERSEDED')),
            version integer not null default 1 check (version >= 1),
            attempts integer not null default 0 check (attempts >= 0),
            lease_until timestamptz,
            provider_id text,
            blocked_code text,
            resend_of integer,
            updated_at timestamptz not null default now(),
            primary key (delivery_id, recipient_no),
            check ((lease_until is not null) = (state in ('CLAIMED', 'POSTING'))),
            check ((provider_id is not null)
                = (state in ('ACCEPTED', 'DELIVERED', 'BOUNCED', 'COMPLAINED'))),
            check ((blocked_code is not null) = (state = 'BLOCKED')),
            check (resend_of < recipient_no),
            foreign key (delivery_id, resend_of) references reporting.delivery_messages,
            -- A person may have a mail sent once more, but not the same one by two commands.
            unique (delivery_id, resend_of)
        )
        """
    )
    op.execute(
        "create unique index delivery_messages_address"
        " on reporting.delivery_messages (delivery_id, lower(email)) where resend_of is null"
    )
    # The history, written in the statement that moves the message: one row for every version.
    op.execute(
        """
        create table reporting.delivery_moves (
            delivery_id text not null,
            recipient_no integer not null,
            version integer not null,
            from_state text,
            to_state text not null,
            actor text not null,
            reason text not null,
            at timestamptz not null default now(),
            primary key (delivery_id, recipient_no, version),
            foreign key (delivery_id, recipient_no) references reporting.delivery_messages
        )
        """
    )
    # What people decided, for ever; what holds now is read off the newest rows.
    op.execute(
        """
        create table reporting.delivery_decisions (
            decision_id bigint generated always as identity primary key,
            decision text not null check (decision in
                ('hold', 'release', 'approve', 'resend', 'confirm', 'sign_off', 'reopen',
                 'unsuppress')),
            tenant_id text,
            month date check (extract(day from month) = 1),
            revision integer,
            recipient_no integer,
            address text,
            reason text not null check (reason <> ''),
            decided_by text not null,
            decided_at timestamptz not null default now(),
            check ((tenant_id is null) = (decision = 'unsuppress')),
            check ((address is not null) = (decision = 'unsuppress')),
            check (month is not null or decision in ('hold', 'release', 'unsuppress')),
            check ((revision is null) = (decision in ('hold', 'release', 'unsuppress'))),
            check ((recipient_no is not null) = (decision in
                ('resend', 'confirm', 'sign_off', 'reopen')))
        )
        """
    )
    op.execute(
        "create index delivery_decisions_tenant"
        " on reporting.delivery_decisions (tenant_id, month, decision_id)"
    )
    # Addresses to which no mail goes any more: it came back for good, or its reader complained.
    op.execute(
        """
        create table reporting.suppressed_addresses (
            address text primary key check (address = lower(address)),
            reason text not null,
            delivery_id text not null,
            recipient_no integer not null,
            suppressed_at timestamptz not null default now(),
            foreign key (delivery_id, recipient_no) references reporting.delivery_messages
        )
        """
    )
    # When the next mail of an account may go out. Losing a second of it in a crash loses nothing.
    op.execute(
        """
        create unlogged table reporting.send_rates (
            name text primary key,
            next_turn timestamptz not null
        )
        """
    )


def downgrade() -> None:
    op.execute("drop table reporting.send_rates")
    op.execute("drop table reporting.suppressed_addresses")
    op.execute("drop table reporting.delivery_decisions")
    op.execute("drop table reporting.delivery_moves")
    op.execute("drop table reporting.delivery_messages")
    op.execute("drop table reporting.deliveries")
