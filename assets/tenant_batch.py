"""The one mechanism by which a run works on many tenants and each tenant has a fate of its own.

Dagster's own unit is a run, and a run costs seconds; a tenant costs milliseconds. So a run takes
a batch of tenants through all stages, and this module keeps the truth per tenant: a tenant that
fails in a stage leaves the batch, the others go on, and Dagster's pages show exactly who is
materialized and who failed. docs/decisions/0002-tenant-batches.md tells what was tried.

A stage is a plain function, "tenants in, artefacts and failures out":

    def statements(work: StageWork, *, document_store: DocumentStore) -> StageResult: ...

Its keyword-only parameters are the resources that it is given. Nothing else in the project knows
how this becomes Dagster assets.
"""

import inspect
import itertools
import logging
import random
import time
import traceback
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import dagster as dg
from dagster import AssetCheckEvaluation, DagsterEventType, OpExecutionContext
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.events import (
    AssetMaterializationPlannedData,
    DagsterEvent,
    DagsterEventBatchMetadata,
    StepMaterializationData,
)
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    ASSET_RESUME_RETRY_TAG,
    RESUME_RETRY_TAG,
)
from dagster._utils.interrupts import capture_interrupts, check_captured_interrupt

from assets.partitions import MONTH_DIMENSION, TENANT_DIMENSION, partition_key
from reports_pipeline.accounting.failures import FailureCode, TenantFailure, TenantFailureError
from reports_pipeline.accounting.periods import Month
from reports_pipeline.documents.catalogs import failure_text
from resources.budgets import BudgetExceededError
from resources.stage_outcomes import StageOutcomes
from resources.tenants import Tenants
from resources.transient_errors import TRANSIENT_ERRORS

Metadata = Mapping[str, dg.MetadataValue]

_PAUSES_SECONDS = (0.2, 1.0, 5.0)
# Of a stage. As a policy of the op, Dagster would follow it when a run is told to end, too, and
# start the stage again.
_RETRIES = dg.RetryPolicy(
    max_retries=3, delay=5, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
)
# Figures of so many are in memory at once. Starting over costs a stage some 0.1 s of CPU time.
_TENANTS_AT_ONCE = 250
# Of lists on a page: an operator needs examples.
_MOST_SHOWN = 20


class TenantSelection(dg.ConfigurableResource):  # type: ignore[type-arg]
    """An explicit list of tenants for a run, given in its configuration; and whether another
    program verifies the statements of all tenants of the run, rather than of a sample.

    Dagster describes a run's partitions as one contiguous range, so 300 tenants chosen at random
    would become some 200 runs (dagster 32335). A run with a selection has no partition of its
    own; it reports on the partitions of its selection itself.
    """

    month: str = ""
    tenants: list[str] = []
    verify_all: bool = False

    @staticmethod
    def run_config(
        month: Month, tenant_ids: Sequence[str], *, verify_all: bool = False
    ) -> dict[str, Any]:
        """The configuration of a run for these tenants."""
        selection = {"month": str(month), "tenants": list(tenant_ids), "verify_all": verify_all}
        return {"resources": {"tenant_selection": {"config": selection}}}

    @staticmethod
    def of_run(run: dg.DagsterRun) -> list[str]:
        """The tenants that a run's configuration lists; none if it lists none."""
        tenants: list[str] = TenantSelection._config_of_run(run).get("tenants", [])
        return tenants

    @staticmethod
    def month_of_run(run: dg.DagsterRun) -> str | None:
        """The month that a run's configuration names."""
        month: str | None = TenantSelection._config_of_run(run).get("month")
        return month

    @staticmethod
    def _config_of_run(run: dg.DagsterRun) -> Mapping[str, Any]:
        run_config: Mapping[str, Any] = run.run_config
        selection = run_config.get("resources", {}).get("tenant_selection", {})
        config: Mapping[str, Any] = selection.get("config", {})
        return config


@dataclass(frozen=True)
class StageWork:
    """What a stage is asked to do: a month of some tenants."""

    month: Month
    tenant_ids: Sequence[str]
    run_id: str
    # what each stage before this one left for each tenant: stage -> tenant -> artefact
    inputs: Mapping[str, Mapping[str, str]]
    log: logging.Logger | dg.DagsterLogManager
    # of the whole run, where the stage is handed some of them at a time
    run_tenant_ids: Sequence[str] | None = None

    def restricted_to(self, tenant_ids: Sequence[str]) -> "StageWork":
        """The same for some of the tenants."""
        inputs = {
            stage: {tenant_id: artefacts[tenant_id] for tenant_id in tenant_ids}
            for stage, artefacts in self.inputs.items()
        }
        return replace(self, tenant_ids=tenant_ids, inputs=inputs)


