"""The result tables: the one place that says which columns exist and what they mean.

The writer (`sweeps.store.store`) and the reader (`analysis.load`) both import this module, so a
column cannot mean two things. It imports neither Ray nor Torch: a report can be built where neither
is installed.

A sweep's folder holds `<table>/part-*.parquet`; any Parquet reader can open them. The `trials`
table has the fixed columns below and, after them, one typed column for each hyperparameter of the
sweep (null where an architecture has none).
"""

from collections.abc import Mapping
from typing import Final

import pyarrow as pa

TABLE_VERSION: Final = 1
"""Raised whenever a column changes its meaning; stored in each Parquet file's metadata."""

STATUSES: Final = ("completed", "stopped", "diverged", "failed", "cached", "running")
"""`completed` reached the last rung; `stopped` was ended by early stopping; `diverged` produced a
loss that is not finite; `failed` raised or lost its process too often; `cached` was answered from
another sweep in the same results folder; `running` has not ended yet."""

TERMINAL_STATUSES: Final = ("completed", "stopped", "diverged", "failed", "cached")

COHORTS: Final = ("searched", "exempt", "confirm")
"""`searched` trials are chosen by the sampler and may be stopped early; `exempt` trials are never
stopped (the control group of the early-stopping audit); `confirm` trials re-run a winner on a
fresh seed at full budget."""

ACTIONS: Final = ("continue", "stop", "exempt")
"""What early stopping decided; `exempt` is a stop that was not carried out."""

_TIME = pa.timestamp("us", tz="UTC")

TRIALS: Final = pa.schema(
    [
        ("trial_id", pa.string()),  # hash of the complete configuration
        ("sweep", pa.string()),
        ("architecture", pa.string()),
        ("status", pa.string()),  # one of STATUSES
        ("cohort", pa.string()),  # one of COHORTS
        ("seed", pa.int64()),
        ("num_params", pa.int64()),
        ("flops_per_token", pa.float64()),  # forward and backward, training
        ("rung", pa.int64()),  # highest rung reached, from 0; null before the first
        ("step", pa.int64()),  # optimizer steps at the last report
        ("tokens", pa.int64()),  # training tokens at the last report
        ("flops", pa.float64()),
        ("seconds", pa.float64()),  # busy time in training and evaluation
        ("training_seconds", pa.float64()),  # in training alone; null in rows of older versions
        ("best_val_loss", pa.float64()),  # nats per token, least over the trial's reports
        ("val_loss", pa.float64()),  # nats per token, at the last report
        ("val_accuracy", pa.float64()),  # share of next tokens predicted right
        ("val_perplexity", pa.float64()),
        ("bits_per_byte", pa.float64()),  # comparable across tokenizers
        ("train_loss", pa.float64()),
        ("tokens_per_second", pa.float64()),
        ("peak_memory_bytes", pa.int64()),
        ("start_time", _TIME),
        ("end_time", _TIME),
        ("node", pa.string()),
        ("device", pa.string()),
        ("num_attempts", pa.int64()),  # processes that worked on it; 0 when answered from store
        ("source_sweep", pa.string()),  # where a cached trial's rows were found
        ("error", pa.string()),
        ("data_fingerprint", pa.string()),
        ("tokenizer_fingerprint", pa.string()),
        ("config", pa.string()),  # canonical JSON; its hash is trial_id, and replay reads it
    ]
)

REPORTS: Final = pa.schema(
    [
        ("trial_id", pa.string()),
        ("rung", pa.int64()),  # from 0; null for a report between two rungs
        ("step", pa.int64()),
        ("tokens", pa.int64()),
        ("flops", pa.float64()),
        ("seconds", pa.float64()),  # busy time in training and evaluation so far
        ("training_seconds", pa.float64()),  # in training alone; null in rows of older versions
        ("train_loss", pa.float64()),  # mean over the steps since the report before
        ("val_loss", pa.float64()),  # nats per token on the fixed validation set
        ("val_accuracy", pa.float64()),
        ("val_perplexity", pa.float64()),
        ("bits_per_byte", pa.float64()),
        ("learning_rate", pa.float64()),
        ("grad_norm", pa.float64()),  # before clipping, at this step
        ("grad_norm_clipped", pa.float64()),
        ("weight_norm", pa.float64()),
        ("max_param_grad", pa.float64()),  # largest absolute gradient entry, before clipping
        ("tokens_per_second", pa.float64()),  # training only, since the report before
        ("peak_memory_bytes", pa.int64()),
        ("time", _TIME),  # when the driver saw it
    ]
)

DECISIONS: Final = pa.schema(
    [
        ("trial_id", pa.string()),
        ("rung", pa.int64()),
        ("milestone", pa.float64()),  # in the budget's unit
        ("value", pa.float64()),  # the objective at that rung
        ("cutoff", pa.float64()),  # what it had to reach; null for a rung's first arrival
        ("action", pa.string()),  # one of ACTIONS
        ("time", _TIME),
    ]
)

SAMPLES: Final = pa.schema(
    [
        ("trial_id", pa.string()),
        ("rung", pa.int64()),
        ("step", pa.int64()),
        ("decoder", pa.string()),  # greedy, or the sampling settings in words
        ("prompt", pa.string()),
        ("text", pa.string()),  # the continuation alone
    ]
)

INCIDENT_KINDS: Final = (
    "lost", "node", "hung", "failed", "stopped", "repaired", "interrupted", "limit",
)  # fmt: skip
"""`lost` a process died; `node` its node left the cluster, which costs no attempt; `hung` it was
ended for its silence; `failed` a trial raised; `stopped` the user ended a trial; `repaired` damage
to the results was found and mended as far as possible; `interrupted` and `limit` say why a driver
left work undone."""

INCIDENTS: Final = pa.schema(
    [
        ("time", _TIME),
        ("trial_id", pa.string()),  # null where it concerns the whole sweep
        ("kind", pa.string()),  # one of INCIDENT_KINDS
        ("text", pa.string()),
    ]
)

TABLES: Final[Mapping[str, pa.Schema]] = {
    "trials": TRIALS,
    "reports": REPORTS,
    "decisions": DECISIONS,
    "samples": SAMPLES,
    "incidents": INCIDENTS,
}

FIXED_TRIAL_COLUMNS: Final = frozenset(TRIALS.names)
"""Every other column of a `trials` table is a hyperparameter."""
