"""Exercises of the part: each page's right answer and misconceptions, by the page's name."""

from __future__ import annotations

from causalbook.exercises import Exercise

EXERCISES: dict[str, Exercise] = {}
