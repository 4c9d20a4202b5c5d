"""The public names of `picosweep`, each once: type checkers and the lazy import read this file."""

from . import analysis as analysis, charts as charts, pico as pico, sweeps as sweeps
from .analysis.answer.before_after import (
    before_after_chart as before_after_chart,
    before_after_table as before_after_table,
)
from .analysis.answer.headline import (
    headline_chart as headline_chart,
    headline_table as headline_table,
)
from .analysis.answer.spend import spend_chart as spend_chart, spend_table as spend_table
from .analysis.answer.sweep_comparison import (
    sweeps_chart as sweeps_chart,
    sweeps_table as sweeps_table,
)
from .analysis.asked.attention_maps import attention_table as attention_table
from .analysis.asked.before_after import (
    change_chart as change_chart,
    change_table as change_table,
)
from .analysis.asked.code_scores import code_chart as code_chart, code_table as code_table
from .analysis.asked.heads import heads_chart as heads_chart, heads_table as heads_table
from .analysis.asked.neurons import (
    neurons_chart as neurons_chart,
    neurons_table as neurons_table,
)
from .analysis.asked.sizes import (
    checkpoints_chart as checkpoints_chart,
    checkpoints_table as checkpoints_table,
    sizes_table as sizes_table,
)
from .analysis.asked.text_scores import (
    place_chart as place_chart,
    place_table as place_table,
    text_table as text_table,
)
from .analysis.asked.token_table import (
    tokens_chart as tokens_chart,
    tokens_table as tokens_table,
)
from .analysis.curves.fit_quality import (
    fit_quality_chart as fit_quality_chart,
    fit_quality_table as fit_quality_table,
)
from .analysis.curves.norms import norms_chart as norms_chart, norms_table as norms_table
from .analysis.curves.ribbons import ribbons_chart as ribbons_chart, ribbons_table as ribbons_table
from .analysis.curves.scaling import scaling_chart as scaling_chart, scaling_table as scaling_table
from .analysis.equal_cost.best_so_far import (
    best_so_far_chart as best_so_far_chart,
    best_so_far_table as best_so_far_table,
)
from .analysis.equal_cost.expected_best import (
    expected_best_chart as expected_best_chart,
    expected_best_table as expected_best_table,
)
from .analysis.equal_cost.improvement import (
    improvement_chart as improvement_chart,
    improvement_table as improvement_table,
)
from .analysis.equal_cost.learning_curves import (
    equal_cost_table as equal_cost_table,
    learning_curves_chart as learning_curves_chart,
    learning_curves_table as learning_curves_table,
)
from .analysis.fronts.front_membership import (
    front_membership_chart as front_membership_chart,
    front_membership_table as front_membership_table,
)
from .analysis.fronts.hypervolume import (
    hypervolume_chart as hypervolume_chart,
    hypervolume_table as hypervolume_table,
)
from .analysis.fronts.pareto import pareto_chart as pareto_chart, pareto_table as pareto_table
from .analysis.fronts.points import front_points as front_points
from .analysis.fronts.prices import PRICES as PRICES
from .analysis.images import write_images as write_images
from .analysis.next_steps import NextStep as NextStep, next_steps as next_steps
from .analysis.page.offline import use_offline_charts as use_offline_charts
from .analysis.page.style import use_theme as use_theme
from .analysis.preference.preferences import (
    preference_beta_chart as preference_beta_chart,
    preference_change_chart as preference_change_chart,
    preference_front_chart as preference_front_chart,
    preference_table as preference_table,
)
from .analysis.report import write_report as write_report
from .analysis.results import Results as Results, load as load
from .analysis.shapes.box_plots import (
    box_plots_chart as box_plots_chart,
    box_plots_table as box_plots_table,
)
from .analysis.shapes.density import density_chart as density_chart, density_table as density_table
from .analysis.shapes.heatmap import heatmap_chart as heatmap_chart, heatmap_table as heatmap_table
from .analysis.shapes.parallel_coordinates import (
    parallel_coordinates_chart as parallel_coordinates_chart,
    parallel_coordinates_table as parallel_coordinates_table,
)
from .analysis.shapes.slices import slices_chart as slices_chart, slices_table as slices_table
from .analysis.statistics.common_rung import comparisons as comparisons
from .analysis.statistics.draws import random_draws as random_draws
from .analysis.statistics.evidence import setting_evidence as setting_evidence
from .analysis.statistics.linear_model import fit_regression as fit_regression
from .analysis.statistics.power_law import fit_power_law as fit_power_law
from .analysis.statistics.seeds import settings_table as settings_table
from .analysis.stopping.decisions import (
    decisions_chart as decisions_chart,
    decisions_table as decisions_table,
)
from .analysis.stopping.rank_agreement import (
    control_table as control_table,
    lost_winners_table as lost_winners_table,
    rank_agreement_table as rank_agreement_table,
)
from .analysis.stopping.savings import (
    savings_chart as savings_chart,
    savings_table as savings_table,
)
from .analysis.summary import summary as summary
from .analysis.trials.environment import environment_table as environment_table
from .analysis.trials.failures import failures_table as failures_table
from .analysis.trials.incidents import incidents_table as incidents_table
from .analysis.trials.samples import samples_table as samples_table
from .analysis.trials.tokenizer_check import tokenizer_table as tokenizer_table
from .analysis.trials.trial_table import trials_table as trials_table
from .analysis.watch import watch as watch
from .analysis.what_mattered.correlation import (
    correlation_chart as correlation_chart,
    correlation_table as correlation_table,
)
from .analysis.what_mattered.importance import (
    importance_chart as importance_chart,
    importance_table as importance_table,
)
from .analysis.what_mattered.partial_dependence import (
    partial_dependence_chart as partial_dependence_chart,
    partial_dependence_table as partial_dependence_table,
)
from .analysis.what_mattered.regression import regression_chart as regression_chart
from .analysis.what_mattered.residuals import (
    residuals_chart as residuals_chart,
    residuals_table as residuals_table,
)
from .commands.export import export as export
from .commands.logs import logs as logs
from .commands.observer import Observer as Observer
from .commands.plan import Plan as Plan, plan as plan
from .commands.replay import Replay as Replay, replay as replay
from .commands.report import report as report, watch_report as watch_report
from .commands.result import SweepResult as SweepResult
from .commands.status import show as show, status as status
from .commands.stop import stop as stop
from .commands.suggest import suggest as suggest
from .commands.tokenizer import tokenizer_checks as tokenizer_checks
from .from_python import run as run
from .remote.fetch import fetch as fetch
from .remote.service_client import Client as Client
from .remote.submit import submit as submit
from .service.server import serve as serve
from .start.cluster_file import cluster_config as cluster_config
from .start.explain import explain as explain
from .start.first_spec import init as init
from .studies.run import study as study, study_plan as study_plan
from .sweeps.errors import InputError as InputError
from .trained.answers import Answered as Answered
from .trained.evaluate import evaluate as evaluate
from .trained.generate import (
    LoadedModel as LoadedModel,
    generate as generate,
    load_model as load_model,
)
from .trained.probe import probe as probe
