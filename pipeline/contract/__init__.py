"""Names of metrics, tags and artifacts: promises; one changed here is lost in every older run."""

from pipeline.contract.files import Artifacts, Tables, names_of
from pipeline.contract.life import LifeArtifacts, LifeMetrics, LifeStages, LifeTables, LifeTags
from pipeline.contract.metrics import Metrics
from pipeline.contract.registry import Aliases
from pipeline.contract.runs import Parameters, Stages, Tags, Verdicts, renamed

__all__ = [
    "Aliases",
    "Artifacts",
    "LifeArtifacts",
    "LifeMetrics",
    "LifeStages",
    "LifeTables",
    "LifeTags",
    "Metrics",
    "Parameters",
    "Stages",
    "Tables",
    "Tags",
    "Verdicts",
    "names_of",
    "renamed",
]
