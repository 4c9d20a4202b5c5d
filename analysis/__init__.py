"""Reads a sweep's Parquet tables and answers what a reader wants to know of them.

    results = analysis.load("results/demo")
    table = analysis.pareto_table(results.full_budget, "num_params")
    analysis.write_report("results/demo", "report.html")

Names are imported when they are first used, so `import analysis` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from analysis.images import write_images
    from analysis.live import watch
    from analysis.plain_summary import summary
    from analysis.report import warm_up, write_report
    from analysis.results import Results, load
    from analysis.style import use_theme

_HOMES: Final = {
    "Results": "results",
    "load": "results",
    "use_theme": "style",
    "warm_up": "report",
    "summary": "plain_summary",
    "watch": "live",
    "write_images": "images",
    "write_report": "report",
    # The answer
    "headline_chart": "headline",
    "headline_table": "headline",
    "settings_table": "headline",
    "spend_chart": "spend",
    "spend_table": "spend",
    "sweeps_chart": "sweep_comparison",
    "sweeps_table": "sweep_comparison",
    "before_after_chart": "before_after",
    "before_after_table": "before_after",
    # Architectures at equal cost
    "learning_curves_chart": "learning_curves",
    "learning_curves_table": "learning_curves",
    "equal_cost_table": "learning_curves",
    "best_so_far_chart": "best_so_far",
    "best_so_far_table": "best_so_far",
    "expected_best_chart": "expected_best",
    "expected_best_table": "expected_best",
    "improvement_chart": "improvement",
    "improvement_table": "improvement",
    # Pareto fronts
    "PRICES": "pareto",
    "pareto_chart": "pareto",
    "pareto_table": "pareto",
    "hypervolume_chart": "hypervolume",
    "hypervolume_table": "hypervolume",
    "front_membership_chart": "front_membership",
    "front_membership_table": "front_membership",
    # What mattered
    "importance_chart": "importance",
    "importance_table": "importance",
    "regression_chart": "regression",
    "regression_table": "regression",
    "fit_regression": "regression",
    "residuals_chart": "residuals",
    "residuals_table": "residuals",
    "partial_dependence_chart": "partial_dependence",
    "partial_dependence_table": "partial_dependence",
    "correlation_chart": "correlation",
    "correlation_table": "correlation",
    # Shapes of the space
    "comparisons": "comparison",
    "heatmap_chart": "heatmap",
    "heatmap_table": "heatmap",
    "box_plots_chart": "box_plots",
    "box_plots_table": "box_plots",
    "slices_chart": "slices",
    "slices_table": "slices",
    "parallel_coordinates_chart": "parallel_coordinates",
    "parallel_coordinates_table": "parallel_coordinates",
    "density_chart": "density",
    "density_table": "density",
    # Early stopping
    "control_table": "rank_agreement",
    "rank_agreement_table": "rank_agreement",
    "wrongly_stopped_table": "rank_agreement",
    "savings_chart": "savings",
    "savings_table": "savings",
    "decisions_chart": "decisions",
    "decisions_table": "decisions",
    # Learning curves and scaling
    "ribbons_chart": "ribbons",
    "ribbons_table": "ribbons",
    "fit_quality_chart": "fit_quality",
    "fit_quality_table": "fit_quality",
    "norms_chart": "norms",
    "norms_table": "norms",
    "fit_power_law": "power_law",
    "scaling_chart": "scaling",
    "scaling_table": "scaling",
    # Texts and trials
    "samples_table": "samples",
    "tokenizer_table": "tokenizer_check",
    "trials_table": "trial_table",
    "failures_table": "failures",
    "incidents_table": "incidents",
    "environment_table": "environment",
}

__all__ = [
    "Results", "load", "summary", "use_theme", "warm_up", "watch", "write_images", "write_report",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'analysis' has no attribute {name!r}")
    return getattr(import_module(f"analysis.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(_HOMES)
