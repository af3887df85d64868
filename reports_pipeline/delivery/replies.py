"""What other people's servers say, made fit to be kept and shown."""

from __future__ import annotations

import re

_MOST_KEPT = 500
_ADDRESS = re.compile(r"[^\s<>@\"']+@[^\s<>@\"']+")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")


def kept_reply(reply: str | bytes) -> str:
    """One line without control characters and without addresses: those are personal data, which
    notices, logs and reasons do not carry."""
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    text = " ".join(_UNPRINTABLE.sub(" ", text).split())
    return _ADDRESS.sub("…@…", text)[:_MOST_KEPT]
