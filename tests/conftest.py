"""What all tests share."""

import os

from hypothesis import settings

# A busy machine is no error. On CI the same examples in every run: a new one is found by people.
settings.register_profile("patient", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("patient")
