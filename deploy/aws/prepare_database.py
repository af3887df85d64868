"""Makes the logins and databases that the URLs in the secrets name, and the schema in them.

Run once in a new account, and again when a password was changed: done again, it changes nothing
but passwords. The administrator is named by libpq's own variables (PGHOST, PGUSER, PGPASSWORD …).
REPORTS_LEDGER_URL may be left out; if it is there, its login reads the ledger and nothing else.
"""

from __future__ import annotations

import os
import sys

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL, make_url

from resources.database import upgrade_schema


def main() -> None:
    register = make_url(os.environ["REPORTS_DATABASE_URL"])
    dagster = make_url(os.environ["REPORTS_DAGSTER_URL"])
    with psycopg.connect(autocommit=True) as administrator:
        for url in (register, dagster):
            make_login(administrator, url)
            make_database(administrator, url)
        if ledger := os.environ.get("REPORTS_LEDGER_URL"):
            make_login(administrator, make_url(ledger))
    upgrade_schema(as_text(register))
    if ledger:
        let_read_ledger(register, make_url(ledger))
    sys.stdout.write("logins, databases and schema are there\n")


def make_login(administrator: psycopg.Connection, url: URL) -> None:
    """The login of a URL, with its password."""
    login = sql.Identifier(url.username or "")
    known = administrator.execute("select from pg_roles where rolname = %s", [url.username])
    if known.fetchone() is None:
        administrator.execute(sql.SQL("create role {} login").format(login))
        # Who makes a database for a role must be one of its members.
        administrator.execute(sql.SQL("grant {} to current_user").format(login))
    if url.password is not None:
        # The server logs such statements, so it is not shown the password itself.
        verifier = administrator.pgconn.encrypt_password(
            url.password.encode(), (url.username or "").encode(), b"scram-sha-256"
        )
        administrator.execute(
            sql.SQL("alter role {} password {}").format(login, sql.Literal(verifier.decode()))
        )


def make_database(administrator: psycopg.Connection, url: URL) -> None:
    """The database of a URL, which its login owns and nobody else enters by default."""
    database, login = sql.Identifier(url.database or ""), sql.Identifier(url.username or "")
    known = administrator.execute("select from pg_database where datname = %s", [url.database])
    if known.fetchone() is None:
        administrator.execute(sql.SQL("create database {} owner {}").format(database, login))
    administrator.execute(sql.SQL("revoke all on database {} from public").format(database))


def let_read_ledger(register: URL, ledger: URL) -> None:
    """Let the login of the second URL read the ledger, which is in the database of the first."""
    login, database = sql.Identifier(ledger.username or ""), sql.Identifier(register.database or "")
    with psycopg.connect(as_text(register)) as owner:
        for statement in (
            "grant connect on database {database} to {login}",
            "grant usage on schema ledger to {login}",
            "grant select on all tables in schema ledger to {login}",
            "alter default privileges in schema ledger grant select on tables to {login}",
        ):
            owner.execute(sql.SQL(statement).format(database=database, login=login))


def as_text(url: URL) -> str:
    """Of PostgreSQL's own programs, which know no drivers."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


if __name__ == "__main__":
    main()
