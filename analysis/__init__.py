"""Reads a sweep's Parquet tables and answers what a reader wants to know of them.

    results = analysis.load("results/demo")
    table = analysis.pareto_table(results.full_budget, "num_params")
    analysis.write_report("results/demo", "report.html")

Names are imported when they are first used, so `import analysis` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from picosweep.analysis.images import write_images
    from picosweep.analysis.page.style import use_theme
    from picosweep.analysis.report import warm_up, write_report
    from picosweep.analysis.results import Results, load
    from picosweep.analysis.summary import summary
    from picosweep.analysis.watch import watch

_HOMES: Final = {
    "Results": "results",
    "load": "results",
    "use_theme": "page.style",
    "warm_up": "report",
    "summary": "summary",
    "watch": "watch",
    "write_images": "images",
    "write_report": "report",
    # The answer
    "headline_chart": "answer.headline",
    "headline_table": "answer.headline",
    "settings_table": "answer.headline",
    "spend_chart": "answer.spend",
    "spend_table": "answer.spend",
    "sweeps_chart": "answer.sweep_comparison",
    "sweeps_table": "answer.sweep_comparison",
    "before_after_chart": "answer.before_after",
    "before_after_table": "answer.before_after",
    # Architectures at equal cost
    "learning_curves_chart": "equal_cost.learning_curves",
    "learning_curves_table": "equal_cost.learning_curves",
    "equal_cost_table": "equal_cost.learning_curves",
    "best_so_far_chart": "equal_cost.best_so_far",
    "best_so_far_table": "equal_cost.best_so_far",
    "expected_best_chart": "equal_cost.expected_best",
    "expected_best_table": "equal_cost.expected_best",
    "improvement_chart": "equal_cost.improvement",
    "improvement_table": "equal_cost.improvement",
    # Pareto fronts
    "PRICES": "fronts.pareto",
    "pareto_chart": "fronts.pareto",
    "pareto_table": "fronts.pareto",
    "hypervolume_chart": "fronts.hypervolume",
    "hypervolume_table": "fronts.hypervolume",
    "front_membership_chart": "fronts.front_membership",
    "front_membership_table": "fronts.front_membership",
    # What mattered
    "importance_chart": "what_mattered.importance",
    "importance_table": "what_mattered.importance",
    "regression_chart": "what_mattered.regression",
    "regression_table": "what_mattered.regression",
    "fit_regression": "what_mattered.regression",
    "residuals_chart": "what_mattered.residuals",
    "residuals_table": "what_mattered.residuals",
    "partial_dependence_chart": "what_mattered.partial_dependence",
    "partial_dependence_table": "what_mattered.partial_dependence",
    "correlation_chart": "what_mattered.correlation",
    "correlation_table": "what_mattered.correlation",
    # Shapes of the space
    "comparisons": "statistics.common_rung",
    "heatmap_chart": "shapes.heatmap",
    "heatmap_table": "shapes.heatmap",
    "box_plots_chart": "shapes.box_plots",
    "box_plots_table": "shapes.box_plots",
    "slices_chart": "shapes.slices",
    "slices_table": "shapes.slices",
    "parallel_coordinates_chart": "shapes.parallel_coordinates",
    "parallel_coordinates_table": "shapes.parallel_coordinates",
    "density_chart": "shapes.density",
    "density_table": "shapes.density",
    # Early stopping
    "control_table": "stopping.rank_agreement",
    "rank_agreement_table": "stopping.rank_agreement",
    "wrongly_stopped_table": "stopping.rank_agreement",
    "savings_chart": "stopping.savings",
    "savings_table": "stopping.savings",
    "decisions_chart": "stopping.decisions",
    "decisions_table": "stopping.decisions",
    # Learning curves and scaling
    "ribbons_chart": "curves.ribbons",
    "ribbons_table": "curves.ribbons",
    "fit_quality_chart": "curves.fit_quality",
    "fit_quality_table": "curves.fit_quality",
    "norms_chart": "curves.norms",
    "norms_table": "curves.norms",
    "fit_power_law": "statistics.power_law",
    "scaling_chart": "curves.scaling",
    "scaling_table": "curves.scaling",
    # Texts and trials
    "samples_table": "trials.samples",
    "tokenizer_table": "trials.tokenizer_check",
    "trials_table": "trials.trial_table",
    "failures_table": "trials.failures",
    "incidents_table": "trials.incidents",
    "environment_table": "trials.environment",
}

__all__ = [
    "Results", "load", "summary", "use_theme", "warm_up", "watch", "write_images", "write_report",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'analysis' has no attribute {name!r}")
    return getattr(import_module(f"picosweep.analysis.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(_HOMES)
