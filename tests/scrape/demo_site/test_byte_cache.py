"""ByteCache: bounded in bytes, the least recently used forgotten first."""

from hypothesis import given
from hypothesis import strategies as st

from scrape.demo_site.byte_cache import ByteCache
from scrape.demo_site.collection import Answer


def answer_of(size: int) -> Answer:
    return Answer(b"x" * size, "image/png")


def test_an_answer_is_made_once() -> None:
    cache, made = ByteCache(100), []

    def make(address: str) -> Answer:
        made.append(address)
        return answer_of(10)

    assert cache.get("/a", make) == cache.get("/a", make)
    assert made == ["/a"]


def test_the_least_recently_used_goes_first() -> None:
    cache, made = ByteCache(30), []

    def make(address: str) -> Answer:
        made.append(address)
        return answer_of(10)

    for address in ("/a", "/b", "/c", "/a", "/d", "/a", "/b"):
        cache.get(address, make)
    assert made == ["/a", "/b", "/c", "/d", "/b"]


def test_nothing_is_not_remembered() -> None:
    cache = ByteCache(30)
    assert cache.get("/a", lambda _: None) is None
    assert cache.get("/a", lambda _: answer_of(3)) == answer_of(3)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 40)), max_size=60))
def test_bytes_never_exceed_the_capacity(gets: list[tuple[str, int]]) -> None:
    cache = ByteCache(50)
    for address, size in gets:
        found = cache.get(address, lambda _, size=size: answer_of(size))  # type: ignore[misc]
        assert found is not None
        assert cache.size <= 50
    assert (cache.size == 0) or len(cache) > 0


def test_an_answer_over_the_capacity_is_served_and_not_kept() -> None:
    cache = ByteCache(10)
    assert cache.get("/big", lambda _: answer_of(11)) == answer_of(11)
    assert len(cache) == 0
