"""A retrain is published: model, version, challenger, and what people read of it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME
from sklearn.pipeline import Pipeline

from pipeline import commands
from pipeline.contract import Artifacts, Metrics, Tables, Tags
from pipeline.gates.judge import Result
from pipeline.gates.verdict import gate_table, gate_tags
from pipeline.io.tracking import (
    champion,
    models,
    notes,
    registered,
    registering,
    registry,
    run_files,
    runs,
)
from pipeline.io.tracking.books import market_context, record_books, record_tear_sheet
from pipeline.io.tracking.chosen import log_chosen_parameters
from pipeline.io.tracking.models import LoggedModel
from pipeline.learning.dataset import model_inputs
from pipeline.learning.drivers import Driver
from pipeline.recipe.data import RetrainData
from pipeline.recipe.evaluate import OutOfSample, searches_table
from pipeline.recipe.recipe import Recipe
from pipeline.report.doubts import printed_doubts
from pipeline.report.search import trials_table
from pipeline.report.summary import (
    RetrainSummary,
    markdown_summary,
    printed_summary,
    version_summary,
)
from pipeline.report.survivorship import survivorship
from pipeline.report.tear_sheet.header import retrain_header, trading_facts
from pipeline.stats.returns import sessions_a_year
from pipeline.trading.benchmarks import REAL_WINDOW
from pipeline.workspace import Workspace


@dataclass(frozen=True, eq=False)
class Retrained:
    """A recipe that was evaluated, judged and refitted.

    Attributes
    ----------
    outcome, result
        What it forecast out of sample, and how that was judged.
    logged
        Refitted on the newest data, and on its way to MLflow: of `log_refit`.
    drivers
        Of ``recipe.importance.main_drivers``.
    strategy
        What people call the rules.
    """

    recipe: Recipe
    data: RetrainData
    outcome: OutOfSample
    result: Result
    logged: LoggedModel
    drivers: Sequence[Driver]
    strategy: str


def publish(retrained: Retrained, workspace: Workspace, next_steps: Sequence[str]) -> None:
    """Register the logged model as the challenger, and write what people read of it.

    Parameters
    ----------
    next_steps
        Sentences on what to do next, printed at the end.
    """
    recipe, data, result = retrained.recipe, retrained.data, retrained.result
    store, dated = workspace.store, workspace.dated
    left = None if dated is None else dated.left_before(store.sessions()[-1])
    summary = RetrainSummary(
        registered_model=registered.name(),
        version=0,
        model=recipe.name,
        features=workspace.features.name,
        data_source=workspace.data_source,
        seed=recipe.seed,
        windows=data.sentence,
        metrics=result.metrics,
        gates=result.answers,
        sessions_a_year=sessions_a_year(data.judged.sessions),
        survivorship=survivorship(store.last_final_sessions(), left=left),
        refits=len(data.windows.steps),
        next_steps=next_steps,
    )
    name = run_name(recipe, workspace.features.name, _last(data), commands.given())
    notes.set_tags({MLFLOW_RUN_NAME: name})
    tags = _version_tags(recipe, workspace, data, result)
    tags[Tags.MODEL_DIGEST] = retrained.logged.digest
    # A version comes last, and whole: what is killed before leaves none. Its number is in the
    # report, so nobody else may take it.
    with registry.alone("retrain"):
        known = registering.settle_challenger()
        equal, is_challenger = known.equal_version(tags), known.makes_challenger
        number = equal or known.next_number
        summary = replace(
            summary, version=number, is_new=equal is None, is_challenger=is_challenger
        )
        with runs.timed("report"):
            _write_report(retrained, workspace, summary)
            _describe(summary)
        model = retrained.logged.stored.result()
        tags[Tags.FILES_DIGEST] = model.files_digest
        run_files.record_digests(runs.current_run_id())
        if equal is None:
            version = registering.register(model.uri, tags, version_summary(summary), known)
        else:
            version = equal
            registering.take_again(equal, model.uri, known)
        notes.set_tags({Tags.MODEL_VERSION: str(version)})
        champion.refresh_page()
    if version != summary.version:  # taken on another machine of the same server
        summary = replace(summary, version=version)
        _describe(summary)
        registry.describe(version, version_summary(summary))
    print(printed_summary(summary))
    if doubts := printed_doubts(result.tables, result.metrics):
        print(doubts)


def _describe(summary: RetrainSummary) -> None:
    """What people read on the page of the run, which leads to the tear sheet."""
    text = markdown_summary(summary)
    run_files.log_text(text, Artifacts.REPORT)
    run = notes.open_run()
    place = f"#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}/artifacts"
    heading, _, rest = text.partition("\n")
    linked = f"{heading} ([tear sheet]({place}/{Artifacts.TEAR_SHEET}))"
    notes.set_tags({Tags.NOTE: f"{linked}\n{rest}"})


def log_refit(
    recipe: Recipe, data: RetrainData, outcome: OutOfSample, model: Pipeline, features: str
) -> LoggedModel:
    """Log the model with what it needs to be served and refitted, on a server while others go on.

    Parameters
    ----------
    features
        Name of the feature set.
    """
    name = f"{recipe.name}, {features}, until {_last(data)}"
    with runs.timed("log_model"):
        models.log_features(recipe.features)
        log_chosen_parameters(outcome.chosen.params)
        return models.log_model(model, model_inputs(data.newest.features), name)


def _last(data: RetrainData) -> str:
    """The last session judged, ``YYYY-MM-DD``."""
    return f"{data.judged.sessions[-1]:%Y-%m-%d}"


def _version_tags(
    recipe: Recipe, workspace: Workspace, data: RetrainData, result: Result
) -> dict[str, str]:
    return {
        Tags.VERDICT: result.verdict,
        Tags.OVERRIDES: shlex.join(commands.given()),
        Tags.FEATURE_SET: workspace.features.name,
        Tags.TRAINED_UNTIL: f"{data.windows.newest[-1]:%Y-%m-%d}",
        Tags.DATA_SOURCE: workspace.data_source,
        Tags.UNIVERSE: workspace.universe,
        Tags.MARKET_INDEX: workspace.index.symbol,
        **gate_tags(result.answers),
        Tags.RECIPE: recipe.hash,
        Tags.LEARNED_DIGEST: data.learned_digest,
    }


def run_name(recipe: Recipe, features: str, last: str, given: Sequence[str]) -> str:
    """Model, features, window, last session judged, and what else was overridden."""
    window = recipe.windows.window
    days = "all" if window.expanding else f"{window.window_days}d"
    kind = "walk-forward" if recipe.windows.evaluation.is_walk_forward else "retrain"
    in_words = ("model", "features", "evaluation", "retrain.window_days", "experiment")
    others = [
        word for word in given if word.partition("=")[0] not in in_words and "path" not in word
    ]
    changed = f" ({', '.join(others)})" if others else ""
    return f"{kind} {recipe.name}, {features}, {days}, until {last}{changed}"[:250]


def _write_report(retrained: Retrained, workspace: Workspace, summary: RetrainSummary) -> None:
    """Ledger, tables, step metrics and the tear sheet."""
    recipe, data, result = retrained.recipe, retrained.data, retrained.result
    record_books(result.books)
    runs.log_table(gate_table(result.answers), Tables.GATES)
    runs.log_table(trials_table(retrained.outcome.chosen.trials), Tables.TRIALS)
    notes.log_steps({Metrics.RANK_IC_BY_SESSION: result.rank_ic.dropna()})
    facts = trading_facts(
        result.books,
        data_source=workspace.data_source,
        universe=workspace.universe,
        strategy=retrained.strategy,
        max_positions=recipe.rules.max_positions,
        bankroll=recipe.bankroll,
    )
    header = retrain_header(
        summary,
        facts,
        development=data.windows.development,
        last_predicted=data.judged.sessions[-1],
        fits=len(data.windows.steps),
        drivers=retrained.drivers,
        searches=searches_table(retrained.outcome, recipe.learners),
    )
    index = workspace.index_bars(result.market.sessions, REAL_WINDOW)
    context = market_context(result.market, index, recipe.rules.min_edge)
    record_tear_sheet(
        result.books, result.predictions, context, result.metrics, header, result.tables
    )
