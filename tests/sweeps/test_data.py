"""Block size and vocabulary size as hyperparameters, and what `precision: auto` becomes."""

from pathlib import Path
from typing import Any

import pytest

from picosweep.pico.presets import PRESETS
from picosweep.pico.trial import TrialConfig
from picosweep.sweeps.data import SweepData, prepare_all
from picosweep.sweeps.errors import InputError
from picosweep.sweeps.search.candidates import Candidate, CandidateFactory
from picosweep.sweeps.search.number_formats import NumberFormats, Place
from picosweep.sweeps.search.setup import CheckedSweep, check_sweep
from picosweep.sweeps.store.store import Store
from picosweep.sweeps.workers.auto_precision import settle_precision
from picosweep.sweeps.workers.simulated import SimulatedData
from tests.sweeps.simulation import spec_with

DATA = {
    300: SimulatedData(fingerprint="data of 300", tokenizer_fingerprint="300", vocab_size=300),
    2048: SimulatedData(fingerprint="data of 2048", tokenizer_fingerprint="2048", vocab_size=2000),
}


def _sweep(entry: dict[str, Any], **changes: Any) -> CheckedSweep:
    """A sweep with one architecture."""
    return check_sweep(
        spec_with(common={"batch_size": 4}, architectures={"kgram": entry}, **changes)
    )


def _build(factory: CandidateFactory, **chosen: Any) -> Candidate:
    outcome = factory.build("kgram", {"batch_size": 4, **chosen}, 0)
    assert isinstance(outcome, Candidate), outcome.reason
    return outcome


def test_a_trial_may_choose_its_block_size() -> None:
    """It changes the steps to a rung, the trial's identity and its row, and is found again."""
    sweep = _sweep({"block_size": [16, 32]})
    factory = sweep.with_data(DATA).factory
    short, long = (_build(factory, block_size=size) for size in (16, 32))
    assert [c.trial.block_size for c in (short, long)] == [16, 32]
    assert short.plan.rungs[0] == 2 * long.plan.rungs[0]
    assert short.trial_id != long.trial_id
    assert long.hyperparameters["block_size"] == 32
    assert short.trial_id == _build(factory).trial_id, "16 is what the data section says"
    again = factory.from_config(long.config, sweep.spaces)
    assert again is not None
    assert again.chosen == {"batch_size": 4, "block_size": 32}


def test_a_trial_may_choose_its_vocabulary() -> None:
    """It sees the tokens of that vocabulary, and its facts count with its true size."""
    sweep = _sweep({"vocab_size": [300, 2048]})
    factory = sweep.with_data(DATA).factory
    small, large = (_build(factory, vocab_size=size) for size in (300, 2048))
    assert small.fingerprints == {
        "data_fingerprint": "data of 300",
        "tokenizer_fingerprint": "300",
    }
    assert large.hyperparameters["vocab_size"] == 2000
    assert small.facts.num_params < large.facts.num_params
    again = factory.from_config(large.config, sweep.spaces)
    assert again is not None
    assert again.chosen["vocab_size"] == 2048, "what was asked for, so that the sampler knows it"
    assert factory.with_seed(small, 7).fingerprints == small.fingerprints


def test_constraints_may_speak_of_both() -> None:
    """They are hyperparameters like any other."""
    entry = {"block_size": [16, 32], "vocab_size": [300, 2048]}
    constraints = ["block_size * vocab_size < 10_000", "num_params > 0"]
    factory = _sweep(entry, constraints=constraints).with_data(DATA).factory
    assert _build(factory, block_size=16, vocab_size=300)
    refused = factory.build("kgram", {"block_size": 16, "vocab_size": 2048}, 0)
    assert not isinstance(refused, Candidate)
    assert refused.reason == constraints[0]


def test_a_preset_brings_its_block_size() -> None:
    """What the spec says of that architecture still has the last word."""
    preset = PRESETS["gpt-char-a"]
    budget = {"unit": "steps", "min": 10, "factor": 2, "rungs": 1}
    for own, expected in (({}, preset.block_size), ({"block_size": 32}, 32)):
        spec = spec_with(
            common={}, budget=budget, architectures={"big": {"preset": "gpt-char-a"} | own}
        )
        sweep = check_sweep(spec).with_data(DATA)
        (chosen,) = sweep.spaces["big"].configurations(10) or [{}]
        outcome = sweep.factory.build("big", chosen, 0)
        assert isinstance(outcome, Candidate)
        assert outcome.trial.block_size == expected


def _text_sweep(
    tmp_path: Path, entry: dict[str, Any], objective: str = "bits_per_byte", **data: Any
) -> CheckedSweep:
    text = "\n\n".join(
        f"Once upon a time there were {n} small foxes and a bear." for n in range(99)
    )
    (tmp_path / "text.txt").write_text(text)
    tokenizer = {"kind": "bpe", "vocab_size": 270} | data
    source = {"source": str(tmp_path / "text.txt"), "block_size": 8, "tokenizer": tokenizer}
    return _sweep(entry, data=source, objectives=[{"metric": objective}])


