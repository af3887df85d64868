"""What an operator's pages in Dagster's web UI cost with many tenants.

    python -m benchmarks.web_ui [--tenants N] [--fewer N] [--months M] [--window M] [--json FILE]

Two systems, each with a PostgreSQL of its own, months of history (benchmarks.history) and the real
web server. Chromium visits every page in both, and each GraphQL query that a page makes is written
down. Then the queries of a page are put again, to one system and the other in turn, so that a busy
machine slows both; each five times, of which the median counts. A page's figure is the sum over its
queries, as if the browser asked one after the other.

`first_ms` are the queries as the browser made them, in the order of the table: the first of them
that asks for the state of partitions makes Dagster compute it from the events. `loaded_seconds` is
what passed in the browser until the page asked for nothing more, on a machine that does the rest of
all this too.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, urlsplit

from playwright.sync_api import Page, Request, Response
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from assets.monthly_reports import STAGES
from benchmarks.history import History, write_history
from benchmarks.month import sample_month
from reports_pipeline.local import running
from tests.end_to_end.browser import browser_page
from tests.end_to_end.system import free_port

MONTHS = 18
TENANTS_PER_RUN = 100
_LINES_PER_TENANT = 100
_REPEATS = 5
_SECONDS_TO_START = 180
# A page that asks for nothing for so long is loaded, and one is given up that never stops asking.
_QUIET_SECONDS = 3.0
_LONGEST_SECONDS = 90.0

_LAUNCH = """
mutation ($backfill: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $backfill) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tenants", type=int, default=5_000)
    parser.add_argument("--fewer", type=int, default=50, help="tenants of the other system")
    parser.add_argument("--months", type=int, default=MONTHS, help="of history")
    parser.add_argument("--window", type=int, help="months of them that the pages show  [all]")
    parser.add_argument("--json", type=Path, help="also write the figures here, as one object")
    arguments = parser.parse_args()
    figures = measure(
        arguments.tenants, arguments.fewer, months=arguments.months, window=arguments.window
    )
    print(table(figures))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def measure(
    tenants: int, fewer: int, *, months: int = MONTHS, window: int | None = None
) -> dict[str, Any]:
    """The figures: of each page in milliseconds, and the largest ratio of a page's."""
    with ExitStack() as stack:
        small, large = (
            stack.enter_context(system(count, months, window or months))
            for count in (fewer, tenants)
        )
        # One after the other: both browsers at once would wait for each other.
        for one in (small, large):
            one.launch_backfill()
            one.visit_pages()
        pages = {name: compare(small.visits[name], large.visits[name]) for name in small.visits}
        return {
            "tenants": tenants,
            "fewer_tenants": fewer,
            "months": months,
            "window": window or months,
            "events": large.history.events,
            "runs": large.history.runs,
            "fewer_events": small.history.events,
            "fewer_runs": small.history.runs,
            "launch_backfill_ms": round(large.launch_ms),
            "fewer_launch_backfill_ms": round(small.launch_ms),
            "pages": pages,
            "largest_ratio": max(page["ratio"] for page in pages.values()),
        }


def table(figures: Mapping[str, Any]) -> str:
    """A line for each page, then its slowest query."""
    lines = [
        f"{'page':22}{'first ms':>10}{'loaded s':>10}"
        f"{figures['fewer_tenants']:>7} ms{figures['tenants']:>7} ms{'ratio':>8}  slowest query"
    ]
    for name, page in figures["pages"].items():
        slowest, query = max(page["queries"].items(), key=lambda item: item[1]["ms"])
        lines.append(
            f"{name:22}{page['first_ms']:>10,}{page['loaded_seconds']:>10}"
            f"{page['fewer_ms']:>10,}{page['ms']:>10,}{page['ratio']:>8}"
            f"  {slowest} {query['fewer_ms']:,} → {query['ms']:,}"
        )
    return "\n".join(lines)


@dataclass(frozen=True)
class Query:
    """A GraphQL query as the browser made it."""

    name: str
    body: bytes


