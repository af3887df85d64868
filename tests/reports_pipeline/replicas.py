"""A database that is read and never written, as a replica is."""

from __future__ import annotations

import psycopg
from psycopg import sql


def made_read_only(url: str) -> str:
    """The URL, whose database refuses from now on to be written."""
    with psycopg.connect(url) as connection:
        name = sql.Identifier(connection.info.dbname)
        connection.execute(
            sql.SQL("alter database {} set default_transaction_read_only = on").format(name)
        )
    return url
