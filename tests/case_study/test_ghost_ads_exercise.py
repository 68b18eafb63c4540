"""The checker of the exercise on ghost ads, from the report that the reader sees."""

from fractions import Fraction

from causalbook.case_study.answers_ghost_ads import campaign_report


def test_the_checker_knows_the_answer_and_the_mistakes(examine):
    report = campaign_report().set_index("arm")
    assert (report["exposed"] <= report["ghosts"]).all()
    assert (report["ghosts bought"] <= report["bought"]).all()
    assert (report["exposed bought"] <= report["ghosts bought"]).all()
    assert report.loc["holdout", "exposed"] == 0

    def rate(arm, bought, of):
        return Fraction(int(report.loc[arm, bought]), int(report.loc[arm, of]))

    ghosts = rate("campaign", "ghosts bought", "ghosts") - rate(
        "holdout", "ghosts bought", "ghosts"
    )
    served = rate("campaign", "exposed", "ghosts")
    everybody = rate("campaign", "bought", "users") - rate("holdout", "bought", "users")
    seen = rate("campaign", "exposed bought", "exposed")
    campaign = report.loc["campaign"]
    unseen = Fraction(
        int(campaign["bought"] - campaign["exposed bought"]),
        int(campaign["users"] - campaign["exposed"]),
    )
    mistakes = {
        "exposed against ghosts": (
            seen - rate("holdout", "ghosts bought", "ghosts"),
            "bought far less",
        ),
        "not divided": (ghosts, "divide by them"),
        "everybody": (everybody / rate("campaign", "exposed", "users"), "Wald's ratio"),
        "exposed against unexposed": (seen - unseen, "not a lottery"),
    }
    examine("case_study.ghost_ads", ghosts / served, mistakes, hint="The lottery made the ghosts")
    # Those predicted and not served bought less often: this is why the first mistake errs.
    missed = Fraction(
        int(campaign["ghosts bought"] - campaign["exposed bought"]),
        int(campaign["ghosts"] - campaign["exposed"]),
    )
    assert missed < seen
