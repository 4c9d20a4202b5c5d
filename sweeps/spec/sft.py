"""The sweep that trains a preference sweep's references first, as its spec's `sft` describes it.

It is an ordinary sweep of language modelling over the same architectures on the same data, in a
folder of its own. What a model is, both sweeps must agree on, so that stands in `architectures` and
`common` alone; how the reference is trained stands in `sft` alone.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Final

from picosweep.pico.errors import FieldError
from picosweep.sweeps.spec.architectures import SOURCE_KEYS, NamedArchitecture
from picosweep.sweeps.spec.document import Document
from picosweep.sweeps.spec.hyperparameters import DataSettings
from picosweep.sweeps.spec.schema import Spec

SHARED: Final = ("seed", "data", "evaluation", "samples", "resources", "limits")
"""Sections that both sweeps have alike."""


def sft_name(name: str) -> str:
    """Return the name of the sweep that trains the references of another."""
    return f"{name}-sft"


def sft_content(spec: Spec, architectures: Mapping[str, NamedArchitecture]) -> dict[str, Any]:
    """Return the spec of the sweep that trains the references, as it would be written.

    Args:
        spec: the spec of preference training, with `sft`.
        architectures: its architectures by name.

    Raises:
        FieldError: a setting of the model is searched, or stands in `sft`.
    """
    written = spec.model_dump(mode="json", exclude_unset=True)
    own = dict(written["sft"])
    of_sft = own.pop("architectures", {})
    if unknown := sorted(of_sft.keys() - architectures.keys()):
        raise FieldError(
            "no such architecture in this sweep",
            field=f"sft.architectures.{unknown[0]}",
            found=unknown[0],
            allowed=", ".join(architectures),
        )
    return {
        **{name: written[name] for name in SHARED if name in written},
        "name": sft_name(spec.name),
        "architectures": {
            name: {
                **_model_settings(spec, named),
                **_of_training(of_sft.get(name, {}), [named], f"sft.architectures.{name}"),
            }
            for name, named in architectures.items()
        },
        **{name: value for name, value in own.items() if value is not None},
        "common": _of_training(own.get("common", {}), architectures.values(), "sft.common"),
    }


def sft_document(document: Document, content: Mapping[str, Any]) -> Document:
    """Return where that spec's keys stand in the file: under `sft`, or where both have them."""
    lines = {key[1:]: line for key, line in document.lines.items() if key[:1] == ("sft",)}
    shared = (*SHARED, "architectures")
    for key, line in document.lines.items():
        if key[:1] == () or key[0] in shared:
            lines.setdefault(key, line)
    return Document(path=document.path, content=content, lines=lines)


def _model_settings(spec: Spec, named: NamedArchitecture) -> dict[str, Any]:
    """Return what an architecture's model is, of its own entry and of the common one."""
    own = spec.architectures[named.name]
    found: dict[str, Any] = {name: own[name] for name in SOURCE_KEYS if name in own}
    for section, values in (("common", spec.common), (f"architectures.{named.name}", own)):
        for name, value in values.items():
            if name not in _names_of_model(named):
                continue
            if isinstance(value, Mapping) or (isinstance(value, list) and len(value) != 1):
                raise FieldError(
                    "sft trains one reference for each architecture, so what the model is cannot "
                    "be searched",
                    field=f"{section}.{name}",
                    found=str(value),
                    allowed="one value; two models are two architectures, each with a name",
                )
            found[name] = value
    return found


def _of_training(
    values: Mapping[str, Any], architectures: Iterable[NamedArchitecture], section: str
) -> Mapping[str, Any]:
    """Return the settings of a section as they are, none of which says what the model is."""
    of_model = {name for named in architectures for name in _names_of_model(named)}
    if found := sorted(values.keys() & {*of_model, *SOURCE_KEYS}):
        raise FieldError(
            "what the model is stands in architectures or common, for the reference as well",
            field=f"{section}.{found[0]}",
            found=str(values[found[0]]),
            allowed="settings of training",
        )
    return values


def _names_of_model(named: NamedArchitecture) -> frozenset[str]:
    classes = (named.config_class, DataSettings)
    return frozenset(field.name for one in classes for field in dataclasses.fields(one))
