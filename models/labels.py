"""The taxonomy: one list of labels for data, training, serving and the pages."""

# Judged on the words of a comment by one head each; calibrated probabilities.
SPAM_HEADS = ("spam",)
TOXICITY_HEADS = ("toxicity", "severe_toxic", "obscene", "threat", "insult", "identity_attack")
INSIGHT_HEADS = ("insight", "experience", "reasons", "novelty")
# What sort of text it is: word salad, or talk about the site and its moderation.
KIND_HEADS = ("incoherent", "about_site")
HEADS = (*SPAM_HEADS, *TOXICITY_HEADS, *INSIGHT_HEADS, *KIND_HEADS)

# Everything a comment is scored for, in the order in which it is shown.
SCORES = ("spam", "relevance", *TOXICITY_HEADS, *INSIGHT_HEADS, "echo", *KIND_HEADS)

# Ordinal, by the rating 0 to 3 that a rater would give; relevance is P(rating >= 2).
RELEVANCE_LABELS = ("off", "weak", "related", "direct")
