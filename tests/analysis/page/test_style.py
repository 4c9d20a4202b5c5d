import itertools

import numpy as np
import pytest

from picosweep.analysis.page.style import (
    CATEGORY,
    DASHES,
    SHAPES,
    Mode,
    balanced,
    color,
    dash,
    shape,
    theme,
    use_theme,
)

CARD: dict[Mode, str] = {"light": "#ffffff", "dark": "#151a21"}
# Source: G. M. Machado, M. M. Oliveira, L. A. F. Fernandes, A Physiologically-based Model for
# Simulation of Color Vision Deficiency, 2009, severity 1.
DEFICIENCIES = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                   [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                     [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                   [0.004733, 0.691367, 0.303900]],
}  # fmt: skip


def linear(hexadecimal: str) -> np.ndarray:
    """Linear RGB of a colour."""
    values = np.array([int(hexadecimal[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of linear RGB."""
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    xyz = to_xyz @ rgb.clip(0, 1) / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize(("mode", "least"), [("light", 4.5), ("dark", 7.0)])
def test_colours_stand_out_from_the_card(mode: Mode, least: float) -> None:
    """Contrast by the web's accessibility rule, for text of any size."""
    weights = np.array([0.2126, 0.7152, 0.0722])
    card = weights @ linear(CARD[mode])
    for name in CATEGORY[mode]:
        light, dark = sorted([float(weights @ linear(name)), float(card)], reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= least, name


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_colour_blind_readers_tell_four_architectures_apart(mode: Mode, deficiency: str) -> None:
    """The first four colours stay apart as such a reader sees them; shapes and dashes help."""
    seen = [lab(np.array(DEFICIENCIES[deficiency]) @ linear(name)) for name in CATEGORY[mode][:4]]
    for one, other in itertools.combinations(seen, 2):
        assert np.linalg.norm(one - other) > 12


def test_eight_architectures_have_eight_shapes_and_dashes() -> None:
    """No two of the first eight look the same without colour; a ninth begins again."""
    names = [f"a{index}" for index in range(9)]
    assert len(set(SHAPES)) == len(SHAPES) == 8
    assert len({tuple(pattern) for pattern in DASHES}) == 8
    assert shape(names).to_dict()["scale"]["range"][8] == SHAPES[0]
    assert dash(names).to_dict()["scale"]["domain"] == names
    assert color(names, legend=False).to_dict()["legend"] is None


def test_notebooks_can_wear_the_theme() -> None:
    """Both themes are valid configurations with the same keys."""
    import altair as alt

    assert theme("light").keys() == theme("dark").keys()
    with alt.theme.enable("default"):
        use_theme("dark")
        config = alt.Chart().mark_point().to_dict()["config"]
        assert config["range"]["category"] == CATEGORY["dark"]


def test_no_row_of_small_charts_is_much_shorter_than_the_others() -> None:
    """Four in rows of at most three are two and two, not three and a lonely one."""
    assert [balanced(number, 3) for number in (1, 2, 3, 4, 5, 6)] == [1, 2, 3, 2, 3, 3]
    assert [balanced(number, 4) for number in (5, 6, 8, 9)] == [3, 3, 4, 3]
    assert balanced(5, 1) == 1
