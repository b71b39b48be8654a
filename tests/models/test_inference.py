"""The classifier at its door: what is judged, on what ground, and always the same."""

import subprocess
import sys

import pytest

from models.inference import Article, Author, Classifier, Comment, Passages, Scored
from models.labels import INSIGHT_HEADS, KIND_HEADS, SCORES, SPAM_HEADS, TOXICITY_HEADS
from models.network import reference, restore
from models.registry import open_weights
from tests.models.conftest import ARTICLE, Score

pytestmark = pytest.mark.weights

HONEST = (
    "I have driven the number 7 for eleven years. Since Monday I set down twice as many people at "
    "the fish market, and half of them ask me where the shops went, because nothing points the way."
)
SPAM = (
    "I lost $87,000 to a fake broker and thought it was gone. Mrs Grace recovered every cent in 72 "
    "hours, contact her on WhatsApp +1 555 010 7788 and tell her I sent you."
)
ABUSE = "You are a disgusting worthless idiot and your whole family are filthy pigs."
FILLER = "The bus was late again and it rained on the market square for most of the day. "


def test_what_is_plain_to_people_is_plain_to_it(score: Score) -> None:
    honest, spam, abuse = score(HONEST), score(SPAM), score(ABUSE)
    assert honest.scores["spam"] < 0.2
    assert spam.scores["spam"] > 0.8
    assert honest.scores["toxicity"] < 0.4
    assert abuse.scores["toxicity"] > 0.8
    assert honest.scores["relevance"] > 0.7
    assert spam.scores["relevance"] < 0.3
    assert honest.scores["insight"] > spam.scores["insight"]
    assert honest.scores["experience"] > 0.5
    assert honest.relevance_label in {"direct", "related"}
    assert spam.relevance_label == "off"


@pytest.mark.parametrize(
    "text",
    [
        "Ibuprofen did nothing for my knee; the physiotherapist at the clinic did.",
        "The minutes are at https://council.example/minutes/2026-03.pdf and page 4 says otherwise.",
        "I am a gay man and I have never felt unwelcome on that street.",
        "If this is about you, the Samaritans answer on 116 123, day and night.",
    ],
)
def test_a_topic_word_alone_is_neither_spam_nor_abuse(
    score: Score, classifier: Classifier, text: str
) -> None:
    scored = score(text, article=False)
    assert scored.scores["spam"] < classifier.thresholds["spam"]
    assert scored.scores["toxicity"] < classifier.thresholds["abusive"]


def test_a_score_without_ground_is_absent(score: Score) -> None:
    without = score(HONEST, article=False)
    assert set(without.scores) == {*SPAM_HEADS, *TOXICITY_HEADS, *INSIGHT_HEADS, *KIND_HEADS}
    assert (without.relevance_label, without.passage) == (None, None)
    assert set(score(HONEST).scores) == set(SCORES)


@pytest.mark.parametrize("article", [Article(ARTICLE.title, "", ""), Article("", ARTICLE.text, "")])
def test_title_or_description_alone_are_ground_enough(
    classifier: Classifier, article: Article
) -> None:
    passages = classifier.passages(article)
    near, far = classifier.predict(
        [Comment(text=HONEST, passages=passages), Comment(text=SPAM, passages=passages)]
    )
    assert near.scores["relevance"] > far.scores["relevance"]
    assert near.passage is None


def test_an_article_without_words_is_no_ground(classifier: Classifier) -> None:
    [scored] = classifier.predict(
        [Comment(text=HONEST, passages=classifier.passages(Article("", "", " ")))]
    )
    assert "relevance" not in scored.scores


def test_a_pure_echo_is_relevant_marked_and_without_insight(score: Score) -> None:
    echo = score(ARTICLE.text.split(". ")[1] + ".", author=Author("Fish Market Solutions Ltd"))
    assert echo.scores["echo"] == 1.0
    assert echo.relevance_label == "direct"
    assert echo.scores["spam"] < 0.5
    assert not set(INSIGHT_HEADS) & set(echo.scores)
    assert echo.quote is None
    assert echo.passage
    assert ARTICLE.text[echo.passage.start : echo.passage.end].startswith("Buses now stop")


def test_a_quoted_insult_is_not_the_commenters(score: Score) -> None:
    parent = "You are a disgusting worthless idiot and so is everyone who takes your bus home."
    answer = f"{parent} Please do not write like this; she has driven us for years."
    alone, quoting = score(answer), score(answer, parent=parent)
    assert quoting.scores["toxicity"] < alone.scores["toxicity"]
    assert [r.origin for r in quoting.repeats] == ["parent"]


