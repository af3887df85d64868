"""`reports preferences …`: when and how a company wants its mails."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields, replace
from typing import Any

import click

from reports_pipeline.command_line import LedgerGroup, tenants_option
from reports_pipeline.delivery.preference_checks import LONGEST_NOTE, MOST_BUSINESS_DAYS
from reports_pipeline.delivery.preferences import (
    DEFAULT_PREFERENCES,
    Attachments,
    Corrections,
    DeliveryPreferences,
)
from reports_pipeline.environments import Environment
from reports_pipeline.operator_name import operator_name
from reports_pipeline.tokyo import TOKYO
from resources.delivery_preferences import PreferenceError, PreferencesVersion

_MEGABYTE = 1024 * 1024
_UNITS = {"": 1, "B": 1, "KB": 1024, "MB": _MEGABYTE}
# As options and `show` name them.
_FIELDS = {
    {"largest_mail_bytes": "largest-mail"}.get(field.name, field.name.replace("_", "-")): field.name
    for field in fields(DeliveryPreferences)
}


class _TimeOfDay(click.ParamType[datetime.time]):
    """A time of the day on the command line, HH:MM."""

    name = "HH:MM"

    def convert(
        self,
        value: str | datetime.time,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> datetime.time:
        if isinstance(value, datetime.time):
            return value
        if re.fullmatch("([01][0-9]|2[0-3]):[0-5][0-9]", value) is None:
            self.fail(f"not a time of the day from 00:00 to 23:59: {value!r}", param, ctx)
        return datetime.time.fromisoformat(value)


class _Size(click.ParamType[int]):
    """A number of bytes on the command line: 10MB, 800KB."""

    name = "size"

    def convert(
        self, value: str | int, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"([0-9]{1,12}) ?(B|KB|MB|)", value.upper())
        if match is None:
            self.fail(f"not a whole number of KB or MB, as 10MB: {value!r}", param, ctx)
        return int(match[1]) * _UNITS[match[2]]


class _PreferencesGroup(LedgerGroup):
    """Commands that a preference which cannot be used does not surprise."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except PreferenceError as error:
            raise click.ClickException(str(error)) from None


@click.group(name="preferences", cls=_PreferencesGroup)
def preference_commands() -> None:
    """Set when and how a company wants its mails."""


@preference_commands.command(name="set")
@tenants_option
@click.option(
    "--not-before", type=_TimeOfDay(), help="The earliest time of a day, where the company is."
)
@click.option(
    "--business-day",
    type=click.IntRange(1, MOST_BUSINESS_DAYS),
    help="The earliest business day of the month after.",
)
@click.option(
    "--holidays",
    metavar="COUNTRY",
    help="Nothing on holidays and weekends of this country (JP). Without one, business days are"
    " Monday to Friday.",
)
@click.option(
    "--corrections",
    type=click.Choice([choice.value for choice in Corrections]),
    help="Whether a correction of what was sent waits for `reports deliveries approve`.",
)
@click.option(
    "--attachments",
    type=click.Choice([choice.value for choice in Attachments]),
    help="Whether mails carry the documents or link to them.",
)
@click.option(
    "--largest-mail",
    "largest_mail_bytes",
    type=_Size(),
    help="Links instead of documents in what would be larger: 10MB.",
)
@click.option("--note", help=f"A line of its own in its mails, up to {LONGEST_NOTE} characters.")
@click.option("--support-address", help="The mail address that its readers are told to ask.")
@click.option(
    "--default",
    "defaults",
    multiple=True,
    type=click.Choice(list(_FIELDS)),
    help="The house's way again; may be repeated.",
)
@click.pass_obj
def set_preferences(
    environment: Environment,
    /,
    tenants: tuple[str, ...],
    defaults: tuple[str, ...],
    **given: Any,
) -> None:
    """Set what some companies want of their mails; what is not given stays as it is.

    It holds from now on, also for mails that wait; but the note and the support address of a
    delivery stay once one of its mails may have gone out.
    """
    changes = {name: value for name, value in given.items() if value is not None}
    for option in defaults:
        if _FIELDS[option] in changes:
            raise click.UsageError(f"Give --{option} or --default {option}, not both.")
        changes[_FIELDS[option]] = getattr(DEFAULT_PREFERENCES, _FIELDS[option])
    if not tenants:
        raise click.UsageError("Name tenants with --tenant.")
    if not changes:
        raise click.UsageError("Give a preference, or --default and the name of one.")
    if "corrections" in changes:
        changes["corrections"] = Corrections(changes["corrections"])
    if "attachments" in changes:
        changes["attachments"] = Attachments(changes["attachments"])
    environment.tenants().require(tenants)
    if changes.get("attachments") is Attachments.LINKED or "largest_mail_bytes" in changes:
        _say_whether_links_work(environment)
    store = environment.delivery_preferences()
    for tenant_id in tenants:
        version = store.change(
            tenant_id, lambda before: replace(before, **changes), set_by=operator_name()
        )
        click.echo(f"{tenant_id}: version {version.version}: {_in_words(version.preferences)}")


