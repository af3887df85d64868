"""How boto3's clients are made."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.config import Config


def repeating_client(service: str, *, read_timeout: float, **options: Any) -> Any:
    """A client of whom a request that fails may be sent again: what it asks for comes to the same
    however often it is asked. `options` are more of botocore's `Config`."""
    return boto3.client(
        service,
        config=Config(
            retries={"mode": "standard", "total_max_attempts": 5},
            connect_timeout=10,
            read_timeout=read_timeout,
            **options,
        ),
    )
