"""A month of many tenants, each of which costs what a measured one did, and the limits it meets.

Pure arithmetic: figures of benchmarks.month go in, and every limit, price and assumption is a
constant here, with its source beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

WINDOWS = (18, 12, 6, 2, 1)  # months
DEADLINE_HOURS = 6.0  # the requirement: everybody's reports, from the opening of the month
WINDOW_MONTHS = 6  # of a grown system; 18 is the default of one of 5,000 tenants

# dagster.yaml and the settings' defaults.
TENANTS_PER_RUN = 100
CONCURRENT_RUNS = 50
LAUNCHERS = 4  # threads that take runs from the queue
SES_SHARE = 0.9  # of the account's rate, that all runs together use

# Dagster: its documentation advises at most so many; its daemon gives a tick up after 60 s.
PARTITIONS = 100_000
TICK_SECONDS = 60.0
# Measured with 5,000 tenants and 18 months (docs/web-ui-at-scale.md). Taken as proportional.
MEASURED_TENANTS, MEASURED_PARTITIONS = 5_000, 90_000
OPENING_TICK_SECONDS = 0.4
SWEEPER_TICK_SECONDS = 0.8
DIALOG_SECONDS = 7.21
FIRST_LOOK_SECONDS = 10.0  # of one asset's states, after companies were added
EVENT_BYTES = 1_621e6 / 946_693
PRUNED_SHARE = 786 / 1_621  # of the bytes of a month whose events were pruned
MONTHS_UNTIL_PRUNED = 13

# Counted and weighed after a month of 60 tenants; stage outcomes are five more rows.
REGISTER_ROWS = 30
REGISTER_BYTES = 18_000
LEDGER_LINE_BYTES = 149  # with its indexes, without its entry

# ECS and Fargate. docs.aws.amazon.com, "AWS Fargate throttling quotas": 20 calls of RunTask a
# second. Service Quotas: "Fargate On-Demand vCPU resource count" of a new account. dagster_aws: an
# override has 8,192 characters at most; measured were 4 to 5 thousand, which do not depend on
# tenants, since a run's tenants are in its configuration.
RUN_TASKS_PER_SECOND = 20.0
NEW_ACCOUNT_VCPUS = 6
OVERRIDE_CHARACTERS, USED_CHARACTERS = 8_192, 5_000
TASK_VCPUS, TASK_GB = 1, 2
SERVICES, SERVICE_VCPUS, SERVICE_GB = 3, 0.5, 1  # daemon, code server, web server
LOAD_BALANCER_SECONDS = 60.0  # for which it waits for an answer, unless told otherwise

# SES. Its quotas are an account's own (GetAccount); these are what a new one usually gets.
NEW_ACCOUNT_MAILS_A_DAY = 50_000
NEW_ACCOUNT_MAILS_PER_SECOND = 14.0

# S3: docs.aws.amazon.com, "Optimizing Amazon S3 performance"; until it has split a prefix.
PUTS_PER_SECOND = 3_500

# RDS: db.m6g.large. Connections are its default, LEAST(memory / 9531392, 5000), as observed at
# 8 GB. A run has one each for ledger, register, Dagster's storage and the next thing it asks.
DATABASE_VCPUS, DATABASE_GB = 2, 8
DATABASE_CONNECTIONS = 856
CONNECTIONS_PER_RUN, CONNECTIONS_OF_SERVICES = 4, 30
CACHE_SHARE = 0.75  # of the memory, for what it reads again
LARGEST_LOAD = 0.5  # of its cores, so that operators' pages still answer

# Assumed, nowhere measured: what a run waits for on AWS and not on a laptop, in seconds.
TASK_START = 45.0  # from RunTask to the first line of Python; trials took it as 30 to 60
LAUNCH = 1.0  # of a run, by one of the queue's threads
S3_PUT, S3_GET, SES_POST, STATEMENT = 0.04, 0.02, 0.2, 0.001
STATEMENTS_PER_MAIL = 19  # docs/decisions/0014

# Dollars, Tokyo, on demand, without tax. Fargate, SES and S3's storage as they were published or
# billed; PUTs and the database are estimates, to be checked with the price lists.
VCPU_HOUR, GB_HOUR = 0.05056, 0.00553
PER_THOUSAND_MAILS, PER_MAIL_GB = 0.10, 0.12
PER_STORED_GB = 0.025
PER_THOUSAND_PUTS = 0.0047
DATABASE_HOUR = 0.42  # Multi-AZ
PER_DATABASE_GB = 0.276  # Multi-AZ, gp3
DATABASE_LEAST_GB = 20
HOURS_A_MONTH = 730
KEPT_MONTHS = 84  # seven years, as books are kept

_STAGES = ("ledger_extracts", "statements", "report_pdfs", "report_workbooks", "report_deliveries")
_MOST_TENANTS = 10**9  # a number that nobody reaches


@dataclass(frozen=True)
class MeasuredMonth:
    """What benchmarks.month found: of the month, of each of its runs, then of one tenant."""

    tenants: int
    tenants_per_run: int
    concurrent_runs: int
    services_mb: float  # the most that daemon and code server held
    run_mb: float  # likewise a run and its rendering worker
    run_outside_stages_seconds: float
    lines: float
    wall_seconds: float  # with so many concurrent runs
    cpu_seconds: float  # of all processes, PostgreSQL's too
    postgres_cpu_seconds: float
    dagster_cpu_seconds: float
    stage_seconds: float  # that pass in a run, all stages
    documents: float
    document_bytes: float
    mails: float
    mail_bytes: float
    events: float

    @classmethod
    def of(cls, figures: Mapping[str, float]) -> MeasuredMonth:
        """The figures as `benchmarks.month --json` writes them.

        Raises:
            ValueError: one is missing, which is named.
        """

        def figure(name: str) -> float:
            if name not in figures:
                raise ValueError(f"no {name} among the figures; does benchmarks.month write them?")
            return figures[name]

        tenants = figure("tenants")
        return cls(
            tenants=int(tenants),
            tenants_per_run=int(figure("tenants_per_run")),
            concurrent_runs=int(figure("concurrent_runs")),
            services_mb=figure("daemon_peak_mb") + figure("code_server_peak_mb"),
            run_mb=figure("run_worker_peak_mb") + figure("rendering_worker_peak_mb"),
            run_outside_stages_seconds=figure("run_outside_stages_seconds"),
            lines=figure("lines") / tenants,
            wall_seconds=figure("wall_ms_per_tenant") / 1000,
            cpu_seconds=figure("cpu_ms_per_tenant") / 1000,
            postgres_cpu_seconds=figure("postgres_cpu_seconds") / tenants,
            dagster_cpu_seconds=figure("dagster_ms_per_tenant") / 1000,
            stage_seconds=sum(figure(f"{name}_ms_per_tenant") for name in _STAGES) / 1000,
            documents=figure("document_files") / tenants,
            document_bytes=figure("document_bytes") / tenants,
            mails=figure("mail_files") / tenants,
            mail_bytes=figure("mail_bytes") / tenants,
            events=figure("events_per_tenant"),
        )


@dataclass(frozen=True)
class Limit:
    """Something that holds up to `most` of what `load` says that so many tenants need."""

    name: str
    most: float
    load: Callable[[int], float]
    then: str

    @property
    def holds_until(self) -> int | None:
        """The most tenants that it holds for; None if any number will do."""
        return largest(self.load, self.most)

    @property
    def order(self) -> int:
        """What is met first comes first, what never is comes last."""
        return _MOST_TENANTS if self.holds_until is None else self.holds_until


def largest(load: Callable[[int], float], most: float) -> int | None:
    """The largest whole number with a load of at most `most`, or None if there is none; the load
    never falls with the number."""
    fits, too_many = 0, _MOST_TENANTS
    if load(too_many) <= most:
        return None
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        if load(middle) <= most:
            fits = middle
        else:
            too_many = middle
    return fits


@dataclass(frozen=True)
class Growth:
    """A month of any number of tenants, each of which costs what a measured one did."""

    month: MeasuredMonth
    deadline_hours: float = DEADLINE_HOURS
    window_months: int = WINDOW_MONTHS

    def machine_hours(self, tenants: int) -> float:
        """On the measured machine, with as many concurrent runs."""
        return tenants * self.month.wall_seconds / 3600

    def machine_cores(self, tenants: int, hours: float) -> int:
        """If each core takes as many tenants as one of the measured machine."""
        return math.ceil(self.month.concurrent_runs * self.machine_hours(tenants) / hours)

    def machine_gb(self, runs: int) -> float:
        """Memory of Dagster and so many concurrent runs; PostgreSQL's is beside it."""
        return (runs * self.month.run_mb + self.month.services_mb) / 1000

    @staticmethod
    def runs(tenants: int) -> int:
        return math.ceil(tenants / TENANTS_PER_RUN)

    @classmethod
    def concurrent_runs(cls, tenants: int) -> int:
        return min(CONCURRENT_RUNS, cls.runs(tenants))

    @classmethod
    def vcpus(cls, tenants: int) -> float:
        """Of a deployment while it works."""
        return SERVICES * SERVICE_VCPUS + TASK_VCPUS * cls.concurrent_runs(tenants)

    @property
    def tenant_seconds(self) -> float:
        """That pass for a tenant of a run: as measured, and what AWS makes it wait for."""
        month = self.month
        waits = month.documents * (S3_PUT + S3_GET) + month.mails * (
            SES_POST + STATEMENTS_PER_MAIL * STATEMENT
        )
        return month.stage_seconds + waits

    @property
    def run_seconds(self) -> float:
        """Of a whole task; no mail waits for its turn."""
        tenants = TENANTS_PER_RUN * self.tenant_seconds
        return TASK_START + self.month.run_outside_stages_seconds + tenants

    def runs_needed(self, tenants: int) -> int:
        """Beside each other, to be done by the deadline."""
        return math.ceil(self.runs(tenants) * self.run_seconds / (self.deadline_hours * 3600))

    def work_hours(self, tenants: int) -> float:
        """With as many runs as are allowed; no mail waits for its turn."""
        waves = math.ceil(self.runs(tenants) / CONCURRENT_RUNS)
        return waves * self.run_seconds / 3600

    def launch_minutes(self, tenants: int) -> float:
        """In which the queue could hand all runs to ECS."""
        return self.runs(tenants) / launches_per_second() / 60

    def mails(self, tenants: int) -> float:
        return tenants * self.month.mails

    def mail_hours(self, tenants: int) -> float:
        """At the rate of a new account."""
        return self.mails(tenants) / (SES_SHARE * NEW_ACCOUNT_MAILS_PER_SECOND) / 3600

    def mails_per_second_needed(self, tenants: int) -> float:
        """The account's rate with which mails are out by the deadline."""
        return self.mails(tenants) / (self.deadline_hours * 3600) / SES_SHARE

    def tenants_per_deployment(self, window_months: int) -> int:
        """What Dagster's own limits leave to one deployment."""
        limits = (self._partitions(window_months), *self._ticks())
        return min(limit.order for limit in limits)

    def deployments(self, tenants: int, window_months: int | None = None) -> int:
        window = self.window_months if window_months is None else window_months
        return math.ceil(tenants / self.tenants_per_deployment(window))

    def limits(self) -> list[Limit]:
        """Of one deployment and one new account; that which is met first comes first."""
        found = [
            *(self._partitions(window) for window in WINDOWS),
            *self._ticks(),
            Limit(
                "vCPUs of a new Fargate account",
                NEW_ACCOUNT_VCPUS,
                self.vcpus,
                f"ask for {math.ceil(self.vcpus(_MOST_TENANTS))}; until then "
                f"`max_concurrent_runs: {int(NEW_ACCOUNT_VCPUS - self.vcpus(0)) // TASK_VCPUS}`",
            ),
            Limit(
                "seconds of a first look at one asset, 18 months",
                LOAD_BALANCER_SECONDS,
                lambda tenants: 18 * tenants / MEASURED_PARTITIONS * FIRST_LOOK_SECONDS,
                "a smaller window; a longer time-out of the load balancer",
            ),
            Limit(
                "mails a day of a new SES account",
                NEW_ACCOUNT_MAILS_A_DAY,
                self.mails,
                "ask for more some weeks before: the sweeper asks again for some hours, and parks "
                "who is still refused",
            ),
            Limit(
                "hours of mails at a new SES account's rate",
                self.deadline_hours,
                self.mail_hours,
                "quota and rate are raised together",
            ),
            Limit(
                f"GB of a month's ledger lines in the memory of {DATABASE_GB} GB",
                CACHE_SHARE * DATABASE_GB,
                lambda tenants: tenants * self.month.lines * LEDGER_LINE_BYTES / 1e9,
                "a replica with more memory, or lines are read from its disk",
            ),
            Limit(
                f"hours of {CONCURRENT_RUNS} concurrent runs",
                self.deadline_hours,
                self.work_hours,
                "more of them, and vCPUs for them",
            ),
            Limit(
                "connections of the database",
                DATABASE_CONNECTIONS,
                lambda tenants: (
                    CONNECTIONS_OF_SERVICES + CONNECTIONS_PER_RUN * self.concurrent_runs(tenants)
                ),
                f"a larger database for more than {CONCURRENT_RUNS} runs",
            ),
            Limit(
                "cores of the database that runs keep busy",
                LARGEST_LOAD * DATABASE_VCPUS,
                lambda tenants: (
                    self.concurrent_runs(tenants)
                    * self.month.postgres_cpu_seconds
                    / self.tenant_seconds
                ),
                f"a larger database for more than {CONCURRENT_RUNS} runs",
            ),
            Limit(
                "RunTask calls a second",
                RUN_TASKS_PER_SECOND,
                lambda tenants: min(launches_per_second(), self.runs(tenants)),
                "nothing: the queue asks less often",
            ),
            Limit(
                "S3 PUTs a second",
                PUTS_PER_SECOND,
                lambda tenants: (
                    self.concurrent_runs(tenants) * self.month.documents / self.tenant_seconds
                ),
                "nothing: keys begin with tenants, so S3 can split them",
            ),
            Limit(
                "characters of a task's override",
                OVERRIDE_CHARACTERS,
                lambda _: USED_CHARACTERS,
                "nothing: a run's tenants are in its configuration",
            ),
        ]
        return sorted(found, key=lambda limit: limit.order)

    def _partitions(self, window_months: int) -> Limit:
        smaller = WINDOWS[WINDOWS.index(window_months) + 1 :] if window_months in WINDOWS else ()
        deployment = f"another deployment, ${self.deployment_dollars():,.0f} a month"
        window = f"a window of {smaller[0]}; or " if smaller else ""
        return Limit(
            f"partitions an asset, {window_months} {'month' if window_months == 1 else 'months'}",
            PARTITIONS,
            lambda tenants: tenants * window_months,
            window + deployment,
        )

    @staticmethod
    def _ticks() -> list[Limit]:
        return [
            _tick("opens a month", OPENING_TICK_SECONDS),
            _tick("sweeps", SWEEPER_TICK_SECONDS),
        ]

    def event_rows(self, tenants: int) -> float:
        return tenants * self.month.events

    def database_gb_a_month(self, tenants: int) -> float:
        """Dagster's events, not yet pruned, and the register."""
        return (self.event_rows(tenants) * EVENT_BYTES + tenants * REGISTER_BYTES) / 1e9

    def kept_database_gb(self, tenants: int) -> float:
        """After all the months that are kept, all but the newest of which are pruned."""
        events = self.event_rows(tenants) * EVENT_BYTES / 1e9
        pruned = PRUNED_SHARE * (KEPT_MONTHS - MONTHS_UNTIL_PRUNED)
        register = tenants * REGISTER_BYTES / 1e9
        return events * (MONTHS_UNTIL_PRUNED + pruned) + register * KEPT_MONTHS

    def document_gb(self, tenants: int) -> float:
        return tenants * self.month.document_bytes / 1e9

    def mail_gb(self, tenants: int) -> float:
        return tenants * self.month.mail_bytes / 1e9

    @staticmethod
    def deployment_dollars() -> float:
        """Of what runs all month, whether there is work or not."""
        service = SERVICE_VCPUS * VCPU_HOUR + SERVICE_GB * GB_HOUR
        return HOURS_A_MONTH * (SERVICES * service + DATABASE_HOUR)

    def dollars(self, tenants: int) -> dict[str, float]:
        """By item, when seven years of documents lie there."""
        deployments = self.deployments(tenants)
        task_hours = self.runs(tenants) * self.run_seconds / 3600
        database_gb = max(self.kept_database_gb(tenants), deployments * DATABASE_LEAST_GB)
        thousand_files = tenants * self.month.documents / 1000
        return {
            "runs": task_hours * (TASK_VCPUS * VCPU_HOUR + TASK_GB * GB_HOUR),
            "deployments": deployments * self.deployment_dollars(),
            "database_storage": database_gb * PER_DATABASE_GB,
            "documents_written": thousand_files * PER_THOUSAND_PUTS,
            "documents_kept": self.document_gb(tenants) * KEPT_MONTHS * PER_STORED_GB,
            "mails": self.mails(tenants) / 1000 * PER_THOUSAND_MAILS,
            "mail_attachments": self.mail_gb(tenants) * PER_MAIL_GB,
        }


def _tick(what: str, measured_seconds: float) -> Limit:
    return Limit(
        f"seconds of the tick that {what}",
        TICK_SECONDS,
        lambda tenants: tenants / MEASURED_TENANTS * measured_seconds,
        "another deployment",
    )


def launches_per_second() -> float:
    """That the queue's threads manage."""
    return LAUNCHERS / LAUNCH
