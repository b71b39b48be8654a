"""Export: a run folder into a version of weights that can be served.

    python -m models.training.export --run runs/tuned --data ../shared/data
    python -m models.training.export --run runs/again --again postbag-en-2026.12.1 --version postbag-en-2026.12.2

The second takes the network of a shipped version as it is, and fits everything else anew.
The encoder goes to 8 bits; then everything that is still open is fitted through the code that serves, on the
TUNE part, which the network did not learn from: calibration, abstain bands, relevance, and the thresholds that
send the configured share of ordinary comments to the queue.
"""

import argparse
import json
import random
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from torch import Tensor

from models.calibration import Platt, abstain_band
from models.data import sets
from models.data.augment import salad
from models.data.forms import Forms
from models.data.sets import Example, Part, part_of
from models.encoder import open_encoder, open_tokenizer
from models.inference import Article, Classifier, Comment, Passages
from models.labels import HEADS, SPAM_HEADS, TOXICITY_HEADS
from models.network import (
    convert,
    encoder_folder,
    load_encoder,
    reference,
    save_reference,
)
from models.registry import FOLDER, open_weights, write_manifest
from models.training import finetune
from models.training.batches import Reader
from models.training.lexicon import fit_lexicon
from models.training.pairs import fit_relevance
from models.training.plan import Tuning, make_plan
from models.training.readouts import fit_kinds, fit_likeness, texts_to_read
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
SALAD = "salad"
# Plain comments as what they are: neither word salad nor talk about the site.
ORDINARY, PLAIN, PLAIN_OF = "ordinary", ("wiki_cat", "youtube_spam", "surge"), 3
NEITHER = {"incoherent": 0.0, "about_site": 0.0}
# Sets whose mix of classes is not a made one, for each kind of head. Where all are chosen for being
# harmful (tweets by slur, posts by earlier flags), a probability would be read as too high.
CALIBRATED_ON = {
    **dict.fromkeys(SPAM_HEADS, ("youtube_spam", "sms_spam", "insight_rubric", "forms")),
    **dict.fromkeys(TOXICITY_HEADS, ("jigsaw_wiki", "wiki_cat", "insight_rubric", "surge")),
    "about_site": ("insight_rubric", "forms", ORDINARY),
    "incoherent": ("insight_rubric", SALAD, ORDINARY),
}
RATED = ("insight_rubric",)
FORMS = 3000
# One in so many rated comments is shown as word salad too: hardly anybody wrote any.
SALAD_OF = 5
ENOUGH_TO_CALIBRATE = 15
BAND_ERROR = 0.05
SAMPLES = 300
DRIFT_ROWS = 1500
SERVED = (
    "encoder.xml",
    "encoder.bin",
    "heads.safetensors",
    finetune.REFERENCE,
    finetune.LOSSES,
)
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
    parser.add_argument("--again", help="the version whose network is taken")
    parser.add_argument("--version", help="what becomes of it is called")
    asked = parser.parse_args(arguments)
    if asked.again:
        reopen(asked.into / asked.again, asked.run, version_name=asked.version)
    run = json.loads((asked.run / RUN).read_text())
    examples = tuning_rows(asked.data / "train", run)
    network = finetune.load(asked.run)
    convert(network.encoder, asked.run / "encoder.xml", samples(examples))
    convert(load_encoder(), asked.run / "released.xml")
    tokenizer = encoder_folder() / "tokenizer.json"
    encoder = open_encoder(asked.run / "encoder.xml", tokenizer, threads=None)
    released = open_encoder(asked.run / "released.xml", tokenizer, threads=None)
    rated = [e for e in examples if e.source == "insight_rubric"]
    learned = asked.data / "train"
    fit_kinds(network, encoder, learned, seed=run["seed"], fold=run["fold"])
    likeness = fit_likeness(encoder, released, texts_to_read(learned, run["fold"]))
    weights, offsets = fit_relevance(encoder, likeness, rated, seed=run["seed"])
    save_reference(network, asked.run / finetune.REFERENCE)
    fitted_tensors = {
        "likeness.weights": likeness.weights,
        "likeness.offsets": likeness.offsets,
        "relevance.weights": weights,
        "relevance.offsets": offsets,
    }
    lexicon = fit_lexicon(
        rows_learned(learned, run), open_tokenizer(tokenizer), run["tuning"]["row_weights"]
    )
    fitted_tensors |= {
        "lexicon.weights": lexicon.weights.astype(np.float16),
        "lexicon.rarity": lexicon.rarity,
    }
    tensors = {**network.tensors(), **{k: torch.from_numpy(v) for k, v in fitted_tensors.items()}}
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
    classifier = Classifier.load(folder)
    fitted = {
        "thresholds": suggest(classifier, ordinary, run["queue_share"]),
        "abstain": bands,
        "quantisation": drift(
            classifier, Classifier(open_weights(folder), reference(network)), tuned
        ),
    }
    assemble(asked.run, folder, run, calibration=calibration, fitted=fitted)
    print(folder, json.dumps(fitted, indent=1))


