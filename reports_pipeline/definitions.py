"""What Dagster loads: the definitions of the current environment."""

from reports_pipeline.build import build_definitions
from reports_pipeline.environments import LocalEnvironment, Settings

defs = build_definitions(LocalEnvironment(Settings.from_environment()))
