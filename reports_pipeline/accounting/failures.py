"""Why a tenant's month cannot be reported. A failure belongs to one tenant and stops no other.

Nearly every failure here is permanent: the same input fails again, so nobody retries it before the
input is mended. What may pass by itself (network, throttling) is an ordinary exception, and becomes
an INTERNAL_ERROR where it did not pass in time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class FailureCode(StrEnum):
    """The codes an operator reads; their texts stand in the catalogs as `failure.<CODE>`."""

    UNKNOWN_TENANT = "UNKNOWN_TENANT"
    LEDGER_IMBALANCE = "LEDGER_IMBALANCE"
    UNKNOWN_ACCOUNT = "UNKNOWN_ACCOUNT"
    MONTH_EMPTY = "MONTH_EMPTY"
    CURRENCY_MISMATCH = "CURRENCY_MISMATCH"
    SNAPSHOT_MISMATCH = "SNAPSHOT_MISMATCH"
    UNFLAGGED_CLOSING_ENTRY = "UNFLAGGED_CLOSING_ENTRY"
    CLOSING_ENTRY_ON_BALANCE_SHEET = "CLOSING_ENTRY_ON_BALANCE_SHEET"
    BAD_TEXT = "BAD_TEXT"
    IDENTITY_VIOLATED = "IDENTITY_VIOLATED"
    VERIFICATION_FAILED = "VERIFICATION_FAILED"
    MISSING_GLYPH = "MISSING_GLYPH"
    TOO_LARGE = "TOO_LARGE"
    NO_RECIPIENT = "NO_RECIPIENT"
    ADDRESS_REFUSED = "ADDRESS_REFUSED"
    ADDRESS_SUPPRESSED = "ADDRESS_SUPPRESSED"
    MAIL_REFUSED = "MAIL_REFUSED"
    TEMPLATE_UNUSABLE = "TEMPLATE_UNUSABLE"
    DOCUMENT_MISMATCH = "DOCUMENT_MISMATCH"
    CORRECTION_PENDING = "CORRECTION_PENDING"
    DELIVERY_UNKNOWN = "DELIVERY_UNKNOWN"
    DELIVERY_HELD = "DELIVERY_HELD"
    BUDGET_EXCEEDED = "BUDGET_EXCEEDED"
    INPUT_MISSING = "INPUT_MISSING"
    INTERNAL_ERROR = "INTERNAL_ERROR"


@dataclass(frozen=True)
class TenantFailure:
    """One tenant's failure: a code, and the facts its text quotes (JSON values)."""

    tenant_id: str
    code: FailureCode
    details: dict[str, str | int | float | None] = field(default_factory=dict)


class TenantFailureError(Exception):
    """Raised inside the work for one tenant; the batch records it and goes on."""

    def __init__(self, failure: TenantFailure) -> None:
        super().__init__(failure)
        self.failure = failure

    def __str__(self) -> str:
        return f"{self.failure.code}: {self.failure.tenant_id}: {self.failure.details}"
