"""Charts in a notebook without a network: Vega comes along with the first chart that is drawn.

Altair's own renderer loads its scripts from the internet, and shows nothing where there is none.
"""

import json
import sys
import uuid
from typing import Any, Final

import altair as alt

from picosweep.analysis.page.vega import vega_bundle

NAME: Final = "picosweep"
LIBRARY: Final = "picosweepVegaEmbed"
PATIENCE_SECONDS: Final = 20

_sent: set[str] = set()
"""Whether this process has put the scripts into an output already."""


def in_notebook() -> bool:
    """Return whether this is the process behind a notebook."""
    return "ipykernel" in sys.modules


def use_offline_charts() -> None:
    """Let notebooks draw every Altair chart of this process without a network.

    Where another renderer was chosen already, it stays. The scripts, some 900 kB, come with the
    next chart, and later ones use them; after that output was cleared, call this again.
    """
    _sent.clear()
    if alt.renderers.active in ("default", ""):
        alt.renderers.register(NAME, render)
        alt.renderers.enable(NAME)


def render(specification: dict[str, Any], **_options: Any) -> dict[str, str]:
    """Return a chart as HTML that needs nothing from elsewhere."""
    place = f"picosweep-{uuid.uuid4().hex}"
    library = ""
    if not _sent:
        _sent.add(LIBRARY)
        # In a function of its own: notebooks that offer `require` would get modules otherwise.
        library = (
            f"<script>(function(define, module, exports) {{ {vega_bundle()}\n"
            f"window.{LIBRARY} = window.vegaEmbed; }})();</script>"
        )
    text = json.dumps(specification).replace("</", "<\\/")
    missing = "The scripts of the first chart are not there: call picosweep.use_offline_charts()."
    return {
        "text/html": f"""{library}
<div id="{place}" style="width: 100%; min-width: 320px; max-width: 900px"></div>
<script>(function () {{
  const place = document.getElementById("{place}"), chart = {text};
  let waited = 0;
  (function draw() {{
    if (window.{LIBRARY}) {{
      window.{LIBRARY}(place, chart, {{actions: false}}).catch(e => place.textContent = e);
    }} else if ((waited += 0.1) < {PATIENCE_SECONDS}) {{
      setTimeout(draw, 100);
    }} else {{
      place.textContent = {json.dumps(missing)};
    }}
  }})();
}})();</script>""",
    }
