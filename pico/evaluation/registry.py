"""The suites by name, each put to a checkpoint."""

from collections.abc import Sequence

from picosweep.pico.data.prepared import PreparedData
from picosweep.pico.evaluation.code_suite import evaluate_code
from picosweep.pico.evaluation.position_loss import TIMES_LONGER
from picosweep.pico.evaluation.scores import Progress, SuiteName, SuiteResult
from picosweep.pico.evaluation.text_suite import Longer, NamedText, evaluate_text
from picosweep.pico.models.registry import MODELS
from picosweep.pico.sandbox.runner import Mode
from picosweep.pico.weights.checkpoint import CheckpointError
from picosweep.pico.weights.restore import TrainedModel, restore_model


def put_suite(
    suite: SuiteName,
    checkpoint: bytes,
    data: PreparedData,
    *,
    sandbox: Mode = "auto",
    texts: Sequence[NamedText] = (),
    seed: int = 0,
    progress: Progress = lambda _stage, _share: None,
) -> SuiteResult:
    """Put a suite to the model of a checkpoint.

    Args:
        suite: `code` or `text`.
        checkpoint: what training wrote.
        data: the data that it was trained on.
        sandbox: how code that it writes is run.
        texts: for `text`: further texts to take the perplexity of.
        seed: of what the model writes.
        progress: called with a stage and the share of it that is done.

    Raises:
        SuiteError: the suite does not fit the tokenizer.
        ValueError: the checkpoint cannot be used, or the tokenizer cannot write one of `texts`.
    """
    trained = restore_model(checkpoint)
    if suite == "code":
        return evaluate_code(
            trained.model, data.tokenizer, sandbox=sandbox, seed=seed, progress=progress
        )
    return evaluate_text(
        trained.model,
        data,
        longer=longer_reader(checkpoint, trained),
        validation_tokens=trained.trial.validation_tokens,
        texts=texts,
        seed=seed,
        progress=progress,
    )


def longer_reader(checkpoint: bytes, trained: TrainedModel) -> Longer:
    """Return the model with room for several blocks at once, or why there is none."""
    name = trained.trial.architecture
    if name not in MODELS:
        return Longer(
            model=None, reason=f"{name} is a class of the user's, whose places are its own"
        )
    try:
        longer = restore_model(checkpoint, block_size=TIMES_LONGER * trained.trial.block_size)
    except CheckpointError:
        reason = "each of its places has weights of its own, and there are none past a block"
        return Longer(model=None, reason=reason)
    return Longer(model=longer.model)
