import psycopg


def test_a_fresh_database_has_the_schema(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        tables = connection.execute(
            "select table_schema || '.' || table_name from information_schema.tables"
            " where table_schema in ('ledger', 'reporting')"
        ).fetchall()
    assert ("ledger.journal_lines",) in tables
    assert ("reporting.stage_outcomes",) in tables
