"""Exercises of the part: each page's right answer and misconceptions, by the page's name."""

from __future__ import annotations

from causalbook.exercises import Exercise
from causalbook.project.answers_data import EXERCISE as DATA
from causalbook.project.answers_evaluation import EXERCISE as EVALUATION
from causalbook.project.answers_explanation import EXERCISE as EXPLANATION
from causalbook.project.answers_online_learning import EXERCISE as ONLINE_LEARNING
from causalbook.project.answers_pipeline import EXERCISE as PIPELINE
from causalbook.project.answers_privacy import EXERCISE as PRIVACY
from causalbook.project.answers_scale import EXERCISE as SCALE
from causalbook.project.answers_service import EXERCISE as SERVICE

EXERCISES: dict[str, Exercise] = {
    "data": DATA,
    "evaluation": EVALUATION,
    "explanation": EXPLANATION,
    "online_learning": ONLINE_LEARNING,
    "pipeline": PIPELINE,
    "privacy": PRIVACY,
    "scale": SCALE,
    "service": SERVICE,
}