def test_each_vocabulary_is_prepared_once(tmp_path: Path) -> None:
    """One tokenizer a size; the sweep's own is left out where every architecture asks otherwise."""
    data = prepare_all(_text_sweep(tmp_path, {"vocab_size": [280, 290]}), tmp_path)
    assert [meta.vocab_size for meta in data.metas.values()] == [280, 290]
    assert len(data.tokenizers()) == 2
    assert len(data.describe()["other_tokenizers"]) == 1
    own = prepare_all(_text_sweep(tmp_path, {}), tmp_path)
    assert [meta.vocab_size for meta in own.metas.values()] == [270]
    assert list(own.tokenizers()) == [None]
    assert "other_tokenizers" not in own.describe()


def test_sizes_that_a_text_cannot_fill_are_one_vocabulary(tmp_path: Path) -> None:
    """Two sizes beyond what the text holds train the same tokenizer, and so the same trials."""
    sweep = _text_sweep(tmp_path, {"vocab_size": [5000, 6000]})
    data = prepare_all(sweep, tmp_path)
    assert len(data.by_fingerprint) == 1
    factory = sweep.with_data(data.metas).factory
    ids = {_build(factory, vocab_size=size).trial_id for size in (5000, 6000)}
    assert len(ids) == 1


@pytest.mark.parametrize(
    ("entry", "tokenizer", "message"),
    [
        ({"vocab_size": [30, 300]}, {}, "too small"),
        ({"vocab_size": [280, 290]}, {"kind": "char"}, "given by its tokenizer"),
        ({"vocab_size": {"int_uniform": [300, 400]}}, {}, "at most 16"),
        ({"block_size": [8, 100_000]}, {}, "too short for one block of 100000 tokens"),
    ],
)
def test_what_the_data_cannot_give(
    tmp_path: Path, entry: dict[str, Any], tokenizer: dict[str, Any], message: str
) -> None:
    """A size that cannot be had is refused before anything is trained."""
    sweep = _text_sweep(tmp_path, entry, **tokenizer)
    with pytest.raises(InputError, match=message):
        prepare_all(sweep, tmp_path)


def test_losses_under_different_tokenizers_are_not_compared(tmp_path: Path) -> None:
    """Only bits per byte may be the objective then."""
    with pytest.raises(InputError, match="bits_per_byte"):
        prepare_all(_text_sweep(tmp_path, {"vocab_size": [280, 290]}, "val_loss"), tmp_path)
    prepare_all(_text_sweep(tmp_path, {}, "val_loss"), tmp_path)


def test_auto_precision_is_settled_before_the_identity() -> None:
    """The id is that of the answer, and a stored trial is recognised as a choice of `auto`."""
    sweep = _sweep({"precision": "auto"})
    factory = sweep.with_data(DATA).with_formats({"kgram": NumberFormats.from_json("bf16")}).factory
    automatic = _build(factory, precision="auto")
    assert automatic.trial.training.precision == "bf16"
    assert automatic.trial_id == _build(factory, precision="bf16").trial_id
    again = factory.from_config(automatic.config, sweep.spaces)
    assert again is not None
    assert again.chosen["precision"] == "auto"


class _Clock:
    """A cluster that says which configurations it was asked to measure."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def start(self) -> None:
        """Nothing has to be started."""

    def measure_formats(self, candidate: Candidate, *_: object) -> dict[str, float]:
        """A step takes longer in bf16 but where the model is large."""
        assert candidate.trial.training.precision == "auto"
        self.asked.append(candidate.architecture)
        return {"fp32": 1.0, "bf16": 0.5 if candidate.facts.num_params > 100_000 else 2.0}


def test_auto_precision_is_measured_once_in_a_sweeps_life(tmp_path: Path) -> None:
    """A resumed sweep keeps the answers; architectures that do not ask are not measured."""
    widths = [8, 16, 1024, 2048]
    checked = _text_sweep(tmp_path, {"precision": ["fp32", "auto"], "hidden_size": widths})
    data: SweepData = prepare_all(checked, tmp_path)
    sweep = checked.with_data(data.metas)
    clock, told = _Clock(), []
    for _ in range(2):
        store = Store(tmp_path / "sweep", ())
        found = settle_precision(
            sweep,
            store,
            clock,  # type: ignore[arg-type]
            data,
            {},
            told.append,
        )
        store.close()
        settled = sweep.with_formats(found).factory
        taken = [_trained(settled, width).training.precision for width in widths]
        assert taken == ["fp32", "fp32", "bf16", "bf16"]
    assert clock.asked == ["kgram"] * 4
    assert told[0] == "measuring number formats for kgram, configuration 1"


def _trained(factory: CandidateFactory, width: int) -> TrialConfig:
    candidate = factory.build("kgram", {"precision": "auto", "hidden_size": width}, 0)
    assert isinstance(candidate, Candidate)
    return candidate.trial


def test_a_table_of_formats_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """What an earlier version kept is read; what is neither is no reason for other trials."""
    checked = _text_sweep(tmp_path, {"precision": "auto"})
    data: SweepData = prepare_all(checked, tmp_path)
    sweep = checked.with_data(data.metas)
    store = Store(tmp_path / "sweep", ())
    arguments: Any = (sweep, store, _Clock(), data, {}, str)
    store.files.precision.write_text('{"kgram": "bf16"}')
    assert settle_precision(*arguments)["kgram"].at(Place(num_params=9, tokens=9)) == "bf16"
    store.files.precision.write_text('{"kgram": [{"tokens": 3}]}')
    with pytest.raises(InputError, match="cannot be read"):
        settle_precision(*arguments)
    store.close()
