"""What the exercise on annotation asks: eight messages, read by a model, five also by people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalbook.exercises import Exercise
from causalbook.llm_encoding.human_labels import prediction_powered

if TYPE_CHECKING:
    import pandas as pd


def practice_messages() -> pd.DataFrame:
    """Return the model's label, a person's where one looked, and the probability of a look."""
    import pandas as pd

    return pd.DataFrame(
        {
            "model": [1, 1, 0, 0, 1, 1, 0, 1],
            "person": [1, None, None, 1, 0, None, 0, 0],
            "probability": [0.25, 0.25, 0.25, 0.5, 0.25, 0.25, 0.5, 0.5],
        }
    )


def corrected() -> float:
    """Correct the model's share by what people saw, each look weighed."""
    t = practice_messages()
    return prediction_powered(t["model"], t["person"], t["probability"]).value


def counted() -> float:
    """Count the model's labels."""
    return float(practice_messages()["model"].mean())


def by_people_alone() -> float:
    """Average the labels that people gave, as if they had looked anywhere with equal chance."""
    return float(practice_messages()["person"].mean())


def filled_in() -> float:
    """Put a person's label in the model's place where there is one."""
    t = practice_messages()
    return float(t["person"].fillna(t["model"]).mean())


def unweighted() -> float:
    """Correct by the plain average of people's labels less the model's."""
    t = practice_messages()
    return counted() + float((t["person"] - t["model"]).mean())


EXERCISE = Exercise(
    corrected,
    {
        "counted": (
            counted,
            "This counts the model's labels. People looked at five of these messages and did not "
            "always agree: let the disagreements speak for the messages nobody looked at.",
        ),
        "filled in": (
            filled_in,
            "This repairs the five messages that people read and leaves the model's errors in the "
            "other three. Each disagreement stands for one over its probability messages.",
        ),
        "people alone": (
            by_people_alone,
            "This averages the five labels as if each message had the same chance to be read. Some "
            "were read with a quarter, some with a half.",
        ),
        "unweighted": (
            unweighted,
            "The idea is right. The messages were not read with equal chances: weigh each "
            "disagreement by one over its probability, and divide by all eight messages.",
        ),
    },
    "For each message take the model's label; where a person looked, add the disagreement over the "
    "probability of the look. Average over all messages.",
)
