"""Training: heads on the frozen encoder, fitted and calibrated, into a run folder.

    python -m models.training.train --data ../shared/data --config models/training/configs/frozen.toml --run runs/frozen

Heads learn from rows of `train` splits and are chosen and calibrated on `dev` rows; the held-out tenth of
both (`models.data.sets.is_held_out`) is for evaluation alone.
"""

import argparse
import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file
from sklearn.linear_model import LogisticRegression

from models.data import sets
from models.data.sets import Example
from models.data.spam_forms import Forms
from models.encoder import WIDTH, Encoder
from models.labels import HEADS, SPAM_HEADS
from models.network import convert, encoder_folder, load_encoder
from models.text import FACTS
from models.training.features import pooled
from models.training.pairs import fit_relevance

Array = NDArray[np.float32]
POOLED = 2 * WIDTH
ENOUGH_TO_CALIBRATE = 20


@dataclass(frozen=True)
class Config:
    """One run, as its TOML file says."""

    version: str
    seed: int
    sets: dict[str, int]
    spam_forms: int
    honest_forms: int
    unlabelled_as_honest: list[str]
    strengths: list[float]
    relevance_negatives: int
    queue_share: float


@dataclass(frozen=True)
class Head:
    """A linear head on raw features, and Platt's two numbers."""

    weights: Array
    offset: float
    calibration: tuple[float, float]
    notes: dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> None:
    """Encode, fit every head, fit relevance, write the run folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--config", type=Path, default=Path("models/training/configs/frozen.toml"))
    parser.add_argument("--run", type=Path, default=Path("runs/frozen"))
    asked = parser.parse_args(arguments)
    config = Config(**tomllib.loads(asked.config.read_text()))
    encoder = open_encoder(asked.run)
    examples = gather(asked.data / "train", config)
    print(f"{len(examples)} examples")
    features = pooled(encoder, examples, cache=asked.run / "cache", say=print)
    heads = {label: fit_head(label, examples, features, config) for label in HEADS}
    relevance = fit_relevance(
        encoder, asked.data / "train", seed=config.seed, negatives=config.relevance_negatives
    )
    write_run(asked.run, config, heads, relevance)


def open_encoder(run: Path) -> Encoder:
    """The encoder as it will serve; converted once a run folder."""
    model = run / "encoder.xml"
    if not model.exists():
        convert(load_encoder(), model)
    return Encoder(model, encoder_folder() / "tokenizer.json", threads=None)


def gather(folder: Path, config: Config) -> list[Example]:
    """Every example that some head learns from."""
    examples: list[Example] = []
    for name, most in config.sets.items():
        for example in sets.load(folder, name, most=most):
            # Readers' comments under articles are what spam must be told from; hardly any of them is spam.
            honest = name in config.unlabelled_as_honest and "spam" not in example.labels
            labels = {**example.labels, "spam": 0.0} if honest else example.labels
            if labels:
                examples.append(
                    Example(
                        text=example.text,
                        labels=labels,
                        source=name,
                        group=example.group,
                        split=example.split,
                    )
                )
    forms = Forms(config.seed)
    held_out = Forms(config.seed + 100)
    examples += [*forms.spam(config.spam_forms), *forms.honest(config.honest_forms)]
    for example in [
        *held_out.spam(config.spam_forms // 8),
        *held_out.honest(config.honest_forms // 8),
    ]:
        examples.append(
            Example(
                text=example.text,
                labels=example.labels,
                source=example.source,
                group=example.group,
                split="dev",
                author_name=example.author_name,
                author_url=example.author_url,
            )
        )
    return examples


def fit_head(label: str, examples: list[Example], features: Array, config: Config) -> Head:
    """Logistic regression; strength by dev log loss, Platt on the dev rows."""
    known = np.array([label in e.labels and not sets.is_held_out(e) for e in examples])
    dev = np.array([example.split == "dev" for example in examples])
    truth = np.array([round(example.labels.get(label, 0.0)) for example in examples])
    used = features if label in SPAM_HEADS else features[:, :POOLED]
    mean, deviation = used[known & ~dev].mean(axis=0), used[known & ~dev].std(axis=0) + 1e-3
    scaled = (used - mean) / deviation
    best: tuple[float, float, LogisticRegression] | None = None
    for strength in config.strengths:
        model = LogisticRegression(C=strength, max_iter=400)
        model.fit(scaled[known & ~dev], truth[known & ~dev])
        logits = model.decision_function(scaled[known & dev])
        loss = float(np.logaddexp(0, np.where(truth[known & dev] == 1, -logits, logits)).mean())
        if best is None or loss < best[0]:
            best = (loss, strength, model)
    if best is None:
        raise ValueError("the config names no strengths")
    loss, strength, model = best
    weights = np.zeros(POOLED + len(FACTS), dtype=np.float32)
    raw = model.coef_[0] / deviation
    weights[: len(raw)] = raw
    notes = {
        "train": int((known & ~dev).sum()),
        "dev": int((known & dev).sum()),
        "positive": float(truth[known].mean()),
        "strength": strength,
        "dev_log_loss": round(loss, 4),
    }
    print(label, notes)
    return Head(
        weights=weights,
        offset=float(model.intercept_[0] - raw @ mean),
        calibration=calibrate(model.decision_function(scaled[known & dev]), truth[known & dev]),
        notes=notes,
    )


def calibrate(logits: Array, truth: NDArray[np.int_]) -> tuple[float, float]:
    """Platt's slope and offset; a handful of positives cannot tell, and the head's own say stays."""
    if min(truth.sum(), (1 - truth).sum()) < ENOUGH_TO_CALIBRATE:
        return 1.0, 0.0
    platt = LogisticRegression(C=1e6)
    platt.fit(logits.reshape(-1, 1), truth)
    return float(platt.coef_[0, 0]), float(platt.intercept_[0])


def write_run(
    run: Path, config: Config, heads: dict[str, Head], relevance: tuple[Array, Array]
) -> None:
    """The run folder: tensors, and a JSON file with everything that is not one."""
    save_file(
        {
            "heads.weights": np.stack([heads[label].weights for label in HEADS]),
            "heads.offsets": np.array([heads[label].offset for label in HEADS], dtype=np.float32),
            "relevance.weights": relevance[0],
            "relevance.offsets": relevance[1],
        },
        run / "heads.safetensors",
    )
    (run / "run.json").write_text(
        json.dumps(
            {
                "version": config.version,
                "config": vars(config),
                "calibration": {label: heads[label].calibration for label in HEADS},
                "notes": {label: heads[label].notes for label in HEADS},
            },
            indent=1,
        )
        + "\n"
    )


if __name__ == "__main__":
    main()
