"""Wishes are kept with who set them, and one that cannot be used costs nobody a mail."""

from __future__ import annotations

import datetime
import threading
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from reports_pipeline.delivery.preferences import (
    DEFAULT_PREFERENCES,
    Attachments,
    Corrections,
    DeliveryPreferences,
)
from resources.delivery_preferences import DeliveryPreferencesStore, PreferenceError

NINE = datetime.time(9)
EVERY_WISH = DeliveryPreferences(
    not_before=NINE,
    business_day=2,
    holidays="JP",
    corrections=Corrections.AUTOMATIC,
    attachments=Attachments.LINKED,
    largest_mail_bytes=10_000_000,
    note="担当：経理部　高橋",
    support_address="keiri@yamada.example",
)


@pytest.fixture
def store(database_url: str) -> DeliveryPreferencesStore:
    return DeliveryPreferencesStore(database_url)


def write(url: str, columns: str, values: str) -> None:
    """A row as another program may write it."""
    with psycopg.connect(url) as connection:
        connection.execute(
            "insert into reporting.delivery_preferences (tenant_id, version, set_by, "
            f"{columns}) values ('t0001', 7, 'psql', {values})"
        )


def test_the_newest_version_holds(store: DeliveryPreferencesStore) -> None:
    assert store.set("t0001", EVERY_WISH, set_by="sato") == 1
    assert store.current(["t0001", "t0002"]) == {"t0001": EVERY_WISH}
    later = replace(EVERY_WISH, note=None)
    assert store.set("t0001", later, set_by="suzuki") == 2
    assert store.set("t0002", EVERY_WISH, set_by="sato") == 1
    assert store.current(["t0001"]) == {"t0001": later}
    history = store.history()
    assert {t: [v.version for v in versions] for t, versions in history.items()} == {
        "t0001": [1, 2],
        "t0002": [1],
    }
    first, second = history["t0001"]
    assert (first.preferences, first.set_by) == (EVERY_WISH, "sato")
    assert (second.preferences, second.set_by) == (later, "suzuki")
    assert first.set_at <= second.set_at
    assert list(store.history(["t0002", "t0003"])) == ["t0002"]


def test_what_is_the_houses_way_is_stored_as_nothing(
    store: DeliveryPreferencesStore, database_url: str
) -> None:
    store.set("t0001", replace(DEFAULT_PREFERENCES, not_before=NINE), set_by="sato")
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "select not_before, business_day, corrections, attachments, largest_mail_bytes"
            " from reporting.delivery_preferences"
        ).fetchone()
    assert row == (NINE, None, None, None, None)


def test_a_change_leaves_the_other_wishes(store: DeliveryPreferencesStore) -> None:
    store.set("t0001", EVERY_WISH, set_by="sato")
    changed = store.change("t0001", lambda before: replace(before, holidays=None), set_by="sato")
    assert (changed.version, changed.preferences) == (2, replace(EVERY_WISH, holidays=None))
    other = store.change("t0002", lambda before: replace(before, holidays="US"), set_by="sato")
    assert other.preferences == DeliveryPreferences(holidays="US")


def test_of_changes_at_once_none_is_lost(store: DeliveryPreferencesStore) -> None:
    def change(**wish: Any) -> None:
        store.change("t0001", lambda before: replace(before, **wish), set_by="sato")

    wishes: list[dict[str, Any]] = [
        {"note": "a"},
        {"holidays": "JP"},
        {"business_day": 3},
        {"not_before": NINE},
    ]
    threads = [threading.Thread(target=change, kwargs=wish) for wish in wishes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.current(["t0001"])["t0001"] == DeliveryPreferences(NINE, 3, "JP", note="a")


def test_what_cannot_be_used_is_refused(store: DeliveryPreferencesStore) -> None:
    with pytest.raises(PreferenceError, match=r"holidays 'XX': must be the two capital letters"):
        store.set("t0001", replace(EVERY_WISH, holidays="XX"), set_by="sato")
    assert store.history() == {}


def test_a_wish_that_cannot_be_used_is_none(
    store: DeliveryPreferencesStore, database_url: str
) -> None:
    write(
        database_url,
        "not_before, holidays, note, support_address",
        "'09:00', 'Japan', E'two\\nlines', 'nobody'",
    )
    version = store.newest(["t0001"])["t0001"]
    assert version.preferences == DeliveryPreferences(not_before=NINE)
    assert version.unusable == {
        "holidays": "Japan",
        "note": "two\nlines",
        "support_address": "nobody",
    }
    mended = store.change("t0001", lambda before: replace(before, holidays="JP"), set_by="sato")
    assert mended.version == 8
    assert mended.preferences == DeliveryPreferences(not_before=NINE, holidays="JP")
    assert mended.unusable == {}


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("not_before", "'24:00'"),
        ("business_day", "21"),
        ("corrections", "'never'"),
        ("attachments", "'none'"),
        ("largest_mail_bytes", "0"),
    ],
)
def test_the_database_refuses_what_could_not_even_be_read(
    database_url: str, column: str, value: str
) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        write(database_url, column, value)
