"""Which notices operators were told, where these do not lie in a folder."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute(
        """
        create table reporting.notices (
            key text primary key,
            told_at timestamptz not null default now()
        )
        """
    )


def downgrade() -> None:
    op.execute("drop table reporting.notices")
