"""ECS with Fargate, whose tasks really run: moto keeps clusters, task definitions and services;
tasks are processes of this machine, and told of as AWS tells of them."""

from __future__ import annotations

import functools
import json
import logging
import signal
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import boto3
from botocore.exceptions import ClientError
from moto.ecs.models import (
    Cluster,
    EC2ContainerServiceBackend,
    Service,
    TaskDefinition,
    ecs_backends,
)

from tests.emulators.api_calls import ACCOUNT, AwsError, Request
from tests.emulators.roles import LIFETIME, Credentials, Roles
from tests.emulators.task_processes import ContainerProcess, ContainerSpec, Image, KeptLog

MOST_OVERRIDE_CHARACTERS = 8192
CREDENTIALS_PATH = "/emulator/credentials/"
SPOT = "FARGATE_SPOT"
_STOP_SECONDS = 30  # of a container that names no other time
_SCHEDULER_SECONDS = 0.5
_CLOSING_SECONDS = 30
_NO_CAPACITY = (
    "Capacity is unavailable at this time. Please try again later or in a different "
    "availability zone"
)
_NO_NETWORK = "Timeout waiting for network interface provisioning to complete."
_NETWORK_THROTTLED = (
    "Error retrieving subnet information for [subnet-1]: Rate exceeded (ErrorCode: Throttling)"
)
# MiB by CPU units: from, to, in steps of; 512 at 256 besides.
_FARGATE_SIZES = {
    256: (1024, 2048, 1024),
    512: (1024, 4096, 1024),
    1024: (2048, 8192, 1024),
    2048: (4096, 16384, 1024),
    4096: (8192, 30720, 1024),
    8192: (16384, 61440, 4096),
    16384: (32768, 122880, 8192),
}

_log = logging.getLogger(__name__)

Answer = dict[str, Any]
Misfortune = Literal["throttled", "network throttled", "no capacity", "no network", "caller killed"]


@dataclass
class TaskFault:
    """What befalls the next tasks that are asked for; of one who starts them, if named.

    `caller killed`: the task runs, and the task that asked for it dies before it hears of it.
    """

    misfortune: Misfortune
    times: int = 1
    started_by: str | None = None
    count: int = 0  # how often it happened


@dataclass
class Stop:
    code: str
    reason: str


@dataclass
class Task:
    arn: str
    definition: TaskDefinition
    request: Answer  # as RunTask was called
    status: str = "PROVISIONING"
    stopping: Stop | None = None  # asked to end, or at an end
    has_network: bool = True
    containers: dict[str, ContainerProcess] = field(default_factory=dict)
    exit_codes: dict[str, int] = field(default_factory=dict)
    times: dict[str, float] = field(default_factory=dict)
    log: KeptLog = field(default_factory=KeptLog)

    @property
    def task_id(self) -> str:
        return self.arn.rpartition("/")[2]

    @property
    def is_running(self) -> bool:
        return self.status == "RUNNING"

    @property
    def has_stopped(self) -> bool:
        return self.status == "STOPPED"

    @property
    def group(self) -> str:
        return str(self.request.get("group") or f"family:{self.definition.family}")

    @property
    def started_by(self) -> str:
        return str(self.request.get("startedBy", ""))

    @property
    def tags(self) -> dict[str, str]:
        return {tag["key"]: tag["value"] for tag in self.request.get("tags", [])}

    @property
    def size(self) -> tuple[str, str]:
        """CPU units and MiB."""
        overrides = self.request.get("overrides", {})
        return (
            str(overrides.get("cpu") or self.definition.cpu),
            str(overrides.get("memory") or self.definition.memory),
        )

    @property
    def capacity_provider(self) -> str | None:
        strategy = self.request.get("capacityProviderStrategy")
        return strategy[0]["capacityProvider"] if strategy else None

    def told(self) -> Answer:
        """As DescribeTasks answers."""
        cpu, memory = self.size
        return {
            "taskArn": self.arn,
            "taskDefinitionArn": self.definition.arn,
            "clusterArn": self.request["clusterArn"],
            "group": self.group,
            "startedBy": self.started_by,
            "tags": self.request.get("tags", []),
            "overrides": self.request.get("overrides", {}),
            "cpu": cpu,
            "memory": memory,
            "lastStatus": self.status,
            "desiredStatus": "STOPPED" if self.stopping else "RUNNING",
            "containers": [self._container(c) for c in self.definition.container_definitions],
            **({"capacityProviderName": self.capacity_provider} if self.capacity_provider else {}),
            **self.times,
            **(
                {"stopCode": self.stopping.code, "stoppedReason": self.stopping.reason}
                if self.stopping
                else {}
            ),
        }

    def _container(self, definition: Mapping[str, Any]) -> Answer:
        name = definition["name"]
        # None is told of a container that never ran.
        code = {"exitCode": self.exit_codes[name]} if name in self.exit_codes else {}
        return {
            "name": name,
            "image": definition["image"],
            "taskArn": self.arn,
            "lastStatus": self.status if name in self.containers else "PENDING",
            **code,
        }


