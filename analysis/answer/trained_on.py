"""What was trained on, and how often was it read?"""

from picosweep.analysis.page.figure import Figure, Panel
from picosweep.analysis.results import Results


def trained_on(results: Results) -> list[str]:
    """Return what each sweep says of its data; nothing for those of older versions."""
    told = []
    for sweep, data in results.data.items():
        sentences = data.get("in_words")
        if isinstance(sentences, list) and sentences:
            prefix = f"{sweep}: " if len(results.data) > 1 else ""
            told.append(prefix + " ".join(map(str, sentences)))
    return list(dict.fromkeys(told))


def figure(results: Results) -> Figure | None:
    """Return the sentences as a figure; None where no sweep recorded them."""
    told = trained_on(results)
    if not told:
        return None
    return Figure(
        key="trained-on",
        title="What it was trained on",
        panels=(Panel(sentence=" ".join(told)),),
        plain=True,
    )
