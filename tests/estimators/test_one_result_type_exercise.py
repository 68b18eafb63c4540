"""The checker of the exercise on differences of estimates: right answer and two misconceptions."""


def test_the_checker_knows_the_answer_and_two_misconceptions(examine):
    # By hand: the differences are 1, 0, 0, -1, 1, -1; the squares sum to 50 and 28.
    examine(
        "estimators.one_result_type",
        4**0.5 / 6,
        {
            "as if from other people": ((50 + 28) ** 0.5 / 6, "subtract row by row first"),
            "difference of the errors": ((50**0.5 - 28**0.5) / 6, "subtract the influences"),
        },
        hint="Subtract the two influences row by row",
    )