class EcsAgent:
    """Tasks by their id. `images` are the registry: what can be pulled, by name."""

    def __init__(self, url: str, roles: Roles) -> None:
        self.images: dict[str, Image] = {}
        self.credentials_last = LIFETIME  # of tasks
        self.tasks: dict[str, Task] = {}
        self.faults: list[TaskFault] = []
        self._url = url
        self._roles = roles
        self._by_token: dict[str, tuple[Answer, Answer]] = {}
        self._lock = threading.RLock()
        self._ends = threading.Event()

    @contextmanager
    def working(self) -> Iterator[None]:
        """Keep services while the context lasts; then no task is left."""
        scheduler = threading.Thread(target=self._keep_services, daemon=True)
        scheduler.start()
        try:
            yield
        finally:
            self._ends.set()
            scheduler.join()
            for task in self._not_stopped():
                task.stopping = task.stopping or Stop("UserInitiated", "the emulator ends")
            deadline = time.monotonic() + _CLOSING_SECONDS
            while left := self._not_stopped():
                if time.monotonic() > deadline:
                    names = [f"{task.definition.family} {task.task_id}" for task in left]
                    raise TimeoutError(f"tasks that do not end: {', '.join(names)}")
                for task in left:
                    self.kill(task)
                time.sleep(0.02)

    def answer(self, request: Request) -> Answer | None:
        """To an operation on tasks; None if moto answers.

        Raises:
            AwsError: as ECS.
        """
        match request.operation:
            case "RunTask":
                return self._run_task(request.json(), request)
            case "StopTask":
                task = self._task(request.json()["task"])
                reason = request.json().get("reason") or "Task stopped by user"
                self.stop(task, "UserInitiated", reason)
                return {"task": task.told()}
            case "DescribeTasks":
                found = [self._found(name) for name in request.json()["tasks"]]
                return {
                    "tasks": [task.told() for task in found if task],
                    "failures": [
                        {"arn": name, "reason": "MISSING"}
                        for name, task in zip(request.json()["tasks"], found, strict=True)
                        if task is None
                    ],
                }
        return None

    def stop(self, task: Task, code: str, reason: str) -> None:
        """SIGTERM, and SIGKILL to what does not end in time."""
        if task.stopping is not None:
            return
        task.stopping, task.times["stoppingAt"] = Stop(code, reason), time.time()
        threading.Thread(target=_stop_containers, args=[task], daemon=True).start()

    def interrupt(self, task: Task) -> None:
        """What happens to a task on Spot when others want its place."""
        self.stop(task, "SpotInterruption", "Your Spot Task was interrupted.")

    def kill(self, task: Task) -> None:
        """SIGKILL to its containers, as when they need more memory than there is."""
        for container in list(task.containers.values()):
            container.send(signal.SIGKILL)

    def of_service(self, name: str) -> list[Task]:
        """Those that run or are about to."""
        return [task for task in self._not_stopped() if task.group == f"service:{name}"]

    def started_by(self, name: str) -> list[Task]:
        """All, the oldest first."""
        return [task for task in list(self.tasks.values()) if task.started_by == name]

    def health(self, task: Task) -> dict[str, int]:
        """The exit code of the health command of each container that has one, 0 if it is healthy.

        Raises:
            subprocess.TimeoutExpired: a command takes longer than its definition grants.
        """
        codes = {}
        definitions: Sequence[Mapping[str, Any]] = task.definition.container_definitions
        for definition in definitions:
            if check := definition.get("healthCheck"):
                container = task.containers[definition["name"]].spec
                codes[container.name] = container.execute(
                    check["command"], timeout_seconds=check.get("timeout", 5)
                )
        return codes

    def credentials(self, task_id: str) -> Credentials:
        """Of the role of a task.

        Raises:
            RefusedError: it is to get none.
        """
        role = self.tasks[task_id].definition.task_role_arn
        return self._roles.issue(role, task_id, self.credentials_last)

    def _run_task(self, request: Answer, made: Request) -> Answer:
        backend = ecs_backends[ACCOUNT][made.region]
        cluster = str(request.get("cluster", "default")).rpartition("/")[2]
        if cluster not in backend.clusters:
            raise AwsError(400, "ClusterNotFoundException", "Cluster not found.")
        definition = _definition(backend, request["taskDefinition"])
        _require_valid(request, definition, backend.clusters[cluster])
        with self._lock:
            # A request that comes again is the same task, also if its answer was lost.
            token = request.get("clientToken", uuid.uuid4().hex)
            if token in self._by_token:
                before, answer = self._by_token[token]
                if before != request:
                    raise AwsError(400, "ConflictException", "clientToken: other parameters")
                return answer
            fault = self._next_fault(request.get("startedBy"))
            match fault:
                case "throttled":
                    raise AwsError(400, "ThrottlingException", "Rate exceeded")
                case "network throttled":
                    raise AwsError(400, "InvalidParameterException", _NETWORK_THROTTLED)
                case "no capacity":
                    return {"tasks": [], "failures": [{"reason": _NO_CAPACITY}]}
            tasks = [
                self._start(
                    {**request, "clusterArn": backend.clusters[cluster].arn},
                    definition,
                    made.region,
                    has_network=fault != "no network",
                )
                for _ in range(request.get("count", 1))
            ]  # fmt: skip
            answer = {"tasks": [task.told() for task in tasks], "failures": []}
            self._by_token[token] = (request, answer)
        if fault == "caller killed":
            self.kill(self.tasks[self._roles.holder_of(made.access_key) or ""])
        return answer

    def _next_fault(self, started_by: str | None) -> Misfortune | None:
        for fault in self.faults:
            if fault.count < fault.times and fault.started_by in (None, started_by or ""):
                fault.count += 1
                return fault.misfortune
        return None

    def _start(
        self, request: Answer, definition: TaskDefinition, region: str, *, has_network: bool = True
    ) -> Task:
        cluster = request["clusterArn"].rpartition("/")[2]
        task_id = uuid.uuid4().hex
        task = Task(
            f"arn:aws:ecs:{region}:{ACCOUNT}:task/{cluster}/{task_id}",
            definition,
            request,
            has_network=has_network,
            times={"createdAt": time.time()},
        )
        self.tasks[task_id] = task
        threading.Thread(target=self._live, args=[task, region], daemon=True).start()
        return task

    def _live(self, task: Task, region: str) -> None:
        """A task from its start to its end."""
        try:
            try:
                self._start_containers(task, region)
            except Exception as error:
                # Also an error of the emulator: whoever waits for the task is to hear of it.
                known = isinstance(error, _NotStartedError)
                task.stopping = Stop("TaskFailedToStart", str(error) if known else repr(error))
                self.kill(task)
            else:
                _wait_for_an_end(task)
                task.stopping = task.stopping or Stop(
                    "EssentialContainerExited", "Essential container in task exited"
                )
            _stop_containers(task)
            for name, container in task.containers.items():
                task.exit_codes[name] = container.end()
        finally:
            task.times["stoppedAt"] = time.time()
            task.status = "STOPPED"

    def _start_containers(self, task: Task, region: str) -> None:
        if not task.has_network:
            raise _NotStartedError(_NO_NETWORK)
        task.status = "PENDING"
        for spec in [self._spec(task, c, region) for c in task.definition.container_definitions]:
            if task.stopping is None:
                task.containers[spec.name] = _started(spec)
        task.status, task.times["startedAt"] = "RUNNING", time.time()
        if task.stopping is not None:  # in the meantime
            _stop_containers(task)

    def _spec(self, task: Task, definition: Mapping[str, Any], region: str) -> ContainerSpec:
        name = definition["name"]
        image = self.images.get(definition["image"])
        if image is None:
            raise _NotStartedError(
                "CannotPullContainerError: pull image manifest has been retried 1 time(s): "
                f"failed to resolve ref {definition['image']}: not found"
            )
        overrides: Mapping[str, Any] = next(
            (
                override
                for override in task.request.get("overrides", {}).get("containerOverrides", [])
                if override["name"] == name
            ),
            {},
        )
        secrets = definition.get("secrets") or []
        return ContainerSpec(
            name=name,
            command=[
                *(definition.get("entryPoint") or []),
                *(overrides.get("command") or definition.get("command") or []),
            ],
            environment={
                **image.environment,
                "AWS_REGION": region,
                "AWS_DEFAULT_REGION": region,
                "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
                # What leads here rather than to AWS, and nothing else does.
                "AWS_ENDPOINT_URL": self._url,
                **self._credentials_address(task),
                **_pairs(definition.get("environment")),
                **{secret["name"]: self._secret(task, secret, region) for secret in secrets},
                **_pairs(overrides.get("environment")),
            },
            folder=image.folder,
            log=self._log(task, definition, region),
            stop_seconds=float(definition.get("stopTimeout") or _STOP_SECONDS),
            is_essential=definition.get("essential", True),
        )

    def _credentials_address(self, task: Task) -> dict[str, str]:
        if not getattr(task.definition, "task_role_arn", None):
            return {}
        address = f"{self._url}{CREDENTIALS_PATH}{task.task_id}"
        return {"AWS_CONTAINER_CREDENTIALS_FULL_URI": address}

    def _secret(self, task: Task, secret: Mapping[str, str], region: str) -> str:
        """A whole secret, or a field of one (`arn:field::`)."""
        *parts, _ = arn = secret["valueFrom"].split(":")
        client = self._client("secretsmanager", task.definition, region)
        try:
            value: str = client.get_secret_value(SecretId=":".join(arn[:7]))["SecretString"]
        except ClientError as error:
            raise _NotStartedError(
                "ResourceInitializationError: unable to pull secrets or registry auth: "
                f"{secret['valueFrom']}: {error}"
            ) from error
        if len(arn) > 7:
            value = json.loads(value)[parts[7]]
        return value

    def _log(self, task: Task, definition: Mapping[str, Any], region: str) -> _Log:
        configuration = definition.get("logConfiguration") or {}
        if configuration.get("logDriver") != "awslogs":
            return _Log(task.log, None, "", "")
        options = configuration["options"]
        stream = f"{options['awslogs-stream-prefix']}/{definition['name']}/{task.task_id}"
        client = self._client("logs", task.definition, region)
        try:
            client.create_log_stream(logGroupName=options["awslogs-group"], logStreamName=stream)
        except ClientError as error:
            raise _NotStartedError(
                "ResourceInitializationError: failed to validate logger args: create stream has "
                f"been retried 1 times: failed to create Cloudwatch log stream: {error}"
            ) from error
        return _Log(task.log, client, options["awslogs-group"], stream)

    def _client(self, service: str, definition: TaskDefinition, region: str) -> Any:
        role = getattr(definition, "execution_role_arn", None)
        if role is None:
            raise _NotStartedError(
                "ResourceInitializationError: the task definition names no execution role"
            )
        with self._lock:
            return self._client_of_role(service, role, region)

    @functools.cache  # noqa: B019 - an agent lives as long as its clients
    def _client_of_role(self, service: str, role: str, region: str) -> Any:
        credentials = self._roles.issue(role, "agent")
        return boto3.session.Session().client(
            service,
            region_name=region,
            endpoint_url=self._url,
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["Token"],
        )

    def _keep_services(self) -> None:
        while not self._ends.wait(_SCHEDULER_SECONDS):
            for region, backend in list(ecs_backends[ACCOUNT].items()):
                for service in list(backend.services.values()):
                    try:
                        self._keep(service, backend, region)
                    except Exception:  # the other services are to be kept all the same
                        _log.exception("the service %s", service.name)

    def _keep(self, service: Service, backend: EC2ContainerServiceBackend, region: str) -> None:
        """As many tasks as desired, all of the newest definition; one is stopped before another
        takes its place, as with a minimum of 0 % and a maximum of 100 %."""
        definition = _definition(backend, service.task_definition or "")
        tasks = self.of_service(service.name)
        wanted = service.desired_count if service.status == "ACTIVE" else 0
        outdated = [task for task in tasks if task.definition.arn != definition.arn]
        for task in [*tasks[wanted:], *outdated]:
            self.stop(task, "ServiceSchedulerInitiated", "Scaling activity initiated by deployment")
        for _ in range(wanted - len(tasks)):
            self._start(
                {
                    "clusterArn": service.cluster_arn,
                    "group": f"service:{service.name}",
                    "startedBy": f"ecs-svc/{service.name}",
                },
                definition,
                region,
            )
        service.running_count = sum(task.is_running for task in tasks)
        service.pending_count = wanted - service.running_count

    def _not_stopped(self) -> list[Task]:
        return [task for task in list(self.tasks.values()) if not task.has_stopped]

    def _found(self, name: str) -> Task | None:
        return self.tasks.get(name.rpartition("/")[2])

    def _task(self, name: str) -> Task:
        if (task := self._found(name)) is None:
            raise _invalid("The referenced task was not found.")
        return task


