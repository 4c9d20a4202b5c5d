"""Every column of the result tables, once: type, meaning, unit, and what may be done with it.

Writer, reader, replay, exports, the report's headings and the generated reference derive what they
know of a column from here. It imports neither Ray nor Torch.
"""

from collections.abc import Mapping
from typing import Final

import pyarrow as pa

from picosweep.sweeps.store.schema.asked import ASKED
from picosweep.sweeps.store.schema.column import RUNG, STEP, TIME, TRIAL_ID, Column

_REPORTED: Final = (
    STEP,
    Column(
        name="tokens",
        type=pa.int64(),
        meaning="training tokens so far: steps · sequences · block size",
        label="Tokens",
        shown="count",
    ),
    Column(
        name="flops",
        type=pa.float64(),
        meaning="floating-point operations of training so far, forward and backward",
        label="FLOP",
        shown="count",
    ),
    Column(
        name="seconds",
        type=pa.float64(),
        meaning="busy time in training and evaluation so far",
        unit="s",
        of_machine=True,
        goal="minimize",
        label="Busy time",
        noun="busy time",
        shown="duration",
    ),
    Column(
        name="training_seconds",
        type=pa.float64(),
        meaning="busy time in training alone, the clock of a budget in seconds; null in rows of "
        "older versions",
        unit="s",
        of_machine=True,
    ),
    Column(
        name="train_loss",
        type=pa.float64(),
        meaning="mean over the steps since the report before, without label smoothing",
        unit="nats per token",
        per_token=True,
        goal="minimize",
        label="Train loss",
        noun="training loss",
        shown="loss",
    ),
    Column(
        name="val_loss",
        type=pa.float64(),
        meaning="on the fixed validation set",
        unit="nats per token",
        per_token=True,
        goal="minimize",
        label="Val. loss",
        noun="validation loss",
        shown="loss",
    ),
    Column(
        name="val_accuracy",
        type=pa.float64(),
        meaning="share of next tokens predicted right",
        per_token=True,
        goal="maximize",
        label="Accuracy",
        noun="validation accuracy",
        shown="percent",
    ),
    Column(
        name="val_perplexity",
        type=pa.float64(),
        meaning="exponential of `val_loss`",
        per_token=True,
        goal="minimize",
        label="Perplexity",
        noun="validation perplexity",
    ),
    Column(
        name="bits_per_byte",
        type=pa.float64(),
        meaning="validation loss in bits per UTF-8 byte: comparable across tokenizers",
        goal="minimize",
        label="Bits/byte",
        noun="bits per byte",
        shown="loss",
    ),
    Column(
        name="suite_score",
        type=pa.float64(),
        meaning="mean of a suite's sections, of the first that `evaluate` names; null at rungs at "
        "which none is asked for",
        asked=True,
        goal="maximize",
        label="Suite score",
        noun="suite score",
        shown="percent",
    ),
    Column(
        name="code_pass",
        type=pa.float64(),
        meaning="share of written functions that pass their tests; null at rungs at which the code "
        "suite is not asked for, or where nothing could be run",
        asked=True,
        goal="maximize",
        label="Code pass",
        noun="share of functions that pass",
        shown="percent",
    ),
    Column(
        name="preference_accuracy",
        type=pa.float64(),
        meaning="share of validation pairs whose chosen member is preferred, as the trial's loss "
        "sees it; a tie counts half",
        of_preference=True,
        goal="maximize",
        label="Preferred",
        noun="preference accuracy",
        shown="percent",
    ),
    Column(
        name="reference_kl",
        type=pa.float64(),
        meaning="exact KL divergence from the reference, over the completions of both members",
        unit="nats per token",
        of_preference=True,
        per_token=True,
        goal="minimize",
        label="KL",
        noun="distance from the reference",
        shown="loss",
    ),
    Column(
        name="preference_margin",
        type=pa.float64(),
        meaning="how much more log-probability chosen completions gained on the reference than "
        "rejected ones, mean over pairs",
        unit="nats",
        of_preference=True,
    ),
    Column(
        name="chosen_log_probability",
        type=pa.float64(),
        meaning="of a chosen completion, mean over pairs",
        unit="nats",
        of_preference=True,
    ),
    Column(
        name="rejected_log_probability",
        type=pa.float64(),
        meaning="of a rejected completion, mean over pairs",
        unit="nats",
        of_preference=True,
    ),
    Column(
        name="chosen_change",
        type=pa.float64(),
        meaning="`chosen_log_probability` less the reference's",
        unit="nats",
        of_preference=True,
        label="Chosen",
        shown="loss",
    ),
    Column(
        name="rejected_change",
        type=pa.float64(),
        meaning="`rejected_log_probability` less the reference's",
        unit="nats",
        of_preference=True,
        label="Rejected",
        shown="loss",
    ),
    Column(name="learning_rate", type=pa.float64(), meaning="of this step"),
    Column(
        name="grad_norm",
        type=pa.float64(),
        meaning="Euclidean norm of this step's gradient, before clipping",
    ),
    Column(name="grad_norm_clipped", type=pa.float64(), meaning="the same after clipping"),
    Column(
        name="weight_norm",
        type=pa.float64(),
        meaning="Euclidean norm of all trainable parameters after this step",
    ),
    Column(
        name="max_param_grad",
        type=pa.float64(),
        meaning="largest absolute entry of this step's gradient, before clipping",
    ),
    Column(
        name="tokens_per_second",
        type=pa.float64(),
        meaning="in training alone, since the report before",
        of_machine=True,
    ),
    Column(
        name="peak_memory_bytes",
        type=pa.int64(),
        meaning="most memory in use in this process since it began the trial: the accelerator's, "
        "or resident memory",
        unit="bytes",
        of_machine=True,
        goal="minimize",
        label="Peak memory",
        noun="peak memory",
        shown="bytes",
    ),
)
"""What training measures at a report."""

