import json
import logging
from pathlib import Path

import pytest

from resources.notifier import FolderNotifier, Notice, Severity

NOTICE = Notice(
    key="tenants-failed_2026-10_run1",
    severity=Severity.ERROR,
    title={"ja": "2社のレポートを作成できませんでした", "en": "2 tenants have no reports"},
    body={"ja": "t0003：貸借不一致", "en": "t0003: ledger imbalance"},
    links={"Dagster": "http://127.0.0.1:3000/runs/run1"},
)


def test_a_notice_is_a_record_and_a_text(tmp_path: Path) -> None:
    FolderNotifier(tmp_path).notify(NOTICE)
    record = json.loads((tmp_path / "tenants-failed_2026-10_run1.json").read_text())
    assert record == {
        "key": "tenants-failed_2026-10_run1",
        "severity": "error",
        "title": {"ja": "2社のレポートを作成できませんでした", "en": "2 tenants have no reports"},
        "body": {"ja": "t0003：貸借不一致", "en": "t0003: ledger imbalance"},
        "links": {"Dagster": "http://127.0.0.1:3000/runs/run1"},
    }
    assert (tmp_path / "tenants-failed_2026-10_run1.txt").read_text() == (
        "[ERROR] tenants-failed_2026-10_run1\n\n"
        "2社のレポートを作成できませんでした\n\nt0003：貸借不一致\n\n"
        "2 tenants have no reports\n\nt0003: ledger imbalance\n\n"
        "Dagster: http://127.0.0.1:3000/runs/run1\n"
    )


def test_a_notice_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    notifier = FolderNotifier(tmp_path)
    with caplog.at_level(logging.INFO):
        notifier.notify(NOTICE)
        notifier.notify(NOTICE)
    assert [record.getMessage() for record in caplog.records] == [
        "tenants-failed_2026-10_run1: 2社のレポートを作成できませんでした",
        "tenants-failed_2026-10_run1: 2 tenants have no reports",
    ]
    assert {record.levelname for record in caplog.records} == {"ERROR"}
    assert len(list(tmp_path.iterdir())) == 2


def test_a_notice_cut_short_is_told_again(tmp_path: Path) -> None:
    notifier = FolderNotifier(tmp_path)
    notifier.notify(NOTICE)
    record = tmp_path / "tenants-failed_2026-10_run1.json"
    record.unlink()
    notifier.notify(NOTICE)
    assert record.exists()


@pytest.mark.parametrize("key", ["", "../escape", "a/b", ".hidden", "a b", "a" * 129])
def test_a_key_is_a_plain_name(key: str) -> None:
    with pytest.raises(ValueError, match="notice key"):
        Notice(key, Severity.INFO, {"en": ""}, {"en": ""})
