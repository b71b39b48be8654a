"""Training to serving in small: rows in, a folder of weights out, through the files that ship."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
import zstandard

from models.data.sets import Example, is_held_out, load
from models.data.spam_forms import Forms
from models.inference import Article, Classifier, Comment
from models.training import export, train

pytestmark = pytest.mark.weights

KIND = ("What a lovely morning", "Thank you for this piece", "I walked there with my son")
CRUEL = ("You stupid idiot", "Shut up you worthless pig", "What a disgusting moron")
SUBJECTS = ("the harbour wall", "school meals", "the night bus", "rents in the old town")
CONFIG = """
version = "small-en-0001"
seed = 1
spam_forms = 60
honest_forms = 60
unlabelled_as_honest = ["insight_rubric"]
strengths = [0.01]
relevance_negatives = 2
queue_share = 0.10
[sets]
jigsaw_wiki = 400
insight_rubric = 400
"""


def write_set(folder: Path, name: str, rows: list[dict[str, Any]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / f"{name}.jsonl.zst").write_bytes(zstandard.compress(lines.encode()))


def toxic_rows(chance: random.Random) -> list[dict[str, Any]]:
    rows = []
    for number in range(240):
        cruel = number % 2
        text = (
            f"{chance.choice(CRUEL if cruel else KIND)}, about {chance.choice(SUBJECTS)} {number}."
        )
        labels = ("toxic", "severe_toxic", "obscene", "threat", "insult", "identity_attack")
        split = "dev" if number % 5 == 0 else "train"
        rows.append({"id": number, "split": split, "text": text, **dict.fromkeys(labels, cruel)})
    return rows


def rated_rows(chance: random.Random) -> list[dict[str, Any]]:
    rows = []
    for number in range(240):
        here, good = chance.randrange(len(SUBJECTS)), number % 3 == 0
        text = f"I have worked on {SUBJECTS[here]} for {number} years." + (
            " It fails because nobody counts the people who need it." if good else " Fine."
        )
        rows.append(
            {
                "id": number,
                "split": "dev" if number % 5 == 0 else "train",
                "text": text,
                "article_id": f"a-{here}",
                "article_title": f"All about {SUBJECTS[here]}",
                "article_desc": f"What to do with {SUBJECTS[here]}?",
                "x_hard_negative": 0,
                "x_insight": 3.5 if good else 1.0,
                "x_rel": float(chance.choice((1, 2, 3))),
                "personal_story": int(good),
                "x_reason": float(good),
                "x_new": float(good),
                "x_flags": ["spam"] if number % 40 == 1 else [],
            }
        )
    return rows


# The converter's own, while it traces the network.
@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing.*:FutureWarning")
@pytest.mark.filterwarnings("ignore:.*:torch.jit.TracerWarning")
def test_rows_become_weights_that_serve(tmp_path: Path) -> None:
    chance = random.Random(7)
    data, run, into = tmp_path / "data", tmp_path / "run", tmp_path / "weights"
    write_set(data / "train", "jigsaw_wiki", toxic_rows(chance))
    write_set(data / "train", "insight_rubric", rated_rows(chance))
    config = tmp_path / "small.toml"
    config.write_text(CONFIG)
    asked = ["--data", str(data), "--run", str(run)]
    train.main([*asked, "--config", str(config)])
    export.main([*asked, "--into", str(into)])
    classifier = Classifier.load(into / "small-en-0001")
    assert classifier.version == "small-en-0001"
    assert all(0.5 <= value <= 1 for value in classifier.thresholds.values())
    passages = classifier.passages(Article("All about school meals", "", ""))
    cruel, kind = classifier.predict(
        [
            Comment(text="You stupid idiot, the meals are cold.", passages=passages),
            Comment(text="Thank you for this piece about school meals.", passages=passages),
        ]
    )
    assert cruel.scores["toxicity"] > 0.5 > kind.scores["toxicity"]
    assert kind.scores["relevance"] > cruel.scores["relevance"]


def test_an_absent_label_is_no_negative_and_the_held_out_tenth_is_by_article(
    tmp_path: Path,
) -> None:
    rows = toxic_rows(random.Random(7))
    rows[0]["threat"] = None
    write_set(tmp_path, "jigsaw_wiki", rows)
    examples = load(tmp_path, "jigsaw_wiki")
    assert "threat" not in examples[0].labels
    assert "toxicity" in examples[0].labels
    held_out = [is_held_out(example) for example in examples]
    assert 5 <= sum(held_out) <= 50
    one = Example(text="x", labels={}, source="s", group="a-1", split="train")
    other = Example(text="y", labels={}, source="s", group="a-1", split="dev")
    assert is_held_out(one) == is_held_out(other)


def test_the_generator_is_the_same_for_the_same_seed_and_tells_its_kinds_apart() -> None:
    spam, honest = list(Forms(3).spam(200)), list(Forms(3).honest(200))
    assert [e.text for e in spam] == [e.text for e in Forms(3).spam(200)]
    assert {e.labels["spam"] for e in spam} == {1.0}
    assert {e.labels["spam"] for e in honest} == {0.0}
    assert not {e.text for e in spam} & {e.text for e in honest}
    assert len({e.text for e in spam}) > 150
    assert not [e for e in (*spam, *honest) if "{" in e.text]
