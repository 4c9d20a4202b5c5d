"""The pairs of a preference sweep, before anything is trained: how many there are, and of what."""

from picosweep.pico.data.prepared import PreparedData
from picosweep.pico.errors import FieldError
from picosweep.pico.preference_config import PreferenceConfig
from picosweep.pico.tasks.preference_pairs import LEAST_COMPLETION, pairs_of
from picosweep.sweeps.data import SweepData
from picosweep.sweeps.errors import InputError
from picosweep.sweeps.search.setup import ReadySweep
from picosweep.sweeps.spec.document import KeyPath, problem_of


def check_pairs(sweep: ReadySweep, data: SweepData) -> list[str]:
    """Make the pairs of a sweep's configurations once, to say how many there are.

    Returns:
        a sentence for each way in which its configurations make pairs; none for another task.

    Raises:
        InputError: a configuration has no pairs.
    """
    if sweep.spec.task != "preference":
        return []
    made: dict[tuple[str, int, int], PreferenceConfig] = {}
    for feasibility in sweep.feasibility.values():
        for candidate in feasibility.candidates:
            config = candidate.trial.preference
            assert config is not None
            fingerprint = candidate.fingerprints["data_fingerprint"]
            # What a pair is corrupted by changes no number of pairs.
            made.setdefault((fingerprint, config.prompt_tokens, candidate.trial.block_size), config)
    told: dict[str, None] = {}
    for (fingerprint, _, block_size), config in made.items():
        try:
            told[_told(data.by_fingerprint[fingerprint], config, block_size)] = None
        except FieldError as error:
            key: KeyPath | None = None
            if error.field == "prompt_tokens":
                key = ("preference", "prompt_tokens")
            raise InputError(problem_of(error, sweep.document, key)) from error
    return list(told)


def _told(data: PreparedData, config: PreferenceConfig, block_size: int) -> str:
    train, validation = (
        pairs_of(data, config, block_size, validates=validates) for validates in (False, True)
    )
    dropped = train.num_dropped + validation.num_dropped
    count = f"{len(train):,} pairs for training and {len(validation):,} for validation"
    if not dropped:
        return count
    if data.pairs is not None:
        return f"{count}; {dropped:,} left out, whose prompt fills the block of {block_size} tokens"
    least = config.prompt_tokens + LEAST_COMPLETION
    return f"{count}; {dropped:,} documents make none, being shorter than {least} tokens"