def test_abuse_behind_five_thousand_harmless_words_is_found(score: Score) -> None:
    wall = FILLER * 300
    assert len(wall.split()) > 5000
    calm, hidden = score(wall), score(wall + ABUSE)
    assert calm.scores["toxicity"] < 0.05
    assert hidden.scores["toxicity"] > 0.8
    assert score(wall + "You are an idiot.").scores["insult"] > 0.7
    assert score(FILLER * 40 + ABUSE).scores["toxicity"] > 0.8


def test_what_is_too_long_to_be_read_says_so(score: Score) -> None:
    assert not score(FILLER * 40).too_long
    assert score(FILLER * 1000).too_long


def test_company_changes_nothing(classifier: Classifier) -> None:
    passages = classifier.passages(ARTICLE)
    texts = [HONEST, SPAM, ABUSE, "+1", FILLER * 30, "", "😀"]
    comments = [Comment(text=text, passages=passages) for text in texts]
    together = classifier.predict(comments)
    alone = [classifier.predict([comment])[0] for comment in reversed(comments)][::-1]
    for one, other in zip(together, alone, strict=True):
        for label in one.scores:
            assert one.scores[label] == pytest.approx(other.scores[label], abs=0.02)


@pytest.mark.parametrize("words", [2, 8, 14, 18, 22, 26, 40, 60, 90, 150, 230])
def test_a_text_is_read_alike_however_far_it_is_padded(classifier: Classifier, words: int) -> None:
    # Lengths are rounded up: one that a kernel gets wrong would change what comes alone.
    text = " ".join((HONEST * 5).split()[:words])
    longer = [" ".join((FILLER * 20).split()[: words + more]) for more in (8, 20, 60)]
    comments = [Comment(text=each) for each in (text, *longer)]
    alone = classifier.logits(comments[:1])[0]
    for companion in comments[1:]:
        assert classifier.logits([comments[0], companion])[0] == pytest.approx(alone, abs=0.25)


def test_a_scrap_beside_abuse_does_not_speak_for_it(score: Score) -> None:
    kind = "However, the mayor may. Thank you for counting, and for the tables in the annex!"
    calm, mixed = score(kind), score(f"{FILLER * 3}{ABUSE} {kind}")
    assert calm.scores["toxicity"] < 0.1
    [shown, *_] = mixed.evidence["toxicity"]
    assert (shown.start, shown.end) == (len(FILLER * 3), len(FILLER * 3) + len(ABUSE))


def test_the_quote_and_the_evidence_are_words_of_the_comment(score: Score) -> None:
    text = f"😀 {HONEST} {ABUSE}"
    scored = score(text)
    assert scored.quote
    quote = text[scored.quote.start : scored.quote.end]
    assert 40 <= len(quote) <= 240
    assert quote[-1] in ".!?"
    assert ABUSE.split(" and ")[0] in [
        text[s.start : s.end][: len(ABUSE.split(" and ")[0])] for s in scored.evidence["toxicity"]
    ]


def test_passages_survive_storage(classifier: Classifier) -> None:
    passages = classifier.passages(ARTICLE)
    again = Passages.from_bytes(passages.to_bytes(), ARTICLE)
    one, other = classifier.predict(
        [Comment(text=HONEST, passages=passages), Comment(text=HONEST, passages=again)]
    )
    assert one.scores["relevance"] == pytest.approx(other.scores["relevance"], abs=0.01)
    assert one.passage == other.passage


def test_nothing_to_score_is_no_fault(classifier: Classifier) -> None:
    assert classifier.predict([]) == []


def test_serving_imports_neither_torch_nor_transformers_nor_telemetry() -> None:
    code = (
        "import sys; from service.app import create_app; from models.inference import *\n"
        "Classifier.load().predict([Comment(text='Hello there')])\n"
        "heavy = {'torch', 'transformers', 'nncf', 'sklearn', 'requests'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "assert sys.modules.get('openvino_telemetry') is None\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_served_network_agrees_with_the_one_in_torch() -> None:
    """8 bits on OpenVINO against the network that was trained, in scores and not only in vectors."""
    weights = open_weights()
    network = restore(weights.folder / "reference.safetensors", weights.manifest["labels"])
    torch_one = Classifier(weights, reference(network))
    served = Classifier.load(threads=1)
    texts = (HONEST, SPAM, ABUSE, FILLER, f"{FILLER} {SPAM}")

    def scored(classifier: Classifier) -> list[Scored]:
        passages = classifier.passages(ARTICLE)
        return classifier.predict([Comment(text=text, passages=passages) for text in texts])

    for one, other in zip(scored(served), scored(torch_one), strict=True):
        assert "relevance" in one.scores
        changes = [abs(one.scores[label] - other.scores[label]) for label in one.scores]
        assert max(changes) < 0.15
        assert sum(changes) / len(changes) < 0.03
