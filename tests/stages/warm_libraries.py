"""What a fork server has ready for every command: libraries, and what they build on first use.

Nothing of `pipeline`: what the project itself costs stays in the commands.
"""

from __future__ import annotations

import importlib

from mlflow.utils import requirements_utils
from sqlalchemy.orm import configure_mappers

LIBRARIES = (
    "arch.bootstrap", "exchange_calendars", "hydra", "lightgbm", "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg", "matplotlib.pyplot", "mlflow", "mlflow.projects",
    "mlflow.pyfunc", "mlflow.sklearn", "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.store.tracking.sqlalchemy_store", "optuna", "pyarrow.parquet", "pydantic",
    "rich.progress", "scipy.stats", "sklearn.ensemble", "sklearn.pipeline", "skops.io",
    "sqlalchemy", "talib",
)  # fmt: skip

for _name in LIBRARIES:
    importlib.import_module(_name)
configure_mappers()
requirements_utils._init_packages_to_modules_map()  # reads what 200 packages consist of
