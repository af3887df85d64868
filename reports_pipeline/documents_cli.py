"""`reports documents …`: the servers of documents, where Dagster's services are elsewhere."""

from __future__ import annotations

import threading

import click

from reports_pipeline.document_servers import (
    AddressUnavailableError,
    document_server,
    shared_link_server,
)
from reports_pipeline.environments import Environment
from resources.link_signer import WeakSecretError


@click.group(name="documents")
def document_commands() -> None:
    """Hand out documents to operators, and to readers who have a link."""


@document_commands.command()
@click.pass_obj
def serve(environment: Environment) -> None:
    """Serve documents for operators (REPORTS_DOCUMENT_PORT) and links in mails
    (REPORTS_SHARED_PORT) on REPORTS_LISTEN, until Ctrl-C or SIGTERM. `/health` says that they are
    served. Whoever reaches the port for operators sees all documents."""
    settings = environment.settings
    try:
        with document_server(environment), shared_link_server(environment):
            click.echo(
                f"documents: {settings.listen}:{settings.document_port}   "
                f"links in mails: {settings.listen}:{settings.shared_port}"
            )
            threading.Event().wait()
    except (AddressUnavailableError, WeakSecretError) as error:
        raise click.ClickException(str(error)) from None
    except KeyboardInterrupt:
        pass
