"""`reports deliveries …`: what became of the mails, and what a person decides about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import TypeVar

import click

from assets.delivery_contents import DeliverySources, NoReportsError, newest_delivery
from reports_pipeline.accounting.failures import TenantFailureError
from reports_pipeline.accounting.periods import Month
from reports_pipeline.command_line import (
    MONTH,
    DecisionGroup,
    first_named,
    month_option,
    reason_option,
    require_tenants_or_all,
    require_words,
    tenant_option,
    tenants_option,
)
from reports_pipeline.delivery.deliveries import DeliveryMessage, Recipient, RegisteredDelivery
from reports_pipeline.delivery.errors import BadAddressError, PostError, UnclearOutcomeError
from reports_pipeline.delivery.states import DeliveryState, reference
from reports_pipeline.documents.catalogs import failure_text
from reports_pipeline.environments import Environment
from reports_pipeline.launching import backfill_command
from reports_pipeline.operator_name import operator_name
from reports_pipeline.tokyo import TOKYO, now
from resources.delivery_decisions import DeliveryDecisions
from resources.delivery_history import delivery_history
from resources.link_signer import WeakSecretError
from resources.operator_mail import send_test

_Command = TypeVar("_Command", bound=Callable[..., None])


@click.group(name="deliveries", cls=DecisionGroup)
def delivery_commands() -> None:
    """What became of the mails; hold, approve, resend and settle them. Every decision is kept with
    who, when and why."""


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
    environment: Environment, month: Month, tenants: tuple[str, ...], states: tuple[str, ...]
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
def show(environment: Environment, month: Month, tenant_id: str) -> None:
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
@click.option(
    "--all", "all_tenants", is_flag=True, help="Every tenant that is there and not held already."
)
@click.option("--month", type=MONTH, help="The month  [default: every month]")
@reason_option
@click.pass_obj
def hold(
    environment: Environment,
    tenants: tuple[str, ...],
    all_tenants: bool,
    month: Month | None,
    reason: str,
) -> None:
    """Let nothing go out to some tenants until they are released; reports are still made."""
    require_tenants_or_all(tenants, all_tenants)
    decisions = _decisions(environment)
    environment.tenants().require(tenants)
    if all_tenants:
        # Another's hold, and its reason, outlive the end of this one.
        held = {hold.tenant_id for hold in decisions.holds() if hold.month == month}
        tenants = tuple(sorted(set(environment.tenants().all_ids()) - held))
    if not tenants:
        raise click.ClickException(f"{month or 'every month'}: everybody is held already")
    decisions.hold(tenants, month, reason)
    click.echo(f"{month or 'every month'}: held: {first_named(tenants)}")


@delivery_commands.command()
@tenants_option
@click.option("--held-for", help="Every tenant that was held with this --reason.")
@click.option("--month", type=MONTH, help="The month that was held  [default: every month]")
@reason_option
@click.pass_obj
def release(
    environment: Environment,
    tenants: tuple[str, ...],
    held_for: str | None,
    month: Month | None,
    reason: str,
) -> None:
    """End a hold. What was held goes out with the tenant's next run."""
    if bool(tenants) is (held_for is not None):
        raise click.UsageError("Name tenants with --tenant, or a reason with --held-for.")
    decisions = _decisions(environment)
    environment.tenants().require(tenants)
    holds = [hold for hold in decisions.holds() if hold.month == month]
    which = month or "every month"
    if held_for is not None:
        tenants = tuple(hold.tenant_id for hold in holds if hold.reason == held_for)
        if not tenants:
            raise click.ClickException(f"{which}: nobody is held for {held_for!r}")
    held = {hold.tenant_id for hold in holds}
    if released := [tenant_id for tenant_id in tenants if tenant_id in held]:
        decisions.release(released, month, reason)
        click.echo(f"{which}: released: {first_named(released)}")
    if others := [tenant_id for tenant_id in tenants if tenant_id not in held]:
        click.echo(f"{which}: nothing was held: {first_named(others)}")
    still = [
        hold
        for hold in decisions.holds()
        if hold.tenant_id in tenants and (month is None or hold.month in (None, month))
    ]
    if still:
        named = [f"{hold.tenant_id} ({hold.month or 'every month'})" for hold in still]
        click.echo(f"another hold is in force: {first_named(named)}")
    # A hold of another month is none of this one.
    kept = {hold.tenant_id for hold in still if month is not None}
    going = [tenant_id for tenant_id in released if tenant_id not in kept]
    if going and held_for is None:
        _show_next(month, going)
    elif going:
        click.echo("What waits goes out within minutes, by the sweeper.")


@delivery_commands.command()
@month_option
@tenants_option
@reason_option
@click.pass_obj
def waive(environment: Environment, month: Month, tenants: tuple[str, ...], reason: str) -> None:
    """Say that some tenants need nothing of a month, so that it can be closed without them. To keep
    their mails back as well, hold them."""
    _require_named(environment, tenants)
    _decisions(environment).waive(tenants, month, reason)
    click.echo(f"{month}: waived: {', '.join(tenants)}")


@delivery_commands.command()
@month_option
@tenants_option
@reason_option
@click.pass_obj
def unwaive(environment: Environment, month: Month, tenants: tuple[str, ...], reason: str) -> None:
    """Take a waiver back: the month is not closed without the tenants' mails."""
    _require_named(environment, tenants)
    _decisions(environment).unwaive(tenants, month, reason)
    click.echo(f"{month}: expected again: {', '.join(tenants)}")
    _show_next(month, tenants)


