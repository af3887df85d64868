"""Packages and package data; everything else stands in pyproject.toml."""

from setuptools import find_namespace_packages, setup

setup(
    packages=find_namespace_packages(
        include=["reports_pipeline*", "resources*", "assets*"],
        exclude=["*.fonts"],
    ),
    package_data={
        "reports_pipeline": ["py.typed", "*.yaml"],
        "reports_pipeline.accounting": ["*.csv"],
        "reports_pipeline.documents": ["fonts/*", "catalogs/*.po"],
        "reports_pipeline.delivery": ["templates/*", "templates/*/*/*"],
        "resources": ["migrations/*.py", "migrations/versions/*.py"],
    },
)