class _NotStartedError(Exception):
    """Why a task never runs, as ECS says it."""


@dataclass(frozen=True)
class _Log:
    """Hands lines on to CloudWatch, if a log group is named."""

    kept: KeptLog
    client: Any
    group: str
    stream: str

    def __call__(self, lines: Sequence[str]) -> None:
        self.kept(lines)
        if self.client is not None:
            now = round(time.time() * 1000)
            self.client.put_log_events(
                logGroupName=self.group,
                logStreamName=self.stream,
                logEvents=[{"timestamp": now, "message": line} for line in lines],
            )


def override_characters(request: Answer) -> int:
    """Of a request for a task, as ECS counts those that it limits."""
    return len(json.dumps(request.get("overrides", {}), separators=(",", ":")))


def _definition(backend: EC2ContainerServiceBackend, name: str) -> TaskDefinition:
    """By its ARN, `family:revision` or `family`, which is its newest.

    Raises:
        AwsError: there is none.
    """
    family, _, revision = name.rpartition("/")[2].partition(":")
    revisions = backend.task_definitions.get(family, {})
    if not revisions or (revision and int(revision) not in revisions):
        raise AwsError(400, "ClientException", "TaskDefinition not found.")
    definition: TaskDefinition = revisions[int(revision) if revision else max(revisions)]
    return definition


