"""What Dagster loads: the definitions of the current environment."""

import pyarrow as pa

from reports_pipeline.build import build_definitions
from reports_pipeline.environments import current_environment

# Of what Arrow frees, its own allocator keeps about 80 MB in a run of 500 tenants.
pa.set_memory_pool(pa.system_memory_pool())

defs = build_definitions(current_environment())
