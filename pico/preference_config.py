"""How a model is trained on preferences: every hyperparameter of the task with its default."""

from dataclasses import dataclass
from typing import Annotated, Literal

from picosweep.pico.errors import FieldError
from picosweep.pico.field_checks import Count, NotNegative, Positive, check_fields, number

PreferenceLossName = Literal["dpo", "ipo", "simpo", "dpo_length_normalised", "cdpo"]
CorruptionName = Literal["shuffled", "other_document", "token_noise", "repeated"]
Flip = Annotated[float, number("from 0 to below 0.5", least=0, below=0.5)]


@dataclass(frozen=True, kw_only=True)
class PreferenceConfig:
    """Loss and pairs of one trial of preference training.

    Raises:
        ValueError: a field has a value outside its range, or one that its loss would ignore.
    """

    preference_loss: PreferenceLossName = "dpo"
    """`dpo` on sums of log-probabilities; `cdpo` the same where a share of labels is wrong; `ipo`
    and `dpo_length_normalised` on means per token; `simpo` on means, without a reference."""

    beta: Positive = 0.1
    """How strongly the loss holds the model to its reference: larger is closer. `simpo` takes 2 to
    10, where the others take 0.01 to 0.5."""

    gamma: NotNegative = 0.0
    """Margin that `simpo` asks for; no other loss has one."""

    label_flip: Flip = 0.0
    """Share of pairs whose labels `cdpo` takes to be swapped; no other loss has one."""

    corruption: CorruptionName = "shuffled"
    """What makes the rejected continuation of the chosen one: its tokens `shuffled`, the one of
    `other_document`, `token_noise` in three of ten places, or its first half `repeated`."""

    prompt_tokens: Count = 16
    """Tokens at the beginning of a document that are its pair's prompt, its mark among them."""

    @property
    def has_reference(self) -> bool:
        """Whether the loss looks at the reference; the evaluation does so in any case."""
        return self.preference_loss != "simpo"

    def __post_init__(self) -> None:
        """Check every field, and that the loss has what is set."""
        check_fields(self)
        for name, owner in (("gamma", "simpo"), ("label_flip", "cdpo")):
            if getattr(self, name) and self.preference_loss != owner:
                raise FieldError(
                    field=name,
                    found=getattr(self, name),
                    allowed=f"0, with preference_loss {self.preference_loss}; only {owner} has one",
                    involved=("preference_loss",),
                )
        if self.preference_loss == "cdpo" and not self.label_flip:
            raise FieldError(
                field="label_flip",
                found=self.label_flip,
                allowed="above 0, with preference_loss cdpo; 0 is dpo",
                involved=("preference_loss",),
            )
