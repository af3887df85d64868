"""A tenant's month in a process of its own, as a task has it that does its work itself.

python -m benchmarks.peers.tenant_alone YYYY-MM TENANT
"""

from __future__ import annotations

import os
import sys

from benchmarks.month import run_stages
from reports_pipeline.accounting.periods import Month
from reports_pipeline.environments import Settings

if __name__ == "__main__":
    month, tenant_id = sys.argv[1:]
    run_stages(Settings.from_environment(os.environ), Month.parse(month), [tenant_id])
