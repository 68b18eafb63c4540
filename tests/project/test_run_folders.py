"""A step's warnings: those of estimates are kept for the report, no other one is lost."""

import warnings

import pytest

from causalbook.project.contents import get_json
from causalbook.project.run_folders import Folder, Step


def test_a_warning_of_an_estimate_is_kept_and_any_other_goes_on(tmp_path):
    def work():
        warnings.warn("rests on little", UserWarning, stacklevel=1)
        warnings.warn("overflow", RuntimeWarning, stacklevel=1)
        (tmp_path / "a.json").write_text("1")

    with pytest.warns(RuntimeWarning, match="overflow") as heard:
        Folder(tmp_path, {}).take([Step("work", work, (), ("a.json",))], progress=False)
    assert len(heard) == 1
    assert get_json(tmp_path / "run.json")["warned"] == {"work": ["rests on little"]}
