"""The user's own files that a spec's model classes are made of: other machines are given them."""

from pathlib import Path

from picosweep.pico.models.registry import MODELS
from picosweep.pico.models.user_code import own_roots
from picosweep.sweeps.spec.schema import Spec


def user_modules(spec: Spec) -> list[Path]:
    """Return the files and folders to copy, so that the spec's own classes can be imported.

    A name that cannot be found is left out, too: importing the class gives a better message.
    """
    models = {str(written.get("model", "")) for written in spec.architectures.values()}
    names = {model.partition(":")[0] for model in models if ":" in model and model not in MODELS}
    return sorted({root for name in names for root in own_roots(name)})
