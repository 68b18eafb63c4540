"""Whole analyses, from the log to a decision in money: a shop, advertising, trends, ten domains."""

from causalbook.case_study.decisions import Decision, decide

__all__ = ["Decision", "decide"]
