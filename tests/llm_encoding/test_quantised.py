"""Whole numbers of 8 bits: exact where the numbers are whole, within the rounding elsewhere."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from causalbook.llm_encoding import TextEncoder
from causalbook.llm_encoding.quantised import Int8Linear, quantised


def layer(weight, bias=None):
    out, into = weight.shape
    full = nn.Linear(into, out, bias=bias is not None)
    with torch.no_grad():
        full.weight.copy_(torch.from_numpy(weight))
        if bias is not None:
            full.bias.copy_(torch.from_numpy(bias))
    return full


def test_whole_numbers_come_out_exactly():
    rng = np.random.default_rng(0)
    weight = rng.integers(-127, 128, size=(6, 9)).astype(np.float32)
    weight[:, 0] = 127  # so that the step of each output is one
    x = rng.integers(-100, 100, size=(4, 9)).astype(np.float32)
    x[:, 0], x[:, 1] = -128, 127  # and that of each row
    bias = rng.integers(-9, 9, size=6).astype(np.float32)
    with torch.no_grad():
        y = Int8Linear(layer(weight, bias))(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(y, x @ weight.T + bias, rtol=1e-5)


@given(st.integers(0, 2**32 - 1), st.floats(-20, 20), st.booleans())
def test_the_error_is_at_most_what_rounding_can_do(seed, shift, with_bias):
    rng = np.random.default_rng(seed)
    weight = rng.normal(size=(5, 16)).astype(np.float32)
    bias = rng.normal(size=5).astype(np.float32) if with_bias else None
    x = (rng.normal(size=(2, 3, 16)) + shift).astype(np.float32)
    with torch.no_grad():
        y = Int8Linear(layer(weight, bias))(torch.from_numpy(x)).numpy()
    exact = x.astype(np.float64) @ weight.T.astype(np.float64) + (0 if bias is None else bias)
    s = np.ptp(x, axis=2, keepdims=True) / 255
    r = np.abs(weight).max(axis=1) / 127
    most = s / 2 * np.abs(weight).sum(axis=1) + r / 2 * (np.abs(x).sum(axis=2)[..., None] + 8 * s)
    assert (np.abs(y - exact) <= most + 1e-4 * (1 + np.abs(exact))).all()


def test_rows_do_not_depend_on_each_other_and_constant_rows_are_kept():
    rng = np.random.default_rng(1)
    weight = rng.normal(size=(5, 16)).astype(np.float32)
    small = Int8Linear(layer(weight))
    x = torch.from_numpy(rng.normal(size=(3, 16)).astype(np.float32))
    loud = x.clone()
    loud[1:] *= 1000
    with torch.no_grad():
        assert torch.equal(small(x)[0], small(loud)[0])
        constant = small(torch.full((1, 16), 2.0)).numpy()
        assert not small(torch.zeros(1, 16)).any()
    r = np.abs(weight).max(axis=1) / 127
    expected = 2 * r * np.round(weight / r[:, None]).sum(axis=1)
    np.testing.assert_allclose(constant[0], expected, rtol=1e-4, atol=1e-4)


def test_every_linear_layer_is_replaced_and_takes_a_quarter():
    network = nn.Sequential(nn.Linear(8, 4), nn.Sequential(nn.GELU(), nn.Linear(4, 2)))
    names = [name for name, m in network.named_modules() if isinstance(m, nn.Linear)]
    assert quantised(network) is network
    assert [n for n, m in network.named_modules() if isinstance(m, Int8Linear)] == names
    assert network[0].k.element_size() == 1
    assert network[0].k.shape == (4, 8)


def test_the_encoder_stays_near_and_has_vectors_of_its_own_in_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CAUSALBOOK_CACHE", str(tmp_path))
    texts = ["a horror film", "a comedy about two friends", "news of the day", "red shoes"]
    full, small = TextEncoder().encode(texts), TextEncoder(quantize=True).encode(texts)
    cosine = (full * small).sum(1) / np.linalg.norm(full, axis=1) / np.linalg.norm(small, axis=1)
    assert (cosine > 0.98).all()
    assert not np.array_equal(full, small)
    assert np.array_equal(small, TextEncoder(quantize=True).encode(texts))
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(full, small, atol=1e-5)
