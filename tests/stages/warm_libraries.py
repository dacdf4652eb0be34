"""What a fork server has ready for every command: libraries, what they build on first use, and the
project's own modules but its entry points, which are run.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys

from mlflow.utils import requirements_utils
from sqlalchemy.orm import configure_mappers

import pipeline
from pipeline.io import calendar
from tests import mlflow_tables

LIBRARIES = (
    "arch.bootstrap", "exchange_calendars", "hydra", "lightgbm", "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg", "matplotlib.pyplot", "mlflow", "mlflow.projects",
    "mlflow.pyfunc", "mlflow.sklearn", "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.store.tracking.sqlalchemy_store", "optuna", "pyarrow.parquet", "pydantic",
    "rich.progress", "scipy.stats", "sklearn.ensemble", "sklearn.pipeline", "skops.io",
    "sqlalchemy", "talib",
)  # fmt: skip

OURS = [
    module.name
    for module in pkgutil.walk_packages(pipeline.__path__, "pipeline.")
    if not module.name.startswith("pipeline.stages.")
]

for _name in (*LIBRARIES, *OURS):
    importlib.import_module(_name)
sys.modules.pop("pipeline.stages")  # sets the environment of the process that imports it
configure_mappers()
requirements_utils._init_packages_to_modules_map()  # reads what 200 packages consist of
calendar.timezone("XNYS")  # makes the calendar of nearly every command
mlflow_tables.by_copy()
mlflow_tables.tables()
