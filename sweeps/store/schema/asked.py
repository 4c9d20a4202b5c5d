"""The columns of what trained models are asked: texts, scores of suites, probes.

Each row says at which step of which trial it was asked.
"""

from collections.abc import Mapping
from typing import Final

import pyarrow as pa

from picosweep.sweeps.store.schema.column import RUNG, STEP, TRIAL_ID, Column

_PLACE: Final = (TRIAL_ID, RUNG, STEP)
_LAYER: Final = Column(
    name="layer", type=pa.int64(), meaning="from 0; null where a row is of no layer", label="Layer"
)
_HEAD: Final = Column(
    name="head",
    type=pa.int64(),
    meaning="from 0; null in the row of a head that looks at all tokens alike",
    label="Head",
)

_SAMPLES: Final = (
    *_PLACE,
    Column(name="decoder", type=pa.string(), meaning="`greedy`, or the sampling settings in words"),
    Column(name="prompt", type=pa.string(), meaning="what the text starts with"),
    Column(name="text", type=pa.string(), meaning="the continuation alone"),
)

_EVALUATIONS: Final = (
    *_PLACE,
    Column(name="suite", type=pa.string(), meaning="`code` or `text`; `probes` for a probe"),
    Column(
        name="suite_version",
        type=pa.int64(),
        meaning="scores of different versions do not compare; null for probes",
    ),
    Column(name="section", type=pa.string(), meaning="what is scored", label="Section"),
    Column(name="item", type=pa.string(), meaning="which of the section's", label="Item"),
    Column(
        name="score",
        type=pa.float64(),
        meaning="a share, or in the section's unit; null where it has none, never 0 for that",
        label="Score",
    ),
    Column(
        name="num_scored",
        type=pa.int64(),
        meaning="texts or tokens that the score is a mean over",
        label="Of",
    ),
    Column(
        name="outcome",
        type=pa.string(),
        meaning="whether there is a score, and if not, why",
        values={
            "scored": "there is one",
            "not executed": "code is not run where it cannot be confined",
            "infrastructure": "the sandbox itself failed, which is no fault of the model",
            "not applicable": "this model or its data do not have what is asked for",
        },
    ),
    Column(
        name="sandbox",
        type=pa.string(),
        meaning="layers that confined what was run; `none`: it ran with the user's rights; null "
        "where nothing was run",
    ),
    Column(name="detail", type=pa.string(), meaning="what was judged, or why there is no score"),
)

_ATTENTION: Final = (
    *_PLACE,
    _LAYER,
    _HEAD,
    Column(name="prompt", type=pa.string(), meaning="what the text starts with"),
    Column(name="prompt_tokens", type=pa.string(), meaning="its tokens' texts, a JSON list"),
    Column(
        name="weights",
        type=pa.string(),
        meaning="weights of the tokens up to its own for each token, a JSON list of lists",
    ),
    Column(
        name="is_distribution",
        type=pa.bool_(),
        meaning="whether weights are positive and sum to 1, as softmax attention's do",
    ),
)

_HEADS: Final = (
    *_PLACE,
    _LAYER,
    _HEAD,
    Column(name="previous", type=pa.float64(), meaning="mean weight on the token before"),
    Column(name="first", type=pa.float64(), meaning="mean weight on the first token"),
    Column(
        name="duplicate",
        type=pa.float64(),
        meaning="mean weight, where random tokens come again, on the token's first occurrence",
    ),
    Column(
        name="induction",
        type=pa.float64(),
        meaning="mean weight there on the token that followed the first occurrence",
    ),
    Column(
        name="entropy",
        type=pa.float64(),
        meaning="of the weights, over its largest value; null for linear attention",
    ),
    Column(name="distance", type=pa.float64(), meaning="mean distance looked at", unit="tokens"),
    Column(
        name="loss_without",
        type=pa.float64(),
        meaning="rise of the loss where tokens come again without this head",
        unit="nats per token",
    ),
    Column(
        name="first_half_loss",
        type=pa.float64(),
        meaning="loss where nothing can be known",
        unit="nats per token",
    ),
    Column(
        name="second_half_loss",
        type=pa.float64(),
        meaning="loss where tokens come again",
        unit="nats per token",
    ),
)

_COMPONENTS: Final = (
    *_PLACE,
    Column(name="component", type=pa.int64(), meaning="principal component of the token vectors"),
    Column(name="explained", type=pa.float64(), meaning="share of their variance"),
    Column(
        name="baseline",
        type=pa.float64(),
        meaning="the same share where the numbers of each column are dealt anew",
    ),
    Column(
        name="log_frequency",
        type=pa.float64(),
        meaning="correlation of places on it with the logarithm of the tokens' counts",
    ),
)

_TOKENS: Final = (
    *_PLACE,
    Column(name="token", type=pa.int64(), meaning="its id"),
    Column(name="token_text", type=pa.string(), meaning="what it stands for"),
    Column(name="occurrences", type=pa.int64(), meaning="in the training data; 0: never seen"),
    Column(name="component_1", type=pa.float64(), meaning="place on the first component"),
    Column(name="component_2", type=pa.float64(), meaning="place on the second component"),
    Column(name="component_3", type=pa.float64(), meaning="place on the third component"),
    Column(
        name="neighbours",
        type=pa.string(),
        meaning="the nearest tokens by angle, nearest first, a JSON list of texts",
    ),
)

_NEURONS: Final = (
    *_PLACE,
    _LAYER,
    Column(name="unit", type=pa.int64(), meaning="from 0"),
    Column(name="unit_kind", type=pa.string(), meaning="what a unit is in this architecture"),
    Column(name="text_group", type=pa.string(), meaning="group of texts that stands out"),
    Column(name="higher", type=pa.bool_(), meaning="whether it stands above the others"),
    Column(
        name="chosen_by",
        type=pa.float64(),
        meaning="share of the unit's variance between groups, on the half it was chosen by",
    ),
    Column(name="selectivity", type=pa.float64(), meaning="the same share on the other half"),
    Column(
        name="chance",
        type=pa.float64(),
        meaning="what the best of the chosen has there with dealt labels, 95th percentile",
    ),
    Column(
        name="p_value",
        type=pa.float64(),
        meaning="share of dealings in which the best of the chosen is as selective",
    ),
    Column(name="units_looked_at", type=pa.int64(), meaning="units among which it was chosen"),
)

ASKED: Final[Mapping[str, tuple[Column, ...]]] = {
    "samples": _SAMPLES,
    "evaluations": _EVALUATIONS,
    "probes_attention": _ATTENTION,
    "probes_heads": _HEADS,
    "probes_components": _COMPONENTS,
    "probes_tokens": _TOKENS,
    "probes_neurons": _NEURONS,
}
"""The tables of what trained models are asked, and their columns."""
