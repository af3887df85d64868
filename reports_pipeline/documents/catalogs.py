"""Product texts in Japanese and English: gettext catalogs with symbolic message ids.

Every text of the product (labels of reports, mails, messages to operators) stands in
`catalogs/<language>.po`. Text of tenants never does.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from babel.messages.pofile import read_po

from reports_pipeline.accounting.failures import TenantFailure

LANGUAGES = ("ja", "en")


@dataclass(frozen=True)
class Catalog:
    """The messages of one language."""

    language: str
    messages: Mapping[str, str]

    def text(self, msgid: str, **values: object) -> str:
        """The message with its placeholders filled.

        Raises:
            KeyError: the catalog lacks the message, or the message needs a value not given.
        """
        try:
            message = self.messages[msgid]
        except KeyError:
            raise KeyError(f"no message {msgid!r} in catalog {self.language!r}") from None
        return message.format(**values) if values else message


@functools.cache
def catalog(language: str) -> Catalog:
    """The catalog of `ja` or `en`, read once.

    Raises:
        ValueError: there is no catalog of that language.
    """
    if language not in LANGUAGES:
        raise ValueError(f"no catalog for language {language!r}")
    source = files(__package__).joinpath("catalogs", f"{language}.po").read_bytes()
    entries = read_po(io.BytesIO(source), locale=language, abort_invalid=True)
    return Catalog(
        language, {str(entry.id): str(entry.string) for entry in entries if entry.id != ""}
    )


def failure_text(failure: TenantFailure, language: str) -> str:
    """What an operator reads about a failure, in one line: what is wrong, where, what to do."""
    facts = ", ".join(f"{name}={value}" for name, value in failure.details.items())
    message = catalog(language).text(f"failure.{failure.code}")
    values = _Facts(failure.details, tenant_id=failure.tenant_id, facts=facts or "—")
    # A company's name may hold a line end, and failures are listed line by line.
    return " ".join(message.format_map(values).splitlines())


class _Facts(dict[str, object]):
    """A fact that a failure lacks must not keep its text from being read."""

    def __missing__(self, name: str) -> str:
        return "…"
