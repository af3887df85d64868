"""`reports deliveries …`: what became of the mails, and what a person decides about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import TypeVar

import click

from reports_pipeline.accounting.periods import Month
from reports_pipeline.command_line import (
    MONTH,
    LedgerGroup,
    month_option,
    tenant_option,
    tenants_option,
)
from reports_pipeline.delivery.deliveries import DeliveryMessage, Recipient, RegisteredDelivery
from reports_pipeline.delivery.errors import DecisionError, LostClaimError
from reports_pipeline.delivery.states import DeliveryState, reference
from reports_pipeline.environments import LocalEnvironment
from reports_pipeline.operator_name import operator_name
from reports_pipeline.tokyo import TOKYO
from resources.delivery_decisions import DeliveryDecisions
from resources.delivery_history import delivery_history

_Command = TypeVar("_Command", bound=Callable[..., None])


class _DecisionGroup(LedgerGroup):
    """A decision that does not fit how things are is no surprise."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (DecisionError, LostClaimError) as error:
            raise click.ClickException(str(error)) from None


@click.group(name="deliveries", cls=_DecisionGroup)
def delivery_commands() -> None:
    """What became of the mails; hold, approve, resend and settle them. Every decision is kept with
    who, when and why."""


def _reason_option(command: _Command) -> _Command:
    return click.option("--reason", required=True, help="Why; it is kept.")(command)


def _recipient_option(command: _Command) -> _Command:
    return click.option(
        "--recipient",
        "recipient_no",
        type=click.IntRange(min=1),
        required=True,
        help="Number of the recipient, as `show` prints it.",
    )(command)


@delivery_commands.command(name="list")
@month_option
@tenants_option
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([state.value for state in DeliveryState], case_sensitive=False),
    help="Only tenants with a mail in this state; may be repeated.",
)
@click.pass_obj
def list_deliveries(
    environment: LocalEnvironment, month: Month, tenants: tuple[str, ...], states: tuple[str, ...]
) -> None:
    """The newest delivery of each tenant, with the states of its mails."""
    if tenants:
        environment.tenants().require(tenants)
    wanted = {state.upper() for state in states}
    newest = _newest(environment, month, tenants or environment.tenants().all_ids())
    shown = [d for d in newest if not wanted or wanted & {m.state.value for m in d.messages}]
    for delivery in shown:
        mails = ", ".join(f"{m.recipient_no} {m.state}" for m in delivery.messages)
        click.echo(f"{delivery.tenant_id}  r{delivery.revision}  {mails or 'nobody to send to'}")
    counts = Counter(message.state.value for delivery in shown for message in delivery.messages)
    text = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
    click.echo(f"{month}: {len(shown)} deliveries; mails: {text or 'none'}")
    for hold in DeliveryDecisions(environment.database_url, actor=operator_name()).holds():
        if hold.month in (None, month):
            click.echo(f"held: {hold.tenant_id} by {hold.held_by}: {hold.reason}")


@delivery_commands.command()
@month_option
@tenant_option
@click.pass_obj
def show(environment: LocalEnvironment, month: Month, tenant_id: str) -> None:
    """Every revision that was delivered, to whom, its files with their hashes, and every step."""
    environment.tenants().require([tenant_id])
    with environment.delivery_register(operator_name()) as register:
        deliveries = register.read(month, [tenant_id]).get(tenant_id, ())
    if not deliveries:
        click.echo(f"{tenant_id} {month}: nothing is registered for delivery.")
    for delivery in deliveries:
        click.echo(f"{tenant_id} {month} r{delivery.revision}  {reference(delivery.delivery_id)}")
        for document in delivery.documents:
            click.echo(f"  {document.sha256[:16]}…  {document.name}  {document.file_name}")
        for message in delivery.messages:
            click.echo(f"  {_message(message)}")
    for step in delivery_history(environment.database_url, tenant_id, month):
        click.echo(
            f"{step.at.astimezone(TOKYO):%Y-%m-%d %H:%M:%S}  {step.what}  {step.actor}"
            f"{': ' if step.reason else ''}{step.reason}"
        )


@delivery_commands.command()
@tenants_option
@click.option("--month", type=MONTH, help="The month  [default: every month]")
@_reason_option
@click.pass_obj
def hold(
    environment: LocalEnvironment, tenants: tuple[str, ...], month: Month | None, reason: str
) -> None:
    """Let nothing go out to some tenants until they are released; reports are still made."""
    _require_named(environment, tenants)
    _decisions(environment).hold(tenants, month, reason)
    click.echo(f"{month or 'every month'}: held: {', '.join(tenants)}")


@delivery_commands.command()
@tenants_option
@click.option("--month", type=MONTH, help="The month that was held  [default: every month]")
@_reason_option
@click.pass_obj
def release(
    environment: LocalEnvironment, tenants: tuple[str, ...], month: Month | None, reason: str
) -> None:
    """End a hold. What was held goes out with the tenant's next run."""
    _require_named(environment, tenants)
    _decisions(environment).release(tenants, month, reason)
    still = [h.tenant_id for h in _decisions(environment).holds() if h.tenant_id in tenants]
    click.echo(f"{month or 'every month'}: released: {', '.join(tenants)}")
    if still:
        click.echo(f"another hold is in force: {', '.join(sorted(set(still)))}")
    _show_next(month, tenants)


