"""Evaluation: what a version of weights does on rows that neither training nor tuning saw.

    python -m models.evaluation.evaluate --data ../shared/data

Everything is scored by `Classifier`, the code that serves. Prints one table, and writes `figures.json` and
`card.md` into the weights' folder. `models.evaluation.gates` says whether the version may be the default.
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from models.evaluation.bench import Bench, Figure
from models.evaluation.card import table, write_card
from models.evaluation.gates import FIGURES
from models.evaluation.tasks import TASKS
from models.registry import default_folder, open_weights


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, write the figures and the card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--weights", type=Path, default=None)
    parser.add_argument("--cache", type=Path, default=Path("runs/released"))
    asked = parser.parse_args(arguments)
    folder = asked.weights or default_folder()
    manifest = open_weights(folder).manifest
    bench = Bench.open(folder, asked.data, asked.cache)
    figures: list[Figure] = []
    for task in TASKS:
        began = time.monotonic()
        figures += task(bench)
        print(f"{task.__name__}: {time.monotonic() - began:.0f} s", flush=True)
    print(table(figures))
    measured = {"weights": manifest["sha256"], "figures": [asdict(f) for f in figures]}
    (folder / FIGURES).write_text(json.dumps(measured, indent=1) + "\n")
    write_card(folder, figures)


if __name__ == "__main__":
    main()