@dataclass(frozen=True)
class Artefact:
    """What a stage made for one tenant: a key for the next stage, and facts for Dagster's pages."""

    key: str
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True)
class Violation:
    """A tenant of which an asset check is not true, or could not be found true (WARN)."""

    tenant_id: str
    description: str
    metadata: Metadata = field(default_factory=dict)
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR


@dataclass(frozen=True)
class CheckOutcome:
    """What an asset check found in a batch. Those of a run are added up to one result."""

    name: str
    violations: Sequence[Violation] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    # tenants to be named besides those of the violations
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    # what kept the check from being made at all, of no tenant in particular
    warnings: Sequence[str] = ()


@dataclass
class StageResult:
    """The fate of every tenant of a stage's work: each is in `artefacts` or in `failures`, unless
    the run was told to end (`is_interrupted`). `revisions` are those of the figures that it made or
    worked on, as far as it knows."""

    artefacts: dict[str, Artefact] = field(default_factory=dict)
    failures: list[TenantFailure] = field(default_factory=list)
    revisions: dict[str, int] = field(default_factory=dict)
    checks: list[CheckOutcome] = field(default_factory=list)
    is_interrupted: bool = False

    def add(self, other: "StageResult") -> None:
        """Take in the fate of other tenants."""
        self.artefacts |= other.artefacts
        self.failures += other.failures
        self.revisions |= other.revisions
        self.checks += other.checks
        self.is_interrupted |= other.is_interrupted


@dataclass(frozen=True)
class Stage:
    """One asset: its function (name and docstring are the asset's), and what it builds on."""

    function: Callable[..., StageResult]
    upstream: tuple[str, ...] = ()
    kinds: frozenset[str] = frozenset()
    checks: Mapping[str, str] = field(default_factory=dict)  # name -> description

    @property
    def name(self) -> str:
        return self.function.__name__

    @property
    def resource_keys(self) -> set[str]:
        parameters = inspect.signature(self.function).parameters.values()
        return {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}


def for_each_tenant(work: StageWork, make: Callable[[str], Artefact]) -> StageResult:
    """Call `make` for every tenant; what one raises is that tenant's failure alone.

    What may pass by itself is tried again, a few times. A run that is told to end (SIGTERM, of an
    operator or of Spot) ends the tenant under way, so that no mail is left half posted, and begins
    no other.
    """
    result = StageResult()
    with capture_interrupts():
        for tenant_id in work.tenant_ids:
            try:
                result.artefacts[tenant_id] = _with_patience(make, tenant_id)
            except TenantFailureError as error:
                result.failures.append(error.failure)
            except Exception as error:
                work.log.error(f"{tenant_id}: unexpected error\n{traceback.format_exc()}")
                result.failures.append(_unexpected(tenant_id, error))
            if check_captured_interrupt():
                result.is_interrupted = True
                break
    return result


def _with_patience(make: Callable[[str], Artefact], tenant_id: str) -> Artefact:
    for seconds in _PAUSES_SECONDS:
        try:
            return make(tenant_id)
        except TRANSIENT_ERRORS:
            if check_captured_interrupt():
                raise
            time.sleep(random.uniform(0.5, 1.5) * seconds)  # noqa: S311 - spreads the callers
    return make(tenant_id)


