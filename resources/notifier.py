"""Telling operators what needs their eyes."""

from __future__ import annotations

import contextlib
import json
import logging
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

from resources.new_file import write_new_file

_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")
_log = logging.getLogger(__name__)


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


_LEVELS = {
    Severity.INFO: logging.INFO,
    Severity.WARNING: logging.WARNING,
    Severity.ERROR: logging.ERROR,
}


@dataclass(frozen=True, slots=True)
class Notice:
    """Something an operator is told once.

    `key` identifies what happened, for example `month-opened_2026-10`: letters, digits, `.`, `_`
    and `-`. Titles and bodies are by language (ja, en); links are addresses by their label.
    """

    key: str
    severity: Severity
    title: Mapping[str, str]
    body: Mapping[str, str]
    links: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if _KEY.fullmatch(self.key) is None:
            raise ValueError(f"not a notice key: {self.key!r}")


class Notifier(ABC):
    @abstractmethod
    def notify(self, notice: Notice) -> None:
        """Tell the operators, unless a notice of the same key was told before."""


class FolderNotifier(Notifier):
    """Each notice as `<key>.txt` to read and `<key>.json` for programs, and in the log."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def notify(self, notice: Notice) -> None:
        # The record comes last: a notice is told once it is there.
        with contextlib.suppress(FileExistsError):
            write_new_file(self._folder / f"{notice.key}.txt", readable_text(notice).encode())
        try:
            write_new_file(self._folder / f"{notice.key}.json", record_text(notice).encode())
        except FileExistsError:
            return
        log_notice(notice)


def log_notice(notice: Notice) -> None:
    """Its titles, with its level."""
    for title in notice.title.values():
        _log.log(_LEVELS[notice.severity], "%s: %s", notice.key, title)


def record_text(notice: Notice) -> str:
    """All of it as JSON, for programs."""
    return json.dumps(asdict(notice), ensure_ascii=False, indent=2) + "\n"


def readable_text(notice: Notice) -> str:
    """All of it for people, in every language."""
    parts = [f"[{notice.severity.upper()}] {notice.key}"]
    parts += [f"{title}\n\n{notice.body[language]}" for language, title in notice.title.items()]
    if notice.links:
        parts.append("\n".join(f"{label}: {link}" for label, link in notice.links.items()))
    return "\n\n".join(parts) + "\n"
