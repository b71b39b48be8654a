"""Errors: the comments that a version judged most wrongly, to be read.

    python -m models.evaluation.errors --data ../shared/data --of toxicity/c3 --most 25

Prints the rows without the label that scored highest, then the rows with it that scored lowest. For people who
train: nothing here runs where comments are served.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from models.evaluation.bench import Bench, Sheet
from models.evaluation.rows import MOST, known
from models.registry import default_folder

SHOWN = 400
# Name → the rows, the score, and the column with the truth.
SHEETS: dict[str, tuple[Callable[[Bench], Sheet], str, str]] = {
    "spam/youtube": (lambda b: b.test("youtube_spam"), "spam", "spam"),
    "spam/datacamp": (lambda b: b.foreign("datacamp", known("spam"), MOST), "spam", "spam"),
    "spam/written": (lambda b: b.written("spam_a", "spam_b"), "spam", "spam"),
    "relevance/nyt": (lambda b: b.test("nyt_rfd"), "relevance", "relevant"),
    "relevance/rated": (lambda b: b.at_home("insight_rubric"), "relevance", "x_rel"),
    "toxicity/wiki": (lambda b: b.test("jigsaw_wiki"), "toxicity", "toxic"),
    "toxicity/c3": (lambda b: b.foreign("c3", known("toxic"), MOST), "toxicity", "toxic"),
    "toxicity/written": (lambda b: b.written("abuse"), "toxicity", "toxic"),
    "insight/rated": (lambda b: b.test("insight_rubric"), "insight", "x_insight"),
    "insight/c3": (
        lambda b: b.foreign("c3", known("constructive"), MOST),
        "insight",
        "constructive",
    ),
    "experience/regroom": (
        lambda b: b.foreign("regroom", known("personal_story"), MOST),
        "experience",
        "personal_story",
    ),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the worst rows of one sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--weights", type=Path, default=None)
    parser.add_argument("--cache", type=Path, default=Path("runs/released"))
    parser.add_argument("--of", choices=SHEETS, required=True)
    parser.add_argument("--most", type=int, default=25)
    asked = parser.parse_args(arguments)
    folder = asked.weights or default_folder()
    rows, label, column = SHEETS[asked.of]
    sheet = rows(Bench.open(folder, asked.data, asked.cache))
    scores = sheet.scores(label)
    truth = np.array([float(row.data[column]) for row in sheet.rows])
    ranks = (truth - truth.min()) / max(1e-9, float(truth.max() - truth.min()))
    gaps = scores - ranks
    for title, order in (("too high", np.argsort(-gaps)), ("too low", np.argsort(gaps))):
        print(f"\n{title}")
        for i in order[: asked.most]:
            text = " ".join(sheet.rows[i].text.split())
            print(f"{scores[i]:.2f} [{truth[i]:g}] {text[:SHOWN]}")


if __name__ == "__main__":
    main()
