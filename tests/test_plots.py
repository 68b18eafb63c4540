"""Figures say what they show, follow the page's colours, and do not meddle with one another."""

import re
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup

from causalbook import Estimate, mean_of, plots

ONE = mean_of([1.0, 2.0, 4.0], estimand="e", method="one")
TWO = mean_of([2.0, 2.5, 9.0], estimand="e", method="two")
NONE = Estimate(3.0, [np.nan] * 3, "e", "none", notes=("no error",))


def svg(figure):
    return BeautifulSoup(figure.svg, "html.parser").svg


def test_a_figure_speaks_its_numbers():
    said = svg(plots.intervals(ONE, NONE, truth=2.5))["aria-label"]
    low, high = ONE.conf_int()
    assert f"one {ONE.value:.3f} ({low:.3f} to {high:.3f})" in said
    assert re.search(r"none 3\.0+ without an interval", said)
    assert "the truth is 2.5" in said


def test_a_figure_without_a_finding_is_refused():
    with pytest.raises(ValueError, match="alt is 'img': state what the figure shows"):
        plots.canvas("img").__enter__()


def test_text_and_axes_take_the_colour_of_the_page():
    drawn = plots.intervals(ONE, truth=2.5).svg
    assert plots.INK not in drawn
    assert "currentColor" in drawn
    assert "#ffffff" not in drawn.lower()  # a white box would hide a dark page
    assert "<style" not in drawn  # a style inside would hold for the whole page


def test_two_figures_share_no_id_and_each_finds_its_own():
    first, second = svg(plots.intervals(ONE)), svg(plots.intervals(TWO))
    ids = [{tag["id"] for tag in figure.find_all(id=True)} for figure in (first, second)]
    assert not ids[0] & ids[1]
    for figure, own in zip((first, second), ids, strict=True):
        used = re.findall(r'(?:href="|url\()#([^")]+)', str(figure))
        assert used
        assert set(used) <= own


def test_the_same_figure_is_drawn_the_same_way_twice():
    assert plots.intervals(ONE, TWO).svg == plots.intervals(ONE, TWO).svg


def test_a_point_is_drawn_where_its_number_is():
    """From the drawing alone: the point divides its line as the numbers do."""
    with plots.canvas("A line from zero to four with a point at one.") as c:
        c.axes.plot([0, 4], [0, 0])
        c.axes.plot([1], [0], "o")
    paths = re.findall(r'd="M ([\d.]+) [\d.]+ \nL ([\d.]+) [\d.]+ \n" clip', c.figure.svg)
    left, right = map(float, paths[0])
    point = float(re.search(r'<use [^>]*x="([\d.]+)"[^>]*style="[^"]*ff7f0e', c.figure.svg)[1])
    assert (point - left) / (right - left) == pytest.approx(1 / 4, abs=1e-6)


def test_a_table_shows_each_kind_of_value_in_its_way():
    frame = pd.DataFrame(
        {
            "what": ["a < b", "c"],
            "n": [10_000, 2],
            "rate": [1 / 3, np.nan],
            "exact": [Fraction(1, 3), Fraction(2)],
            "covers": [True, np.nan],
        }
    )
    html = plots.table(frame, digits=2, places={"rate": 4})._repr_html_()
    cells = [td.get_text() for td in BeautifulSoup(html, "html.parser").select("td")]
    assert cells == ["a < b", "10,000", "0.3333", "1/3", "yes", "c", "2", "–", "2", "–"]
    heads = [th["scope"] for th in BeautifulSoup(html, "html.parser").select("th")]
    assert heads == ["col"] * 5


def test_a_slider_shows_one_frame_and_says_which():
    frames = [("first", plots.intervals(ONE)), ("second & last", plots.intervals(TWO))]
    box = BeautifulSoup(plots.slider(frames, label="which")._repr_html_(), "html.parser").div
    assert [f.has_attr("hidden") for f in box.select("[data-frame]")] == [False, True]
    assert box.select_one("input")["max"] == "1"
    assert box.select_one("output").get_text() == "first"
    assert box["data-says"] == "first|second & last"