@dataclass
class Visit:
    """A page in one system: its queries, each once, with the milliseconds that the first of its
    kind took in the browser."""

    system: WebUi
    queries: dict[Query, float] = field(default_factory=dict)
    loaded_seconds: float = 0.0


class WebUi:
    """A web server with months of history behind it."""

    def __init__(self, address: str, history: History, tenant_ids: Sequence[str]) -> None:
        self.address = address
        self.history = history
        self.tenant_ids = tenant_ids
        self.visits: dict[str, Visit] = {}
        self.launch_ms = 0.0
        self._backfill_id = ""

    def post(self, body: bytes) -> tuple[float, Any]:
        """The milliseconds until the whole answer is here; and the answer."""
        request = urllib.request.Request(  # noqa: S310 - our own address
            f"{self.address}/graphql", body, {"Content-Type": "application/json"}
        )
        started = time.perf_counter()
        with urllib.request.urlopen(request, timeout=120) as response:  # noqa: S310
            answer = response.read()
        return (time.perf_counter() - started) * 1000, json.loads(answer)

    def launch_backfill(self) -> None:
        """What the dialog does for a month of all tenants; no daemon takes it up."""
        backfill = {
            "assetSelection": [{"path": [stage.name]} for stage in STAGES],
            "partitionNames": [f"{self.history.month}|{tenant}" for tenant in self.tenant_ids],
        }
        body = json.dumps({"query": _LAUNCH, "variables": {"backfill": backfill}}).encode()
        self.launch_ms, answer = self.post(body)
        self._backfill_id = answer["data"]["launchPartitionBackfill"]["backfillId"]

    def visit_pages(self) -> None:
        """Take down what every page asks for."""
        with browser_page() as page:
            for name, (path, act) in self._pages().items():
                self.visits[name] = self._visit(page, path, act)

    def _pages(self) -> dict[str, tuple[str, Callable[[Page], None] | None]]:
        partition = quote(f"{self.history.month}|{self.tenant_ids[4]}")
        lineage = "/asset-groups/monthly_reports/lineage"
        return {
            "lineage": (lineage, None),
            "materialize dialog": (lineage, self._open_dialog),
            "asset": ("/assets/report_pdfs", None),
            "asset partitions": ("/assets/report_pdfs?view=partitions", None),
            "one partition": (f"/assets/report_pdfs?view=partitions&partition={partition}", None),
            "asset events": ("/assets/report_pdfs?view=events", None),
            "asset checks": ("/assets/statements?view=checks", None),
            "catalog": ("/assets", None),
            "overview": ("/overview", None),
            "runs": ("/runs", None),
            "run": (f"/runs/{self.history.run_id}", None),
            "backfills": ("/runs?tab=backfills", None),
            "backfill": (f"/runs/b/{self._backfill_id}", None),
            "automation": ("/automation", None),
        }

    def _open_dialog(self, page: Page) -> None:
        page.get_by_text("Materialize all").first.click()
        month = page.get_by_placeholder("ex: ")
        month.fill(str(self.history.month))
        month.press("Enter")

    def _visit(self, page: Page, path: str, act: Callable[[Page], None] | None) -> Visit:
        visit = Visit(self)
        under_way: dict[Request, float] = {}
        last = started = time.monotonic()

        def began(request: Request) -> None:
            if request.method == "POST" and urlsplit(request.url).path == "/graphql":
                under_way[request] = time.monotonic()

        def ended(request: Request) -> None:
            nonlocal last
            if (since := under_way.pop(request, None)) is not None:
                last = time.monotonic()
                query = Query(
                    (request.post_data_json or {}).get("operationName") or "(unnamed)",
                    request.post_data_buffer or b"",
                )
                visit.queries.setdefault(query, (last - since) * 1000)

        def answered(response: Response) -> None:
            if response.request in under_way and not response.ok:
                raise RuntimeError(f"{path}: {response.status} {response.text()[:300]}")

        listeners: list[tuple[str, Callable[[Any], None]]] = [
            ("request", began),
            ("requestfinished", ended),
            ("requestfailed", ended),
            ("response", answered),
        ]
        for event, listener in listeners:
            page.on(cast("Any", event), listener)
        try:
            page.goto(f"{self.address}{path}")
            if act is not None:
                act(page)
            while time.monotonic() - started < _LONGEST_SECONDS and (
                under_way or not visit.queries or time.monotonic() - last < _QUIET_SECONDS
            ):
                page.wait_for_timeout(100)
        except PlaywrightTimeoutError as error:
            raise RuntimeError(f"{path} of {len(self.tenant_ids)} tenants: {error}") from error
        finally:
            for event, listener in listeners:
                page.remove_listener(event, listener)
            page.goto("about:blank")  # so that it asks for nothing more
        if not visit.queries:
            raise RuntimeError(f"{path} of {len(self.tenant_ids)} tenants asked for nothing")
        visit.loaded_seconds = last - started
        return visit


