"""Letting a trained trial write: `picosweep generate`."""

from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from picosweep.pico.data.tokenizers.registry import tokenizer_from_json
from picosweep.pico.data.tokenizers.tokenizer import Tokenizer
from picosweep.pico.models.interface import LanguageModel
from picosweep.pico.probes.decoding import Decoding
from picosweep.pico.probes.generate import stream_text
from picosweep.pico.probes.neighbours import nearest_tokens
from picosweep.pico.probes.samples import prompt_ids, write_samples
from picosweep.pico.training.restore import restore_model
from picosweep.sweeps.errors import input_error
from picosweep.sweeps.store.checkpoints import read_checkpoint
from picosweep.sweeps.store.find import find_trial
from picosweep.sweeps.store.folder import SweepFolder


class Writer:
    """A trial's model with its tokenizer.

    Raises:
        InputError: there is no such trial, or it has no checkpoint.
    """

    def __init__(self, trial_id: str, results: Path) -> None:
        folder, self.row = find_trial(trial_id, results)
        found = read_checkpoint(folder, self.row["trial_id"])
        if found is None:
            raise input_error(
                "this trial has no checkpoint", where=str(folder), key=self.row["trial_id"]
            )
        self.model: LanguageModel = restore_model(found.content).model
        files = SweepFolder(folder)
        path = files.tokenizer(self.row["tokenizer_fingerprint"])
        if not path.exists():
            path = files.tokenizer()
        text = path.read_text(encoding="utf-8")
        self.tokenizer: Tokenizer = tokenizer_from_json(text)

    def stream(
        self, prompt: str, decoding: Decoding, *, num_tokens: int, seed: int
    ) -> Iterator[str]:
        """What the model writes after a prompt, piece by piece."""
        return stream_text(
            self.model,
            self.tokenizer,
            prompt or self.tokenizer.decode([self.tokenizer.end_of_text_id]),
            decoding,
            num_tokens=num_tokens,
            seed=seed,
            stop_ids=(self.tokenizer.end_of_text_id,),
        )

    def decoder_table(self, prompts: list[str], *, num_tokens: int, seed: int) -> Table:
        """Every prompt continued from the surest decoder to the freest."""
        samples = write_samples(
            self.model, self.tokenizer, prompts, num_tokens=num_tokens, seed=seed
        )
        table = Table(show_lines=True)
        for name in ("decoder", "prompt", "text"):
            table.add_column(name, overflow="fold")
        for sample in samples:
            table.add_row(sample.decoder, *map(Text, (sample.prompt, sample.text)))
        return table

    def neighbours(self, text: str) -> Table:
        """Each token of a text with the tokens nearest to it in the model's own space."""
        ids = prompt_ids(self.tokenizer, text)
        table = Table("token", "nearest in the model's embedding space")
        for token, near in zip(ids, nearest_tokens(self.model, ids), strict=True):
            told = "  ".join(
                f"{self.tokenizer.decode([other.token])!r} {other.similarity:.2f}" for other in near
            )
            table.add_row(Text(repr(self.tokenizer.decode([token]))), Text(told))
        return table


def write_interactively(
    writer: Writer, console: Console, decoding: Decoding, **options: int
) -> None:
    """Continue what is typed, until an empty line or the end of input."""
    while True:
        try:
            prompt = console.input("[bold]prompt>[/bold] ")
        except EOFError:
            return
        if not prompt:
            return
        write_once(writer, console, prompt, decoding, **options)


def write_once(
    writer: Writer, console: Console, prompt: str, decoding: Decoding, **options: int
) -> None:
    """Print a prompt and, as it is written, what the model makes of it."""
    console.print(prompt, end="", style="dim", markup=False, highlight=False, soft_wrap=True)
    for piece in writer.stream(prompt, decoding, **options):
        console.print(piece, end="", markup=False, highlight=False, soft_wrap=True)
    console.print()
