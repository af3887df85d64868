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
            branding_version integer not null default 0 check (branding_version >= 0),
            run_id text not null,
            stored_at timestamptz not null default now(),
            primary key (tenant_id, month, revision, name),
            foreign key (tenant_id, month, revision) references reporting.report_revisions
        )
        """
    )
    # A company's look, from the reports of a month on; among those of the same month the highest
    # version counts. `logo` is what was uploaded, `logo_png` what documents show of it. Rows are
    # only added: documents name the version that they have. What a template or a colour may be is
    # said where they are used, which finds rows that were written by other means.
    op.execute(
        """
        create table reporting.brandings (
            tenant_id text not null,
            version integer not null check (version >= 1),
            effective_from date not null check (extract(day from effective_from) = 1),
            template text not null,
            accent text not null,
            logo bytea check (octet_length(logo) <= 2 * 1024 * 1024),
            logo_file_name text,
            logo_png bytea check (octet_length(logo_png) <= 1024 * 1024),
            logo_png_sha256 text check (logo_png_sha256 ~ '^[0-9a-f]{64}$'),
            set_by text not null,
            set_at timestamptz not null default now(),
            primary key (tenant_id, version),
            check (num_nulls(logo, logo_file_name, logo_png, logo_png_sha256) in (0, 4))
        )
        """
    )


def downgrade() -> None:
    op.execute("drop schema reporting cascade")
