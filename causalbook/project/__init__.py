"""The project: a recommender whose effect is known, from database to service."""

from causalbook.project.policy_tables import TablePolicy, shop_context

__all__ = [
    "TablePolicy",
    "shop_context",
]
