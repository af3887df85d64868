"""The whole system on an emulated account of AWS: deploy/aws as it is, its services kept by ECS,
every run a task with nothing but what its task definition gives.

Only what cannot be on one machine differs: addresses, and how long somebody waits.
"""

from __future__ import annotations

import datetime
import json
import re
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy
import yaml  # type: ignore[import-untyped]

from assets.monthly_reports import STAGES
from assets.tenant_batch import TenantSelection
from reports_pipeline.accounting.periods import Month
from reports_pipeline.delivery.states import DeliveryState
from resources.database import database_url
from resources.ledger_loading import load_ledger
from resources.sample_ledger import SampleScale, sample_ledger
from tests.deploy.account import DEPLOY, EXAMPLE, deploy
from tests.emulators.aws import Aws
from tests.emulators.cloudformation import Stack
from tests.emulators.ecs_agent import Task
from tests.emulators.task_processes import Image
from tests.end_to_end.services import wait_until
from tests.end_to_end.system import FIRST_MONTH, MONTH, System, free_port
from tests.ses_server import AcceptedMail

TENANTS_PER_RUN = 10
# Of the credentials of a task, which boto3 tries to renew from 15 minutes before their end on: many
# times in its life rather than once in hours. Until 10 minutes before, it goes on without.
_CREDENTIALS_LAST = datetime.timedelta(minutes=15, seconds=8)
_VISIBILITY_SECONDS = 5
_STOP_SECONDS = 30
# What an operator waits minutes for, and what one machine can do at a time.
_SOONER: Mapping[str, Mapping[str, object]] = {
    "run_monitoring": {
        "poll_interval_seconds": 1,
        "start_timeout_seconds": 40,
        "cancel_timeout_seconds": 20,
    },
    "concurrency": {"runs": {"max_concurrent_runs": 5}},
}
_SOONER_QUEUE = {"dequeue_interval_seconds": 1, "user_code_failure_retry_delay": 2}
_VARIABLES = {
    "DAGSTER_EVENT_LOG_CONSUMER_DAEMON_INTERVAL_SECONDS": "1",
    "REPORTS_CODE_HOST": "127.0.0.1",
    "REPORTS_FIRST_MONTH": FIRST_MONTH,
    "REPORTS_TENANTS_PER_RUN": str(TENANTS_PER_RUN),
    "RUN_TASK_RETRIES": "3",
}
SERVICES = {
    "code": "CodeTask",
    "daemon": "DaemonTask",
    "webserver": "WebTask",
    "documents": "DocumentsTask",
}

# The tag of a run with which its tasks name who started them.
STARTED_BY = "ecs/run_task_kwargs"


