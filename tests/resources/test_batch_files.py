"""What a stage leaves is what the next one finds, whatever its columns are."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from reports_pipeline.accounting.periods import Month
from resources.batch_files import read_batch, read_batches, write_batch
from resources.document_store import DocumentStore, LocalDocumentStore

OCTOBER = Month(2026, 10)
COMPANIES = pd.DataFrame(
    {"tenant_id": ["t0001", "t0002"], "name": ["髙橋商店", "𠮷野家具"], "closed": [True, False]}
)
STATEMENTS = pd.DataFrame(
    {
        "tenant_id": ["t0001", "t0001", "t0002"],
        "key": ["net_sales", "gross_profit", "net_sales"],
        "current": pd.array([2**62 + 1, None, -5], dtype="Int64"),
        "trend": [[1, 2, 3], [4, 5, 6], [7, 8, 9]],
    }
)


@pytest.fixture
def store(tmp_path: Path) -> LocalDocumentStore:
    return LocalDocumentStore(tmp_path, "http://127.0.0.1")


class CountingStore(LocalDocumentStore):
    """Remembers what was read."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "http://127.0.0.1")
        self.read: list[str] = []

    def get(self, key: str) -> bytes:
        self.read.append(key)
        return super().get(key)


def write(store: DocumentStore, run_id: str = "run", **tables: pd.DataFrame) -> str:
    return write_batch(store, "statements", OCTOBER, run_id, tables)


def test_several_tables_come_back_in_order(store: DocumentStore) -> None:
    found = read_batch(store, write(store, statements=STATEMENTS, companies=COMPANIES))
    assert list(found) == ["statements", "companies"]
    pd.testing.assert_frame_equal(found["companies"], COMPANIES)


def test_integers_beside_missing_ones_stay_exact(store: DocumentStore) -> None:
    found = read_batch(store, write(store, statements=STATEMENTS))["statements"]
    # as floats, 2**62 + 1 would be 2**62
    pd.testing.assert_series_equal(found["current"], STATEMENTS["current"])


def test_trends_come_back_as_lists_of_integers(store: DocumentStore) -> None:
    found = read_batch(store, write(store, statements=STATEMENTS))["statements"]
    assert [list(trend) for trend in found["trend"]] == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    assert {str(trend.dtype) for trend in found["trend"]} == {"int64"}


def test_a_table_without_rows_keeps_its_columns(store: DocumentStore) -> None:
    empty = STATEMENTS.iloc[:0]
    found = read_batch(store, write(store, claims=empty, companies=COMPANIES))
    assert list(found["claims"].columns) == list(empty.columns)
    assert found["claims"].empty
    assert found["claims"]["current"].dtype == "Int64"
    pd.testing.assert_frame_equal(found["companies"], COMPANIES)


def test_the_key_says_which_month_run_and_stage(store: DocumentStore) -> None:
    key = write(store, run_id="9e107d9d", companies=COMPANIES)
    assert key.startswith("intermediates/2026-10/9e107d9d/statements-")
    assert key.endswith(".arrow")


def test_a_stage_that_runs_again_finds_its_file_or_makes_another(store: DocumentStore) -> None:
    first = write(store, companies=COMPANIES)
    assert write(store, companies=COMPANIES) == first
    other = write(store, companies=COMPANIES.iloc[:1])
    assert other != first
    assert len(read_batch(store, first)["companies"]) == 2
    assert len(read_batch(store, other)["companies"]) == 1


def test_each_file_is_read_once_and_cut_down_to_the_tenants_asked_for(tmp_path: Path) -> None:
    store = CountingStore(tmp_path)
    both = write(store, run_id="a", companies=COMPANIES, statements=STATEMENTS)
    newer = COMPANIES.assign(tenant_id=["t0002", "t0003"], name=["新", "規"])
    another = write(store, run_id="b", companies=newer, statements=STATEMENTS.iloc[2:])

    keys = {"t0001": both, "t0003": another, "t0002": another}
    found = list(read_batches(store, keys))

    assert store.read == [both, another]
    assert [tenant_ids for tenant_ids, _ in found] == [["t0001"], ["t0003", "t0002"]]
    [of_both, of_another] = [tables for _, tables in found]
    assert of_both["companies"]["tenant_id"].tolist() == ["t0001"]
    assert of_both["statements"]["key"].tolist() == ["net_sales", "gross_profit"]
    # what an older file says of t0002 is not taken
    assert of_another["companies"]["name"].tolist() == ["新", "規"]
    assert list(of_another["statements"].index) == [0]
