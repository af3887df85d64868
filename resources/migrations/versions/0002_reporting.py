"""What was asked for, built and sent: the business truth that Dagster shows and drives."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("create schema reporting")
    # A launch is a month (opened by the schedule) or a selection of its tenants (an operator's
    # backfill), cut into batches of one run each.
    op.execute(
        """
        create table reporting.launches (
            launch_id text primary key,
            month date not null check (extract(day from month) = 1),
            origin text not null check (origin in ('schedule', 'operator')),
            requested_by text not null,
            requested_at timestamptz not null default now()
        )
        """
    )
    op.execute(
        """
        create table reporting.launch_batches (
            launch_id text not null references reporting.launches,
            batch_no integer not null,
            tenant_ids text[] not null check (cardinality(tenant_ids) > 0),
            primary key (launch_id, batch_no)
        )
        """
    )
    # The last fate of a tenant's month in each stage.
    op.execute(
        """
        create table reporting.stage_outcomes (
            month date not null check (extract(day from month) = 1),
            tenant_id text not null,
            stage text not null,
            run_id text not null,
            artefact text,
            failure_code text,
            failure_details jsonb,
            recorded_at timestamptz not null default now(),
            primary key (month, tenant_id, stage),
            check ((artefact is null) <> (failure_code is null))
        )
        """
    )
    op.execute(
        """
        create table reporting.documents (
            tenant_id text not null,
            month date not null check (extract(day from month) = 1),
            revision integer not null check (revision >= 1),
            name text not null,
            object_key text not null unique,
            media_type text not null,
            sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
            bytes bigint not null,
            numbers_hash text not null,
            run_id text not null,
            stored_at timestamptz not null default now(),
            primary key (tenant_id, month, revision, name)
        )
        """
    )


def downgrade() -> None:
    op.execute("drop schema reporting cascade")