def compare(small: Visit, large: Visit) -> dict[str, Any]:
    """The same page of both systems; its queries are named, and added up where a page makes one
    several times with other variables."""
    spent: dict[str, list[float]] = {}
    fewer: dict[str, list[float]] = {}
    for totals, visit in ((spent, large), (fewer, small)):
        for query in visit.queries:
            totals.setdefault(query.name, [0.0] * _REPEATS)
    for repeat in range(_REPEATS):
        for totals, visit in ((fewer, small), (spent, large)):
            for query in visit.queries:
                milliseconds, answer = visit.system.post(query.body)
                if "errors" in answer:
                    raise RuntimeError(f"{query.name}: {answer['errors'][:1]}")
                totals[query.name][repeat] += milliseconds
    ms = sum(statistics.median(times) for times in spent.values())
    fewer_ms = sum(statistics.median(times) for times in fewer.values())
    return {
        "first_ms": round(sum(large.queries.values())),
        "loaded_seconds": round(large.loaded_seconds, 1),
        "fewer_loaded_seconds": round(small.loaded_seconds, 1),
        "fewer_ms": round(fewer_ms),
        "ms": round(ms),
        "ratio": round(ms / fewer_ms, 2),
        "queries": {
            name: {
                "fewer_ms": round(statistics.median(fewer.get(name, [0.0]))),
                "ms": round(statistics.median(times)),
            }
            for name, times in spent.items()
        },
    }


@contextmanager
def system(tenants: int, months: int, window: int) -> Iterator[WebUi]:
    """A web server with so many tenants and months, of which it shows the last `window`."""
    batch = min(TENANTS_PER_RUN, tenants)
    with (
        # The ledger is that of the one batch whose run is real.
        sample_month(batch, batch * _LINES_PER_TENANT, 2) as sample,
        tempfile.TemporaryDirectory() as folder,
    ):
        environment = sample.environment("web_ui")
        tenant_ids = [f"t{number:04}" for number in range(1, tenants + 1)]
        history = write_history(
            environment,
            sample.month,
            tenant_ids=tenant_ids,
            months=months,
            tenants_per_run=batch,
        )
        environment.hot_window().set(
            sample.month.plus(1 - window), reason="benchmark", set_by="benchmark"
        )
        port = free_port()
        log = Path(folder, "web_ui.log")
        with running(
            environment, "dagster_webserver", "-h", "127.0.0.1", "-p", str(port), log=log
        ) as server:
            web_ui = WebUi(f"http://127.0.0.1:{port}", history, tenant_ids)
            _wait_until_it_answers(web_ui, lambda: server.poll() is None, log)
            yield web_ui


def _wait_until_it_answers(web_ui: WebUi, is_running: Callable[[], bool], log: Path) -> None:
    body = json.dumps({"query": "{ assetNodes { id } }"}).encode()
    deadline = time.monotonic() + _SECONDS_TO_START
    while is_running() and time.monotonic() < deadline:
        try:
            if len(web_ui.post(body)[1]["data"]["assetNodes"]) == len(STAGES):
                return
        except OSError:
            pass
        time.sleep(0.5)
    raise TimeoutError(log.read_text(encoding="utf-8", errors="replace")[-3000:])


if __name__ == "__main__":
    main()
