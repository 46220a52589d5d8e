"""A build whose channel is broken on purpose: nothing is sent again, gaps are accepted.

On the path of a process (PYTHONPATH), it is imported before anything else.
"""

from livegate import channel


def _accept(self: channel.Receiver, seq: int) -> bool:
    self.accepted = max(self.accepted, seq)
    return True


def _rewind(self: channel.Sender) -> None:
    del self


channel.Receiver.accept = _accept  # type: ignore[method-assign]
channel.Sender.rewind = _rewind  # type: ignore[method-assign]