def _require_valid(request: Answer, definition: TaskDefinition, cluster: Cluster) -> None:
    overrides = request.get("overrides", {})
    if override_characters(request) > MOST_OVERRIDE_CHARACTERS:
        raise _invalid(f"Container Overrides length must be at most {MOST_OVERRIDE_CHARACTERS}")
    if definition.network_mode == "awsvpc" and not request.get("networkConfiguration"):
        raise _invalid(
            "Network Configuration must be provided when networkMode 'awsvpc' is specified."
        )
    if request.get("launchType") and request.get("capacityProviderStrategy"):
        raise _invalid(
            "Specify either a launch type or a capacity provider strategy, and not both."
        )
    strategy = request.get("capacityProviderStrategy") or []
    if {entry["capacityProvider"] for entry in strategy} - set(cluster.capacity_providers or []):
        raise _invalid(
            "The specified capacity provider strategy cannot contain a capacity provider that is "
            "not associated with the cluster. Associate the capacity provider with the cluster or "
            "specify a valid capacity provider and try again."
        )
    cpu = int(overrides.get("cpu") or definition.cpu or 0)
    memory = int(overrides.get("memory") or definition.memory or 0)
    least, most, step = _FARGATE_SIZES.get(cpu, (1, 0, 1))
    fits = least <= memory <= most and (memory - least) % step == 0
    if "FARGATE" in definition.compatibilities and not fits and (cpu, memory) != (256, 512):
        raise AwsError(
            400,
            "ClientException",
            f"No Fargate configuration exists for given values: {cpu} CPU, {memory} memory. See "
            "the Amazon ECS documentation for the valid values.",
        )


def _invalid(message: str) -> AwsError:
    return AwsError(400, "InvalidParameterException", message)


def _pairs(environment: Sequence[Mapping[str, str]] | None) -> dict[str, str]:
    return {pair["name"]: pair["value"] for pair in environment or []}


def _started(spec: ContainerSpec) -> ContainerProcess:
    try:
        return ContainerProcess(spec)
    except OSError as error:
        raise _NotStartedError(
            "CannotStartContainerError: Error response from daemon: failed to create task for "
            f"container: {error}"
        ) from error


def _wait_for_an_end(task: Task) -> None:
    essential = [c for c in task.containers.values() if c.spec.is_essential]
    while essential and not any(container.has_ended() for container in essential):
        time.sleep(0.05)


def _stop_containers(task: Task) -> None:
    for container in list(task.containers.values()):
        container.stop()
