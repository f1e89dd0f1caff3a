"""Inputs for a target as Hypothesis draws them: any bytes at all, and its valid seeds after some edits.

entry("image")(data)   # one execution; data is what a coverage-guided fuzzer makes up
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.edits import EDITS, MOST_EDITS, NUMBERS, Edit, any_edit, damaged
from tests.fuzz.targets import TARGETS, Target

__all__ = ["draw", "entry", "inputs", "property_of"]

ANY_BYTES = 2048
"""Bytes of input without any form: what they find, they find early."""

_numbers = st.integers(0, NUMBERS - 1)
_edits = st.lists(st.builds(Edit, st.sampled_from(EDITS), _numbers, _numbers), max_size=MOST_EDITS)


def inputs(target: Target) -> st.SearchStrategy[bytes]:
    """Any bytes, and damaged seeds."""
    seeds = target.seeds()
    near = st.builds(_damaged, st.just(target), st.sampled_from(seeds), _edits, st.booleans())
    return st.one_of(st.binary(max_size=min(ANY_BYTES, target.most_bytes)), near, near)


def property_of(target: Target, *, examples: int) -> Callable[[], None]:
    """The property that the target keeps its promise, ready to be called."""

    @settings(max_examples=examples)
    @given(inputs(target))
    def keeps_its_promise(data: bytes) -> None:
        target.function(data)

    return keeps_its_promise


def entry(name: str) -> Callable[[bytes], bytes | None]:
    """A target for a coverage-guided fuzzer: it makes the bytes up, and Hypothesis makes inputs of them."""
    return property_of(TARGETS[name], examples=1).hypothesis.fuzz_one_input  # type: ignore[attr-defined]


def draw(target: Target, seeds: Sequence[bytes], chance: random.Random) -> bytes:
    """The same kinds of input without Hypothesis: many times faster, and nothing shrinks."""
    if chance.randrange(10) == 0:
        return chance.randbytes(chance.randrange(1 + min(ANY_BYTES, target.most_bytes)))
    edits = [any_edit(chance) for _ in range(chance.randrange(MOST_EDITS + 1))]
    return _damaged(target, chance.choice(seeds), edits, chance.randrange(2) == 0)


def _damaged(target: Target, seed: bytes, edits: Sequence[Edit], fix: bool) -> bytes:
    data = damaged(seed, edits, others=target.seeds()[:8], words=target.words, most=target.most_bytes)
    return target.fix(data)[: target.most_bytes] if fix and target.fix else data
