"""Gates: floors that a version must reach before it may be the default.

python -m models.evaluation.gates --weights models/weights/postbag-en-2026.12 --accept
"""

import argparse
import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.registry import accept, default_folder, open_weights

GATES = Path(__file__).with_name("gates.toml")
FIGURES = "figures.json"


@dataclass(frozen=True)
class Gate:
    """A floor, or a ceiling, for one figure."""

    task: str
    rows_from: str
    measure: str
    least: float | None = None
    most: float | None = None


def main(arguments: Sequence[str] | None = None) -> None:
    """Say which gates a version misses; with --accept, make it the default if it misses none."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, default=None)
    parser.add_argument("--accept", action="store_true")
    asked = parser.parse_args(arguments)
    folder = asked.weights or default_folder()
    missed = misses(folder)
    for line in missed:
        print(line)
    if missed:
        raise SystemExit(1)
    print(f"{folder.name} passes every gate.")
    if asked.accept:
        accept(folder)


def misses(folder: Path) -> list[str]:
    """Every gate that the figures of a version do not pass, in words; an unmeasured one is missed.

    Figures of other weights than those in the folder pass nothing.
    """
    measured = json.loads((folder / FIGURES).read_text())
    if measured["weights"] != open_weights(folder).manifest["sha256"]:
        return [f"{FIGURES} was measured with other weights: evaluate again"]
    return [said for gate in read_gates() if (said := _missed(gate, measured["figures"]))]


def read_gates() -> list[Gate]:
    """The gates, as their file lists them."""
    return [Gate(**gate) for gate in tomllib.loads(GATES.read_text())["gate"]]


def _missed(gate: Gate, figures: list[dict[str, Any]]) -> str | None:
    name = f"{gate.task}, {gate.rows_from}, {gate.measure}"
    for figure in figures:
        key = (figure["task"], figure["rows_from"], figure["measure"])
        if key == (gate.task, gate.rows_from, gate.measure):
            value = figure["interval"]["value"]
            if gate.least is not None and not value >= gate.least:
                return f"{name}: {value:.3f} is under {gate.least}"
            if gate.most is not None and not value <= gate.most:
                return f"{name}: {value:.3f} is over {gate.most}"
            return None
    return f"{name}: not measured"


if __name__ == "__main__":
    main()
