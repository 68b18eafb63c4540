"""Language models at work: texts as vectors, as confounders, as actions, and what it costs."""

from causalbook.llm_encoding.action_clusters import coarsest_agreeing, item_clusters, offcem
from causalbook.llm_encoding.adapters import add_adapters, merge_adapters
from causalbook.llm_encoding.annotators import annotate, calibrate_labels, label_likelihoods
from causalbook.llm_encoding.distilled import StaticEncoder, distil
from causalbook.llm_encoding.encoder import TextEncoder
from causalbook.llm_encoding.film_shop_world import film_shop
from causalbook.llm_encoding.human_labels import prediction_powered, pseudo_labels
from causalbook.llm_encoding.intents import Probe, intent_vectors, probe
from causalbook.llm_encoding.item_policies import ItemPolicy, learn_item_policy
from causalbook.llm_encoding.text_adjustment import proximal, require_before, trained_nuisances
from causalbook.llm_encoding.tuning import TunedModel, fine_tune
from causalbook.llm_encoding.two_towers import InterestRelevance, TwoTowers

__all__ = [
    "InterestRelevance",
    "ItemPolicy",
    "Probe",
    "StaticEncoder",
    "TextEncoder",
    "TunedModel",
    "TwoTowers",
    "add_adapters",
    "annotate",
    "calibrate_labels",
    "coarsest_agreeing",
    "distil",
    "film_shop",
    "fine_tune",
    "intent_vectors",
    "item_clusters",
    "label_likelihoods",
    "learn_item_policy",
    "merge_adapters",
    "offcem",
    "prediction_powered",
    "probe",
    "proximal",
    "pseudo_labels",
    "require_before",
    "trained_nuisances",
]
