"""The checker of the first exercise: every way to send the messages, and the usual mistakes."""

from fractions import Fraction
from itertools import product

from causalbook.intro.answers import practice_segments

NAME = "intro.why_causal"
# users, per cent that buy without and with a message, as the page prints them
SEGMENTS = [(2000, 60, 62), (1500, 30, 44), (1200, 20, 30), (2500, 2, 5)]


def bought(sent, first=1, second=2):
    """Purchases added (or, with first=None, all) by sending so many messages to each segment."""
    rows = zip(sent, SEGMENTS, strict=True)
    return sum(Fraction(n * (s[second] - (s[first] if first else 0)), 100) for n, s in rows)


def test_no_other_way_to_send_two_thousand_adds_more():
    steps = [range(0, users + 1, 100) for users, *_ in SEGMENTS]
    ways = [sent for sent in product(*steps) if sum(sent) == 2000]
    best = max(ways, key=bought)
    assert best == (0, 1500, 500, 0)
    assert bought(best) == 260
    # The way that a prediction would choose is the worst but for the new users.
    assert bought((2000, 0, 0, 0)) == 40 == min(bought(w) for w in ways if w[3] == 0)


def test_the_page_shows_these_segments():
    table = practice_segments()
    rows = zip(table["users"], table["without"] * 100, table["with"] * 100, strict=True)
    assert [(n, round(x), round(y)) for n, x, y in rows] == SEGMENTS


def test_the_checker_knows_the_answer_and_the_mistakes(examine):
    users = sum(n for n, *_ in SEGMENTS)
    everyone = bought([n for n, *_ in SEGMENTS])
    mistakes = {
        "ranked by the prediction": (bought((2000, 0, 0, 0)), "buy anyway"),
        "counted all purchases": (bought((0, 1500, 500, 0), first=None), "Count what is added"),
        "counted conversions": (bought((2000, 0, 0, 0), first=None), "dashboard's number"),
        "drawn by lot": (everyone * 2000 / users, "drawn by lot would add"),
    }
    examine(NAME, 260, mistakes, hint="until 2,000 messages are sent")
