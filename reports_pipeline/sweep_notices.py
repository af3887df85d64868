"""What the sweeper tells operators: what happened, to whom, and what to type."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from reports_pipeline.accounting.periods import Month
from reports_pipeline.delivery.states import reference
from reports_pipeline.documents.catalogs import LANGUAGES, catalog, failure_text
from reports_pipeline.launching import backfill_command
from reports_pipeline.month_standing import TenantStanding
from resources.launches import Sweeps
from resources.notifier import Notice, Severity
from resources.unknown_mails import UnknownMail

_MOST_SHOWN = 50


def month_not_opened_notice(month: Month) -> Notice:
    """Told once: nobody opened a month that is over."""
    return _notice(f"month-not-opened_{month}", Severity.ERROR, "month_not_opened", month)


def month_late_notice(month: Month, late: Sequence[TenantStanding], expected: int) -> Notice:
    """Told once a month: hours after they could have, these of all `expected` tenants lack it."""
    notice = _notice(
        f"month-late_{month}",
        Severity.ERROR,
        "month_late",
        month,
        count=len(late),
        expected=expected,
    )
    return _listing(notice, _standing_lines(late))


def unknown_notice(month: Month, mails: Sequence[UnknownMail]) -> Notice:
    """Of mails, at least one, of which nobody knows whether they went out. It names no address:
    that is personal data, which the register keeps."""
    first = mails[0]
    notice = _notice(
        f"delivery-unknown_{month}_{_digest(f'{m.delivery_id}/{m.recipient_no}' for m in mails)}",
        Severity.WARNING,
        "delivery_unknown",
        month,
        count=len(mails),
        tenant_id=first.tenant_id,
        recipient_no=first.recipient_no,
    )
    return _listing(
        notice,
        {
            language: [
                catalog(language).text(
                    "notice.unknown_mail",
                    tenant_id=mail.tenant_id,
                    recipient_no=mail.recipient_no,
                    reference=reference(mail.delivery_id),
                )
                for mail in mails
            ]
            for language in LANGUAGES
        },
    )


def parked_notice(
    month: Month, parked: Sequence[TenantStanding], spent: Mapping[str, Sweeps], attempts: int
) -> Notice:
    """Of tenants that are asked for no more; told once of the same ones, until a person has had a
    say."""
    notice = _notice(
        f"tenants-parked_{month}_"
        + _digest(f"{found.tenant_id} {spent[found.tenant_id].last_at}" for found in parked),
        Severity.ERROR,
        "tenants_parked",
        month,
        count=len(parked),
        attempts=attempts,
        command=backfill_command(month, [found.tenant_id for found in parked]),
    )
    return _listing(notice, _standing_lines(parked))


def canaries_notice(month: Month, stuck: Sequence[TenantStanding], waiting: int) -> Notice:
    """Told once a month: so many other tenants wait only for canaries, of which these will not
    arrive by themselves."""
    notice = _notice(
        f"canaries-awaited_{month}", Severity.ERROR, "canaries_awaited", month, count=waiting
    )
    return _listing(notice, _standing_lines(stuck))


def _standing_lines(standings: Sequence[TenantStanding]) -> dict[str, list[str]]:
    return {
        language: [
            f"{found.tenant_id} {found.standing}"
            if found.failure is None
            else f"{found.tenant_id} {found.failure.code}: {failure_text(found.failure, language)}"
            for found in standings
        ]
        for language in LANGUAGES
    }


def _listing(notice: Notice, lines: Mapping[str, Sequence[str]]) -> Notice:
    """The notice with the first of these lines, by language, before its advice."""
    body = {}
    for language, advice in notice.body.items():
        more = ["…"] if len(lines[language]) > _MOST_SHOWN else []
        body[language] = "\n".join([*lines[language][:_MOST_SHOWN], *more, "", advice])
    return replace(notice, body=body)


def _digest(told: Iterable[str]) -> str:
    return hashlib.sha256(",".join(told).encode()).hexdigest()[:16]


def _notice(key: str, severity: Severity, kind: str, month: Month, **values: str | int) -> Notice:
    """A notice with its title and advice in every language."""

    def text(msgid: str, language: str) -> str:
        return catalog(language).text(msgid, month=month, **values)

    return Notice(
        key=key,
        severity=severity,
        title={language: text(f"notice.{kind}", language) for language in LANGUAGES},
        body={language: text(f"notice.{kind}_advice", language) for language in LANGUAGES},
    )