_BY_NAME: Final = {column.name: column for column in _REPORTED}

_TRIALS: Final = (
    TRIAL_ID,
    Column(name="sweep", type=pa.string(), meaning="the sweep's name", label="Sweep"),
    Column(name="architecture", type=pa.string(), meaning="its name in the spec"),
    Column(
        name="status",
        type=pa.string(),
        meaning="how it ended, or that it has not",
        values={
            "completed": "it reached the last rung",
            "stopped": "early stopping, its patience or the user ended it",
            "diverged": "a loss was not finite",
            "failed": "it raised, or lost its process too often",
            "cached": "another sweep in the same results folder answered it",
            "running": "it has not ended yet",
        },
    ),
    Column(
        name="cohort",
        type=pa.string(),
        meaning="why it was trained",
        values={
            "searched": "the sampler chose it, and it may be stopped early",
            "exempt": "it is never stopped: the control group of the early-stopping audit",
            "confirm": "it re-runs a winner on a fresh seed at full budget",
        },
        label="Cohort",
    ),
    Column(name="seed", type=pa.int64(), meaning="of its training", label="Seed"),
    Column(
        name="num_params",
        type=pa.int64(),
        meaning="trained numbers; a tied head counts once",
        goal="minimize",
        before_training=True,
        label="Parameters",
        shown="count",
    ),
    Column(
        name="flops_per_token",
        type=pa.float64(),
        meaning="in training, forward and backward",
        goal="minimize",
        before_training=True,
    ),
    RUNG,
    *(_BY_NAME[name] for name in ("step", "tokens", "flops", "seconds", "training_seconds")),
    Column(
        name="best_val_loss",
        type=pa.float64(),
        meaning="the least `val_loss` of any of its reports",
        unit="nats per token",
        per_token=True,
        label="Best val. loss",
        shown="loss",
    ),
    *(
        _BY_NAME[name]
        for name in (
            "val_loss", "val_accuracy", "val_perplexity", "bits_per_byte", "train_loss",
            "suite_score", "code_pass", "preference_accuracy", "reference_kl", "chosen_change",
            "rejected_change", "tokens_per_second", "peak_memory_bytes",
        )
    ),
    Column(name="start_time", type=TIME, meaning="when it was admitted to the sweep"),
    Column(name="end_time", type=TIME, meaning="when it ended; null while it runs"),
    Column(name="node", type=pa.string(), meaning="the host that trained it last"),
    Column(name="device", type=pa.string(), meaning="`cpu` or `cuda`"),
    Column(
        name="num_attempts",
        type=pa.int64(),
        meaning="processes that worked on it; 0 where another sweep answered it",
    ),
    Column(
        name="source_sweep", type=pa.string(), meaning="where a cached trial's rows were found"
    ),
    Column(name="error", type=pa.string(), meaning="why it failed, in one line"),
    Column(
        name="current",
        type=pa.bool_(),
        meaning="whether the spec that the sweep was last run with leads to it; false after the "
        "spec, the data or the code has changed under it, null in rows of older versions",
    ),
    Column(name="data_fingerprint", type=pa.string(), meaning="hash of the prepared data"),
    Column(name="tokenizer_fingerprint", type=pa.string(), meaning="hash of the tokenizer"),
    Column(
        name="config",
        type=pa.string(),
        meaning="the complete configuration as canonical JSON: its hash is `trial_id`, and "
        "`picosweep replay` reads it",
    ),
)  # fmt: skip
"""The fixed columns; after them comes one for each hyperparameter of the sweep."""

