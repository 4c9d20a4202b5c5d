"""What the report says, as plain data for scripts."""

from typing import Any

from picosweep.analysis.answer.before_after import change_table
from picosweep.analysis.answer.headline import headline_table
from picosweep.analysis.report import first_screen
from picosweep.analysis.results import Results


def summary(results: Results) -> dict[str, Any]:
    """Return the first screen and the table behind it in plain JSON types.

    Returns:
        sweeps, metric, verdict, sentence, winner (architecture of the best setting found, even
        where the verdict calls none better; None for a comparison or where nothing finished),
        settings (of that setting, as text), commands, best (a row per architecture, best first; see
        `headline_table`), change (a row per architecture when two sweeps are compared; see
        `before_after_table`), warnings.
    """
    screen = first_screen(results)
    settings = results.setting_names
    best = headline_table(
        results.full_budget, settings, results.metric.column, results.varied
    ).to_dicts()
    return {
        "sweeps": list(results.sweeps),
        "metric": results.metric.column,
        "verdict": screen.verdict,
        "sentence": screen.sentence,
        "winner": screen.winner,
        "settings": dict(screen.settings),
        "commands": dict(screen.commands),
        "best": best,
        "change": change_table(results).to_dicts() if results.compared else [],
        "warnings": [*results.caveats, *results.warnings],
    }
