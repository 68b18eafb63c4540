"""Sums under masks: they cancel exactly, say nothing alone, and give the pooled effect."""

import hashlib

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from causalbook.potential_outcomes import ab_test
from causalbook.project import Warehouse, bucket_difference, bucket_of, mask, pair_keys, unmask


@given(
    st.integers(2, 5).flatmap(
        lambda sites: st.lists(
            st.lists(st.floats(-1e6, 1e6), min_size=6, max_size=6), min_size=sites, max_size=sites
        )
    ),
    st.integers(0, 10**6),
)
def test_masks_cancel_and_leave_the_sum(tables, seed):
    keys = pair_keys(len(tables), seed=seed)
    sums = [np.array(table).reshape(3, 2) for table in tables]
    told = unmask([mask(x, i, keys) for i, x in enumerate(sums)])
    np.testing.assert_allclose(told, sum(sums), rtol=0, atol=len(sums) * 2.0**-33 + 1e-9)


def test_whole_numbers_come_out_exactly_and_as_whole_numbers_of_any_size_do_by_hand():
    keys = pair_keys(3, seed=4)
    rng = np.random.default_rng(4)
    sums = [rng.integers(-(10**6), 10**6, size=(5, 2)).astype(float) for _ in range(3)]
    uploads = [mask(x, i, keys) for i, x in enumerate(sums)]
    np.testing.assert_array_equal(unmask(uploads), sum(sums))
    for i, x in enumerate(sums):  # the same in Python's whole numbers, which never wrap
        for cell, value in enumerate(x.ravel()):
            word = int(value) * 2**32
            for j in range(3):
                if j != i:
                    stream = hashlib.shake_256(int(keys[i, j]).to_bytes(8, "big")).digest(80)
                    part = int.from_bytes(stream[8 * cell : 8 * cell + 8], "little")
                    word += part if j > i else -part
            assert int(uploads[i].ravel()[cell]) == word % 2**64


def test_what_one_site_sends_looks_like_noise_whatever_it_hides():
    keys = pair_keys(3, seed=7)
    for sums in (np.zeros((4_096, 2)), np.full((4_096, 2), 3.0)):
        upload = mask(sums, 1, keys)
        for shift in (0, 31, 56):  # low, middle and high bits
            counts = np.bincount(
                (upload.ravel() >> np.uint64(shift)).astype(np.uint8), minlength=256
            )
            assert scipy.stats.chisquare(counts).pvalue > 1e-4
    two = [mask(sums, i, keys) for i in (0, 1)]  # one site has not sent yet
    assert np.abs(unmask(two)).min() > 1e3 * 3.0


def test_keys_belong_to_pairs():
    keys = pair_keys(4, seed=1)
    np.testing.assert_array_equal(keys, keys.T)
    assert (np.diag(keys) == 0).all()
    assert len(set(keys[np.triu_indices(4, 1)])) == 6


def test_effect_of_the_added_sums_is_that_of_the_pooled_rows():
    rng = np.random.default_rng(2)
    user = rng.integers(3_000, size=9_000)  # people visit several sites
    a = np.random.default_rng(3).integers(2, size=3_000)[user]
    y = rng.exponential(1 + 0.1 * a) + rng.normal(size=3_000)[user]
    site = rng.integers(3, size=9_000)
    rows = pd.DataFrame({"bucket": bucket_of(user), "y": y, "a": a})
    keys = pair_keys(3, seed=9)
    parts = []
    for i in range(3):
        with Warehouse() as w:  # each site its own
            parts.append(w.arm_sums(w.bring(rows[site == i]), y="y", a="a"))
    told = unmask([mask(part, i, keys) for i, part in enumerate(parts)])
    apart = bucket_difference(pd.DataFrame(told, index=parts[0].index, columns=parts[0].columns))
    pooled = ab_test(y, a, cluster=rows["bucket"])
    assert abs(apart.value - pooled.value) < 1e-10
    assert abs(apart.se - pooled.se) < 1e-10


def test_refuses_what_cannot_be_hidden():
    keys = pair_keys(2, seed=1)
    with pytest.raises(ValueError, match="sites is 1"):
        pair_keys(1, seed=1)
    for site in (2, -1):
        with pytest.raises(ValueError, match=f"site is {site}: there are keys for 2 sites"):
            mask([[1.0]], site, keys)
    with pytest.raises(ValueError, match="sums has 1,073,741,824: with 2 sites, pass sums below 1"):
        mask([[2.0**30]], 0, keys)
    with pytest.raises(ValueError, match="sums is NaN"):
        mask([[np.nan]], 0, keys)
    with pytest.raises(ValueError, match="uploads have shapes"):
        unmask([mask([[1.0]], 0, keys), mask([[1.0, 2.0]], 1, keys)])
    with pytest.raises(ValueError, match="uploads have shapes"):
        unmask([])
    with pytest.raises(ValueError, match=r"uploads are of \['float64', 'float64'\]"):
        unmask([np.ones((2, 2)), np.ones((2, 2))])


@pytest.mark.parametrize("sites", [2, 3, 7])
def test_the_largest_sums_that_are_taken_still_fit_into_the_words_of_their_sum(sites):
    keys = pair_keys(sites, seed=1)
    for sign in (-1, 1):
        most = sign * (2.0**31 / sites - 1)
        told = unmask([mask([[most]], i, keys) for i in range(sites)])
        assert told[0, 0] == pytest.approx(sites * most, rel=1e-12)
    with pytest.raises(ValueError, match=f"with {sites} sites, pass sums below"):
        mask([[2.0**31 / sites]], 0, keys)
