"""On what was the sweep run, and from which spec?"""

import json
from collections.abc import Iterator, Mapping

import polars as pl

from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Figure, Panel
from picosweep.analysis.results import Results


def environment_table(
    environments: Mapping[str, Mapping[str, object]], specs: Mapping[str, Mapping[str, object]]
) -> pl.DataFrame:
    """Return every leaf of the environment and the spec as one row.

    Returns:
        sweep, source (`environment` or `spec`), key (dotted), content.
    """
    rows = [
        {"sweep": sweep, "source": source, "key": key, "content": value}
        for source, contents in (("environment", environments), ("spec", specs))
        for sweep, content in contents.items()
        for key, value in _leaves(content, "")
    ]
    schema = dict.fromkeys(("sweep", "source", "key", "content"), pl.String)
    return pl.DataFrame(rows, schema=schema)


def _leaves(content: object, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(content, Mapping):
        for key, value in content.items():
            name = wording.without_place(str(key))
            yield from _leaves(value, f"{path}.{name}" if path else name)
    elif isinstance(content, list):
        plain = not any(isinstance(item, Mapping | list) for item in content)
        named = (wording.without_place(str(item)) for item in content)
        yield path, ", ".join(named) if plain else json.dumps(content)
    elif content is not None:
        yield path, wording.without_place(str(content))


def environment_sentence(results: Results) -> str:
    """Say on which machines and devices the trials ran, and which files their data left out."""
    nodes = results.trials["node"].drop_nulls().n_unique()
    devices = results.trials["device"].drop_nulls().unique().sort().to_list()
    known = [f"{wording.plural(nodes, 'machine')}" if nodes else "", wording.listing(devices)]
    where = f"{known[0]} ({known[1]})" if all(known) else known[0] or known[1]
    data = results.trials["data_fingerprint"].drop_nulls().n_unique()
    text = f"The trials ran on {where}." if where else "Nobody recorded where the trials ran."
    if data > 1:
        text += f" They saw {data} different data sets: losses do not compare between those."
    for content in results.data.values():
        told = content.get("reading")
        text += "".join(f" {sentence}" for sentence in told) if isinstance(told, list) else ""
    return text


def figure(results: Results) -> Figure:
    """Return the table of environment and spec as a figure."""
    table = environment_table(results.environments, results.specs)
    if len(results.sweeps) < 2:
        table = table.drop("sweep")
    return Figure(
        key="environment",
        title="Environment and spec",
        panels=(
            Panel(
                sentence=environment_sentence(results), table=table, show_table=not table.is_empty()
            ),
        ),
    )
