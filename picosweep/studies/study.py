"""A study: a question, the sweeps that ask it, and claims with how each is judged.

It is data: `sweeps/studies/NAME/study.yaml`. A claim names a statistic of the sweeps' tables and a
bound; whether it holds is worked out, never written down.
"""

from collections.abc import Mapping
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from picosweep.pico.presets import PRESETS
from picosweep.sweeps.errors import did_you_mean, input_error
from picosweep.sweeps.spec.document import read_yaml

Profile = Literal["small", "full"]
Arm = Annotated[str, Field(pattern=r"^[^/@]+/[^/@]+(@\d+)?$")]
"""`sweep/architecture`: the best setting of an architecture in a sweep, over fresh seeds; with
`@0` behind it as it was at rung 0, where figures are those of `reports`."""

_FOLDER: Final = Path(str(files("picosweep.sweeps"))) / "studies"
_FILE: Final = "study.yaml"
_OWN_FILE: Final = "study:"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Claim(_Section):
    """Something that was said, and what decides whether it holds.

    Exactly one statistic: `difference` of two arms' means, `value` of one arm, or `preset`, the
    parameters of a shipped model, which no training is needed for.
    """

    name: str
    text: str
    original: str = ""
    """Figures of the study that this one goes back to."""
    difference: tuple[Arm, Arm] | None = Field(default=None, strict=False)
    value: Arm | None = None
    preset: str | None = None
    metric: str = "val_loss"
    table: str = "trials"
    """Where the metric stands; of other tables than `trials`, in the rows that `where` names."""
    where: dict[str, str | int] = Field(default_factory=dict)
    where_second: dict[str, str | int] | None = None
    """Rows of the second arm, where they are others than the first one's."""
    reduce: Literal["mean", "max", "min"] = "mean"
    """What makes one number of a trial's several rows."""
    paired: bool = False
    """Whether the two arms are compared seed by seed: they see the same batches, and a difference
    that is far smaller than the seeds' scatter is to be told."""
    below: float | None = None
    above: float | None = None
    wrong: str = ""
    """What was wrong in the original, told where the claim does not hold."""

    @model_validator(mode="after")
    def _one_statistic(self) -> Self:
        given = [self.difference, self.value, self.preset]
        if sum(one is not None for one in given) != 1:
            raise ValueError("a claim has one of difference, value, preset")
        if (self.below is None) == (self.above is None):
            raise ValueError("a claim has one bound: below or above")
        if self.difference is None and (self.paired or self.where_second is not None):
            raise ValueError("paired and where_second are of two arms")
        if self.preset is not None and self.preset not in PRESETS:
            raise ValueError(f"no preset {self.preset}")
        return self

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms that it looks at."""
        if self.difference is not None:
            return self.difference
        return () if self.value is None else (self.value,)

    def rows_of(self, place: int) -> dict[str, str | int]:
        """Return what names the rows of an arm, the first (0) or the second (1)."""
        second = self.where_second
        return second if place == 1 and second is not None else self.where


class Picture(_Section):
    """A chart of a sweep's report, by the key of its figure and the place of its tab."""

    sweep: str
    figure: str
    tab: int = 0
    architecture: str = ""
    """In place of a tab's number: the first tab of this architecture's."""
    layer: int | None = None
    """Of attention maps: the layer whose heads are shown, counted from 0 as in the tables."""

    @model_validator(mode="after")
    def _layer_of_attention(self) -> Self:
        if (self.layer is None) == (self.figure == "attention"):
            raise ValueError("a picture of attention, and no other, names a layer")
        return self


class Decoder(_Section):
    """How a text is drawn."""

    temperature: float = Field(default=1.0, ge=0)
    top_k: int | None = Field(default=None, ge=1)
    top_p: float = Field(default=1.0, gt=0, le=1)


class Texts(_Section):
    """What the best trial of an arm writes after a prompt, by decoder."""

    arm: Arm
    prompt: str
    decoders: list[Decoder] = Field(default_factory=list)
    """None: the texts that it wrote at the end of its training."""
    num_tokens: int = Field(default=40, ge=1)
    """Most tokens of a text, where decoders are given."""


class StudySweep(_Section):
    """One sweep of a study: what it asks, its spec, and what each profile changes in it."""

    asks: str
    starts_from: dict[str, Arm] = Field(default_factory=dict)
    """By architecture: the arm of an earlier sweep from whose weights its trials go on, in that
    sweep's tokens. The others start from random weights."""
    best: int = Field(default=0, ge=0)
    """How many of the best trials the page lists."""
    spec: dict[str, Any] = Field(default_factory=dict)
    small: dict[str, Any] = Field(default_factory=dict)
    full: dict[str, Any] = Field(default_factory=dict)