_REPORTS: Final = (
    TRIAL_ID,
    RUNG,
    *_REPORTED,
    Column(name="time", type=TIME, meaning="when the driver saw it", by_driver=True),
)

_DECISIONS: Final = (
    TRIAL_ID,
    RUNG,
    Column(name="milestone", type=pa.float64(), meaning="the rung, in the budget's unit"),
    Column(
        name="value", type=pa.float64(), meaning="the first objective at that rung", shown="loss"
    ),
    Column(
        name="cutoff",
        type=pa.float64(),
        meaning="what it had to reach; null where too few trials came before it",
        shown="loss",
    ),
    Column(
        name="action",
        type=pa.string(),
        meaning="what early stopping decided",
        values={
            "continue": "the trial goes on",
            "stop": "the trial ends here",
            "exempt": "a stop that was not carried out: the trial is exempt",
        },
    ),
    Column(name="time", type=TIME, meaning="when it was decided"),
)

_INCIDENTS: Final = (
    Column(name="time", type=TIME, meaning="when the driver noticed it"),
    Column(
        name="trial_id",
        type=pa.string(),
        meaning="null where it concerns the whole sweep",
        label="Trial",
    ),
    Column(
        name="kind",
        type=pa.string(),
        meaning="what happened",
        values={
            "lost": "a process died",
            "node": "its node left the cluster, which costs the trial no attempt",
            "hung": "a process was ended for its silence",
            "failed": "a trial raised",
            "stopped": "the user ended a trial",
            "repaired": "damage to the results was found, and mended as far as possible",
            "interrupted": "the user ended the driver",
            "limit": "a limit of the spec ended the driver",
        },
    ),
    Column(name="text", type=pa.string(), meaning="the same in words"),
)

COLUMNS: Final[Mapping[str, tuple[Column, ...]]] = {
    "trials": _TRIALS,
    "reports": _REPORTS,
    "decisions": _DECISIONS,
    **ASKED,
    "incidents": _INCIDENTS,
}
"""The columns of each table, in their order."""

ALL: Final[Mapping[str, Column]] = {
    column.name: column for columns in reversed(tuple(COLUMNS.values())) for column in columns
}
"""Every column by its name; where tables share one, that of `trials` or `reports`."""
