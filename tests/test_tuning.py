"""Tuning files: what they keep of a change, and what is no tuning file."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from thanos.engines.embedded.ternary import from_ternary, to_ternary
from thanos.engines.embedded.tuning import SHIPPED, SkillHead, Tuning, write_tuning
from thanos.errors import EngineError
from thanos.skills import Skill

NUMBERS = st.floats(-2, 2, width=32).filter(lambda x: x == 0 or abs(x) > 1e-3)


@given(
    st.tuples(st.integers(1, 7), st.integers(1, 9)).flatmap(lambda shape: arrays(np.float32, shape, elements=NUMBERS))
)
def test_three_values_a_row_and_never_worse_than_nothing(change):
    digits, size = to_ternary(change)
    again = from_ternary(digits, size, change.shape[1])
    assert again.shape == change.shape
    assert all(len(set(np.abs(row[row != 0]))) <= 1 for row in again)
    assert (again * change >= 0).all()  # no number changes its direction
    assert np.square(change - again).sum() <= np.square(change).sum() * (1 + 1e-3) + 1e-6
    # What has three values already is kept as it is.
    np.testing.assert_allclose(from_ternary(*to_ternary(again), change.shape[1]), again, rtol=2e-3, atol=1e-6)


def test_even_noise_loses_a_fifth():
    change = np.random.default_rng(0).normal(size=(64, 500)).astype(np.float32)
    lost = np.square(change - from_ternary(*to_ternary(change), 500)).sum() / np.square(change).sum()
    assert 0.18 < lost < 0.2  # 0.19 is the least that three values can lose of a normal distribution


def test_written_and_read_again(tmp_path):
    rng = np.random.default_rng(0)
    changes = {"blk.0.attn_q.weight": rng.choice([-0.5, 0, 0.5], (6, 7)), "output.weight": np.zeros((3, 2))}
    head = SkillHead(("Empathy", "Ethics"), rng.normal(size=(2, 4)).astype(np.float32), np.zeros(2, np.float32))
    assert write_tuning(tmp_path / "t.npz", changes, head) == 0
    tuning = Tuning(tmp_path / "t.npz")
    for name, change in tuning.changes():
        np.testing.assert_array_equal(change, changes.pop(name))
    assert not changes and tuning.head.names == head.names
    state = rng.normal(size=4)
    p = tuning.head.probabilities(state)
    assert sum(p.values()) == pytest.approx(1) and max(p, key=p.get) == head.names[int((head.weight @ state).argmax())]


@pytest.mark.parametrize(
    "content, message",
    [
        (None, "no tuning file"),
        (b"", "is no tuning file"),
        (b"GGUF....", "is no tuning file"),
        (b"PK\3\4", "no tuning file"),
    ],
)
def test_what_is_no_tuning_file(tmp_path, content, message):
    if content is not None:
        (tmp_path / "t.npz").write_bytes(content)
    with pytest.raises(EngineError, match=message):
        Tuning(tmp_path / "t.npz")


def test_another_archive(tmp_path):
    np.savez(tmp_path / "t.npz", a=np.zeros(3))
    with pytest.raises(EngineError, match="changes no tensor"):
        Tuning(tmp_path / "t.npz")


def test_what_ships():
    tuning = Tuning(SHIPPED)
    assert SHIPPED.stat().st_size < 25e6 and tuning.head.names == tuple(skill.value for skill in Skill)
    assert SHIPPED.with_suffix(".md").is_file()