def tenant_batch_assets(
    stages: Sequence[Stage],
    partitions: dg.MultiPartitionsDefinition,
    *,
    name: str,
    group_name: str,
    owners: Sequence[str],
    tenants_per_run: int,
) -> dg.AssetsDefinition:
    """All stages as one subsettable definition: one op and one asset key each, in one run.

    A backfill from Dagster's pages is cut into runs of at most `tenants_per_run` partitions.
    """
    check_specs = [
        dg.AssetCheckSpec(name=check, asset=stage.name, description=description)
        for stage in stages
        for check, description in stage.checks.items()
    ]
    months = partitions.get_partitions_def_for_dimension(MONTH_DIMENSION)
    ops = {stage.name: _stage_op(stage, months) for stage in stages}
    check_outputs = {
        spec.get_python_identifier(): (spec.asset_key.to_user_string(), spec.name)
        for spec in check_specs
    }

    @dg.graph(
        name=name,
        out={
            **{stage.name: dg.GraphOut() for stage in stages},
            **{output: dg.GraphOut() for output in check_outputs},
        },
    )
    def batch() -> dict[str, Any]:
        done: dict[str, Any] = {}
        results: dict[str, Any] = {}
        for stage in stages:
            outputs = ops[stage.name](**{upstream: done[upstream] for upstream in stage.upstream})
            done[stage.name] = outputs.done
            results[stage.name] = getattr(outputs, stage.name)
            for output, (asset, check) in check_outputs.items():
                if asset == stage.name:
                    results[output] = getattr(outputs, check)
        return results

    return dg.AssetsDefinition.from_graph(
        batch,
        keys_by_output_name={stage.name: dg.AssetKey(stage.name) for stage in stages},
        internal_asset_deps={
            stage.name: {dg.AssetKey(upstream) for upstream in stage.upstream} for stage in stages
        },
        partitions_def=partitions,
        group_name=group_name,
        descriptions_by_output_name={s.name: inspect.getdoc(s.function) or "" for s in stages},
        tags_by_output_name={s.name: {f"dagster/kind/{k}": "" for k in s.kinds} for s in stages},
        owners_by_output_name={stage.name: list(owners) for stage in stages},
        backfill_policy=dg.BackfillPolicy.multi_run(tenants_per_run),
        check_specs=check_specs,
        can_subset=True,
    )


def _stage_op(stage: Stage, months: dg.PartitionsDefinition) -> dg.OpDefinition:
    @dg.op(
        name=f"{stage.name}_stage",
        # A stage that was not chosen passes the work on, so no output is certain.
        out={
            stage.name: dg.Out(dg.Nothing, is_required=False),
            "done": dg.Out(dg.Nothing, is_required=False),
            **{check: dg.Out(dg.Nothing, is_required=False) for check in stage.checks},
        },
        ins={upstream: dg.In(dg.Nothing) for upstream in stage.upstream},
        required_resource_keys={
            *stage.resource_keys,
            "stage_outcomes",
            "tenants",
            "tenant_selection",
        },
    )
    def run_stage(context: OpExecutionContext) -> Iterator[Any]:
        try:
            yield from work_on(context)
        except (dg.Failure, dg.DagsterError):
            raise
        except Exception as error:
            # A database that restarts, say. What is wrong with a tenant is never retried.
            raise dg.RetryRequested(
                _RETRIES.max_retries, _RETRIES.calculate_delay(context.retry_number + 1)
            ) from error

    def work_on(context: OpExecutionContext) -> Iterator[Any]:
        failures: list[tuple[Month, TenantFailure]] = []
        if stage.name in context.selected_output_names:
            checks: list[tuple[Month, CheckOutcome]] = []
            tenants: Tenants = context.resources.tenants
            for month, chosen in _tenants_of_run(context, months):
                tenant_ids = tenants.active_ids(chosen)
                if not tenant_ids:
                    context.log.info(f"{month}: none of the {len(chosen)} tenants is active")
                    continue
                result = _run_month(context, stage, month, tenant_ids)
                if result.is_interrupted:
                    raise DagsterExecutionInterruptedError
                failures += [(month, failure) for failure in result.failures]
                checks += [(month, check) for check in result.checks]
            yield from _check_results(context, stage, checks)
        if "done" in context.selected_output_names:
            yield dg.Output(None, "done")
        if failures:
            raise _step_failure(stage, failures)

    return run_stage


