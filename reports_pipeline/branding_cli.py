"""`reports branding …`: each company's branding, from which month on, and how it looks."""

from __future__ import annotations

import datetime
import json
import operator
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from reports_pipeline.accounting.failures import TenantFailure, TenantFailureError
from reports_pipeline.accounting.periods import Month
from reports_pipeline.command_line import (
    MONTH,
    LedgerGroup,
    month_option,
    tenant_option,
    tenants_option,
)
from reports_pipeline.documents.branding import Branding, BrandingError, Template
from reports_pipeline.documents.logos import MOST_UPLOADED_BYTES
from reports_pipeline.environments import Environment
from reports_pipeline.fresh_reports import coded_text, fresh_reports
from reports_pipeline.operator_name import operator_name
from reports_pipeline.tokyo import TOKYO, last_month
from resources.brandings import BrandingChange, BrandingVersion, LogoUpload
from resources.document_renderer import DocumentRenderer

# Printed where documents that are sent have their 管理番号.
_NO_REFERENCE = "PREVIEW"

_Command = TypeVar("_Command", bound=Callable[..., None])


class _LogoFile(click.ParamType[LogoUpload]):
    """A file on the command line, as what is uploaded of it."""

    name = "file"

    def convert(
        self,
        value: str | LogoUpload,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> LogoUpload:
        if isinstance(value, LogoUpload):
            return value
        path = Path(value)
        try:
            with path.open("rb") as file:
                # one byte more tells that it is too large
                content = file.read(MOST_UPLOADED_BYTES + 1)
        except OSError as error:
            self.fail(f"{path}: {error.strerror}", param, ctx)
        # A name that is not UTF-8 has characters that the database does not take.
        return LogoUpload(path.name.encode(errors="replace").decode(), content)


class _BrandingGroup(LedgerGroup):
    """Commands that a branding which cannot be used does not surprise."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrandingError as error:
            raise click.ClickException(_fault(error)) from None


def _change_options(command: _Command) -> _Command:
    """`--template`, `--accent`, `--logo` and `--no-logo`."""
    for option in (
        click.option("--no-logo", "without_logo", is_flag=True, help="No logo any more."),
        click.option(
            "--logo",
            type=_LogoFile(),
            help="A PNG, JPEG or SVG of at most 2 MB; an SVG without DOCTYPE (Illustrator: Export"
            " As SVG, not Save As).",
        ),
        click.option("--accent", help="The colour, #RRGGBB; white text on it must be readable."),
        click.option("--template", type=click.Choice([template.value for template in Template])),
    ):
        command = option(command)
    return command


@click.group(name="branding", cls=_BrandingGroup)
def branding_commands() -> None:
    """Set a company's branding: template, colour and logo of its documents."""


@branding_commands.command(name="set")
@tenant_option
@click.option(
    "--from",
    "effective_from",
    type=MONTH,
    default=last_month,
    help="The first month whose documents have it, YYYY-MM  [default: last month]",
)
@_change_options
@click.pass_obj
def set_branding(
    environment: Environment,
    tenant_id: str,
    effective_from: Month,
    template: str | None,
    accent: str | None,
    logo: LogoUpload | None,
    without_logo: bool,
) -> None:
    """Set a company's branding from a month on; what is not given stays as it was in that month.

    Documents that are stored keep the branding they have.
    """
    change = _change(template, accent, logo, without_logo)
    if change == BrandingChange():
        raise click.UsageError("Give one of --template, --accent, --logo and --no-logo.")
    environment.tenants().require([tenant_id])
    brandings = environment.brandings()
    branding = brandings.set(
        tenant_id, change, effective_from=effective_from, set_by=operator_name()
    )
    later = [
        entry.effective_from
        for entry in brandings.history([tenant_id])[tenant_id]
        if entry.effective_from > effective_from
    ]
    until = ""
    if later:
        end = min(later)
        follower = brandings.in_effect([tenant_id], end)[tenant_id]
        until = f" until {end}, when version {follower} begins"
    click.echo(
        f"{tenant_id}: version {branding.version} from {effective_from} on{until}:"
        f" {_in_words(branding)}"
    )


@branding_commands.command(name="show")
@tenants_option
@click.option("--json", "as_json", is_flag=True, help="JSON.")
@click.pass_obj
def show_brandings(environment: Environment, tenants: tuple[str, ...], as_json: bool) -> None:
    """List the brandings of some companies, or of all that have one, oldest first; * marks the one
    that last month's documents have."""
    environment.tenants().require(tenants)
    brandings = environment.brandings()
    history = brandings.history(tenants or None)
    if as_json:
        document = {
            "brandings": [
                _document(tenant_id, entry)
                for tenant_id, entries in history.items()
                for entry in entries
            ]
        }
        click.echo(json.dumps(document, ensure_ascii=False, indent=1))
        return
    current = brandings.in_effect(history, last_month())
    for tenant_id in tenants or history:
        click.echo(tenant_id)
        for text in _rows(history.get(tenant_id, ()), current.get(tenant_id)):
            click.echo(text)
    if not tenants and not history:
        click.echo("no company has a branding of its own")


@branding_commands.command()
@tenant_option
@month_option
@click.option(
    "--out",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Where the files go; it is made if it is missing.",
)
@_change_options
@click.pass_obj
def preview(
    environment: Environment,
    tenant_id: str,
    month: Month,
    folder: Path,
    template: str | None,
    accent: str | None,
    logo: LogoUpload | None,
    without_logo: bool,
) -> None:
    """Write a company's documents of a month as they would look, straight from the ledger.

    With the branding in effect for the month, or, where that cannot be used, the house's and the
    reason; with options, with it changed as `set` would. Nothing is stored or sent; files of an
    earlier preview are replaced.
    """
    environment.tenants().require([tenant_id])
    change = _change(template, accent, logo, without_logo)
    brandings = environment.brandings()
    fault = None
    if change == BrandingChange():
        branding_by_tenant, faults = brandings.of([tenant_id], month)
        branding, fault = branding_by_tenant[tenant_id], faults.get(tenant_id)
    else:
        branding = brandings.changed(tenant_id, change, month)
    _, found = fresh_reports(environment.ledger(), month, [tenant_id])
    reports = found[tenant_id]
    if isinstance(reports, TenantFailure):
        raise click.ClickException(coded_text(reports))
    renderer = DocumentRenderer(operator.call)
    try:
        documents = [
            *renderer.pdfs(reports, _NO_REFERENCE, branding),
            *renderer.workbooks(reports, _NO_REFERENCE, branding),
        ]
    except TenantFailureError as error:
        raise click.ClickException(coded_text(error.failure)) from None
    click.echo(f"{tenant_id} {month}: {_in_words(branding)}")
    if fault is not None:
        click.echo(f"the company's own branding is not used: {_fault(fault)}")
    folder.mkdir(parents=True, exist_ok=True)
    for document in documents:
        path = folder / document.name
        path.write_bytes(document.content)
        click.echo(str(path))


def _change(
    template: str | None, accent: str | None, logo: LogoUpload | None, without_logo: bool
) -> BrandingChange:
    if logo is not None and without_logo:
        raise click.UsageError("Give --logo or --no-logo, not both.")
    return BrandingChange(template, accent, logo, without_logo)


def _in_words(branding: Branding) -> str:
    logo = "no logo"
    if branding.logo is not None:
        logo = f"logo of {branding.logo.width} x {branding.logo.height} pixels"
    return f"{branding.template}, #{branding.accent}, {logo}"


def _rows(history: Sequence[BrandingVersion], current: int | None) -> Iterator[str]:
    if not history:
        yield "  the house's branding"
    for entry in history:
        mark = "*" if entry.version == current else " "
        at = f"{entry.set_at.astimezone(TOKYO):%Y-%m-%d %H:%M} Tokyo"
        yield (
            f"{mark} {entry.version:<4}from {entry.effective_from}  {entry.template:8}"
            f"  #{entry.accent}  {at} by {entry.set_by}  {entry.logo_file_name or 'no logo'}"
        )
        if entry.fault is not None:
            yield f"      not used: {_fault(entry.fault)}"


def _document(tenant_id: str, entry: BrandingVersion) -> dict[str, Any]:
    """The entry that docs/runbook.md describes."""
    return {
        "tenant_id": tenant_id,
        "version": entry.version,
        "effective_from": str(entry.effective_from),
        "template": entry.template,
        "accent": entry.accent,
        "logo_file_name": entry.logo_file_name,
        "set_by": entry.set_by,
        "set_at": entry.set_at.astimezone(datetime.UTC).isoformat(),
        "fault": entry.fault and entry.fault.code,
    }


def _fault(error: BrandingError) -> str:
    return f"{error.code}: {error.text('ja')}"
