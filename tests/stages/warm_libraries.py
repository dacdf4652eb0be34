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
from pipeline.config.compose import compose
from pipeline.io import calendar
from tests import compositions, mlflow_tables

LIBRARIES = (
    "IPython.core.interactiveshell", "arch.bootstrap", "exchange_calendars", "git", "lightgbm",
    "matplotlib.backends.backend_agg", "matplotlib.backends.backend_svg", "matplotlib.pyplot",
    "mlflow", "mlflow.projects", "mlflow.pyfunc", "mlflow.pyfunc.scoring_server", "mlflow.sklearn",
    "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.store.model_registry.sqlalchemy_workspace_store",
    "mlflow.store.tracking.sqlalchemy_store", "mlflow.store.tracking.sqlalchemy_workspace_store",
    "mlflow.tracing.processor.base_mlflow", "narwhals.stable.v2", "opentelemetry.sdk.metrics",
    "optuna", "pyarrow.dataset", "pyarrow.parquet", "pydantic", "rich.progress", "scipy.stats",
    "sklearn.ensemble", "sklearn.pipeline", "skops.io", "sqlalchemy", "talib",
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
compositions.by_copy()
compose(["features=classic"])
mlflow_tables.by_copy()
mlflow_tables.tables()
