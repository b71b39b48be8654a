"""Export: a run folder into a version of weights that can be served.

    python -m models.training.export --run runs/tuned --data ../shared/data

The encoder goes to 8 bits; then everything that is still open is fitted through the code that serves, on the
TUNE part, which the network did not learn from: calibration, abstain bands, relevance, and the thresholds that
send the configured share of ordinary comments to the queue.
"""

import argparse
import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from models.calibration import Platt, abstain_band
from models.data import sets
from models.data.forms import Forms
from models.data.sets import Example, Part, part_of
from models.encoder import Encoder
from models.inference import Article, Classifier, Comment, Passages
from models.labels import HEADS, KIND_HEADS, SPAM_HEADS, TOXICITY_HEADS
from models.network import convert, encoder_folder
from models.registry import FOLDER, write_manifest
from models.training import finetune
from models.training.batches import Reader
from models.training.pairs import fit_relevance
from models.training.train import RUN

Array = NDArray[np.float32]

# Reason of the policy → the score it is judged by, and its part of the queue's share.
PARTS = {
    "spam": ("spam", 0.15),
    "off_topic": ("relevance", 0.35),
    "abusive": ("toxicity", 0.35),
    "threat": ("threat", 0.05),
    "hateful": ("identity_attack", 0.05),
    "incoherent": ("incoherent", 0.05),
}
# A suggestion never goes under these: a quiet tuning set must not make the policy nervous.
LOWEST = 0.5
# Sets whose mix of classes is not a made one, for each kind of head. Where all are chosen for being
# harmful (tweets by slur, posts by earlier flags), a probability would be read as too high.
CALIBRATED_ON = {
    **dict.fromkeys(SPAM_HEADS, ("youtube_spam", "sms_spam", "insight_rubric", "forms")),
    **dict.fromkeys(TOXICITY_HEADS, ("jigsaw_wiki", "wiki_cat", "insight_rubric", "surge")),
    **dict.fromkeys(KIND_HEADS, ("insight_rubric", "forms")),
}
RATED = ("insight_rubric",)
FORMS = 3000
ENOUGH_TO_CALIBRATE = 15
BAND_ERROR = 0.05
SAMPLES = 300
# A batch of the calibration of activations: short and long texts, as the service packs them.
SAMPLE_ROWS = 4


@dataclass(frozen=True)
class Tuned:
    """The TUNE part: examples, and their raw logits by the encoder that serves, (n, heads)."""

    examples: list[Example]
    logits: Array


