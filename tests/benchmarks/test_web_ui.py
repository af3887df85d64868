"""What the benchmark says of answers, which need no web server here."""

from __future__ import annotations

import json

from benchmarks.history import History
from benchmarks.web_ui import Query, Visit, WebUi, compare, table
from reports_pipeline.accounting.periods import Month
from tests.http_server import QuietHandler, serving

HISTORY = History(1, Month(2025, 9), Month(2025, 10), runs=2, events=10, failed=0, run_id="run")


class Answering(QuietHandler):
    """Answers every query with nothing."""

    def do_POST(self) -> None:  # noqa: N802 - what http.server calls
        self.rfile.read(int(self.headers["Content-Length"]))
        answer = json.dumps({"data": {}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


def test_a_page_is_the_sum_of_its_queries_in_either_system() -> None:
    with serving(Answering) as address:
        small, large = (WebUi(address, HISTORY, ["t0001"]) for _ in range(2))
        page = compare(
            Visit(small, {Query("Graph", b"{}"): 1.0}, 0.5),
            Visit(large, {Query("Graph", b"{}"): 3.0, Query("Graph", b"{ }"): 4.0}, 2.0),
        )
    assert (page["first_ms"], page["loaded_seconds"]) == (7, 2.0)
    assert list(page["queries"]) == ["Graph"]


def test_a_line_of_the_table_names_the_slowest_query() -> None:
    queries = {"Graph": {"fewer_ms": 10, "ms": 20}, "Runs": {"fewer_ms": 30, "ms": 80}}
    page = {
        "first_ms": 4_000,
        "loaded_seconds": 8.2,
        "fewer_ms": 40,
        "ms": 100,
        "ratio": 2.5,
        "queries": queries,
    }
    head, line = table(
        {"tenants": 5_000, "fewer_tenants": 50, "pages": {"lineage": page}}
    ).splitlines()
    assert head.split()[-5:] == ["5000", "ms", "ratio", "slowest", "query"]
    assert " ".join(line.split()) == "lineage 4,000 8.2 40 100 2.5 Runs 30 → 80"