@delivery_commands.command()
@month_option
@tenant_option
@click.option("--revision", type=click.IntRange(min=2), required=True, help="That you have read.")
@reason_option
@click.pass_obj
def approve(
    environment: Environment, month: Month, tenant_id: str, revision: int, reason: str
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
@reason_option
@click.pass_obj
def resend(
    environment: Environment,
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
@reason_option
@click.pass_obj
def resolve(
    environment: Environment,
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
@tenants_option
@click.option(
    "--recipient",
    "recipient_no",
    type=click.IntRange(min=1),
    help="Number of the recipient, as `show` prints it  [default: all whose mails were refused]",
)
@reason_option
@click.pass_obj
def reopen(
    environment: Environment,
    month: Month,
    tenants: tuple[str, ...],
    recipient_no: int | None,
    reason: str,
) -> None:
    """Try mails again that were refused for something that is mended: a misspelt setting, say."""
    _require_named(environment, tenants)
    if recipient_no is None:
        refused = [
            (delivery.tenant_id, message.recipient_no)
            for delivery in _newest(environment, month, tenants)
            for message in delivery.among(frozenset({DeliveryState.BLOCKED}))
        ]
        if not refused:
            raise click.ClickException(f"{month}: no mail to {', '.join(tenants)} is blocked")
    elif len(tenants) > 1:
        raise click.UsageError("--recipient is a number of one tenant; name one, or leave it out.")
    else:
        refused = [(tenants[0], recipient_no)]
    decisions = _decisions(environment)
    for tenant_id, number in refused:
        decisions.reopen(tenant_id, month, number, reason)
        click.echo(f"{tenant_id} {month}: the mail to recipient {number} is open again")
    opened = {tenant_id for tenant_id, _ in refused}
    if others := [tenant_id for tenant_id in tenants if tenant_id not in opened]:
        click.echo(f"{month}: no mail is blocked: {', '.join(others)}")
    _show_next(month, sorted(opened))


@delivery_commands.command(name="test-send")
@month_option
@tenant_option
@click.option("--to", "address", required=True, help="The address of who is to look at it.")
@click.option(
    "--reason",
    default="to look at it",
    show_default=True,
    callback=require_words,
    help="Why; it is kept.",
)
@click.option("--yes", is_flag=True, help="Do not ask whether the address is the right one.")
@click.pass_obj
def test_send(
    environment: Environment,
    month: Month,
    tenant_id: str,
    address: str,
    reason: str,
    yes: bool,
) -> None:
    """Send the newest mail of a tenant, marked as a test, to an address of your own, as the tenant
    got it or would get it. Nothing else changes."""
    environment.tenants().require([tenant_id])
    document_store = environment.document_store()
    with environment.delivery_register(operator_name()) as register:
        sources = DeliverySources(
            document_store,
            environment.report_register(),
            register,
            environment.tenants(),
            environment.delivery_preferences(),
        )
        try:
            delivery = newest_delivery(sources, environment.stage_outcomes(), month, tenant_id)
            if not yes:
                of_whom = f"{tenant_id} {delivery.letter.company_name}, {month},"
                click.confirm(f"Send the figures of {of_whom} to {address}?", abort=True)
            provider_id = send_test(
                delivery,
                address,
                reason=reason,
                register=register,
                decisions=_decisions(environment),
                mailer=environment.mailer(),
                document_store=document_store,
                settings=environment.mail_settings(),
                now=now(),
            )
        except NoReportsError as error:
            raise click.ClickException(
                f"{error}; make them: {backfill_command(month, [tenant_id])}"
            ) from None
        except TenantFailureError as error:
            raise click.ClickException(failure_text(error.failure, "en")) from None
        except BadAddressError as error:
            raise click.BadParameter(str(error), param_hint="--to") from None
        except WeakSecretError as error:
            raise click.ClickException(str(error)) from None
        except UnclearOutcomeError as error:
            raise click.ClickException(f"nobody knows whether it was sent: {error}") from None
        except PostError as error:
            raise click.ClickException(f"not sent: {error}") from None
    click.echo(f"{tenant_id} {month}: revision {delivery.revision} as a test: {provider_id}")


@delivery_commands.command(name="end-canary")
@month_option
@reason_option
@click.pass_obj
def end_canary(environment: Environment, month: Month, reason: str) -> None:
    """Let the mails of a month go that wait for those of its canaries."""
    awaited = environment.departures().awaited_canaries(month)
    if not awaited:
        raise click.ClickException(f"{month}: nothing waits for canaries")
    _decisions(environment).end_canary(month, reason)
    click.echo(f"{month}: nothing waits any longer for {', '.join(awaited)}")


@delivery_commands.command()
@click.argument("address")
@reason_option
@click.pass_obj
def unsuppress(environment: Environment, address: str, reason: str) -> None:
    """Let mails go to ADDRESS again, after it bounced or its reader complained."""
    _decisions(environment).unsuppress(address, reason)
    click.echo(f"mails go to {address} again")


def _decisions(environment: Environment) -> DeliveryDecisions:
    return DeliveryDecisions(environment.database_url, actor=operator_name())


def _require_named(environment: Environment, tenants: tuple[str, ...]) -> None:
    if not tenants:
        raise click.UsageError("Name tenants with --tenant.")
    environment.tenants().require(tenants)


def _newest(
    environment: Environment, month: Month, tenant_ids: Iterable[str]
) -> list[RegisteredDelivery]:
    with environment.delivery_register(operator_name()) as register:
        return [found[-1] for found in register.read(month, list(tenant_ids)).values()]


def _contact(environment: Environment, tenant_id: str, address: str) -> Recipient:
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
