"""An administrator who is no superuser, as on RDS, prepares an empty server."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest
import sqlalchemy

from tests.deploy.account import DEPLOY


@dataclass(frozen=True)
class Server:
    url: str
    suffix: str  # of the names that this test makes

    def login(self, name: str, database: str) -> str:
        made = sqlalchemy.make_url(self.url).set(
            username=f"{name}_{self.suffix}", password=f"password-of-{name}", database=database
        )
        return made.render_as_string(hide_password=False)

    @property
    def register(self) -> str:
        return self.login("reports", f"reports_{self.suffix}")

    @property
    def dagster(self) -> str:
        return self.login("dagster", f"dagster_{self.suffix}")

    @property
    def ledger(self) -> str:
        return self.login("reader", f"reports_{self.suffix}")

    def prepare(self) -> str:
        """Run the preparation as its task does; returns what it prints."""
        given = sqlalchemy.make_url(self.url)
        done = subprocess.run(
            [sys.executable, DEPLOY / "prepare_database.py"],
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(DEPLOY.parents[1]),
                "PGHOST": str(given.query["host"]),
                "PGUSER": f"administrator_{self.suffix}",
                "PGDATABASE": "postgres",
                "REPORTS_DATABASE_URL": self.register,
                "REPORTS_DAGSTER_URL": self.dagster.replace(":", "+psycopg2:", 1),
                "REPORTS_LEDGER_URL": self.ledger,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def server(postgres_server: str) -> Iterator[Server]:
    """One with an administrator that is like RDS's, and prepared."""
    server = Server(postgres_server, uuid.uuid4().hex[:8])
    administrator = f"administrator_{server.suffix}"
    with psycopg.connect(postgres_server, autocommit=True) as superuser:
        superuser.execute(f"create role {administrator} login createdb createrole")
        assert server.prepare() == "logins, databases and schema are there\n"
        yield server
        for name in ("reports", "dagster"):
            superuser.execute(f"drop database {name}_{server.suffix} with (force)")
        for name in ("reader", "reports", "dagster", "administrator"):
            superuser.execute(f"drop role {name}_{server.suffix}")


def test_done_again_it_changes_nothing(server: Server) -> None:
    server.prepare()


def test_the_register_is_its_logins(server: Server) -> None:
    with psycopg.connect(server.register) as connection:
        connection.execute("insert into reporting.notices (key) values ('a')")
        connection.execute("create table reporting.another ()")
        connection.rollback()


def test_the_readers_login_reads_the_ledger_and_changes_nothing(server: Server) -> None:
    with psycopg.connect(server.ledger, autocommit=True) as connection:
        assert connection.execute("select count(*) from ledger.companies").fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("delete from ledger.companies")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("select from reporting.notices")


def test_it_reads_tables_that_a_later_release_makes(server: Server) -> None:
    with psycopg.connect(server.register, autocommit=True) as owner:
        owner.execute("create table ledger.later ()")
    with psycopg.connect(server.ledger) as reader:
        reader.execute("select from ledger.later")


def test_dagsters_login_stays_in_its_database(server: Server) -> None:
    with psycopg.connect(server.dagster) as connection:
        connection.execute("create table runs ()")
        connection.rollback()
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(server.login("dagster", f"reports_{server.suffix}"))