@delivery_commands.command()
@month_option
@tenant_option
@click.option("--revision", type=click.IntRange(min=2), required=True, help="That you have read.")
@_reason_option
@click.pass_obj
def approve(
    environment: LocalEnvironment, month: Month, tenant_id: str, revision: int, reason: str
) -> None:
    """Let the newest revision go out as a correction (訂正版) of what was sent. `reports month
    corrections` says what it changes."""
    environment.tenants().require([tenant_id])
    _decisions(environment).approve(tenant_id, month, revision, reason)
    click.echo(f"{tenant_id} {month}: revision {revision} may go out")
    _show_next(month, [tenant_id])


@delivery_commands.command()
@month_option
@tenant_option
@_recipient_option
@click.option("--to", "address", help="The address of another contact of the tenant.")
@_reason_option
@click.pass_obj
def resend(
    environment: LocalEnvironment,
    month: Month,
    tenant_id: str,
    recipient_no: int,
    address: str | None,
    reason: str,
) -> None:
    """Have a mail sent once more, marked 再送."""
    environment.tenants().require([tenant_id])
    was_sent_to = [
        message.recipient.email
        for delivery in _newest(environment, month, [tenant_id])
        for message in delivery.messages
        if message.recipient_no == recipient_no
    ]
    to = None
    if addresses := [address] if address else was_sent_to:
        # Who was a contact then may have left the company.
        to = _contact(environment, tenant_id, addresses[0])
    message = _decisions(environment).resend(tenant_id, month, recipient_no, reason, to=to)
    click.echo(f"{tenant_id} {month}: {_message(message)}")
    _show_next(month, [tenant_id])


@delivery_commands.command()
@month_option
@tenant_option
@_recipient_option
@click.option(
    "--as",
    "outcome",
    type=click.Choice(["arrived", "signed-off"]),
    required=True,
    help="It arrived, as somebody knows; or that stays open, and holds nothing up any more.",
)
@_reason_option
@click.pass_obj
def resolve(
    environment: LocalEnvironment,
    month: Month,
    tenant_id: str,
    recipient_no: int,
    outcome: str,
    reason: str,
) -> None:
    """Settle a mail of which nobody knows whether it arrived (UNKNOWN)."""
    environment.tenants().require([tenant_id])
    decisions = _decisions(environment)
    settle = decisions.confirm if outcome == "arrived" else decisions.sign_off
    settle(tenant_id, month, recipient_no, reason)
    click.echo(f"{tenant_id} {month}: the mail to recipient {recipient_no}: {outcome}")


@delivery_commands.command()
@month_option
@tenant_option
@_recipient_option
@_reason_option
@click.pass_obj
def reopen(
    environment: LocalEnvironment, month: Month, tenant_id: str, recipient_no: int, reason: str
) -> None:
    """Try a mail again that was refused for something that is mended: a misspelt setting, say."""
    environment.tenants().require([tenant_id])
    _decisions(environment).reopen(tenant_id, month, recipient_no, reason)
    click.echo(f"{tenant_id} {month}: the mail to recipient {recipient_no} is open again")
    _show_next(month, [tenant_id])


@delivery_commands.command()
@click.argument("address")
@_reason_option
@click.pass_obj
def unsuppress(environment: LocalEnvironment, address: str, reason: str) -> None:
    """Let mails go to ADDRESS again, after it bounced or its reader complained."""
    _decisions(environment).unsuppress(address, reason)
    click.echo(f"mails go to {address} again")


def _decisions(environment: LocalEnvironment) -> DeliveryDecisions:
    return DeliveryDecisions(environment.database_url, actor=operator_name())


def _require_named(environment: LocalEnvironment, tenants: tuple[str, ...]) -> None:
    if not tenants:
        raise click.UsageError("Name tenants with --tenant.")
    environment.tenants().require(tenants)


def _newest(
    environment: LocalEnvironment, month: Month, tenant_ids: Iterable[str]
) -> list[RegisteredDelivery]:
    with environment.delivery_register(operator_name()) as register:
        return [found[-1] for found in register.read(month, list(tenant_ids)).values()]


def _contact(environment: LocalEnvironment, tenant_id: str, address: str) -> Recipient:
    contacts = environment.tenants().contacts([tenant_id]).get(tenant_id, [])
    for contact in contacts:
        if contact.email.lower() == address.lower():
            return Recipient(contact.name, contact.email)
    raise click.ClickException(
        f"{tenant_id} has no contact with the address {address}; name one that it has with --to"
    )


def _message(message: DeliveryMessage) -> str:
    marks = [
        f"once more for {message.resend_of}" if message.resend_of else "",
        message.blocked_code or "",
        "dealt with" if message.dealt_with else "",
        message.provider_id or "",
    ]
    recipient = f"{message.recipient.name} <{message.recipient.email}>"
    return "  ".join(filter(None, [f"{message.recipient_no}  {message.state}", recipient, *marks]))


def _show_next(month: Month | None, tenants: Iterable[str]) -> None:
    click.echo(
        f"It goes out with the next run: reports backfill --month {month or 'YYYY-MM'} "
        f"--tenant {','.join(tenants)}"
    )
