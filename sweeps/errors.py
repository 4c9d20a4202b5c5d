"""Errors whose cause is what the user gave us: reported as one message, never as a traceback."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from picosweep.pico.errors import nearest, problem_in


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing wrong with an input: where it stands, what was found, what is allowed."""

    message: str
    where: str = ""
    """File and line, as far as known: `demo.yaml:12`."""
    key: str = ""
    """Key path inside the file: `architectures.kgram.embed_size`."""
    found: str = ""
    allowed: str = ""
    hint: str = ""

    def __str__(self) -> str:
        """Return the problem in a few short lines, the place first."""
        head = ": ".join(part for part in (self.where, self.key, self.message) if part)
        details = [
            f"  {label:<8} {text}"
            for label, text in (
                ("found:", self.found),
                ("allowed:", self.allowed),
                ("hint:", self.hint),
            )
            if text
        ]
        return "\n".join([head, *details])


class InputError(Exception):
    """Bad input: a spec, a file, a name. The command line prints it and exits with code 2."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


def input_error(message: str, **details: str) -> InputError:
    """Return an `InputError` with a single problem; `details` are the fields of `Problem`."""
    return InputError(Problem(message=message, **details))


OTHER_NAMES: Final[Mapping[str, str]] = {
    "lr": "learning_rate",
    "lr_max": "learning_rate",
    "bs": "batch_size",
    "bsz": "batch_size",
    "micro_batch_size": "batch_size",
    "gradient_accumulation_steps": "accumulation",
    "wd": "weight_decay",
    "clip": "grad_clip",
    "max_grad_norm": "grad_clip",
    "warmup_iters": "warmup_steps",
    "warmup": "warmup_steps",
    "lr_scheduler": "schedule",
    "dtype": "precision",
    "n_layer": "num_layers",
    "n_layers": "num_layers",
    "depth": "num_layers",
    "n_head": "num_heads",
    "n_heads": "num_heads",
    "n_embd": "embed_size",
    "d_model": "embed_size",
    "emb_dim": "embed_size",
    "embedding_dim": "embed_size",
    "hidden_dim": "hidden_size",
    "d_hidden": "hidden_size",
    "ctx_len": "block_size",
    "context_length": "block_size",
    "max_seq_len": "block_size",
    "seq_len": "block_size",
    "lora_r": "lora_rank",
    "loguniform": "log_uniform",
    "log_uniform_values": "log_uniform",
    "randint": "int_uniform",
    "q_uniform": "uniform",
    "quniform": "uniform",
    "choice": "choices",
    "values": "choices",
    "categorical": "choices",
    "grid_search": "choices",
    "n_trials": "trials_per_architecture",
    "num_trials": "trials_per_architecture",
    "trials": "trials_per_architecture",
    "num_samples": "trials_per_architecture",
    "max_concurrent_trials": "max_concurrent",
    "parameters": "common",
    "config": "common",
    "metric": "objectives",
    "scheduler": "early_stopping",
    "dataset": "data",
    "models": "architectures",
}
"""What nanoGPT, Ray Tune, Optuna, W&B and others call what a spec has under another name."""

IN_SECTION: Final[Mapping[str, str]] = {
    **dict.fromkeys(("epochs", "max_epochs", "num_epochs", "max_steps", "max_iters", "num_steps",
                     "max_t", "grace_period"), "budget, which says how long trials train"),
    **dict.fromkeys(("trials_per_architecture", "sampler"), "search"),
    **dict.fromkeys(("cpu", "gpu", "max_concurrent", "num_gpus"), "resources"),
    **dict.fromkeys(("learning_rate", "batch_size", "grad_clip", "precision", "weight_decay"),
                    "common, or an architecture's own entry"),
    **dict.fromkeys(("num_layers", "num_heads", "embed_size", "hidden_size"),
                    "an architecture's own entry, or common"),
    "block_size": "data",
}  # fmt: skip
"""Where in a spec a name belongs that stands in a place that has no such key."""


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """Return a question for a misspelt name, or nothing where no known name is near.

    Names of other tools count: `lr` for `learning_rate`; where the name has its place in another
    section, that is said.
    """
    names = list(known)
    written = str(name).lower().replace("-", "_")
    ours = OTHER_NAMES.get(written, written)
    if ours in names and ours != name:
        return f"did you mean {ours}?"
    if (near := nearest(name, names)) is not None:
        return f"did you mean {near}?"
    if (place := IN_SECTION.get(ours)) is not None and ours not in names:
        return f"{ours} belongs to {place}"
    return ""


def unreadable_prompt(prompt: str, error: ValueError, **place: str) -> InputError:
    """Return what to say of a prompt that a tokenizer cannot read.

    Args:
        prompt: the prompt.
        error: what the tokenizer raised.
        place: where the prompt stands, as fields of `Problem`.
    """
    if isinstance(error, UnicodeError):
        return input_error("this prompt is no text", found=ascii(prompt), **place)
    return input_error(
        f"the tokenizer cannot read this prompt: {problem_in(error)}", found=repr(prompt), **place
    )
