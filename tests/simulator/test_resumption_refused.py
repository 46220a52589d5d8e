"""Who may resume, and when."""

import pytest
from livegate_simulator.age import Limits
from livegate_simulator.events import Closed, Evict, Ping

from .harness import (
    NEW,
    OLD,
    TRANSPARENT,
    Talk,
    audio,
    closed,
    content_of,
    handle_of,
    resource,
    resuming,
    silence,
    typed,
)
from .writing import refused, resumed, writing

NOT_FOUND = (1008, "BidiGenerateContent session not found")


class TestRefused:
    def test_unknown(self) -> None:
        assert refused(writing(), "no-such-handle") == NOT_FOUND

    def test_expired(self) -> None:
        talk = writing(limits=Limits(handle_lifetime_s=60))
        talk.send(typed("one"))
        handle = handle_of(talk)
        talk.hang_up()
        talk.now += 59.9
        still = resumed(talk, handle)
        still.hang_up()
        talk.now += 0.1
        assert refused(talk, handle) == NOT_FOUND

    @pytest.mark.parametrize(
        "name", [resource(NEW), resource(OLD, "us-east1"), resource(OLD).replace("/p/", "/q/")]
    )
    def test_of_another_model_location_or_project(self, name: str) -> None:
        talk = Talk().set_up(**TRANSPARENT)
        talk.send(audio(silence(0.1)))
        talk.advance(5)
        talk.hang_up()
        again = talk.again()
        again.send({"setup": {"model": name} | resuming(handle_of(talk))})
        assert closed(again) == NOT_FOUND


class TestOldSocket:
    BUSY = (1011, "Internal error encountered.")

    def test_open_it_blocks_a_resume(self) -> None:
        talk = writing()
        talk.send(typed("one"))
        assert refused(talk, handle_of(talk)) == self.BUSY
        assert talk.send(typed("two"))  # and goes on
        assert content_of(talk) == ["one", "two"]

    def test_closed_by_the_client_it_blocks_nothing(self) -> None:
        talk = writing()
        talk.send(typed("one"))
        talk.hang_up()
        assert resumed(talk)

    def test_closed_by_the_server_it_blocks_nothing(self) -> None:
        talk = writing()
        talk.send(typed("one"))
        talk.send(b"nonsense")
        assert resumed(talk)

    def test_silent_it_blocks_for_some_seconds(self) -> None:
        talk = writing(limits=Limits(old_socket_s=5))
        talk.send(typed("one"))
        talk.now += 4.9
        assert refused(talk, handle_of(talk)) == self.BUSY
        talk.now += 0.1
        later = resumed(talk)
        assert later.others == [Evict(1)]
        assert talk.send(typed("two")) == []  # it comes to life too late
        assert content_of(later) == ["one"]
        assert talk.journal.close == {"by": "server", "code": 1006, "reason": ""}

    def test_pongs_are_signs_of_life(self) -> None:
        talk = writing(limits=Limits(old_socket_s=5))
        talk.send(typed("one"))
        talk.advance(4)
        assert set(talk.others) == {Ping()}
        assert len(talk.others) >= 2
        talk.pong()
        talk.advance(4.9)
        assert refused(talk, handle_of(talk)) == self.BUSY

    def test_its_end_does_not_free_a_later_one(self) -> None:
        talk = writing()
        talk.send(typed("one"))
        talk.now += 60
        later = resumed(talk)
        talk.session.receive(Closed(), talk.now)
        assert refused(later, handle_of(talk)) == self.BUSY

    def test_no_pings_without_resumption(self) -> None:
        talk = Talk().set_up()
        talk.advance(60)
        assert talk.others == []
