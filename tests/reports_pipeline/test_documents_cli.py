"""The servers of documents as a service of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

from click.testing import CliRunner

from reports_pipeline.cli import main
from tests.end_to_end.system import free_port


def test_both_servers_answer_until_they_are_told_to_end(tmp_path: Path) -> None:
    ports = free_port(), free_port()
    variables = {
        "PATH": os.environ["PATH"],
        "REPORTS_HOME": str(tmp_path),
        "REPORTS_DOCUMENT_LINKS": "https://documents.financeflow.example",
        "REPORTS_SHARED_LINKS": "https://reports.financeflow.example",
        "REPORTS_DOCUMENT_PORT": str(ports[0]),
        "REPORTS_SHARED_PORT": str(ports[1]),
        "REPORTS_LISTEN": "127.0.0.2",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "reports_pipeline", "documents", "serve"],
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == (
            f"documents: 127.0.0.2:{ports[0]}   links in mails: 127.0.0.2:{ports[1]}\n"
        )
        for port in ports:
            with urllib.request.urlopen(f"http://127.0.0.2:{port}/health", timeout=10) as answer:
                assert answer.read() == b"ok\n"
    finally:
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=20)
    assert (process.returncode, output) == (128 + signal.SIGTERM, "")


def test_an_address_that_is_not_ours_is_named_with_its_setting(tmp_path: Path) -> None:
    port = free_port()
    variables = {
        "REPORTS_HOME": str(tmp_path),
        "REPORTS_DOCUMENT_LINKS": f"http://127.0.0.1:{port}",
        "REPORTS_LISTEN": "192.0.2.1",  # of no machine
    }
    handler = signal.getsignal(signal.SIGTERM)
    result = CliRunner(env=variables).invoke(main, ["documents", "serve"])
    signal.signal(signal.SIGTERM, handler)
    assert result.exit_code == 1
    assert f"documents cannot be shown at 192.0.2.1:{port} (REPORTS_DOCUMENT_PORT)" in result.output
