"""Export: a run folder into a version of weights that can be served.

    python -m models.training.export --run runs/frozen --data ../shared/data

The suggested thresholds are the ones that send the configured share of ordinary comments to the queue:
dev rows of the rated reader comments, which no head learned from.
"""

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from models.data.sets import Example, is_held_out, load
from models.inference import Article, Classifier, Comment
from models.network import encoder_folder
from models.registry import FOLDER, write_manifest

# Reason of the policy → the score it is judged by, and its part of the queue's share.
PARTS = {
    "spam": ("spam", 0.15),
    "off_topic": ("relevance", 0.40),
    "abusive": ("toxicity", 0.35),
    "threat": ("threat", 0.05),
    "hateful": ("identity_attack", 0.05),
}
# A suggestion never goes under these: a quiet dev set must not make the policy nervous.
LOWEST = 0.5


def main(arguments: Sequence[str] | None = None) -> None:
    """Assemble the folder, measure the thresholds, seal it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, default=Path("runs/frozen"))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--into", type=Path, default=FOLDER)
    asked = parser.parse_args(arguments)
    run = json.loads((asked.run / "run.json").read_text())
    folder = asked.into / run["version"]
    assemble(asked.run, folder, run, thresholds={})
    ordinary = [
        e
        for e in load(asked.data / "train", "insight_rubric")
        if e.split == "dev" and not is_held_out(e) and not e.row["x_hard_negative"]
    ]
    thresholds = suggest(Classifier.load(folder), ordinary, run["config"]["queue_share"])
    assemble(asked.run, folder, run, thresholds=thresholds)
    print(folder, thresholds)


def assemble(
    source: Path, folder: Path, run: dict[str, Any], *, thresholds: dict[str, float]
) -> None:
    """Write the version's folder anew."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in ("encoder.xml", "encoder.bin", "heads.safetensors"):
        shutil.copy(source / name, folder / name)
    shutil.copy(encoder_folder() / "tokenizer.json", folder / "tokenizer.json")
    write_manifest(
        folder,
        {
            "version": run["version"],
            "encoder": "sentence-transformers/all-MiniLM-L6-v2, frozen, 8-bit weights",
            "calibration": run["calibration"],
            "thresholds": thresholds,
            "queue_share": run["config"]["queue_share"],
            "training": run["notes"],
        },
    )


def suggest(classifier: Classifier, ordinary: list[Example], share: float) -> dict[str, float]:
    """A threshold a reason, each passing its part of `share` of ordinary comments on to a person."""
    passages = {}
    for example in ordinary:
        row = example.row
        if row["article_id"] not in passages:
            article = Article(row["article_title"], row["article_desc"] or "", "")
            passages[row["article_id"]] = classifier.passages(article)
    scored = classifier.predict(
        [Comment(text=e.text, passages=passages[e.row["article_id"]]) for e in ordinary]
    )
    thresholds = {}
    for reason, (label, part) in PARTS.items():
        values = np.array([each.scores[label] for each in scored])
        harm = 1 - values if label == "relevance" else values
        thresholds[reason] = round(max(LOWEST, float(np.quantile(harm, 1 - share * part))), 4)
    return thresholds


if __name__ == "__main__":
    main()
