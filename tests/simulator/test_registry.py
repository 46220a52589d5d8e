"""Which sessions are remembered."""

from livegate_simulator.endpoints import Endpoint
from livegate_simulator.registry import Registry


class TestRegistry:
    AT = Endpoint("developer", "v1")

    def test_finds_sessions_by_number_and_by_id(self) -> None:
        registry = Registry()
        one = registry.begin("abc", self.AT, "/", 0)
        two = registry.begin("def", self.AT, "/", 0)
        registry.finish(one, one.current)
        assert registry.find("1") is registry.find("abc") is one
        assert registry.find("2") is registry.find("def") is two
        assert registry.find("3") is None
        assert [summary["n"] for summary in registry.summaries()] == [1, 2]

    def test_keeps_so_many_finished_and_every_open_session(self) -> None:
        registry = Registry(keep=2)
        still_open = registry.begin("open", self.AT, "/", 0)
        for number in range(5):
            lineage = registry.begin(f"s{number}", self.AT, "/", 0)
            registry.finish(lineage, lineage.current)
        assert [summary["id"] for summary in registry.summaries()] == ["open", "s3", "s4"]
        assert registry.find("open") is still_open

    def test_keeps_so_many_bytes_of_the_finished(self) -> None:
        registry = Registry(keep=1000)
        for number in range(60):
            kept = registry.begin(f"s{number}", self.AT, "/", 0)
            kept.current.keep_audio(bytes(3_800_000), 16_000)
            registry.finish(kept, kept.current)
        total = 3_800_000 * len(registry.summaries())
        assert 100 << 20 < total <= 128 << 20
        assert registry.find("s59") is not None
