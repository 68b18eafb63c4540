"""The exercise of the page on privacy: what the noise at the source costs in users."""

from __future__ import annotations

from causalbook.exercises import Exercise

__all__ = ["EXERCISE", "survey"]


def survey() -> dict[str, float]:
    """Return the question to ask: the share that would say yes, and the chance of a true answer."""
    return {"yes": 0.10, "honest": 0.75}


def _times(*, sampling: bool = True, noise: bool = True, stretched: bool = True) -> float:
    """Users needed with randomised answers over those without; each False is one mistake."""
    share, p = survey().values()
    plain = share * (1 - share)
    if not stretched:  # the spread of the reports themselves
        said = p * share + (1 - p) * (1 - share)
        return said * (1 - said) / plain
    lies = p * (1 - p) / (2 * p - 1) ** 2 if noise else plain / (2 * p - 1) ** 2 - plain
    return (lies + (plain if sampling else 0.0)) / plain


EXERCISE = Exercise(
    answer=_times,
    misconceptions={
        "spread of the reports": (
            lambda: _times(stretched=False),
            "That is how much more the reports vary than the answers. The estimate stretches them "
            "by one over 2p - 1, and their spread with them.",
        ),
        "the noise alone": (
            lambda: _times(sampling=False),
            "You counted the variance of the lies. The true answers still differ between users.",
        ),
        "stretch alone": (
            lambda: _times(noise=False),
            "That is one over (2p - 1) squared: it stretches the spread of the true answers, but "
            "what is stretched are the reports, which vary more.",
        ),
    },
    hint="How large is the variance of one score, sampling and lies, and of one plain answer?",
)
