"""A PostgreSQL that the project did not start, named by its URL, holds everything."""

from __future__ import annotations

from pathlib import Path

import psycopg

from tests.end_to_end.system import MONTH, System


def test_a_month_with_a_server_by_url(database_url: str, tmp_path: Path) -> None:
    system = System(tmp_path)
    system.variables["REPORTS_DATABASE_URL"] = database_url
    printed = system.reports("demo", "--companies", "2", "--month", MONTH)
    assert "2 of 2 tenants delivered" in printed
    assert not (tmp_path / "postgres").exists()
    with psycopg.connect(database_url) as connection:
        delivered = connection.execute("select count(*) from reporting.deliveries").fetchone()
        runs = connection.execute("select status from runs").fetchall()
    assert delivered == (2,)
    assert runs == [("SUCCESS",)]
