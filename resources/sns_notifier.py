"""Notices through Amazon SNS: mail for people, and a record for programs such as chat-bots."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any, Protocol

import psycopg

from resources.aws_clients import repeating_client
from resources.aws_errors import aws_errors
from resources.notifier import Notice, Notifier, log_notice, readable_text, record_text

# Of message and attributes together, 256 KiB.
_LARGEST_BYTES = 262_144
_ATTRIBUTES_BYTES = 4_096
_LONGEST_SUBJECT = 100
_LONGEST_TITLE = 256


class SnsClient(Protocol):
    """The part of the `sns` client that notices need."""

    def publish(self, **request: Any) -> Any: ...


def sns_client() -> SnsClient:
    client: SnsClient = repeating_client("sns", read_timeout=20)
    return client


class SnsNotifier(Notifier):
    """Publishes to one topic. Subscribers by mail get a text in every language, the others a record
    as `FolderNotifier` writes it; what a subscription wants, its filter says by `severity`
    (`info`, `warning`, `error`) and `kind` (`month-not-opened`: what the notice's key begins with).

    `reporting.notices` remembers what was told. A notice is remembered after it was published, so
    that none is lost; whoever publishes it at the same moment, or dies in between, has it told
    twice.
    """

    def __init__(self, client: SnsClient, topic_arn: str, database_url: str) -> None:
        self._client = client
        self._topic_arn = topic_arn
        self._database_url = database_url

    def notify(self, notice: Notice) -> None:
        """As for every notifier.

        Raises:
            AwsUnavailableError, AwsRefusedError: see `resources.aws_errors`.
        """
        with psycopg.connect(self._database_url, autocommit=True) as connection:
            told = connection.execute(
                "select from reporting.notices where key = %s", [notice.key]
            ).fetchone()
            if told is not None:
                return
            with aws_errors(f"telling {notice.key}"):
                self._client.publish(
                    TopicArn=self._topic_arn,
                    Subject=_subject(notice),
                    Message=_message(notice),
                    MessageStructure="json",
                    MessageAttributes=_attributes(notice),
                )
            connection.execute(
                "insert into reporting.notices (key) values (%s) on conflict do nothing",
                [notice.key],
            )
        log_notice(notice)


def _subject(notice: Notice) -> str:
    """Of mails; SNS takes ASCII only, on one line."""
    title = notice.title.get("en", notice.key).encode("ascii", "replace").decode()
    return re.sub(r"[\x00-\x20\x7f]+", " ", f"[{notice.severity.upper()}] {title}")[
        :_LONGEST_SUBJECT
    ].strip()


def _attributes(notice: Notice) -> dict[str, dict[str, str]]:
    """What filters choose by, and a title in each language for whoever shows one line."""
    values = {"severity": str(notice.severity), "kind": notice.key.partition("_")[0]}
    values |= {
        f"title_{language}": title[:_LONGEST_TITLE] or "—"
        for language, title in notice.title.items()
    }
    return {name: {"DataType": "String", "StringValue": value} for name, value in values.items()}


def _message(notice: Notice) -> str:
    """A text by kind of subscription, its bodies cut until SNS takes it."""
    longest = max(map(len, notice.body.values()), default=0)
    while True:
        message = json.dumps(
            {"default": record_text(notice), "email": readable_text(notice)}, ensure_ascii=False
        )
        if len(message.encode()) <= _LARGEST_BYTES - _ATTRIBUTES_BYTES or longest == 0:
            return message
        longest //= 2
        notice = replace(
            notice,
            body={
                language: text if len(text) <= longest else f"{text[:longest]}…"
                for language, text in notice.body.items()
            },
        )
