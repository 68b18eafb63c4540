"""The checker of the exercise on the service: by hand, and through the package."""

from causalbook.estimators import Log, ips
from causalbook.exercises import check
from causalbook.project.answers_service import practice_log

EXERCISE = "project.service"


def test_right_answers_and_misconceptions(examine):
    # By hand: clicks on the trailer are in rows 1 and 3 (v1, chance 4/5) and 5 (v2, chance 1/4).
    mistakes = {
        "the version of today": (3 * 4 / 8, "click rate above 1"),
        "the click rate where it was shown": (3 / 4, "were shown the trailer"),
        "over the visits that were shown it": ((5 / 4 + 5 / 4 + 4) / 4, "divide by eight"),
    }
    examine(EXERCISE, (5 / 4 + 5 / 4 + 4) / 8, mistakes, "Divide each click on the trailer")


def test_the_package_gives_the_right_answer():
    table = practice_log()
    trailer = table["shown"] == "trailer"
    p = table["chance of the trailer"]
    log = Log(1 - trailer.astype(int), table["clicked"], p.where(trailer, 1 - p))
    import warnings

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        estimate = ips(log, [[1.0, 0.0]] * 8)
    assert "effective" in str(told[0].message)  # eight visits are few
    assert check(EXERCISE, estimate)