class AwsSystem(System):
    """An installation, in an account of its own; operators reach its web server."""

    stack: Stack

    def __init__(self, home: Path, aws: Aws, server_url: str) -> None:
        super().__init__(home)
        self.aws = aws
        self.database_url = database_url(server_url, "aws_reports")
        self._server = sqlalchemy.make_url(server_url)
        self._code_port, self._shared_port = free_port(), free_port()
        self._definitions: dict[str, str] = {}

    def deploy(self, tenant_count: int) -> None:
        """From an empty account to services that run, and a ledger of so many companies."""
        aws = self.aws
        aws.ecs.credentials_last = _CREDENTIALS_LAST
        aws.ecs.images[json.loads(EXAMPLE.read_text())["Parameters"]["Image"]] = self._image()
        self.stack = deploy(aws.client)
        self._name_databases()
        self._let_events_come_again_sooner()
        for logical_id in ("RunTask", *SERVICES.values(), "PreparationTask"):
            self._definitions[logical_id] = self._here(logical_id)
        self._prepare_database()
        scale = SampleScale(tenant_count, Month.parse(MONTH).plus(-1), 2, 100 * tenant_count)
        load_ledger(self.database_url, sample_ledger(scale, seed=5), replace=False)
        for name, logical_id in SERVICES.items():
            aws.client("ecs").update_service(
                cluster=self.stack.ref("Cluster"),
                service=name,
                desiredCount=1,
                taskDefinition=self._definitions[logical_id],
            )
        wait_until(self._shows_assets, "the web server", 120)

    def run_command(self, *arguments: str, exit_code: int = 0) -> str:
        """What `reports …` prints as a task of its own, as operators start it."""
        task = self._run_task("RunTask", command=["reports", *arguments])
        printed = "\n".join(task.log.lines)
        assert task.exit_codes == {"run": exit_code}, f"{task.stopping}\n{printed}"
        return printed

    def launch_backfill(self, tenant_ids: Sequence[str]) -> None:
        """What the dialog of the web UI does with a month of chosen tenants."""
        data = self.graphql(
            """
            mutation ($backfill: LaunchBackfillParams!) {
              launchPartitionBackfill(backfillParams: $backfill) {
                __typename ... on PythonError { message }
              }
            }
            """,
            backfill={
                "assetSelection": [{"path": [stage.name]} for stage in STAGES],
                "partitionNames": [f"{MONTH}|{tenant_id}" for tenant_id in tenant_ids],
            },
        )
        assert data["launchPartitionBackfill"]["__typename"] == "LaunchBackfillSuccess", data

    def launch_run(
        self, tenant_ids: Sequence[str], tags: Mapping[str, str], started_by: str
    ) -> None:
        """One run for these tenants, whose tasks and those of its retries name who started them."""
        task = json.loads(tags.get(STARTED_BY, "{}")) | {"startedBy": started_by}
        parameters = {
            "selector": self.repository
            | {
                "pipelineName": "__ASSET_JOB",
                "assetSelection": [{"path": [stage.name]} for stage in STAGES],
            },
            "runConfigData": TenantSelection.run_config(Month.parse(MONTH), tenant_ids),
            "executionMetadata": {
                "tags": [
                    {"key": key, "value": value}
                    for key, value in {**tags, STARTED_BY: json.dumps(task)}.items()
                ]
            },
            "mode": "default",
        }

        def is_launched() -> bool:
            data = self.graphql(
                """
                mutation ($parameters: ExecutionParams!) {
                  launchRun(executionParams: $parameters) {
                    __typename
                    ... on PythonError { message }
                    ... on RunConfigValidationInvalid { errors { message } }
                  }
                }
                """,
                parameters=parameters,
            )
            answer = data["launchRun"]["__typename"]
            # The latter while the code server starts: whoever pressed the button presses it again.
            assert answer in ("LaunchRunSuccess", "InvalidSubsetError"), data
            return bool(answer == "LaunchRunSuccess")

        wait_until(is_launched, f"the launch of {started_by}", 60)

    def terminate(self, run_id: str) -> None:
        """What the button of the web UI does."""
        data = self.graphql(
            "mutation ($id: String!) { terminateRun(runId: $id) { __typename } }", id=run_id
        )
        assert data["terminateRun"]["__typename"] == "TerminateRunSuccess", data

    def service(self, name: str) -> Task:
        """Its task, which runs."""
        [task] = [task for task in self.aws.ecs.of_service(name) if task.is_running]
        return task

    def kill_service(self, name: str) -> None:
        """Its task, in whose place there is another in the end."""
        task = self.service(name)
        self.aws.ecs.kill(task)
        self.wait_for_another(task)

    def wait_for_another(self, killed: Task) -> None:
        """Return when another task runs in the place of this one of a service."""
        name = killed.group.removeprefix("service:")

        def runs() -> bool:
            tasks = self.aws.ecs.of_service(name)
            return any(task.is_running for task in tasks if task is not killed)

        wait_until(runs, f"another task of {name}", 60)

    def dead_letters(self) -> list[str]:
        """Events of mails that nobody took in time."""
        answer = self.aws.client("sqs").receive_message(
            QueueUrl=self.stack.ref("DeadLetterQueue"), MaxNumberOfMessages=10
        )
        return [message["Body"] for message in answer.get("Messages", [])]

    def moved_by(self, run_id: str, state: DeliveryState) -> set[tuple[str, int]]:
        """The mails that a run moved to a state: tenant, number of the recipient."""
        with psycopg.connect(self.database_url) as connection:
            return set(
                connection.execute(
                    """
                    select tenant_id, recipient_no from reporting.delivery_moves
                    join reporting.deliveries using (delivery_id)
                    where actor = %s and to_state = %s
                    """,
                    [f"run {run_id}", state],
                )
            )

    def begun_by(self, run_id: str, *, after: float) -> list[str]:
        """The tenants of which a run posted the first mail after a moment, in seconds of Unix."""
        with psycopg.connect(self.database_url) as connection:
            found = connection.execute(
                """
                select tenant_id from reporting.delivery_moves
                join reporting.deliveries using (delivery_id)
                where actor = %s and to_state = 'POSTING'
                group by tenant_id having min(at) > to_timestamp(%s)
                """,
                [f"run {run_id}", after],
            )
            return [tenant_id for (tenant_id,) in found]

    def readers(self, tenant_ids: Sequence[str]) -> list[tuple[str, str]]:
        """Who is to get a mail: tenant, address."""
        with psycopg.connect(self.database_url) as connection:
            return connection.execute(
                """
                select tenant_id, email from ledger.contacts
                where tenant_id = any(%s) and purpose = 'reports'
                """,
                [list(tenant_ids)],
            ).fetchall()

    def mails_of(self, tenant_ids: Sequence[str]) -> list[AcceptedMail]:
        """What SES took."""
        return [m for m in list(self.aws.ses.accepted) if m.tags["tenant_id"] in tenant_ids]

    def objects(self, prefix: str) -> dict[str, Any]:
        """What the bucket holds, by key."""
        pages = self.aws.client("s3").get_paginator("list_objects_v2")
        found = pages.paginate(Bucket=self.stack.ref("DocumentBucket"), Prefix=prefix)
        return {entry["Key"]: entry for page in found for entry in page.get("Contents", [])}

    def opened(self, key: str) -> bytes:
        """What an operator sees who opens a document."""
        address = f"http://127.0.0.1:{self.document_port}/{key}"
        with urllib.request.urlopen(address, timeout=30) as answer:
            content: bytes = answer.read()
        return content

    def let_leases_run_out(self) -> None:
        """As if an hour had passed."""
        with psycopg.connect(self.database_url) as connection:
            connection.execute(
                "update reporting.delivery_messages set lease_until = lease_until - interval '1 h'"
            )

    def told_of_tasks(self) -> str:
        """A line of each task, for whoever looks for the cause of a failure."""
        return "\n".join(
            f"{task.definition.family} {task.started_by} {task.status} {task.exit_codes} "
            f"{task.stopping} {task.log.lines[-1:]}"
            for task in list(self.aws.ecs.tasks.values())[-60:]
        )

    def _run_task(self, logical_id: str, **override: Any) -> Task:
        """A task of its own, which has ended."""
        [container] = self._definition(logical_id)["containerDefinitions"]
        answer = self.aws.client("ecs").run_task(
            cluster=self.stack.ref("Cluster"),
            taskDefinition=self._definitions[logical_id],
            networkConfiguration={"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
            overrides={"containerOverrides": [{"name": container["name"], **override}]},
        )
        task = self.aws.ecs.tasks[answer["tasks"][0]["taskArn"].rpartition("/")[2]]
        wait_until(lambda: task.has_stopped, f"{logical_id} {override}", 120)
        return task

    def _name_databases(self) -> None:
        """Of PostgreSQL here, with the logins of those on RDS."""
        secrets = {"DatabaseUrl": "reports", "LedgerUrl": "reports", "DagsterUrl": "dagster"}
        for logical_id, database in secrets.items():
            secret = self.stack.ref(logical_id)
            client = self.aws.client("secretsmanager")
            on_rds = sqlalchemy.make_url(client.get_secret_value(SecretId=secret)["SecretString"])
            here = on_rds.set(
                host=self._server.host or "",
                port=self._server.port,
                query=self._server.query,
                database=f"aws_{database}",
            )
            client.put_secret_value(
                SecretId=secret, SecretString=here.render_as_string(hide_password=False)
            )

    def _let_events_come_again_sooner(self) -> None:
        """As leases run out sooner, too; how often they come is as it is."""
        self.aws.client("sqs").set_queue_attributes(
            QueueUrl=self.stack.ref("FeedbackQueue"),
            Attributes={"VisibilityTimeout": str(_VISIBILITY_SECONDS)},
        )

    def _prepare_database(self) -> None:
        """As whoever administers PostgreSQL here."""
        administrator = {
            "PGHOST": self._server.query.get("host") or self._server.host,
            "PGPORT": self._server.port,
            "PGUSER": self._server.username,
            "PGPASSWORD": self._server.password,
        }
        task = self._run_task(
            "PreparationTask",
            environment=[
                {"name": name, "value": str(value)}
                for name, value in administrator.items()
                if value
            ],
        )
        assert task.exit_codes == {"preparation": 0}, (task.stopping, task.log.lines)

    def _definition(self, logical_id: str) -> dict[str, Any]:
        name = self._definitions.get(logical_id) or self.stack.ref(logical_id)
        answer = self.aws.client("ecs").describe_task_definition(taskDefinition=name)
        found: dict[str, Any] = answer["taskDefinition"]
        return found

    def _here(self, logical_id: str) -> str:
        """The ARN of a revision for one machine: other ports and folders, shorter waits."""
        definition = self._definition(logical_id)
        [container] = definition["containerDefinitions"]
        replaced = {
            "3000": str(self.port),
            "3001": str(self.document_port),
            "3002": str(self._shared_port),
            "4000": str(self._code_port),
            "0.0.0.0": "127.0.0.1",  # noqa: S104
            "/opt/dagster": str(self.home / "image"),
        }

        def here(command: Sequence[str]) -> list[str]:
            return [
                re.sub("|".join(replaced), lambda found: replaced[found[0]], w) for w in command
            ]

        variables = {
            **_VARIABLES,
            "REPORTS_DOCUMENT_PORT": str(self.document_port),
            "REPORTS_LISTEN": "127.0.0.1",
            "REPORTS_SHARED_PORT": str(self._shared_port),
            "REPORTS_RUN_TASK_DEFINITION": self._definitions.get("RunTask", ""),
        }
        changed = {
            **container,
            "command": here(container["command"]),
            "environment": [
                {"name": name, "value": value}
                for name, value in {
                    **{pair["name"]: pair["value"] for pair in container["environment"]},
                    **variables,
                }.items()
            ],
            "stopTimeout": _STOP_SECONDS,
        }
        if check := container.get("healthCheck"):
            changed["healthCheck"] = check | {"command": here(check["command"])}
        kept = (
            "family", "cpu", "memory", "networkMode", "requiresCompatibilities",
            "executionRoleArn", "taskRoleArn",
        )  # fmt: skip
        answer = self.aws.client("ecs").register_task_definition(
            **{key: definition[key] for key in kept if key in definition},
            containerDefinitions=[changed],
        )
        arn: str = answer["taskDefinition"]["taskDefinitionArn"]
        return arn

    def _image(self) -> Image:
        """What the Dockerfile makes, with a production instance whose intervals are shorter."""
        folder = self.home / "image"
        folder.mkdir()
        settings = yaml.safe_load((DEPLOY.parents[1] / "dagster.yaml").read_bytes())
        for section, sooner in _SOONER.items():
            settings[section] = settings[section] | sooner
        settings["run_coordinator"]["config"] |= _SOONER_QUEUE
        (folder / "dagster.yaml").write_text(yaml.safe_dump(settings))
        workspace = (DEPLOY / "workspace.yaml").read_text()
        (folder / "workspace.yaml").write_text(workspace.replace("4000", str(self._code_port)))
        (folder / "prepare_database.py").write_bytes((DEPLOY / "prepare_database.py").read_bytes())
        path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
        variables = {"PATH": path, "HOME": str(folder), "DAGSTER_HOME": str(folder)}
        return Image(variables | {"PYTHONUNBUFFERED": "1"}, folder)

    def _shows_assets(self) -> bool:
        """Whether the web server has found the code server."""
        try:
            return bool(self.graphql("{ assetNodes { id } }")["assetNodes"])
        except OSError:
            return False
