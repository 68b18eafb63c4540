"""Exercises of the part: each page's right answer and misconceptions, by the page's name."""

from __future__ import annotations

from causalbook.exercises import Exercise
from causalbook.llm_encoding.answers_annotation import EXERCISE as ANNOTATION
from causalbook.llm_encoding.answers_article_code import EXERCISE as ARTICLE_CODE
from causalbook.llm_encoding.answers_cost import EXERCISE as COST
from causalbook.llm_encoding.answers_embeddings_for_policies import EXERCISE as POLICIES
from causalbook.llm_encoding.answers_encoding import EXERCISE as ENCODING
from causalbook.llm_encoding.answers_fine_tuning import EXERCISE as FINE_TUNING
from causalbook.llm_encoding.answers_interest_and_relevance import EXERCISE as INTEREST
from causalbook.llm_encoding.answers_multimodal import EXERCISE as MULTIMODAL
from causalbook.llm_encoding.answers_privacy import EXERCISE as PRIVACY
from causalbook.llm_encoding.answers_text_as_confounder import EXERCISE as TEXT

EXERCISES: dict[str, Exercise] = {
    "encoding": ENCODING,
    "fine_tuning": FINE_TUNING,
    "multimodal": MULTIMODAL,
    "annotation": ANNOTATION,
    "article_code": ARTICLE_CODE,
    "interest_and_relevance": INTEREST,
    "cost": COST,
    "embeddings_for_policies": POLICIES,
    "privacy": PRIVACY,
    "text_as_confounder": TEXT,
}