def _tenants_of_run(
    context: OpExecutionContext, months: dg.PartitionsDefinition
) -> Iterator[tuple[Month, list[str]]]:
    """The tenants of the run, by month: its selection if it has one, else its partitions."""
    selection: TenantSelection = context.resources.tenant_selection
    if selection.tenants:
        if context.has_partition_key or context.has_partition_key_range:
            raise dg.Failure(
                "The run has both a tenant selection and partitions of its own; give it one.",
                allow_retries=False,
            )
        if not months.has_partition_key(selection.month):
            raise dg.Failure(
                f"{selection.month!r} is no month of the partitions.", allow_retries=False
            )
        yield Month.parse(selection.month), selection.tenants
        return
    keys = [key for key in context.partition_keys if isinstance(key, dg.MultiPartitionKey)]
    tags = context.run.tags
    if ASSET_PARTITION_RANGE_START_TAG in tags:
        said = (tags[ASSET_PARTITION_RANGE_START_TAG], tags[ASSET_PARTITION_RANGE_END_TAG])
        # A backfill of a job, rather than of assets, gave every run the first tenant's key and
        # called it success: one tenant would get all mails (dagster 28861, 30786).
        if not keys or said != (str(keys[0]), str(keys[-1])):
            raise dg.Failure(
                f"The run's tags name the range {said}, its partitions are others: "
                "backfill the assets, not a job.",
                allow_retries=False,
            )
    by_month: dict[Month, list[str]] = {}
    for key in keys:
        month = Month.parse(key.keys_by_dimension[MONTH_DIMENSION])
        by_month.setdefault(month, []).append(key.keys_by_dimension[TENANT_DIMENSION])
    yield from by_month.items()


def _run_month(
    context: OpExecutionContext, stage: Stage, month: Month, tenant_ids: Sequence[str]
) -> StageResult:
    """Take the tenants of one month through the stage; record and report the fate of each."""
    outcomes: StageOutcomes = context.resources.stage_outcomes
    if context.resources.tenant_selection.tenants:
        _report_planned(context, stage, month, tenant_ids)
    carried = _done_by_parent_run(context, stage, month, tenant_ids)
    tenant_ids = [tenant_id for tenant_id in tenant_ids if tenant_id not in carried]

    work, missing, left_out = _with_inputs(context, stage, month, tenant_ids, outcomes)
    resources = {key: getattr(context.resources, key) for key in stage.resource_keys}
    result = _run_in_portions(stage, work, resources)
    result.failures += missing
    artefacts = {tenant_id: artefact.key for tenant_id, artefact in result.artefacts.items()}
    failures = [*result.failures, *left_out]
    outcomes.record(stage.name, month, context.run_id, artefacts, failures, result.revisions)

    materialized = {t: artefact.metadata for t, artefact in result.artefacts.items()}
    # All tenants of the run were planned again; unless they are reported, those that were fine in
    # the parent run would show as failed if this run fails.
    for tenant_id, parent_run_id in carried.items():
        materialized[tenant_id] = {"unchanged_since_run": dg.DagsterRunMetadataValue(parent_run_id)}
    _report_materialized(context, stage, month, materialized)
    _report_violations(context, stage, month, result.checks)
    context.log.info(
        f"{stage.name} {month}: {len(result.artefacts)} done, {len(result.failures)} failed, "
        f"{len(carried)} unchanged since the parent run"
    )
    return result


def _run_in_portions(stage: Stage, work: StageWork, resources: Mapping[str, Any]) -> StageResult:
    """Run the stage on some tenants at a time, so that a large batch takes no more memory."""
    work = replace(work, run_tenant_ids=work.tenant_ids)
    result = StageResult()
    for start in range(0, len(work.tenant_ids), _TENANTS_AT_ONCE):
        if result.is_interrupted:
            break
        portion = work.restricted_to(work.tenant_ids[start : start + _TENANTS_AT_ONCE])
        result.add(_run_isolated(stage, portion, resources))
    return result


def _run_isolated(stage: Stage, work: StageWork, resources: Mapping[str, Any]) -> StageResult:
    """Run the stage; if a tenant's data breaks the whole portion, find that tenant by halving."""
    try:
        return stage.function(work, **resources)
    except TRANSIENT_ERRORS:
        raise
    except Exception as error:
        work.log.error(f"{len(work.tenant_ids)} tenants\n{traceback.format_exc()}")
        if len(work.tenant_ids) == 1:
            return StageResult(failures=[_unexpected(work.tenant_ids[0], error)])
    result = StageResult()
    middle = len(work.tenant_ids) // 2
    for tenant_ids in (work.tenant_ids[:middle], work.tenant_ids[middle:]):
        if not result.is_interrupted:
            result.add(_run_isolated(stage, work.restricted_to(tenant_ids), resources))
    return result


def _unexpected(tenant_id: str, error: Exception) -> TenantFailure:
    if isinstance(error, BudgetExceededError):
        details: dict[str, str | int | float | None] = {"what": error.what, "limit": error.limit}
        return TenantFailure(tenant_id, FailureCode.BUDGET_EXCEEDED, details)
    # PostgreSQL takes neither lone surrogates nor NUL.
    text = f"{type(error).__name__}: {error}"[:500].replace("\0", "")
    text = text.encode("utf-8", "backslashreplace").decode()
    return TenantFailure(tenant_id, FailureCode.INTERNAL_ERROR, {"error": text})


