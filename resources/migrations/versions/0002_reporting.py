"""What was asked for, built and sent: the business truth that Dagster shows and drives."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("create schema reporting")
    # A launch is an operator's backfill, cut into batches of one run each; it is launched when
    # every batch has its run.
    op.execute(
        """
        create table reporting.launches (
            launch_id text primary key,
            month date not null check (extract(day from month) = 1),
            verify_all boolean not null default false,
            requested_by text not null,
            requested_at timestamptz not null default now(),
            launched_at timestamptz
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
    # A month of a tenant has a new revision when what its documents show has changed. A revision
    # corrects the newest one before it that was made while the month was closed, or mailed;
    # `changes` is the difference to that one. `statements_key` names the file with what the
    # revision shows.
    op.execute(
        """
        create table reporting.report_revisions (
            tenant_id text not null,
            month date not null check (extract(day from month) = 1),
            revision integer not null check (revision >= 1),
            numbers_hash text not null check (numbers_hash ~ '^[0-9a-f]{64}$'),
            closed boolean not null,
            statements_key text not null,
            corrects integer check (corrects < revision),
            changes jsonb,
            run_id text not null,
            created_at timestamptz not null default now(),
            primary key (tenant_id, month, revision),
            foreign key (tenant_id, month, corrects) references reporting.report_revisions,
            check (changes is null or corrects is not null)
        )
        """
    )
    op.execute(
        """
        create table reporting.documents (
            tenant_id text not null,
            month date not null,
            revision integer not null,
            name text not null,
            file_name text not null,
            object_key text not null unique,
            media_type text not null,
            sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
            bytes bigint not null,
            run_id text not null,
            stored_at timestamptz not null default now(),
            primary key (tenant_id, month, revision, name),
            foreign key (tenant_id, month, revision) references reporting.report_revisions
        )
        """
    )


def downgrade() -> None:
    op.execute("drop schema reporting cascade")
