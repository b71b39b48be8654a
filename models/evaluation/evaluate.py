"""Evaluation: what the shipped weights do on rows that neither training nor tuning saw.

    python -m models.evaluation.evaluate --data ../shared/data

Everything is scored by `Classifier.predict`, the code that serves. Writes `card.md` beside the weights.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from models.calibration import expected_calibration_error
from models.data.sets import Example, is_held_out, load, read_rows
from models.evaluation.card import write_card
from models.inference import Article, Classifier, Comment, Passages
from models.registry import newest

Array = NDArray[np.float32]
RESAMPLES = 400
# At most this many rows a figure: the whole run stays within minutes on two cores.
MOST_ROWS = 1500


@dataclass(frozen=True)
class Figure:
    """One measurement: area under the ROC curve with a 95 % bootstrap interval, and baselines."""

    score: str
    rows_from: str
    rows: int
    positive: float
    auc: float
    low: float
    high: float
    length_auc: float
    tfidf_auc: float | None
    calibration_error: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, write the card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--weights", type=Path, default=None)
    asked = parser.parse_args(arguments)
    folder = asked.weights or newest()
    classifier = Classifier.load(folder)
    figures = [
        *held_out_figures(classifier, asked.data / "train"),
        *foreign_figures(classifier, asked.data / "eval-only"),
    ]
    for figure in figures:
        print(
            f"{figure.score:16} {figure.rows_from:28} n={figure.rows:5} "
            f"AUC {figure.auc:.3f} [{figure.low:.3f}, {figure.high:.3f}] "
            f"length {figure.length_auc:.3f} tf-idf {figure.tfidf_auc or float('nan'):.3f}"
        )
    write_card(folder, figures)


def held_out_figures(classifier: Classifier, folder: Path) -> list[Figure]:
    """Held-out articles and texts of the sets that training learned from."""
    figures = []
    for name, labels in {
        "jigsaw_wiki": (
            "toxicity",
            "severe_toxic",
            "obscene",
            "threat",
            "insult",
            "identity_attack",
        ),
        "civil_spans": ("toxicity",),
        "fox_hate": ("identity_attack",),
        "youtube_spam": ("spam",),
        "sms_spam": ("spam",),
        "insight_rubric": ("insight", "experience", "reasons", "novelty"),
    }.items():
        examples = load(folder, name)
        test = [e for e in examples if is_held_out(e)][:MOST_ROWS]
        if not test:
            continue
        shelf: dict[str, Passages] = {}
        scores = classifier.predict([_comment(classifier, e, shelf) for e in test])
        for label in labels:
            train = [e for e in examples if not is_held_out(e)]
            figures += figure(
                label, f"{name}, held out", test, [s.scores[label] for s in scores], train
            )
        if name == "insight_rubric":
            figures += relevance_figures(test, [s.scores["relevance"] for s in scores])
    return figures


def relevance_figures(test: list[Example], scores: list[float]) -> list[Figure]:
    """Rated 2 or 3 against 0 or 1, and true pairs against those planted under the nearest other debate."""
    truth = np.array([float(e.row["x_rel"] >= 2) for e in test])
    given = np.array(scores)
    lengths = np.array([float(len(e.text)) for e in test])
    return _measured("relevance", "insight_rubric, held out", truth, given, lengths, None)


def foreign_figures(classifier: Classifier, folder: Path) -> list[Figure]:
    """Sets that no weights of ours may learn from: other newsrooms, other raters."""
    figures = []
    for name, column, score in (
        ("c3", "toxic", "toxicity"),
        ("ucc", "x_hostile", "toxicity"),
        ("datacamp", "spam", "spam"),
        ("c3", "constructive", "insight"),
    ):
        rows = [r for r in read_rows(folder / f"{name}.jsonl.zst") if r.get(column) is not None]
        rows = rows[:: max(1, len(rows) // MOST_ROWS)]
        scored = classifier.predict([Comment(text=r["text"]) for r in rows])
        truth = np.array([float(r[column]) for r in rows])
        given = np.array([s.scores[score] for s in scored])
        lengths = np.array([float(len(r["text"])) for r in rows])
        figures += _measured(score, f"{name} ({column}), eval-only", truth, given, lengths, None)
    return figures


def figure(
    label: str, rows_from: str, test: list[Example], scores: list[float], train: list[Example]
) -> list[Figure]:
    """One figure for the rows of `test` that carry the label, with baselines trained on `train`."""
    known = [i for i, e in enumerate(test) if label in e.labels]
    truth = np.array([round(test[i].labels[label]) for i in known], dtype=float)
    given = np.array([scores[i] for i in known])
    lengths = np.array([float(len(test[i].text)) for i in known])
    learned = [e for e in train if label in e.labels]
    baseline = tfidf(learned, [test[i].text for i in known], label)
    return _measured(label, rows_from, truth, given, lengths, baseline)


def tfidf(train: list[Example], texts: list[str], label: str) -> Array | None:
    """Logistic regression on word TF-IDF: what the network has to beat."""
    truth = [round(e.labels[label]) for e in train]
    if len(set(truth)) < 2 or not texts:
        return None
    vectorizer = TfidfVectorizer(
        sublinear_tf=True, ngram_range=(1, 2), min_df=2, max_features=60_000
    )
    model = LogisticRegression(max_iter=400, class_weight="balanced")
    model.fit(vectorizer.fit_transform([e.text for e in train]), truth)
    scores: Array = model.decision_function(vectorizer.transform(texts))
    return scores


def _measured(
    score: str,
    rows_from: str,
    truth: NDArray[np.float64],
    given: NDArray[np.float64],
    lengths: NDArray[np.float64],
    baseline: Array | None,
) -> list[Figure]:
    """The figure, or none where only one class is there or the positives are a handful."""
    if min(truth.sum(), (1 - truth).sum()) < 5:
        return []
    chance = np.random.default_rng(0)
    resampled = []
    for _ in range(RESAMPLES):
        rows = chance.integers(0, len(truth), len(truth))
        if 0 < truth[rows].sum() < len(rows):
            resampled.append(roc_auc_score(truth[rows], given[rows]))
    low, high = np.quantile(resampled, [0.025, 0.975])
    return [
        Figure(
            score=score,
            rows_from=rows_from,
            rows=len(truth),
            positive=float(truth.mean()),
            auc=float(roc_auc_score(truth, given)),
            low=float(low),
            high=float(high),
            length_auc=float(roc_auc_score(truth, lengths)),
            tfidf_auc=None if baseline is None else float(roc_auc_score(truth, baseline)),
            calibration_error=expected_calibration_error(
                truth.astype(np.float32), given.astype(np.float32)
            ),
        )
    ]


def _comment(classifier: Classifier, example: Example, shelf: dict[str, Passages]) -> Comment:
    title = example.row.get("article_title")
    if not title or example.source == "youtube_spam":
        return Comment(text=example.text)
    key = str(example.row["article_id"])
    if key not in shelf:
        shelf[key] = classifier.passages(Article(title, example.row.get("article_desc") or "", ""))
    return Comment(text=example.text, passages=shelf[key])


if __name__ == "__main__":
    main()