def _done_by_parent_run(
    context: OpExecutionContext, stage: Stage, month: Month, tenant_ids: Sequence[str]
) -> dict[str, str]:
    """Tenants that need no second run after "re-execute from failure", with the run that did
    them: in a chain of re-executions that may be any run before this one."""
    tags = context.run.tags
    if "true" not in (tags.get(RESUME_RETRY_TAG), tags.get(ASSET_RESUME_RETRY_TAG)):
        return {}
    ancestors = set()
    run: dg.DagsterRun | None = context.run
    while run is not None and run.parent_run_id is not None:
        ancestors.add(run.parent_run_id)
        run = context.instance.get_run_by_id(run.parent_run_id)
    outcomes: StageOutcomes = context.resources.stage_outcomes
    return {
        tenant_id: outcome.run_id
        for tenant_id, outcome in outcomes.read(stage.name, month, tenant_ids).items()
        if outcome.artefact is not None and outcome.run_id in ancestors
    }


def _with_inputs(
    context: OpExecutionContext,
    stage: Stage,
    month: Month,
    tenant_ids: Sequence[str],
    outcomes: StageOutcomes,
) -> tuple[StageWork, list[TenantFailure], list[TenantFailure]]:
    """The work with the artefacts it builds on; then the tenants that lack one, and those that
    do because they failed earlier in this run.

    The latter have been reported there. They are recorded here too, so that no later stage takes
    what an earlier run left for them.
    """
    inputs: dict[str, dict[str, str]] = {}
    missing: dict[str, TenantFailure] = {}
    left_out: dict[str, TenantFailure] = {}
    for upstream in stage.upstream:
        found = outcomes.read(upstream, month, tenant_ids)
        inputs[upstream] = {t: o.artefact for t, o in found.items() if o.artefact is not None}
        for tenant_id in tenant_ids:
            outcome = found.get(tenant_id)
            if outcome is not None and outcome.artefact is not None:
                continue
            failed_now = outcome is not None and outcome.run_id == context.run_id
            group = left_out if failed_now else missing
            group[tenant_id] = TenantFailure(
                tenant_id,
                FailureCode.INPUT_MISSING,
                {"stage": upstream, "code": outcome.failure_code if outcome else None},
            )
    ready = [t for t in tenant_ids if t not in missing and t not in left_out]
    work = StageWork(month, tenant_ids, context.run_id, inputs, context.log).restricted_to(ready)
    reported = [failure for tenant_id, failure in missing.items() if tenant_id not in left_out]
    return work, reported, list(left_out.values())


def _report_planned(
    context: OpExecutionContext, stage: Stage, month: Month, tenant_ids: Sequence[str]
) -> None:
    """Say which partitions the run is about to make: Dagster shows a partition as failed if it
    was planned, was not materialized, and its run failed."""
    step_key = context.get_step_execution_context().step.key
    planned = (
        DagsterEvent.build_asset_materialization_planned_event(
            context.job_name,
            step_key,
            AssetMaterializationPlannedData(
                dg.AssetKey(stage.name), partition=partition_key(month, tenant_id)
            ),
        )
        for tenant_id in tenant_ids
    )
    _report(context, planned, count=len(tenant_ids))


def _report_materialized(
    context: OpExecutionContext, stage: Stage, month: Month, metadata: Mapping[str, Metadata]
) -> None:
    """One materialization a tenant."""
    step_key = context.get_step_execution_context().step.key
    materialized = (
        DagsterEvent(
            event_type_value=DagsterEventType.ASSET_MATERIALIZATION.value,
            job_name=context.job_name,
            step_key=step_key,
            message=f"Materialized {stage.name} of {tenant_id} for {month}.",
            event_specific_data=StepMaterializationData(
                dg.AssetMaterialization(
                    stage.name, partition=partition_key(month, tenant_id), metadata=facts
                )
            ),
        )
        for tenant_id, facts in metadata.items()
    )
    _report(context, materialized, count=len(metadata))


