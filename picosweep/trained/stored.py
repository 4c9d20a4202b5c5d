"""A trained trial as it lies in a sweep's folder: its row, its checkpoint, its model, its data."""

import json
from functools import cached_property
from pathlib import Path

from picosweep.pico.data.prepared import PreparedData
from picosweep.pico.data.tokenizers.registry import tokenizer_from_json
from picosweep.pico.data.tokenizers.tokenizer import Tokenizer
from picosweep.pico.models.interface import LanguageModel
from picosweep.pico.probes.generate import prompt_ids
from picosweep.pico.weights.restore import restore_model
from picosweep.sweeps.errors import input_error, unreadable_prompt
from picosweep.sweeps.search.own_code import has_changed
from picosweep.sweeps.store.checkpoints import read_checkpoint
from picosweep.sweeps.store.find import find_trial
from picosweep.sweeps.store.folder import SweepFolder
from picosweep.sweeps.store.mirror import open_results


class StoredTrial:
    """One trial with a checkpoint.

    Args:
        trial_id: id of the trial, or a beginning of it.
        results: folder or address in which the sweeps are.

    Raises:
        InputError: there is no such trial, or it has no checkpoint.
    """

    def __init__(self, trial_id: str, results: str | Path = "results") -> None:
        self._results = open_results(results)
        self.folder, self.row = find_trial(trial_id, self._results)
        self.trial_id: str = self.row["trial_id"]
        found = read_checkpoint(self.folder, self.trial_id)
        if found is None:
            raise input_error(
                "this trial has no checkpoint", where=str(self.folder), key=self.trial_id
            )
        self.checkpoint, self.step = found.content, found.step
        stored = json.loads(self.row["config"])
        self.remark = ""
        """What the reader should know of what the model says; empty for nothing."""
        if has_changed(stored, self.folder):
            self.remark = (
                f"the code of {stored['architecture']} has changed since this trial was trained:"
                " what it writes may not be what it learned"
            )

    @cached_property
    def model(self) -> LanguageModel:
        """Its model, in evaluation mode.

        Raises:
            InputError: its class does not fit the weights.
        """
        try:
            return restore_model(self.checkpoint).model
        except ValueError as error:
            raise input_error(
                f"the trial's model cannot be built: {error}",
                where=str(self.folder),
                key=self.trial_id,
                hint=self.remark,
            ) from error

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer that it was trained with."""
        files = SweepFolder(self.folder)
        path = files.tokenizer(self.row["tokenizer_fingerprint"])
        if not path.exists():
            path = files.tokenizer()
        return tokenizer_from_json(path.read_text(encoding="utf-8"))

    @cached_property
    def data(self) -> PreparedData:
        """The data that it was trained on, prepared again where it is no longer cached.

        Raises:
            InputError: the data cannot be read, or is not what it was.
        """
        # Imported late: they bring the search along, which a model that writes does without.
        from picosweep.sweeps.data import data_of_trial  # noqa: PLC0415
        from picosweep.sweeps.spec.load import load_stored_spec  # noqa: PLC0415

        return data_of_trial(self.row, *load_stored_spec(self.folder), self._results)

    def ids(self, prompt: str) -> list[int]:
        """Return the tokens of a prompt.

        Raises:
            InputError: the tokenizer cannot read it.
        """
        try:
            prompt.encode()  # what a terminal passes on may be no text
            return prompt_ids(self.tokenizer, prompt)
        except ValueError as error:
            raise unreadable_prompt(prompt, error) from error
