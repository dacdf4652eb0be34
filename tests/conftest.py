"""Shared by all tests: a clean MLflow environment and a place for each test's stores."""

from __future__ import annotations

import os

# `mlflow run . -e test` exports the id of its own run; tests must never write into it.
for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
    del os.environ[name]
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["OMP_NUM_THREADS"] = "1"
