"""How often somebody may ask: a sliding minute, each for himself, in bounded memory."""

from engine.edge.api.limits import Limits


def test_so_many_a_minute_and_then_a_wait_until_the_oldest_is_over():
    now = [0.0]
    limits = Limits(3, lambda: now[0])
    assert [limits.wait_s("a") for _ in range(3)] == [0, 0, 0]
    now[0] = 20.5
    assert limits.wait_s("a") == 40
    assert limits.wait_s("b") == 0
    now[0] = 60.5
    assert limits.wait_s("a") == 0


def test_refused_requests_do_not_count():
    now = [0.0]
    limits = Limits(1, lambda: now[0])
    assert limits.wait_s("a") == 0
    for _ in range(50):
        assert limits.wait_s("a") > 0
    now[0] = 60.1
    assert limits.wait_s("a") == 0


def test_none_means_any_number():
    limits = Limits(0)
    assert not any(limits.wait_s("a") for _ in range(1000))


def test_memory_is_bounded():
    limits = Limits(1, lambda: 0.0)
    for number in range(10_100):
        limits.wait_s(str(number))
    assert len(limits._buckets) == 10_000  # noqa: SLF001
