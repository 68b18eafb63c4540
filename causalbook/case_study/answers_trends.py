"""The exercise of the page on trends: a synthetic control from two donors, by hand."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from causalbook.exercises import Exercise

if TYPE_CHECKING:
    import pandas as pd

BEFORE, AFTER = slice(0, 4), slice(4, 6)
TREATED = [Fraction(x) for x in (45, 47, 50, 51, 63, 68)]  # before the promotion 3/4 A + 1/4 B
A = [Fraction(x) for x in (40, 44, 46, 50, 52, 54)]
B = [Fraction(x) for x in (60, 56, 62, 54, 64, 70)]


def practice_donors() -> pd.DataFrame:
    """Six weeks of three items; the first is promoted in the last two."""
    import pandas as pd

    items = {"promoted item": TREATED, "item A": A, "item B": B}
    sales = {name: [int(value) for value in values] for name, values in items.items()}
    return pd.DataFrame({"week": range(1, 7)} | sales)


def _mean(values: list[Fraction]) -> Fraction:
    return sum(values, Fraction(0)) / len(values)


def _gaps(share: Fraction) -> list[Fraction]:
    """Promoted item less a mixture with this share of A."""
    mixed = [share * a + (1 - share) * b for a, b in zip(A, B, strict=True)]
    return [y - m for y, m in zip(TREATED, mixed, strict=True)]


def _mixture() -> float:
    """The share with the least squared gap before: one covariance over one variance."""
    d = [a - b for a, b in zip(A[BEFORE], B[BEFORE], strict=True)]
    y = [t - b for t, b in zip(TREATED[BEFORE], B[BEFORE], strict=True)]
    share = _mean([i * j for i, j in zip(d, y, strict=True)]) / _mean([i * i for i in d])
    return float(_mean(_gaps(share)[AFTER]))


def _before_after() -> float:
    return float(_mean(TREATED[AFTER]) - _mean(TREATED[BEFORE]))


def _two_differences() -> float:
    gaps = _gaps(Fraction(1, 2))
    return float(_mean(gaps[AFTER]) - _mean(gaps[BEFORE]))


EXERCISE = Exercise(
    answer=_mixture,
    misconceptions={
        "before and after": (
            _before_after,
            "That is the item against its own past. The donors rose too: take from them what the "
            "weeks were worth without the promotion.",
        ),
        "equal weights": (
            lambda: float(_mean(_gaps(Fraction(1, 2))[AFTER])),
            "That is the gap to the plain mean of the donors, which was never where the item was. "
            "Choose the weights so that the gaps before the start vanish.",
        ),
        "two differences": (
            _two_differences,
            "That is difference in differences with equal weights. Here a mixture fits the weeks "
            "before exactly: use its weights.",
        ),
    },
    hint="Find the share w with w A + (1 - w) B equal to the promoted item in the first four "
    "weeks; then average the gaps of the last two.",
)
