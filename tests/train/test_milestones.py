from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.train.drawn_pack import tiny_config
from train.milestones import budget, due


@pytest.mark.parametrize(
    ("images", "batch", "wanted"), [(200, 16, 208), (208, 16, 208), (1, 16, 16), (200, 1, 200)]
)
def test_a_run_ends_with_a_whole_batch(images: int, batch: int, wanted: int) -> None:
    assert budget(tiny_config(Path("pack.h5"), images=images, batch=batch)) == wanted


@given(st.integers(1, 100), st.integers(1, 40))
def test_every_multiple_is_met_once(every: int, batch: int) -> None:
    times = [seen for seen in range(batch, 50 * batch + 1, batch) if due(every, seen, batch)]
    assert len(times) == len(
        {(m + batch - 1) // batch for m in range(every, 50 * batch + 1, every)}
    )


def test_never_is_never() -> None:
    assert not any(due(0, seen, 8) for seen in range(8, 800, 8))
