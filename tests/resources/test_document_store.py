"""What is stored stays as it is, and only where it belongs."""

from __future__ import annotations

from pathlib import Path

import pytest

from resources.document_store import (
    DocumentConflictError,
    DocumentNotFoundError,
    LocalDocumentStore,
    content_disposition,
)

KEY = "reports/t0001/2026-10/r1/income_statement.pdf"


@pytest.fixture
def store(tmp_path: Path) -> LocalDocumentStore:
    return LocalDocumentStore(tmp_path / "documents", "http://127.0.0.1:3001/")


def test_what_was_put_is_got(store: LocalDocumentStore, tmp_path: Path) -> None:
    store.put(KEY, b"%PDF")
    assert store.get(KEY) == b"%PDF"
    assert (tmp_path / "documents" / KEY).read_bytes() == b"%PDF"


def test_the_same_bytes_may_be_put_again(store: LocalDocumentStore) -> None:
    store.put(KEY, b"%PDF")
    store.put(KEY, b"%PDF")
    assert store.get(KEY) == b"%PDF"


def test_other_bytes_are_refused_and_the_first_ones_stay(store: LocalDocumentStore) -> None:
    store.put(KEY, b"%PDF")
    with pytest.raises(DocumentConflictError, match=KEY):
        store.put(KEY, b"%PDF corrected")
    assert store.get(KEY) == b"%PDF"


def test_nothing_is_found_where_nothing_was_put(store: LocalDocumentStore) -> None:
    with pytest.raises(DocumentNotFoundError, match=KEY):
        store.get(KEY)


@pytest.mark.parametrize(
    "key",
    [
        "../x", "reports/../../x", "reports/..", "/x", "a//b", "a/", "", ".", ".hidden",
        "reports/.hidden", "a\\b", "a b", "a\nb", "a\0b", "帳票.pdf",
    ],
)  # fmt: skip
def test_a_key_that_is_no_plain_path_is_refused(
    store: LocalDocumentStore, tmp_path: Path, key: str
) -> None:
    with pytest.raises(ValueError, match="not a document key"):
        store.put(key, b"%PDF")
    with pytest.raises(ValueError, match="not a document key"):
        store.get(key)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_link_opens_the_file(store: LocalDocumentStore) -> None:
    assert store.link(KEY) == f"http://127.0.0.1:3001/{KEY}"


def test_a_link_is_quoted(store: LocalDocumentStore) -> None:
    assert store.link("reports/損益 #1?.pdf") == (
        "http://127.0.0.1:3001/reports/%E6%90%8D%E7%9B%8A%20%231%3F.pdf"
    )


def test_a_download_has_its_name_in_any_language() -> None:
    assert content_disposition('損益 "10月";.pdf', KEY) == (
        'attachment; filename="income_statement.pdf"; '
        "filename*=UTF-8''%E6%90%8D%E7%9B%8A%20%2210%E6%9C%88%22%3B.pdf"
    )
