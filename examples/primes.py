# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#       jupytext_version: 1.19.6
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # How far apart are primes?
#
# Around $n$, one number in $\ln n$ is prime. But the gaps between them are not all alike:
# some are **far** more common than others.

# %%
from collections import Counter
from math import log


# %%
def primes(limit):
    """Returns the primes below the limit, by the sieve of Eratosthenes."""
    sieve = bytearray([1]) * limit
    sieve[:2] = b"\0\0"
    for n in range(2, int(limit**0.5) + 1):
        if sieve[n]:
            sieve[n * n :: n] = bytes(len(range(n * n, limit, n)))
    return [n for n in range(limit) if sieve[n]]


# %%
found = primes(1_000_000)
gaps = Counter(after - before for before, after in zip(found, found[1:]))
print(f"{len(found)} primes, on average {1_000_000 / len(found):.2f} apart")

# %% [markdown]
# ## The jumping champion
#
# Multiples of 6 win, because a gap of 6 dodges the multiples of 2 and 3 at once.

# %% tags=["plot"]
for gap, n in sorted(gaps.items())[:16]:
    print(f"{gap:3} {'#' * (n // 250)} {n}")

# %% [markdown]
# The longest desert, and what the density near it lets one expect:

# %%
longest = max(gaps)
start = next(before for before, after in zip(found, found[1:]) if after - before == longest)
print(f"{longest} after {start}; the average there is {log(start):.1f}")
