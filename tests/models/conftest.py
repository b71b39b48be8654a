"""What tests of the models share: the shipped weights, loaded once."""

from collections.abc import Callable
from typing import Any

import pytest

from models.inference import Article, Classifier, Comment, Scored

ARTICLE = Article(
    title="Buses leave the high street",
    description="",
    text=(
        "The council closed the high street to cars on Monday after a vote of 17 to 14. "
        "Buses now stop at the old fish market, which is four minutes from the shops on foot. "
        "Traders say that takings fell by a tenth in the first week. "
        "The mayor promised to measure footfall, takings and air quality every three months."
    ),
)
Score = Callable[..., Scored]


@pytest.fixture(scope="session")
def classifier() -> Classifier:
    return Classifier.load()


@pytest.fixture(scope="session")
def score(classifier: Classifier) -> Score:
    """Score one comment under ARTICLE, or under none."""
    passages = classifier.passages(ARTICLE)

    def one(text: str, *, article: bool = True, **fields: Any) -> Scored:
        asked = Comment(text=text, passages=passages if article else None, **fields)
        return classifier.predict([asked])[0]

    return one
