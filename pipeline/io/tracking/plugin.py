"""MLflow's plugin of this project: ``mlflow run`` itself finds a whole store.

MLflow's own command opens the store before any stage begins. Two of them in an empty project make
its tables at once and break them, and one that is killed meanwhile leaves tables that no later one
can go on with. MLflow asks providers of an experiment first, so this one makes the store ready. It
is known to MLflow where the project is installed (``pip install -e .``). MLflow imports it before
it is imported itself, so what needs MLflow is imported when it is used.
"""

from __future__ import annotations

from pathlib import Path

from mlflow.tracking.default_experiment.abstract_context import DefaultExperimentProvider

from pipeline.schemas import PROJECT_NAME

PROJECT_FILE = "MLproject"


class ProjectExperiment(DefaultExperimentProvider):  # type: ignore[misc]
    """The experiment of runs that are started in a folder of this project."""

    def in_context(self) -> bool:
        """Whether this folder is such a project, with a store in a file."""
        import mlflow

        from pipeline.io.tracking import experiment

        file = Path(PROJECT_FILE)
        if not mlflow.get_tracking_uri().startswith(experiment.SQLITE) or not file.is_file():
            return False
        return file.read_text(encoding="utf-8").startswith(f"name: {PROJECT_NAME}\n")

    def get_experiment_id(self) -> str:
        """Its id, with the store made, mended, and brought along where the folder was moved."""
        import mlflow

        from pipeline.io.tracking import experiment

        experiment.make_ready(mlflow.get_tracking_uri(), PROJECT_NAME)
        return experiment.DEFAULT_EXPERIMENT
