"""What a trained model writes, on a terminal."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from picosweep.pico.probes.decoding import Decoding
from picosweep.pico.probes.samples import Sample
from picosweep.sweeps.errors import InputError
from picosweep.terminal.console import PlainConsole
from picosweep.trained.generate import LoadedModel, TokenNeighbours


def print_samples(console: PlainConsole, samples: Sequence[Sample]) -> None:
    """Print a row for each prompt and decoder."""
    table = Table(show_lines=True)
    for name in ("decoder", "prompt", "text"):
        table.add_column(name, overflow="fold")
    for sample in samples:
        table.add_row(sample.decoder, *map(Text, (sample.prompt, sample.text)))
    console.print(table)


def print_neighbours(console: PlainConsole, tokens: Sequence[TokenNeighbours]) -> None:
    """Print a row for each token, with the tokens nearest to it."""
    table = Table("token", "nearest in the model's embedding space")
    for token in tokens:
        near = "  ".join(f"{text!r} {similarity:.2f}" for text, similarity in token.neighbours)
        table.add_row(Text(repr(token.text)), Text(near))
    console.print(table)


def write_interactively(
    writer: LoadedModel, console: PlainConsole, decoding: Decoding, **options: int
) -> None:
    """Continue what is typed, until an empty line or the end of input."""
    while True:
        try:
            prompt = console.input(Text("prompt> ", "bold"))
        except EOFError:
            return
        if not prompt:
            return
        try:
            write_once(writer, console, prompt, decoding, **options)
        except InputError as error:
            console.print(str(error), style="red")


def write_once(
    writer: LoadedModel, console: PlainConsole, prompt: str, decoding: Decoding, **options: int
) -> None:
    """Print a prompt and, as it is written, what the model makes of it."""
    pieces = writer.stream(prompt, decoding, **options)
    console.print(prompt, end="", style="dim", soft_wrap=True)
    for piece in pieces:
        console.print(piece, end="", soft_wrap=True)
    console.print()
