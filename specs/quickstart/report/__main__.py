"""Print a table of the modules this application uses and the layers they came from."""

from pathlib import Path

import rich
import tabulate

from report.layers import layer_of

if __name__ == "__main__":
    rows = [(module.__name__, layer_of(Path(str(module.__file__)))) for module in (tabulate, rich)]
    rows.append(("report", layer_of(Path(__file__))))
    print(tabulate.tabulate(rows, headers=("module", "layer")))
