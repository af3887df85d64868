"""`reports`: what an operator and an engineer need beside Dagster's own commands."""

from __future__ import annotations

import secrets
import signal
import sys
import time
from collections.abc import Sequence

import click
import dagster as dg

from reports_pipeline.accounting.periods import Month
from reports_pipeline.accounts_cli import accounts
from reports_pipeline.books_cli import books_commands
from reports_pipeline.branding_cli import branding_commands
from reports_pipeline.command_line import (
    MONTH,
    InstallationGroup,
    first_named,
    month_option,
    require_in_window,
    require_one_machine,
    tenants_option,
)
from reports_pipeline.database_cli import database_commands
from reports_pipeline.deliveries_cli import delivery_commands
from reports_pipeline.delivery.states import SENT, WAITING
from reports_pipeline.document_servers import (
    AddressUnavailableError,
    document_server,
    shared_link_server,
)
from reports_pipeline.documents.catalogs import failure_text
from reports_pipeline.documents_cli import document_commands
from reports_pipeline.environments import (
    Environment,
    LocalEnvironment,
    SettingError,
    current_environment,
)
from reports_pipeline.events_cli import event_commands
from reports_pipeline.launching import (
    BACKFILL_PREFIX,
    InactiveTenantsError,
    add_missing_partitions,
    request_launch,
    tenants_under_way,
)
from reports_pipeline.ledger_cli import ledger
from reports_pipeline.local import (
    DEFINITIONS,
    dagster_instance,
    run_command,
    running,
)
from reports_pipeline.month_cli import month_commands, open_as_operator
from reports_pipeline.month_standing import tenants_to_run_again
from reports_pipeline.operator_name import operator_name
from reports_pipeline.preferences_cli import preference_commands
from reports_pipeline.progress import (
    LaunchStalledError,
    MonthProgress,
    require_daemon,
    wait_for_runs,
)
from reports_pipeline.tokyo import last_month, now
from reports_pipeline.verification_cli import show_statement, verify_month
from reports_pipeline.window_cli import window_commands
from resources.launches import Launch
from resources.link_signer import WeakSecretError


@click.group(cls=InstallationGroup)
@click.pass_context
def main(context: click.Context) -> None:
    """Monthly financial reports, from the ledger to the mailbox."""
    # Asked to end, a command still leaves its servers in order.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        context.obj = current_environment()
    except SettingError as error:
        raise click.ClickException(str(error)) from None


main.add_command(accounts)
main.add_command(books_commands)
main.add_command(branding_commands)
main.add_command(database_commands)
main.add_command(delivery_commands)
main.add_command(document_commands)
main.add_command(event_commands)
main.add_command(ledger)
main.add_command(month_commands)
main.add_command(preference_commands)
main.add_command(show_statement)
main.add_command(verify_month)
main.add_command(window_commands)


@main.command(name="exec", context_settings={"ignore_unknown_options": True})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_context
def exec_command(context: click.Context, command: Sequence[str]) -> None:
    """Run COMMAND, such as `dagster asset list`, with the database and Dagster's instance, which
    knows all tenants."""
    environment = require_one_machine(context)
    with dagster_instance(environment) as instance:
        add_missing_partitions(instance, environment.tenants().all_ids())
    sys.exit(run_command(environment, command))


@main.command(name="database-url")
@click.pass_context
def database_url(context: click.Context) -> None:
    """Print the address of the database, for psql and other programs."""
    click.echo(require_one_machine(context).database_url)


@main.command()
@click.option("--port", default=3000, show_default=True, help="Port of the web UI.")
@click.option("--sample", is_flag=True, help="Fill an empty ledger with a sample first.")
@click.pass_context
def dev(context: click.Context, port: int, sample: bool) -> None:
    """The web UI, the daemon and the servers of documents and of links in mails, until Ctrl-C."""
    environment = require_one_machine(context)
    if not environment.tenants().all_ids():
        if sample:
            _load_sample(context, company_count=12, seed=1, last=last_month())
        else:
            click.echo("The ledger is empty; fill it with `reports ledger sample` or `import`.")
    click.echo(f"Dagster: http://127.0.0.1:{port}   files: {environment.settings.home}")
    command = ["dagster", "dev", "-h", "127.0.0.1", "-p", str(port)]
    try:
        with document_server(environment), shared_link_server(environment):
            sys.exit(run_command(environment, [sys.executable, "-m", *command, "-m", DEFINITIONS]))
    except (AddressUnavailableError, WeakSecretError) as error:
        raise click.ClickException(str(error)) from None


@main.command()
@month_option
@tenants_option
@click.option("--all", "all_tenants", is_flag=True, help="Every active tenant.")
@click.option(
    "--failed",
    is_flag=True,
    help="Whoever failed, whose run died, or whose mails are due; not who waits for a decision.",
)
@click.option(
    "--verify-all",
    is_flag=True,
    help="Let Beancount compute every tenant's figures, not a sample's; slower.",
)
@click.option("--wait", is_flag=True, help="Wait for the runs; exit code 1 if a tenant failed.")
@click.pass_obj
def backfill(
    environment: Environment,
    month: Month,
    tenants: tuple[str, ...],
    all_tenants: bool,
    failed: bool,
    verify_all: bool,
    wait: bool,
) -> None:
    """Launch a month for some tenants, or all; the running daemon starts the runs."""
    if [bool(tenants), all_tenants, failed].count(True) != 1:
        raise click.UsageError("Name one of --tenant, --all and --failed.")
    require_in_window(environment, month)
    with dagster_instance(environment) as instance:
        chosen = None if all_tenants else list(tenants)
        if failed:
            chosen = _to_run_again(environment, instance, month)
        if chosen == []:
            click.echo(f"{month}: no tenant to launch.")
            return
        launch = _request(environment, month, chosen, verify_all=verify_all)
        try:
            require_daemon(instance)
            if not wait:
                return
            run_ids = wait_for_runs(instance, launch, check_daemon=lambda: require_daemon(instance))
        except LaunchStalledError as error:
            raise click.ClickException(f"{launch.launch_id} is written down. {error}") from None
    sys.exit(_show_result(environment, launch, run_ids))


