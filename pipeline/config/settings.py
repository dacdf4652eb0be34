"""Typed, frozen view of the composed configuration.

No defaults live here: every value comes from ``conf/``. ``Settings.from_config`` lists *every*
fault of a configuration in one message before any work starts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import Field, ValidationError, model_validator

from pipeline.config import sections, stage_sections
from pipeline.config.faults import faults_of, invalid
from pipeline.config.sections import room_for_both_sides
from pipeline.errors import Fault
from pipeline.gates.gates import Gates
from pipeline.learning.search.plan import SearchPlan
from pipeline.learning.splits import AnySplitter
from pipeline.monitor.health import Thresholds
from pipeline.recipe.decision import Decision
from pipeline.recipe.windows import Evaluation
from pipeline.trading.order_files import Auctions

RETRAIN_SECTIONS = (
    "seed",
    "data",
    "universe",
    "features",
    "cv",
    "model",
    "hpo",
    "evaluation",
    "decision",
    "strategy",
    "backtest",
    "retrain",
)


NOT_COMPARED = {
    "model": ("learners", "objective"),
    "features": ("list", "overwrite"),
    "backtest": (
        "model", "refit", "sweep", "capacity", "capacity_impact", "capacity_participation",
    ),
    "retrain": ("refresh",),
    "universe": ("max_megabytes",),
    "evaluation": ("learning_curve",),
}  # fmt: skip
"""Keys that are no parameters of a retrain: other stages', or given by another key as well."""


class Settings(sections.Requested):
    """The whole configuration, checked."""

    seed: Annotated[int, Field(ge=0, lt=2**31)]
    features: sections.Features
    cv: AnySplitter
    model: sections.Model
    hpo: SearchPlan
    evaluation: Evaluation
    compute: sections.Compute
    decision: Decision
    strategy: sections.Strategy
    backtest: sections.Backtest
    gates: Gates
    monitor: Thresholds
    tracking: sections.Tracking
    auctions: Auctions

    indicators: stage_sections.Indicators
    regimes: stage_sections.Regimes
    retrain: stage_sections.Retrain
    registry: stage_sections.Registry
    promote: stage_sections.Promote
    reproduce: stage_sections.Reproduce
    audit: stage_sections.Audit
    signals: stage_sections.Signals
    morning: stage_sections.Morning
    quarantine: stage_sections.Quarantine = stage_sections.Quarantine()
    status: stage_sections.Status
    serve: stage_sections.Serve
    predict: stage_sections.Predict
    reconcile: stage_sections.Reconcile
    ui: stage_sections.Ui
    test: stage_sections.Test

    @model_validator(mode="after")
    def _dates_are_in_order(self) -> Settings:
        if self.start_date and self.end_date and self.start_date > self.end_date:
            raise ValueError(f"start_date {self.start_date} lies after end_date {self.end_date}")
        if self.day and (self.start_date or self.end_date):
            raise ValueError("give date, or start_date and end_date, not both")
        return self

    @model_validator(mode="after")
    def _both_sides_have_a_slot(self) -> Settings:
        room_for_both_sides(self.strategy, self.backtest)
        return self

    @model_validator(mode="after")
    def _budgets_name_the_learners(self) -> Settings:
        expected = set(self.model.learners)
        for name in ("n_trials", "recorded_trials"):
            given = getattr(self.hpo, name)
            if isinstance(given, Mapping) and set(given) != expected:
                found = f"hpo.{name} names {', '.join(sorted(given))}"
                raise ValueError(f"{found}; the model's learners are {', '.join(sorted(expected))}")
        return self

    @classmethod
    def from_config(cls, config: Mapping[str, Any], other_faults: Iterable[Fault] = ()) -> Settings:
        """Check a composed, resolved configuration.

        Raises
        ------
        InvalidSettings
            Naming every fault: its key, the value got and what is allowed.
        """
        faults = list(other_faults)
        try:
            settings = cls.model_validate(config)
        except ValidationError as error:
            faults += faults_of(error)
        if faults:
            raise invalid(faults)
        return settings

    @property
    def content(self) -> dict[str, Any]:
        """All of it as plain values by the names of ``conf/``, as ``config.yaml`` of a run."""
        return self.model_dump(mode="json", by_alias=True)

    @property
    def parameters(self) -> dict[str, Any]:
        """What a retrain's parameters are: the sections that decide it.

        What changes no number of it, and the learners' spaces, would bury what people compare;
        they are in ``config.yaml``.
        """
        content = self.content
        for section, keys in NOT_COMPARED.items():
            content[section] = {k: v for k, v in content[section].items() if k not in keys}
        return {name: content[name] for name in RETRAIN_SECTIONS}

    @property
    def cautions(self) -> list[str]:
        """What a reader of a retrain should know of settings that do not narrow it."""
        if not self.symbols or self.names_universe:
            return []
        return ["symbols narrows the data stages alone; a retrain learns from the whole universe, "
                "which universe.path=... chooses"]  # fmt: skip

    def whole_history(self) -> Settings:
        """These settings with no range, so that data stages do all that is missing."""
        cleared = {"day": None, "start_date": None, "end_date": None, "exchange": None}
        symbols = self.symbols if self.names_universe else None
        return self.model_copy(update={**cleared, "symbols": symbols})

    def auditing(self, model: str) -> Settings:
        """These settings for an audit of a registered model."""
        return self.model_copy(update={"audit": self.audit.model_copy(update={"model": model})})

    def without_refresh(self) -> Settings:
        """These settings for a retrain whose data stages ran before."""
        retrain = self.retrain.model_copy(update={"refresh": False})
        return self.model_copy(update={"retrain": retrain})
