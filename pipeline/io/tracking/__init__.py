"""MLflow: runs, their experiment, the registry and the models in it."""
