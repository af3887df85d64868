"""`python -m reports_pipeline` is `reports`."""

from reports_pipeline.cli import main

main()
