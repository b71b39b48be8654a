"""The model card: generated, so that it cannot drift from what was measured."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from models.registry import open_weights

if TYPE_CHECKING:
    from models.evaluation.evaluate import Figure


def write_card(folder: Path, figures: "Sequence[Figure]") -> None:
    """`card.md` in the folder of the weights that were measured."""
    manifest = open_weights(folder).manifest
    rows = "\n".join(
        f"| {f.score} | {f.rows_from} | {f.rows} | {f.positive:.3f} | "
        f"{f.auc:.3f} ({f.low:.3f} to {f.high:.3f}) | {f.length_auc:.3f} | "
        f"{'' if f.tfidf_auc is None else f'{f.tfidf_auc:.3f}'} | {f.calibration_error:.3f} |"
        for f in figures
    )
    thresholds = "\n".join(
        f"| `{reason}` | {value} |" for reason, value in manifest["thresholds"].items()
    )
    card = f"""# {manifest["version"]}

Encoder: {manifest["encoder"]} (Apache-2.0). Linear heads on its pooled token vectors; relevance by
comparison with the article's passages. English only.

## What it was measured on

Rows that neither training nor tuning saw, through the code that serves:
`python -m models.evaluation.evaluate`. AUC with a 95 % bootstrap interval. Baselines: the length of
the text alone, and logistic regression on word TF-IDF of the same training rows.

| score | rows | n | positive | AUC | length alone | TF-IDF | calibration error |
|---|---|---|---|---|---|---|---|
{rows}

## Suggested thresholds

For a queue share of about {manifest["queue_share"]:.0%} of ordinary comments, on the tuning slice of
rated reader comments; a newsroom's own stream will differ.

| reason | hold from |
|---|---|
{thresholds}

## What to know before relying on it

- The encoder is frozen: the heads see what a general sentence encoder keeps of a text.
- On texts about constructiveness, length alone is a strong baseline; read the figure beside it.
- The spam head learned old video and SMS spam and a generator of today's forms; families that are
  in neither will be missed.
- Identity words can raise `identity_attack` and `toxicity`; no gap per group has been measured yet.
- Relevance learned from titles and short descriptions, and from model raters, not from editors.
"""
    (folder / "card.md").write_text(card)