def main(arguments: Sequence[str] | None = None) -> None:
    """Convert, fit what is open, seal the folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, default=Path("runs/tuned"))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--into", type=Path, default=FOLDER)
    asked = parser.parse_args(arguments)
    run = json.loads((asked.run / RUN).read_text())
    examples = tuning_rows(asked.data / "train", run)
    network = finetune.load(asked.run)
    convert(network.encoder, asked.run / "encoder.xml", samples(examples))
    encoder = Encoder(asked.run / "encoder.xml", encoder_folder() / "tokenizer.json", threads=None)
    rated = [e for e in examples if e.source == "insight_rubric"]
    weights, offsets = fit_relevance(encoder, rated, seed=run["seed"])
    tensors = {
        **network.tensors(),
        "relevance.weights": torch.from_numpy(weights),
        "relevance.offsets": torch.from_numpy(offsets),
    }
    save_file(tensors, asked.run / "heads.safetensors")
    folder = asked.into / run["version"]
    identity = {label: Platt(1.0, 0.0) for label in HEADS}
    assemble(asked.run, folder, run, calibration=identity)
    classifier = Classifier.load(folder)
    tuned = Tuned(examples, logits_of(classifier, examples))
    calibration = {label: calibrate(tuned, label) for label in HEADS}
    bands = {label: band(tuned, label, calibration[label]) for label in HEADS}
    assemble(asked.run, folder, run, calibration=calibration)
    ordinary = [e for e in rated if not e.row["x_hard_negative"]]
    thresholds = suggest(Classifier.load(folder), ordinary, run["queue_share"])
    assemble(asked.run, folder, run, calibration=calibration, thresholds=thresholds, bands=bands)
    print(folder, json.dumps(thresholds), json.dumps(bands))


def tuning_rows(folder: Path, run: dict[str, Any]) -> list[Example]:
    """The TUNE part of every set that some head is calibrated on."""
    names = {name for some in CALIBRATED_ON.values() for name in some} | set(RATED)
    examples: list[Example] = []
    for name in sorted(names - {"forms"}):
        if (folder / f"{name}.jsonl.zst").exists():
            examples += sets.load(folder, name)
    forms = Forms(run["seed"])
    for kind in ("spam", "honest", "site_talk"):
        examples += getattr(forms, kind)(FORMS)
    return [e for e in examples if part_of(e, fold=run["fold"]) is Part.TUNE]


def samples(examples: list[Example]) -> Iterable[dict[str, Tensor]]:
    """Inputs as the service makes them, for the scales of the activations."""
    reader = Reader()
    order = np.random.default_rng(0).permutation(len(examples))
    texts = [examples[i].text for i in order]
    batches = (texts[i : i + SAMPLE_ROWS] for i in range(0, len(texts), SAMPLE_ROWS))
    for batch in islice(batches, SAMPLES):
        read = reader.read(batch, 256)
        yield {"input_ids": read.ids, "attention_mask": read.mask}


def logits_of(classifier: Classifier, examples: list[Example]) -> Array:
    """(n, heads), each comment as it would be served, but under no article."""
    comments = [
        Comment(text=e.text, author_name=e.author_name, author_url=e.author_url) for e in examples
    ]
    return classifier.logits(comments)


def calibrate(tuned: Tuned, label: str) -> Platt:
    """Platt's slope and offset; a handful of rows cannot tell, and the head's own say stays."""
    logits, truth = _known(tuned, label)
    if min(truth.sum(), (1 - truth).sum()) < ENOUGH_TO_CALIBRATE:
        return Platt(1.0, 0.0)
    fitted = LogisticRegression(C=1e6)
    fitted.fit(logits.reshape(-1, 1), truth)
    return Platt(float(fitted.coef_[0, 0]), float(fitted.intercept_[0]))


def band(tuned: Tuned, label: str, platt: Platt) -> list[float]:
    """[low, high, share that abstains] for the stated error; the whole range where too few rows tell."""
    logits, truth = _known(tuned, label)
    if min(truth.sum(), (1 - truth).sum()) < ENOUGH_TO_CALIBRATE:
        return [0.0, 1.0, 1.0]
    return list(astuple(abstain_band(truth, platt(logits), error=BAND_ERROR)))


def _known(tuned: Tuned, label: str) -> tuple[Array, Array]:
    wanted = CALIBRATED_ON.get(label, RATED)
    rows = [
        i for i, e in enumerate(tuned.examples) if label in e.labels and e.source.startswith(wanted)
    ]
    truth = np.array([round(tuned.examples[i].labels[label]) for i in rows], dtype=np.float32)
    return tuned.logits[rows, HEADS.index(label)], truth


def assemble(
    source: Path,
    folder: Path,
    run: dict[str, Any],
    *,
    calibration: dict[str, Platt],
    thresholds: dict[str, float] | None = None,
    bands: dict[str, list[float]] | None = None,
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
            "language": "en",
            "encoder": "sentence-transformers/all-MiniLM-L6-v2, fine-tuned, 8 bits",
            "calibration": {label: list(astuple(platt)) for label, platt in calibration.items()},
            "abstain": bands or {},
            "abstain_error": BAND_ERROR,
            "thresholds": thresholds or {},
            "queue_share": run["queue_share"],
            "recipe": run,
        },
    )


def suggest(classifier: Classifier, ordinary: list[Example], share: float) -> dict[str, float]:
    """A threshold a reason, each passing its part of `share` of ordinary comments on to a person."""
    passages: dict[str, Passages] = {}
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
