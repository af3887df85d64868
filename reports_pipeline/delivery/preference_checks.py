"""Which of a company's preferences cannot be used, and why."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reports_pipeline.delivery.enclosures import MAX_MESSAGE_BYTES
from reports_pipeline.delivery.messages import is_mail_address, text_fault
from reports_pipeline.delivery.preferences import DeliveryPreferences, country_calendar

# As in the constraints of reporting.delivery_preferences.
MOST_BUSINESS_DAYS = 20
LONGEST_NOTE = 1000


def unusable_preferences(preferences: DeliveryPreferences) -> dict[str, str]:
    """The names of those that cannot be used, each with what it has to be."""
    return dict(_faults(preferences))


def _faults(preferences: DeliveryPreferences) -> Iterator[tuple[str, str]]:
    number = preferences.business_day
    if number is not None and not 1 <= number <= MOST_BUSINESS_DAYS:
        yield "business_day", f"a number from 1 to {MOST_BUSINESS_DAYS}"
    country = preferences.holidays
    if country is not None and not _is_country(country):
        yield "holidays", "the two capital letters of a country (ISO 3166), JP for Japan"
    size = preferences.largest_mail_bytes
    if size is not None and not 1 <= size <= MAX_MESSAGE_BYTES:
        yield (
            "largest_mail_bytes",
            f"from 1 to {MAX_MESSAGE_BYTES}, the most that the provider takes",
        )
    note = preferences.note
    if note is not None:
        fault = text_fault(note)
        if not note.strip() or fault or len(note) > LONGEST_NOTE:
            but = f", without {fault}" if fault else ""
            yield "note", f"one line of printable text, at most {LONGEST_NOTE} characters{but}"
    address = preferences.support_address
    if address is not None and not is_mail_address(address):
        yield "support_address", "one mail address"


def _is_country(text: str) -> bool:
    try:
        country_calendar(text)
    except LookupError:
        return False
    return re.fullmatch("[A-Z]{2}", text) is not None
