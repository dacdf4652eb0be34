"""Entry points, one short file each; what has to be set before anything heavy is imported."""

import gc
import os
import sys
from multiprocessing import parent_process
from types import TracebackType

# Learners fit with one thread: parallel are trials and folds. OpenMP reads this once, at load.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# MLflow reads these at import: nothing is sent anywhere, and short commands end at once.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
# A server that is silent is queried for half a minute, not for five.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "5")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
os.environ["HYDRA_FULL_ERROR"] = "1"

# Importing MLflow makes a million objects that live for ever; Python's default of looking for
# garbage at every 700 of them takes a fifth of a short command's time, at every 50,000 a twelfth.
GARBAGE = 50_000
gc.set_threshold(GARBAGE if parent_process() else 1_000_000)


def look_for_garbage() -> None:
    """From now on, once everything is imported; what is there by then is looked at no more."""
    if gc.get_threshold()[0] != GARBAGE:
        gc.freeze()
        gc.set_threshold(GARBAGE)


def _excepthook(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Ctrl-C while packages are imported, which takes seconds, ends in a line as it does later."""
    if issubclass(kind, KeyboardInterrupt):
        print("interrupted before it began", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _excepthook
