"""What cannot be used is named, with what it has to be."""

from __future__ import annotations

import datetime

import pytest

from reports_pipeline.delivery.enclosures import MAX_MESSAGE_BYTES
from reports_pipeline.delivery.preference_checks import unusable_preferences
from reports_pipeline.delivery.preferences import (
    DEFAULT_PREFERENCES,
    Attachments,
    Corrections,
    DeliveryPreferences,
)


@pytest.mark.parametrize(
    "preferences",
    [
        DEFAULT_PREFERENCES,
        DeliveryPreferences(
            not_before=datetime.time(9),
            business_day=20,
            holidays="JP",
            corrections=Corrections.AUTOMATIC,
            attachments=Attachments.LINKED,
            largest_mail_bytes=MAX_MESSAGE_BYTES,
            note="担当：経理部　高橋（内線 123）<P&L>",
            support_address="keiri@yamada.example",
        ),
    ],
)
def test_what_can_be_used_has_no_fault(preferences: DeliveryPreferences) -> None:
    assert unusable_preferences(preferences) == {}


@pytest.mark.parametrize(
    ("preferences", "name"),
    [
        (DeliveryPreferences(business_day=0), "business_day"),
        (DeliveryPreferences(business_day=21), "business_day"),
        (DeliveryPreferences(holidays="XX"), "holidays"),
        (DeliveryPreferences(holidays="jp"), "holidays"),
        (DeliveryPreferences(holidays="JPN"), "holidays"),
        (DeliveryPreferences(holidays=""), "holidays"),
        (DeliveryPreferences(largest_mail_bytes=0), "largest_mail_bytes"),
        (DeliveryPreferences(largest_mail_bytes=MAX_MESSAGE_BYTES + 1), "largest_mail_bytes"),
        (DeliveryPreferences(note=" "), "note"),
        (DeliveryPreferences(note="a\nb"), "note"),
        (DeliveryPreferences(note="a\u202eb"), "note"),
        (DeliveryPreferences(note="あ" * 1001), "note"),
        (DeliveryPreferences(support_address="a@b.example, evil@y.example"), "support_address"),
        (DeliveryPreferences(support_address="support"), "support_address"),
        (DeliveryPreferences(support_address="=?utf-8?q?a?=@b.example"), "support_address"),
    ],
)
def test_what_cannot_be_used_is_named(preferences: DeliveryPreferences, name: str) -> None:
    assert list(unusable_preferences(preferences)) == [name]
