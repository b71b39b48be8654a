"""Training to serving in small: rows in, a folder of weights out, through the files that ship."""

import json
import random
import re
import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import zstandard

from models.data.augment import Shares, vary
from models.data.forms import Forms
from models.data.sets import FOLDS, Example, Part, home_part, load, part_of
from models.encoder import Window
from models.inference import Article, Classifier, Comment
from models.network import pool
from models.training import export, train
from models.training.batches import Reader, as_batch
from models.training.objective import masked
from models.training.plan import Compared, Labelled, Placed, Rated, make_plan
from models.training.train import read_config

pytestmark = pytest.mark.weights

KIND = ("What a lovely morning", "Thank you for this piece", "I walked there with my son")
CRUEL = ("You stupid idiot", "Shut up you worthless pig", "What a disgusting moron")
SUBJECTS = ("the harbour wall", "school meals", "the night bus", "rents in the old town")
CONFIG = """
version = "small-en-0001"
seed = 1
queue_share = 0.10
[tuning]
epochs = 2
tokens_a_batch = 1024
longest = 64
longest_rated = 64
rated_a_batch = 4
placed_a_batch = 4
pairs_a_batch = 8
encoder_rate = 1e-4
head_rate = 1e-2
warm_up = 0.1
weight_decay = 0.01
anchor_every = 3
unlabelled_as_honest = ["jigsaw_wiki"]
[tuning.rows]
jigsaw_wiki = 300
composed_relevance = 16
composed_threats = 20
composed_worth = 16
forms_spam = 60
forms_honest = 60
forms_site_talk = 20
forms_abuse = 20
insight_rubric = 60
ukpconvarg_pairs = 24
[tuning.row_weights]
forms_spam = 0.5
[tuning.loss_weights]
contrast = 0.5
rating = 0.3
sentences = 0.3
quotes = 0.3
pairs = 0.5
anchor = 10.0
[tuning.again]
threat = 1
[tuning.shares]
joined = 0.1
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
                "x_rel": float(chance.choice((0, 1, 2, 3))),
                "personal_story": int(good),
                "x_reason": float(good),
                "x_new": float(good),
                "x_flags": ["spam"] if number % 40 == 1 else [],
                "x_civil": 2.0,
                "x_quotes": ["It fails because nobody counts the people who need it."]
                if good
                else [],
                "x_true_article": f"a-{here}",
            }
        )
    return rows


def paired_rows() -> list[dict[str, Any]]:
    return [
        {
            "id": number,
            "split": "train",
            "text": f"Because of {SUBJECTS[number % 4]} we all pay {number} more."
            if number % 2
            else "No!",
            "text_b": "No!"
            if number % 2
            else f"Because of {SUBJECTS[number % 4]} we all pay {number} more.",
            "article_id": f"debate-{number % 12}",
            "x_a_more_convincing": number % 2,
        }
        for number in range(60)
    ]


# The converter's own, while it traces the network.
@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing.*:FutureWarning")
@pytest.mark.filterwarnings("ignore:.*:torch.jit.TracerWarning")
def test_rows_become_weights_that_serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "SAMPLES", 12)  # enough to go the whole way
    chance = random.Random(7)
    data, run, into = tmp_path / "data", tmp_path / "run", tmp_path / "weights"
    write_set(data / "train", "jigsaw_wiki", toxic_rows(chance))
    write_set(data / "train", "insight_rubric", rated_rows(chance))
    write_set(data / "train", "ukpconvarg_pairs", paired_rows())
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


def test_an_absent_label_is_no_negative(tmp_path: Path) -> None:
    rows = toxic_rows(random.Random(7))
    rows[0]["threat"] = None
    write_set(tmp_path, "jigsaw_wiki", rows)
    examples = load(tmp_path, "jigsaw_wiki")
    assert "threat" not in examples[0].labels
    labels = ("toxicity", "threat")
    batch = as_batch(Reader(), examples[:2], labels, {"jigsaw_wiki": 0.5}, 64)
    assert batch.weights.tolist() == [[0.5, 0.0], [0.5, 0.5]]
    sure = torch.tensor([[0.0, 50.0], [0.0, 0.0]])
    unsure = torch.tensor([[0.0, -50.0], [0.0, 0.0]])
    assert masked(sure, batch) == masked(unsure, batch)


def example(source: str, group: str, split: str = "train", **row: Any) -> Example:
    return Example(text="x", labels={}, source=source, group=group, split=split, row=row)


def test_an_article_is_for_one_thing_whatever_set_names_it() -> None:
    for number in range(200):
        name = f"rfd:{number}"
        parts = {part_of(example("nyt_rfd", name)), part_of(example("insight_rubric", name))}
        assert len(parts) == 1
    wiki = [part_of(example("jigsaw_wiki", str(n))) for n in range(2000)]
    assert 0.09 < wiki.count(Part.TEST) / 2000 < 0.16
    assert part_of(example("jigsaw_wiki", "a", "dev")) in {Part.TUNE, Part.TEST}


def test_every_article_is_the_test_of_exactly_one_fold() -> None:
    for number in range(50):
        folds = [part_of(example("nyt_rfd", f"rfd:{number}"), fold=f) for f in range(FOLDS)]
        assert folds.count(Part.TEST) == 1


def test_a_comment_between_two_parts_is_for_neither() -> None:
    by_part: dict[Part | None, str] = {}
    for number in range(300):
        by_part.setdefault(part_of(example("nyt_rfd", f"a:{number}")), f"a:{number}")
    learnt, tested = by_part[Part.LEARN], by_part[Part.TEST]
    planted = example("insight_rubric", learnt, x_true_article=tested)
    assert part_of(planted) is None
    assert home_part(planted) is Part.TEST


@pytest.mark.parametrize("kind", ["spam", "honest", "abuse", "site_talk"])
def test_the_forms_give_the_same_for_the_same_seed_and_hardly_repeat(kind: str) -> None:
    rows = list(getattr(Forms(3), kind)(400))
    assert [e.text for e in rows] == [e.text for e in getattr(Forms(3), kind)(400)]
    assert len({e.text for e in rows}) > 390
    assert not [e.text for e in rows if re.search(r"\{|\[[^\]]*\|", e.text)]
    assert {part_of(e) for e in rows} <= {Part.LEARN, Part.TUNE}


def test_spam_and_honest_forms_are_labelled_apart_and_are_as_long_as_one_another() -> None:
    spam, honest = list(Forms(3).spam(500)), list(Forms(3).honest(500))
    assert {e.labels["spam"] for e in spam} == {1.0}
    assert {e.labels["spam"] for e in honest} == {0.0}
    lengths = [statistics.median(len(e.text.split()) for e in rows) for rows in (spam, honest)]
    assert 0.6 < lengths[0] / lengths[1] < 1.6


def test_what_is_done_to_a_row_keeps_its_meaning() -> None:
    chance = random.Random(5)
    cruel = Example(
        text="You stupid idiot!", labels={"toxicity": 1.0}, source="s", group="1", split="train"
    )
    kind = Example(
        text="Lovely 2 days.", labels={"toxicity": 0.0}, source="s", group="2", split="train"
    )
    none = {name: 0.0 for name in vars(Shares())}
    joined = vary(kind, cruel, chance, Shares(**none | {"joined": 1.0}))
    assert joined.labels == {"toxicity": 1.0}
    assert cruel.text in joined.text
    assert kind.text in joined.text
    bared = vary(kind, None, chance, Shares(**none | {"bare": 1.0}))
    assert (bared.text, bared.labels) == ("lovely days", kind.labels)
    salad = vary(
        replace(kind, text="one two three four five six"),
        None,
        chance,
        Shares(**none | {"salad": 1.0}),
    )
    assert salad.labels == {"incoherent": 1.0}
    assert sorted(salad.text.split()) == ["five", "four", "one", "six", "three", "two"]
    evaded = vary(cruel, None, chance, Shares(**none | {"evaded_harm": 1.0}))
    assert evaded.labels == cruel.labels
    assert vary(kind, cruel, chance, Shares(**none)) == kind


def test_an_epoch_is_the_same_for_the_same_seed_and_rated_batches_mix_articles(
    tmp_path: Path,
) -> None:
    write_set(tmp_path, "jigsaw_wiki", toxic_rows(random.Random(7)))
    write_set(tmp_path, "insight_rubric", rated_rows(random.Random(7)))
    write_set(tmp_path, "ukpconvarg_pairs", paired_rows())
    config = tmp_path / "small.toml"
    config.write_text(CONFIG)
    plan = make_plan(tmp_path, read_config(config).tuning, seed=1, fold=0)
    assert plan.epoch(0) == plan.epoch(0) != plan.epoch(1)
    kinds = {type(work) for work in plan.epoch(0)}
    assert kinds == {Labelled, Rated, Placed, Compared}
    for work in plan.epoch(0):
        if isinstance(work, (Rated, Placed)):
            articles = [e.group for e in work.rows]
            assert len(articles) == len(set(articles))


def test_training_and_serving_pool_alike(classifier: Classifier) -> None:
    chance = np.random.default_rng(3)
    vectors = chance.normal(size=(7, 384)).astype(np.float32)
    kept = np.array([True, False, True, True, False, False, True])
    nothing = np.zeros(7, dtype=np.int64)
    window = Window(tokens=nothing, offsets=np.zeros((7, 2), dtype=np.int64), vectors=vectors)
    trained = pool(torch.from_numpy(vectors)[None], torch.from_numpy(kept)[None])[0]
    np.testing.assert_allclose(window.pool(kept), trained.numpy(), atol=1e-6)
