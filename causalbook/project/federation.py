"""One effect from several houses: each sends sums over buckets, under masks that cancel."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from causalbook.arrays import Array, dice, numbers

Words = npt.NDArray[np.uint64]
UNIT = 2.0**-32  # sums travel as whole numbers of this


def pair_keys(sites: int, *, seed: int) -> npt.NDArray[np.int64]:
    """Draw a secret for each pair of sites: (sites, sites), symmetric; site i knows row i alone.

    Parameters: `sites`, from 2; `seed`, so that a page repeats: real sites agree on their secrets
    by a key exchange that nobody else can follow. Raises ValueError for fewer sites.
    Source: Bonawitz et al. (2017).
    """
    if sites < 2:
        raise ValueError(f"sites is {sites}: a sum hides its parts only from two on")
    keys = dice(sites, seed, "pair_keys").integers(2**62, size=(sites, sites))
    return np.triu(keys, 1) + np.triu(keys, 1).T


def mask(sums: Any, site: int, keys: Any) -> Words:
    r"""Hide a site's sums: to who sees them alone they are uniform noise, and the masks cancel.

    $$m_i = x_i + \sum_{j > i} g(k_{ij}) - \sum_{j < i} g(k_{ij}) \mod 2^{64}$$

    with g a stream of random words from the key of the pair (SHAKE-256). Each key serves one
    round: two tables under the same masks give their difference away.

    Parameters: `sums` (rows, columns) of site i, in any unit, below 2**31 over the number of sites
    in size, so that the sum of all fits into its word; `site` i, from 0; `keys` of `pair_keys`.
    Returns (rows, columns) words of 64 bits.
    Raises ValueError for NaN, sums too large, a site that has no key.
    Source: Bonawitz et al. (2017), without their care for sites that drop out.
    """
    x, secrets = numbers("sums", sums, ndim=2), np.asarray(keys)
    if not 0 <= site < len(secrets):
        raise ValueError(f"site is {site}: there are keys for {len(secrets)} sites, from 0")
    if (largest := float(np.abs(x).max())) >= (limit := 2.0**31 / len(secrets)):
        raise ValueError(
            f"sums has {largest:,.0f}: with {len(secrets)} sites, pass sums below {limit:,.0f}, "
            "in a larger unit"
        )
    told: Words = np.rint(x / UNIT).astype(np.int64).astype(np.uint64)
    for other, key in enumerate(secrets[site]):
        if other != site:
            stream = hashlib.shake_256(int(key).to_bytes(8, "big")).digest(8 * x.size)
            words = np.frombuffer(stream, dtype="<u8").astype(np.uint64).reshape(x.shape)
            told = told + words if other > site else told - words  # both wrap at 2**64
    return told


def unmask(uploads: Sequence[Words]) -> Array:
    r"""Add what all sites sent: the masks cancel, and the sums of all are left.

    $$\sum_i m_i \bmod 2^{64} = \sum_i x_i$$

    Parameters: `uploads`, the masked sums of every site; without one of them the rest is noise.
    Raises ValueError for tables of unequal shape, and of anything but words of 64 bits.
    Source: Bonawitz et al. (2017).
    """
    if len({table.shape for table in uploads}) != 1:
        raise ValueError(f"uploads have shapes {[t.shape for t in uploads]}: pass equal tables")
    if any(table.dtype != np.uint64 for table in uploads):
        raise ValueError(f"uploads are of {[str(t.dtype) for t in uploads]}: pass those of mask")
    total: Words = np.stack(uploads).sum(axis=0, dtype=np.uint64)
    sums: Array = UNIT * total.astype(np.int64).astype(np.float64)
    return sums