def reopen(version: Path, run: Path, *, version_name: str) -> None:
    """A run folder with the network of a shipped version and its recipe, under another name."""
    manifest = open_weights(version, needed={finetune.REFERENCE, finetune.LOSSES}).manifest
    run.mkdir(parents=True, exist_ok=True)
    shutil.copy(version / finetune.REFERENCE, run / finetune.TENSORS)
    shutil.copy(version / finetune.LOSSES, run / finetune.LOSSES)
    recipe = {**manifest["recipe"], "version": version_name, "network_of": version.name}
    (run / RUN).write_text(json.dumps(recipe, indent=1) + "\n")


def rows_learned(folder: Path, run: dict[str, Any]) -> list[Example]:
    """What the network learned its labels from, a rare label's rows as often as it saw them."""
    plan = make_plan(folder, Tuning(**run["tuning"]), seed=run["seed"], fold=run["fold"])
    return [example for rows in plan.labelled.values() for example in rows] + plan.rated


def tuning_rows(folder: Path, run: dict[str, Any]) -> list[Example]:
    """The TUNE part of every set that some head is calibrated on."""
    names = {name for some in CALIBRATED_ON.values() for name in some} | set(RATED)
    examples: list[Example] = []
    for name in sorted(names - {"forms", SALAD, ORDINARY}):
        if (folder / f"{name}.jsonl.zst").exists():
            examples += sets.load(folder, name)
    forms = Forms(run["seed"])
    for kind in ("spam", "honest", "site_talk"):
        examples += getattr(forms, kind)(FORMS)
    kept = [e for e in examples if part_of(e, fold=run["fold"]) is Part.TUNE]
    chance = random.Random(run["seed"])  # noqa: S311 - no secret
    rated = [e for e in kept if e.source == "insight_rubric"]
    kept += [replace(e, source=ORDINARY, labels=NEITHER) for e in kept if e.source in PLAIN][
        ::PLAIN_OF
    ]
    return kept + [replace(salad(e, chance), source=SALAD) for e in rated[::SALAD_OF]]


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
    comments = [Comment(text=e.text, author=e.author) for e in examples]
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


def drift(served: Classifier, torch_one: Classifier, tuned: Tuned) -> dict[str, dict[str, float]]:
    """What 8 bits cost each head on tuning rows: mean change of probability, and AUC lost to torch."""
    some = tuned.examples[:: max(1, len(tuned.examples) // DRIFT_ROWS)]
    comments = [Comment(text=e.text) for e in some]
    ours, theirs = served.predict(comments), torch_one.predict(comments)
    found = {}
    for label in HEADS:
        given = np.array([s.scores[label] for s in ours])
        reference_given = np.array([s.scores[label] for s in theirs])
        known = [i for i, e in enumerate(some) if label in e.labels]
        truth = np.array([round(some[i].labels[label]) for i in known])
        found[label] = {"drift": round(float(np.abs(given - reference_given).mean()), 4)}
        if min(truth.sum(), (1 - truth).sum()) >= ENOUGH_TO_CALIBRATE:
            lost = roc_auc_score(truth, reference_given[known]) - roc_auc_score(truth, given[known])
            found[label]["auc_lost"] = round(float(lost), 4)
    return found


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
    fitted: dict[str, Any] | None = None,
) -> None:
    """Write the version's folder anew."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in SERVED:
        shutil.copy(source / name, folder / name)
    shutil.copy(encoder_folder() / "tokenizer.json", folder / "tokenizer.json")
    write_manifest(
        folder,
        {
            "version": run["version"],
            "language": "en",
            "encoder": "sentence-transformers/all-MiniLM-L6-v2, fine-tuned, 8 bits",
            "calibration": {label: list(astuple(platt)) for label, platt in calibration.items()},
            "abstain_error": BAND_ERROR,
            "thresholds": {},
            "queue_share": run["queue_share"],
            "labels": finetune.LABELS,
            "recipe": run,
            **(fitted or {}),
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
