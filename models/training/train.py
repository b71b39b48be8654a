"""Training: the encoder and its heads, by one recipe, into a run folder.

    python -m models.training.train --data ../shared/data --config models/training/configs/tuned.toml --run runs/tuned

Learns from the LEARN part of `train/` alone (`models.data.sets.part_of`): the TUNE part is for calibration and
thresholds (`models.training.export`), the TEST part for evaluation. `--fold` names the part that is the test.
"""

import argparse
import json
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from models.training.finetune import tune
from models.training.plan import Tuning

RUN = "run.json"


@dataclass(frozen=True)
class Config:
    """A recipe, as its TOML file gives and explains it."""

    version: str
    seed: int
    queue_share: float
    tuning: Tuning


def read_config(path: Path) -> Config:
    """The recipe in a file."""
    read = tomllib.loads(path.read_text())
    return Config(**{**read, "tuning": Tuning(**read["tuning"])})


def main(arguments: Sequence[str] | None = None) -> None:
    """Learn, and write the run folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--config", type=Path, default=Path("models/training/configs/tuned.toml"))
    parser.add_argument("--run", type=Path, default=Path("runs/tuned"))
    parser.add_argument("--fold", type=int, default=0)
    asked = parser.parse_args(arguments)
    config = read_config(asked.config)
    asked.run.mkdir(parents=True, exist_ok=True)
    (asked.run / RUN).write_text(
        json.dumps({"fold": asked.fold, **asdict(config)}, indent=1) + "\n"
    )
    tune(asked.data / "train", asked.run, config.tuning, seed=config.seed, fold=asked.fold)


if __name__ == "__main__":
    main()
