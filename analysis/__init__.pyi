"""The public names of `analysis`, each once: type checkers and the lazy import read this file."""

from .answer.before_after import (
    before_after_chart as before_after_chart,
    before_after_table as before_after_table,
)
from .answer.headline import headline_chart as headline_chart, headline_table as headline_table
from .answer.spend import spend_chart as spend_chart, spend_table as spend_table
from .answer.sweep_comparison import sweeps_chart as sweeps_chart, sweeps_table as sweeps_table
from .curves.fit_quality import (
    fit_quality_chart as fit_quality_chart,
    fit_quality_table as fit_quality_table,
)
from .curves.norms import norms_chart as norms_chart, norms_table as norms_table
from .curves.ribbons import ribbons_chart as ribbons_chart, ribbons_table as ribbons_table
from .curves.scaling import scaling_chart as scaling_chart, scaling_table as scaling_table
from .equal_cost.best_so_far import (
    best_so_far_chart as best_so_far_chart,
    best_so_far_table as best_so_far_table,
)
from .equal_cost.expected_best import (
    expected_best_chart as expected_best_chart,
    expected_best_table as expected_best_table,
)
from .equal_cost.improvement import (
    improvement_chart as improvement_chart,
    improvement_table as improvement_table,
)
from .equal_cost.learning_curves import (
    equal_cost_table as equal_cost_table,
    learning_curves_chart as learning_curves_chart,
    learning_curves_table as learning_curves_table,
)
from .fronts.front_membership import (
    front_membership_chart as front_membership_chart,
    front_membership_table as front_membership_table,
)
from .fronts.hypervolume import (
    hypervolume_chart as hypervolume_chart,
    hypervolume_table as hypervolume_table,
)
from .fronts.pareto import (
    PRICES as PRICES,
    pareto_chart as pareto_chart,
    pareto_table as pareto_table,
)
from .images import write_images as write_images
from .page.style import use_theme as use_theme
from .plain_summary import summary as summary
from .report import write_report as write_report
from .results import Results as Results, load as load
from .shapes.box_plots import box_plots_chart as box_plots_chart, box_plots_table as box_plots_table
from .shapes.density import density_chart as density_chart, density_table as density_table
from .shapes.heatmap import heatmap_chart as heatmap_chart, heatmap_table as heatmap_table
from .shapes.parallel_coordinates import (
    parallel_coordinates_chart as parallel_coordinates_chart,
    parallel_coordinates_table as parallel_coordinates_table,
)
from .shapes.slices import slices_chart as slices_chart, slices_table as slices_table
from .statistics.common_rung import comparisons as comparisons
from .statistics.linear_model import fit_regression as fit_regression
from .statistics.power_law import fit_power_law as fit_power_law
from .statistics.seeds import settings_table as settings_table
from .stopping.decisions import (
    decisions_chart as decisions_chart,
    decisions_table as decisions_table,
)
from .stopping.rank_agreement import (
    control_table as control_table,
    rank_agreement_table as rank_agreement_table,
    wrongly_stopped_table as wrongly_stopped_table,
)
from .stopping.savings import savings_chart as savings_chart, savings_table as savings_table
from .trials.environment import environment_table as environment_table
from .trials.failures import failures_table as failures_table
from .trials.incidents import incidents_table as incidents_table
from .trials.samples import samples_table as samples_table
from .trials.tokenizer_check import tokenizer_table as tokenizer_table
from .trials.trial_table import trials_table as trials_table
from .watching import watch as watch
from .what_mattered.correlation import (
    correlation_chart as correlation_chart,
    correlation_table as correlation_table,
)
from .what_mattered.importance import (
    importance_chart as importance_chart,
    importance_table as importance_table,
)
from .what_mattered.partial_dependence import (
    partial_dependence_chart as partial_dependence_chart,
    partial_dependence_table as partial_dependence_table,
)
from .what_mattered.regression import regression_chart as regression_chart
from .what_mattered.residuals import (
    residuals_chart as residuals_chart,
    residuals_table as residuals_table,
)
