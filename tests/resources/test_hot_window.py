"""Where the window begins is what was set last, and all that was ever set stays."""

from __future__ import annotations

import psycopg
import pytest

from reports_pipeline.accounting.periods import Month
from resources.hot_window import HotWindow


def test_it_rolls_on_until_somebody_sets_it(database_url: str) -> None:
    window = HotWindow(database_url)
    assert window.first_month() is None
    assert window.changes() == []


def test_the_last_word_holds_and_none_is_lost(database_url: str) -> None:
    window = HotWindow(database_url)
    window.set(Month(2024, 4), reason=" 税務調査 ", set_by="sato")
    assert window.first_month() == Month(2024, 4)
    window.set(None, reason="over", set_by="suzuki")
    assert window.first_month() is None
    assert [(c.first_month, c.reason, c.set_by) for c in window.changes()] == [
        (None, "over", "suzuki"),
        (Month(2024, 4), "税務調査", "sato"),
    ]
    over, audit = window.changes()
    assert over.set_at >= audit.set_at


def test_a_reason_is_needed(database_url: str) -> None:
    window = HotWindow(database_url)
    with pytest.raises(ValueError, match="reason"):
        window.set(Month(2024, 4), reason=" ", set_by="sato")
    with psycopg.connect(database_url) as connection, pytest.raises(psycopg.errors.CheckViolation):
        connection.execute(
            "insert into reporting.window_changes (reason, set_by) values ('', 'sato')"
        )
    assert window.changes() == []
