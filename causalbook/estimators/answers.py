"""Exercises of the part: right answers and misconceptions, computed from the same data."""

from __future__ import annotations

import math
from functools import partial

from causalbook.estimators import practice as by
from causalbook.estimators import practice_policies as policies
from causalbook.estimators import practice_ratings as ratings
from causalbook.estimators import practice_uplift as uplift
from causalbook.estimators.practice import (
    practice_arms,
    practice_influences,
    practice_log,
    practice_mail,
    practice_panel,
    practice_twins,
    practice_visits,
    scored_visits,
)
from causalbook.estimators.practice_policies import practice_weeks
from causalbook.estimators.practice_ratings import practice_pairs
from causalbook.estimators.practice_uplift import practice_rule
from causalbook.exercises import Exercise

__all__ = [
    "EXERCISES",
    "practice_arms",
    "practice_influences",
    "practice_log",
    "practice_mail",
    "practice_pairs",
    "practice_panel",
    "practice_rule",
    "practice_twins",
    "practice_visits",
    "practice_weeks",
    "scored_visits",
]

EXERCISES = {
    "debiased_recommenders": Exercise(
        ratings.risk,
        {
            "mean of the observed": (
                ratings.mean_of_the_observed,
                "This is the mean over the four films that were watched. Each of them stands for "
                "one over its propensity pairs: weigh its loss by that.",
            ),
            "divided by the observed": (
                ratings.divided_by_the_observed,
                "The weights are right. They stand for all pairs, so divide by the six pairs, not "
                "by the four observed.",
            ),
            "divided by the weights": (
                ratings.divided_by_the_weights,
                "This divides by the sum of the weights: it is SNIPS, whose weights need not add "
                "up to the six pairs. IPS divides by the six.",
            ),
        },
        "Weigh the loss of each observed pair by one over its propensity, add up, and average over "
        "all pairs, the unobserved counting as zero.",
    ),
    "difference_in_differences": Exercise(
        by.second_difference,
        {
            "after only": (
                by.after_only,
                "This compares the two groups of cities in the second month. They differed in the "
                "first month too; take each group's change.",
            ),
            "treated cities only": (
                by.treated_only,
                "This is what changed in the cities with the new recommender. Part of it changed "
                "in the other cities as well; subtract their change.",
            ),
        },
        "Average the change from before to after in each group of cities, and subtract that of the "
        "cities without the new recommender.",
    ),
    "doubly_robust": Exercise(
        by.doubly_robust,
        {
            "models only": (
                partial(by.doubly_robust, corrected=False),
                "This is the mean of mu1 - mu0: what the outcome models say, with no second "
                "chance. Add the weighted residuals of the visits.",
            ),
            "residuals without weights": (
                partial(by.doubly_robust, weighted=False),
                "The residuals are there, but each counts once. Divide each by the probability "
                "of what the visit received: e if shown, 1 - e if not.",
            ),
            "correction only": (
                partial(by.doubly_robust, predicted=False),
                "This is only the correction, the mean of the weighted residuals. It is added to "
                "what the models predict, mu1 - mu0.",
            ),
        },
        "For each visit take mu1 - mu0, add (Y - mu1) / e where it was shown and subtract "
        "(Y - mu0) / (1 - e) where it was not, and average over all visits.",
    ),
    "instruments": Exercise(
        by.of_compliers,
        {
            "mailed minus not mailed": (
                partial(by.gap, "Y", "Z == 1", "Z == 0"),
                "This is the effect of the mail, and it is right for the mail. The mail moved "
                "only some users; divide by how many it moved.",
            ),
            "users minus others": (
                partial(by.gap, "Y", "A == 1", "A == 0"),
                "You compared those who used it with those who did not. They chose to; only the "
                "mail was drawn by lot. Compare by Z, then divide.",
            ),
            "those who did as told": (
                partial(by.gap, "Y", "Z == 1 and A == 1", "Z == 0 and A == 0"),
                "You left out who did not do as the mail said. Those who remain in the two groups "
                "are different people: keep everyone, compare by Z, then divide.",
            ),
        },
        "Take the difference in the share of buyers between mailed and not mailed, and divide it "
        "by the difference in the share of users of the feature.",
    ),
    "matching": Exercise(
        lambda: by.twins((1,)),
        {
            "first of the tied": (
                lambda: by.twins((1,), first=True),
                "Two users are as near as each other to some of the shown, and you took the first "
                "in the table. Its order is no information: average the two.",
            ),
            "everyone matched": (
                lambda: by.twins((0, 1)),
                "You matched the users who were not shown as well: that is the ATE. The question "
                "is about the shown, so average over their three differences.",
            ),
            "difference in means": (
                by.unmatched,
                "This compares the two groups as they are, and the shown visit more often. Compare "
                "each shown user with those who visit as often.",
            ),
        },
        "For each shown user find the unshown one whose visits are nearest (both, if two are), "
        "take the difference in spending, and average the three differences.",
    ),
    "one_result_type": Exercise(
        lambda: by.error(
            by.practice_influences()["weights"] - by.practice_influences()["regression"]
        ),
        {
            "as if from other people": (
                lambda: sum(se**2 for se in by.errors()) ** 0.5,
                "This adds the two variances, as for two groups of people. These are the same six: "
                "subtract row by row first, so that what the two share cancels.",
            ),
            "difference of the errors": (
                lambda: by.errors()[0] - by.errors()[1],
                "This subtracts one standard error from the other. Two errors do not say how much "
                "the estimates share; subtract the influences, then take the error.",
            ),
        },
        "Subtract the two influences row by row; square, add, take the root, divide by the rows.",
    ),
    "off_policy": Exercise(
        by.value,
        {
            "click rate where shown": (
                by.matching_only,
                "This is the click rate of the rounds that showed item 1. It speaks of the "
                "visitors to whom item 1 was shown; weigh each round by one over its propensity.",
            ),
            "divided by the matches": (
                by.divided_by_matches,
                "The weights are right. You divided by the number of rounds that showed item 1; "
                "IPS divides by all rounds, those with weight zero included.",
            ),
        },
        "Give each round the weight (1 if item 1 was shown, else 0) / pscore, multiply by the "
        "reward, and average over all rounds.",
    ),
    "off_policy_learning": Exercise(
        policies.balanced,
        {
            "each week by its own": (
                policies.own_propensity,
                "You divided each round by the policy of its own week. That is unbiased, and the "
                "week that hardly showed item 1 gets the heaviest rounds. Divide by the mixture.",
            ),
            "weeks of equal length": (
                policies.halves,
                "You took the plain average of the two probabilities. The first week has six of "
                "the ten rounds: its policy counts with six tenths.",
            ),
            "mean of two estimates": (
                policies.week_by_week,
                "You estimated each week by itself and averaged. Stack the rounds first, as one "
                "log of the mixture.",
            ),
        },
        "For each round that showed item 1, divide the reward by the two policies' probabilities, "
        "averaged with the weeks' shares of the rounds; average over all ten rounds.",
    ),
    "propensity": Exercise(
        lambda: by.hajek(lambda e: 1 / (1 - e)),
        {
            "one weight for both arms": (
                by.one_rule_for_both,
                "You gave every visit 1/e. A visit without an offer stands for those like it that "
                "had none either: one over the probability of its own arm, 1/(1 - e).",
            ),
            "offered minus not": (
                by.offered_minus_not,
                "This is the difference in means as it stands. The policy chose whom to offer; "
                "weigh each visit by one over the probability of what it got.",
            ),
            "divided by the visits": (
                by.divided_by_visits,
                "The weights are right, and this is Horvitz-Thompson: it divides by the number of "
                "visits. Hájek divides each arm by the sum of its own weights.",
            ),
        },
        "Weigh offered visits by 1/e and the others by 1/(1 - e), take the weighted mean of Y in "
        "each arm, and subtract.",
    ),
    "regression": Exercise(
        lambda: by.standardised(lambda n, e: n),
        {
            "difference in means": (
                by.arms_as_they_are,
                "This compares the arms as they are, and more of the shown have high intent. "
                "Compare within each intent, then average.",
            ),
            "one coefficient": (
                lambda: by.standardised(lambda n, e: n * e * (1 - e)),
                "This is the coefficient of shown beside intent, without their product: it weighs "
                "an intent by how evenly it was split. Weigh it by its number of visitors.",
            ),
            "those shown": (
                lambda: by.standardised(lambda n, e: n * e),
                "You averaged over the visitors who were shown the item: that is the ATT. The "
                "question is about all ten.",
            ),
        },
        "Take the difference between shown and not shown within each intent, and average the two "
        "over all ten visitors.",
    ),
    "sensitivity": Exercise(
        lambda: by.audited(lambda ra, ry: math.sqrt(ry * ra / (1 - ra))),
        {
            "below the robustness value": (
                lambda: by.audited(lambda ra, ry: 0.0),
                "This is the coefficient as it stands. Both shares are below the robustness value, "
                "so the intent cannot take *all* of the effect; it takes what the formula says.",
            ),
            "without the root": (
                lambda: by.audited(lambda ra, ry: ry * ra / (1 - ra)),
                "The shares are squares of correlations, and the bias goes with their root: you "
                "left the square root out.",
            ),
            "all of the treatment": (
                lambda: by.audited(lambda ra, ry: math.sqrt(ry * ra)),
                "Divide by what the intent leaves of the treatment, 1 less its share, under the "
                "root: the less is left, the more a bias shifts the coefficient.",
            ),
        },
        "Take the formula for the size of the bias: the standard error, the root of the degrees of "
        "freedom, the root of a product of shares; then subtract.",
    ),
    "uplift": Exercise(
        uplift.rule_value,
        {
            "unweighted": (
                uplift.unweighted,
                "This is the mean of those whom chance gave what the rule would. Some had a small "
                "chance of that, and speak for more users: divide each outcome by that chance.",
            ),
            "treated only": (
                uplift.treated_only,
                "You counted only users whom the rule treats. The others are part of its value "
                "too, with the outcome that they have without treatment.",
            ),
            "divided by those who agree": (
                uplift.per_agreeing,
                "The weights are right. Divide by all eight users: those for whom chance and rule "
                "differ count with zero.",
            ),
        },
        "Where A is what the rule says, divide Y by the chance of that (e, or 1 - e); add, and "
        "divide by all users.",
    ),
}