def _say_whether_links_work(environment: Environment) -> None:
    if environment.document_store().share is None:
        click.echo(
            "Documents are attached all the same: REPORTS_SHARED_LINKS leads to this machine, and "
            "readers cannot open it.",
            err=True,
        )


@preference_commands.command(name="show")
@tenants_option
@click.option("--json", "as_json", is_flag=True, help="JSON.")
@click.pass_obj
def show_preferences(environment: Environment, tenants: tuple[str, ...], as_json: bool) -> None:
    """List what some companies want of their mails, or all that have a wish, oldest first; the last
    version of a company holds."""
    environment.tenants().require(tenants)
    history = environment.delivery_preferences().history(tenants or None)
    if as_json:
        document = {
            "preferences": [
                _document(tenant_id, version)
                for tenant_id, versions in history.items()
                for version in versions
            ]
        }
        click.echo(json.dumps(document, ensure_ascii=False, indent=1))
        return
    for tenant_id in tenants or history:
        click.echo(tenant_id)
        for text in _rows(history.get(tenant_id, ())):
            click.echo(text)
    if not tenants and not history:
        click.echo("no company has a wish of its own")


def _in_words(preferences: DeliveryPreferences) -> str:
    """Those that are not the house's, by their options."""
    words = [
        f"{option} {_shown(name, getattr(preferences, name))}"
        for option, name in _FIELDS.items()
        if getattr(preferences, name) != getattr(DEFAULT_PREFERENCES, name)
    ]
    return ", ".join(words) or "the house's way"


def _shown(name: str, value: object) -> str:
    if isinstance(value, datetime.time):
        return value.isoformat("auto" if value.second or value.microsecond else "minutes")
    if name == "largest_mail_bytes" and isinstance(value, int):
        factor, unit = next(
            (factor, unit) for unit, factor in reversed(_UNITS.items()) if value % factor == 0
        )
        return f"{value // factor}{unit}"
    return f"“{value}”" if name == "note" else str(value)


def _rows(history: Sequence[PreferencesVersion]) -> Iterator[str]:
    if not history:
        yield "  the house's way"
    for version in history:
        at = f"{version.set_at.astimezone(TOKYO):%Y-%m-%d %H:%M} Tokyo"
        yield (f"  {version.version:<4}{at} by {version.set_by}  {_in_words(version.preferences)}")
        for name, value in version.unusable.items():
            yield f"      not used: {name.replace('_', '-')} {value!r}"


def _document(tenant_id: str, version: PreferencesVersion) -> dict[str, Any]:
    """The entry that docs/runbook.md describes."""
    not_before = version.preferences.not_before
    return {
        "tenant_id": tenant_id,
        "version": version.version,
        **asdict(version.preferences),
        "not_before": not_before and _shown("not_before", not_before),
        "unusable": dict(version.unusable),
        "set_by": version.set_by,
        "set_at": version.set_at.astimezone(datetime.UTC).isoformat(),
    }