@main.command()
@click.option(
    "--companies", "company_count", type=click.IntRange(1, 9999), default=12, show_default=True
)
@click.option("--month", type=MONTH, help="The month to report  [default: last month]")
@click.option("--seed", default=1, show_default=True)
@click.pass_context
def demo(context: click.Context, company_count: int, month: Month | None, seed: int) -> None:
    """A sample ledger, one month of it through the real pipeline, and where the results lie."""
    environment = require_one_machine(context)
    month = month or last_month()
    require_in_window(environment, month)
    if not environment.tenants().all_ids():
        _load_sample(context, company_count=company_count, seed=seed, last=month)
    started = time.monotonic()
    open_as_operator(environment, month)
    launch = _request(environment, month, None)
    log = environment.settings.home / "dagster" / "daemon.log"
    with running(environment, "dagster._daemon", "run", log=log) as daemon:

        def check_daemon() -> None:
            if daemon.poll() is not None:
                raise LaunchStalledError(f"Dagster's daemon stopped; see {log}")

        with dagster_instance(environment) as instance:
            try:
                run_ids = wait_for_runs(instance, launch, check_daemon=check_daemon)
            except LaunchStalledError as error:
                raise click.ClickException(str(error)) from None
    exit_code = _show_result(environment, launch, run_ids)
    click.echo(f"{time.monotonic() - started:.1f} s, Dagster's start included")
    sys.exit(exit_code)


def _load_sample(context: click.Context, *, company_count: int, seed: int, last: Month) -> None:
    context.invoke(
        ledger.commands["sample"],
        companies=company_count,
        months=14,
        lines_per_month=400 * company_count,
        seed=seed,
        last=last,
    )


def _to_run_again(
    environment: Environment, instance: dg.DagsterInstance, month: Month
) -> list[str]:
    """The tenants that lack a run and have none under way; tells of those that have."""
    # Before the records: a run that ends in between has left what it did in them.
    under_way = tenants_under_way(instance, environment.launches(), month, now())
    found = tenants_to_run_again(
        environment.month_records(),
        environment.delivery_months(),
        environment.tenants(),
        environment.launches(),
        environment.departures(),
        month,
        now(),
    )
    if running := [tenant_id for tenant_id in found if tenant_id in under_way]:
        click.echo(f"left alone, a run of them is under way: {first_named(running)}")
    return [tenant_id for tenant_id in found if tenant_id not in under_way]


def _request(
    environment: Environment,
    month: Month,
    tenant_ids: list[str] | None,
    *,
    verify_all: bool = False,
) -> Launch:
    """Write down an operator's launch."""
    moment = now().strftime("%Y%m%d-%H%M%S")
    try:
        launch = request_launch(
            environment.launches(),
            environment.tenants(),
            launch_id=f"{BACKFILL_PREFIX}{month}-{moment}-{secrets.token_hex(2)}",
            month=month,
            tenant_ids=tenant_ids,
            tenants_per_run=environment.settings.tenants_per_run,
            requested_by=operator_name(),
            verify_all=verify_all,
        )
    except InactiveTenantsError as error:
        raise click.ClickException(str(error)) from None
    click.echo(launch.summary)
    return launch


def _show_result(environment: Environment, launch: Launch, run_ids: set[str]) -> int:
    """Print what these runs made of each tenant of a launch; returns the exit code."""
    tenant_ids = sorted(tenant_id for batch in launch.batches for tenant_id in batch)
    month = launch.month
    progress = MonthProgress.read(environment.stage_outcomes(), month, tenant_ids, run_ids)
    documents: dict[str, int] = {}  # of the newest revision, which is read last
    for (tenant_id, _), stored in (
        environment.report_register().documents(month, tenant_ids).items()
    ):
        documents[tenant_id] = len(stored)
    names = environment.tenants().names(tenant_ids)
    with environment.delivery_register("operator") as register:
        deliveries = register.read(month, tenant_ids)
    mails = {
        tenant_id: sum(len(delivery.among(SENT)) for delivery in revisions)
        for tenant_id, revisions in deliveries.items()
    }
    done = set(progress.delivered)
    waiting = done & {t for t, revisions in deliveries.items() if revisions[-1].among(WAITING)}
    delivered = done - waiting
    click.echo(f"\n{'tenant':10}{'documents':>10}{'mails':>7}  result")
    for tenant_id in tenant_ids:
        result = "delivered" if tenant_id in delivered else "not finished"
        if tenant_id in waiting:
            result = "ready, waits for its time or the canaries"
        if (failure := progress.failures.get(tenant_id)) is not None:
            result = f"{failure.code}: {failure_text(failure, 'ja')}"
        click.echo(
            f"{tenant_id:10}{documents.get(tenant_id, 0):>10}{mails.get(tenant_id, 0):>7}"
            f"  {result}  {names.get(tenant_id, '')}"
        )
    wait = f", {len(waiting)} ready and waiting" if waiting else ""
    click.echo(f"\n{len(delivered)} of {len(tenant_ids)} tenants delivered{wait}")
    if isinstance(environment, LocalEnvironment):
        click.echo(f"documents: {environment.documents_folder / 'reports'}")
        click.echo(f"mails:     {environment.outbox_folder / str(month)}")
    return 0 if len(done) == len(tenant_ids) else 1