class Study(_Section):
    """All of a study but its numbers."""

    title: str
    question: str
    original: str
    """The study that it goes back to: what it did, and what it found."""
    mended: list[str] = Field(default_factory=list)
    """What was wrong in it, and is done otherwise here."""
    local: str = ""
    """What a local file in place of a hub's data must look like."""
    base: dict[str, Any] = Field(default_factory=dict)
    small: dict[str, Any] = Field(default_factory=dict)
    full: dict[str, Any] = Field(default_factory=dict)
    sweeps: dict[str, StudySweep]
    claims: list[Claim]
    pictures: list[Picture] = Field(default_factory=list)
    texts: list[Texts] = Field(default_factory=list)

    @model_validator(mode="after")
    def _known_arms(self) -> Self:
        for claim in self.claims:
            for arm in claim.arms:
                sweep, architecture, _ = parts_of(arm)
                if sweep not in self.sweeps:
                    raise ValueError(f"claim {claim.name}: no sweep {sweep}")
                if architecture not in self._merged(sweep, "small")["architectures"]:
                    raise ValueError(f"claim {claim.name}: no architecture {architecture}")
        before: set[str] = set()
        for name, own in self.sweeps.items():
            sources = {parts_of(arm)[0] for arm in own.starts_from.values()}
            if len(sources) > 1 or not sources <= before:
                raise ValueError(f"sweep {name}: starts_from names one earlier sweep")
            before.add(name)
        return self

    @cached_property
    def num_intervals(self) -> int:
        """How many claims are judged by an interval, which are to hold all at once."""
        return sum(claim.preset is None for claim in self.claims)

    def spec(self, name: str, sweep: str, profile: Profile, source: str | None) -> dict[str, Any]:
        """Return the spec of one of the sweeps.

        Args:
            name: the study's name.
            sweep: the sweep's name in the study.
            profile: how large.
            source: a file in place of data from a hub; None: what the study says.
        """
        spec = self._merged(sweep, profile)
        if source is not None and is_of_hub(spec):
            spec = merged(spec, {"data": {"source": source}})
        return {"name": sweep_name(name, sweep, profile), **spec}

    def _merged(self, sweep: str, profile: Profile) -> dict[str, Any]:
        own = self.sweeps[sweep]
        of_profile, of_sweep = getattr(self, profile), getattr(own, profile)
        return merged(self.base, of_profile, own.spec, of_sweep)


def is_of_hub(spec: Mapping[str, Any]) -> bool:
    """Return whether a sweep's data comes from a hub."""
    return str(spec["data"].get("source", "")).startswith("hf:")


def parts_of(arm: str) -> tuple[str, str, int | None]:
    """Return the sweep, the architecture and the rung of an arm; None for the end of training."""
    sweep, _, architecture = arm.partition("/")
    architecture, _, rung = architecture.partition("@")
    return sweep, architecture, int(rung) if rung else None


def sweep_name(study: str, sweep: str, profile: Profile) -> str:
    """Return the name of a study's sweep in the results folder."""
    return f"{study}-{sweep}" if profile == "small" else f"{study}-{sweep}-{profile}"


def merged(*mappings: Mapping[str, Any]) -> dict[str, Any]:
    """Return mappings laid over each other, section by section; later ones win.

    An architecture, a tokenizer or another mapping with `replace: true` is not mixed with the one
    below it.
    """
    found: dict[str, Any] = {}
    for mapping in mappings:
        for key, value in mapping.items():
            below = found.get(key)
            if isinstance(value, Mapping):
                kept = {} if value.get("replace") or not isinstance(below, Mapping) else below
                own = {name: one for name, one in value.items() if name != "replace"}
                found[key] = merged(kept, own)
            else:
                found[key] = value
    return found


def study_names() -> list[str]:
    """Return the names of the shipped studies."""
    return sorted(file.parent.name for file in _FOLDER.glob(f"*/{_FILE}"))


def load_study(name: str) -> tuple[str, Study]:
    """Read a shipped study by its name, or one of your own by its file; return its name, too.

    Raises:
        InputError: there is none of this name, or the file is no study.
    """
    own = Path(name)
    if own.suffix in (".yaml", ".yml"):
        return (own.resolve().parent.name if own.stem == "study" else own.stem), read_study(own)
    names = study_names()
    if name not in names:
        raise input_error(
            "no such study", found=name, allowed=", ".join(names), hint=did_you_mean(name, names)
        )
    return name, read_study(_FOLDER / name / _FILE)


def _located(content: Any, folder: Path) -> Any:
    """Return what a study's file says, with each text `study:NAME` made the path of its file."""
    if isinstance(content, dict):
        return {key: _located(value, folder) for key, value in content.items()}
    if isinstance(content, list):
        return [_located(value, folder) for value in content]
    if isinstance(content, str) and content.startswith(_OWN_FILE):
        return str(folder / content.removeprefix(_OWN_FILE))
    return content


def read_study(file: Path) -> Study:
    """Read a study's file; `study:NAME` in it is a file beside it.

    Raises:
        InputError: it is not one.
    """
    document = read_yaml(file)
    try:
        return Study.model_validate(_located(document.content, file.parent))
    except ValidationError as error:
        raise input_error(f"not a study: {error}", where=str(file)) from error
