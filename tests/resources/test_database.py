import os
import shutil
import stat
import tempfile
from pathlib import Path

import psycopg
import pytest

from resources.database import EmbeddedPostgres


def test_a_fresh_database_has_the_schema(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        tables = connection.execute(
            "select table_schema || '.' || table_name from information_schema.tables"
            " where table_schema in ('ledger', 'reporting')"
        ).fetchall()
    assert ("ledger.journal_lines",) in tables
    assert ("reporting.stage_outcomes",) in tables


def test_several_users_share_one_embedded_server_and_the_last_one_stops_it(
    tmp_path: Path,
) -> None:
    first = EmbeddedPostgres(tmp_path / "shared", durable=False)
    second = EmbeddedPostgres(tmp_path / "shared", durable=False)
    try:
        with first as url:
            with second as second_url:
                assert second_url == url
            psycopg.connect(url).close()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(url)
        with second as url, psycopg.connect(url) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
    finally:
        shutil.rmtree(first.home())


def test_a_folder_above_it_that_it_makes_is_read_by_nobody_else() -> None:
    with tempfile.TemporaryDirectory() as name:
        parent = Path(name)
        parent.chmod(0o755)
        server = EmbeddedPostgres(parent / "home" / "postgres", durable=False)
        with server:
            # the server of root runs as somebody else, who must come through
            mode = 0o711 if os.geteuid() == 0 else 0o700
            assert stat.S_IMODE((parent / "home").stat().st_mode) == mode
            assert server.home() == parent / "home" / "postgres"
        assert stat.S_IMODE(parent.stat().st_mode) == 0o755


def test_only_the_servers_account_may_enter_its_folder(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "closed", durable=False)
    mode = tmp_path.stat().st_mode
    try:
        with server as url:
            socket_folder = Path(url.split("host=")[1])
            assert stat.S_IMODE(socket_folder.stat().st_mode) == 0o700
            assert stat.S_IMODE((server.home() / "data").stat().st_mode) == 0o700
        assert tmp_path.stat().st_mode == mode
    finally:
        shutil.rmtree(server.home())