def _report(context: OpExecutionContext, events: Iterable[DagsterEvent], *, count: int) -> None:
    """Write events as one batch where the instance batches them.

    Past the run's loggers: each would print a line for every event, which costs more than the
    event, and describe the run in each once more.
    """
    batch_id = str(uuid.uuid4())
    for number, event in enumerate(events, start=1):
        context.instance.report_dagster_event(
            event,
            context.run_id,
            logging.DEBUG,
            batch_metadata=DagsterEventBatchMetadata(batch_id, is_end=number == count),
        )


def _report_violations(
    context: OpExecutionContext, stage: Stage, month: Month, checks: Sequence[CheckOutcome]
) -> None:
    """A result on the partition of each tenant of which a check is not true.

    Dagster writes results of checks one by one, 12 ms each, so the other tenants have none of
    their own: docs/decisions/0007-checks-per-tenant.md.
    """
    for check in checks:
        if check.name not in context.selected_output_names:
            continue
        for violation in check.violations:
            evaluation = AssetCheckEvaluation(
                asset_key=dg.AssetKey(stage.name),
                check_name=check.name,
                passed=False,
                metadata=violation.metadata,
                severity=violation.severity,
                # Dagster's pages show no partition beside the results of such a check.
                description=f"{month} {violation.tenant_id}: {violation.description}",
                partition=partition_key(month, violation.tenant_id),
            )
            # It takes these too, whatever its annotation says.
            context.log_event(evaluation)  # type: ignore[arg-type]


def _check_results(
    context: OpExecutionContext, stage: Stage, checks: Sequence[tuple[Month, CheckOutcome]]
) -> Iterator[dg.AssetCheckResult]:
    """One result a check and run, added up from its outcomes: a run may span several months, and
    takes a large batch portion by portion."""
    for name in stage.checks:
        outcomes = [(month, check) for month, check in checks if check.name == name]
        if outcomes and name in context.selected_output_names:
            yield _added_up(stage, name, outcomes)


def _added_up(
    stage: Stage, name: str, outcomes: Sequence[tuple[Month, CheckOutcome]]
) -> dg.AssetCheckResult:
    """What the outcomes of a check say together; each of the names with its month."""
    counts: Counter[str] = Counter()
    names: dict[str, list[str]] = {}
    violations: dict[str, str] = {}
    warnings: dict[str, None] = {}
    severities = set()
    for month, check in outcomes:
        counts.update(check.counts)
        for kind, tenant_ids in check.names.items():
            names.setdefault(kind, []).extend(f"{month} {tenant_id}" for tenant_id in tenant_ids)
        for violation in check.violations:
            violations[f"{month} {violation.tenant_id}"] = violation.description
            severities.add(violation.severity)
        if check.warnings:
            warnings |= dict.fromkeys(check.warnings)
            severities.add(dg.AssetCheckSeverity.WARN)
    return dg.AssetCheckResult(
        asset_key=stage.name,
        check_name=name,
        passed=not severities,
        severity=(
            dg.AssetCheckSeverity.WARN
            if severities == {dg.AssetCheckSeverity.WARN}
            else dg.AssetCheckSeverity.ERROR
        ),
        description="\n".join(warnings) or None,
        metadata={
            **{kind: dg.MetadataValue.int(count) for kind, count in counts.items()},
            "violations": dg.MetadataValue.int(len(violations)),
            **{kind: dg.MetadataValue.json(shown[:_MOST_SHOWN]) for kind, shown in names.items()},
            "violating_tenants": dg.MetadataValue.json(
                dict(itertools.islice(violations.items(), _MOST_SHOWN))
            ),
        },
    )


def _step_failure(stage: Stage, failures: Sequence[tuple[Month, TenantFailure]]) -> dg.Failure:
    """What the run says of its failed tenants: codes and texts for people, data for sensors."""
    lines = [
        f"{month} {failure.tenant_id}: {failure.code} {failure_text(failure, 'ja')}"
        for month, failure in failures
    ]
    shown = "\n".join(lines[:_MOST_SHOWN])
    if len(lines) > _MOST_SHOWN:
        shown += f"\n… +{len(lines) - _MOST_SHOWN}"
    facts = [
        {
            "month": str(month),
            "tenant_id": failure.tenant_id,
            "code": failure.code.value,
            "details": failure.details,
            "message_ja": failure_text(failure, "ja"),
            "message_en": failure_text(failure, "en"),
        }
        for month, failure in failures
    ]
    return dg.Failure(
        f"{stage.name}: {len(failures)} tenants failed\n{shown}",
        metadata={"failed_tenants": dg.MetadataValue.json(facts)},
        allow_retries=False,
    )
