"""A declaration is checked before anything is computed, and reads back as it was written."""

import tomllib
from dataclasses import asdict, replace

import pytest

from causalbook.project import RunConfig, read_config


def test_a_declaration_names_estimand_outcome_and_guard_rail(tmp_path):
    """S0-058: what is decided, by which outcome, and what must not get worse."""
    path = tmp_path / "run.toml"
    path.write_text(RunConfig().to_toml(), encoding="utf-8")
    told = tomllib.loads(path.read_text(encoding="utf-8"))
    assert {"estimand", "outcome", "guard_rail", "tolerance", "margin", "cost", "seed"} <= set(told)
    assert read_config(path) == RunConfig()


def test_flags_go_before_the_file_and_the_file_before_the_defaults(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text('seed = 5\nusers = 6000\nlatent = ["visitor"]\n', encoding="utf-8")
    config = read_config(path, seed=7, users=None)
    assert (config.seed, config.users, config.margin) == (7, 6000, RunConfig().margin)


def test_the_version_is_that_of_exactly_this_declaration():
    one, two = RunConfig(seed=3), RunConfig(seed=3)
    assert asdict(one) == asdict(two)
    assert RunConfig(cost=0) == RunConfig(cost=0.0)
    assert replace(one, cost=0.03) != one


BAD = {
    "estimand": "LATE",
    "measure": "sum",
    "window": 0,
    "cost": -0.1,
    "margin": 0.0,
    "tolerance": 0.0,
    "effect": 0.0,
    "power": 0.01,
    "level": 1.0,
    "visits": 0,
    "keep": 0.0,
    "items": 0,
    "users": 100,
    "seed": -1,
    "exploration": 1.5,
    "graph": "shown -> bought",
}


@pytest.mark.parametrize(("field", "value"), BAD.items())
def test_each_field_out_of_range_is_refused_by_its_name(field, value):
    with pytest.raises(ValueError, match=field):
        RunConfig(**{field: value})


@pytest.mark.parametrize(("field", "value"), [("seed", 1.5), ("outcome", 3), ("cost", "2 cents")])
def test_a_value_of_another_kind_is_refused(field, value):
    with pytest.raises(ValueError, match=f"{field} is {value!r}"):
        RunConfig(**{field: value})


def test_unknown_keys_and_broken_files_are_refused(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text("outcom = 'purchase'", encoding="utf-8")
    with pytest.raises(ValueError, match="outcom, not known"):
        read_config(path)
    path.write_text("outcome purchase", encoding="utf-8")
    with pytest.raises(ValueError, match=r"run\.toml is no TOML file"):
        read_config(path)
