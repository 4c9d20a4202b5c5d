"""The one error of a setting that cannot be used."""

import pickle

import pytest

from picosweep.pico.errors import FieldError, nearest
from picosweep.pico.field_checks import check_divides, check_value, one_of
from picosweep.pico.models.transformer import TransformerConfig


def test_its_message_says_field_value_and_what_is_allowed():
    """With or without a problem in words, and with the nearest name where one is near."""
    assert str(FieldError(field="rank", found=0, allowed="at least 1")) == (
        "rank is 0; allowed: at least 1"
    )
    error = FieldError("unknown mode", field="data.mode", found="'x'", allowed="a, b", near="a")
    assert str(error) == "data.mode: unknown mode (did you mean 'a'?); found 'x'; allowed: a, b"
    with pytest.raises(FieldError, match=r"norm is 'lyer'; .*did you mean 'layer'"):
        check_value("norm", "lyer", one_of("layer", "rms"))


def test_it_comes_whole_out_of_another_process():
    """Pickled and read back, every part is there."""
    error = FieldError("unknown", field="a", found=1, allowed="2", near="b", involved=("c",))
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), vars(again)) == (str(error), vars(error))


def test_it_names_the_settings_that_are_to_blame_together():
    """A value that is only wrong beside another one is not impossible by itself."""
    with pytest.raises(FieldError) as raised:
        check_divides("embed_size", 10, "num_heads", 4)
    assert (raised.value.field, raised.value.involved) == ("embed_size", ("num_heads",))
    with pytest.raises(FieldError) as raised:
        TransformerConfig(embed_size=-8)
    assert (raised.value.field, raised.value.involved) == ("embed_size", ())
    with pytest.raises(FieldError) as raised:
        TransformerConfig(norm_placement="before")
    assert raised.value.field == "norm_placement"


def test_the_nearest_name():
    """None where nothing is near, whatever kind of value was found."""
    assert nearest("trnsformer", ["lstm", "transformer"]) == "transformer"
    assert nearest(17, ["lstm", "transformer"]) is None
