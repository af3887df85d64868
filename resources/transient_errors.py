"""Which errors of the adapters may be gone when the same call is made again."""

from __future__ import annotations

from adbc_driver_manager import OperationalError as ReadOperationalError
from psycopg import OperationalError

from reports_pipeline.delivery.errors import LostClaimError, ThrottledError

# The network, a busy or restarting server. AwsUnavailableError is a ConnectionError.
TRANSIENT_ERRORS = (
    OperationalError,
    ReadOperationalError,
    ThrottledError,
    LostClaimError,
    ConnectionError,
    TimeoutError,
)
