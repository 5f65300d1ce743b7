"""Everything that happens in the interface, one message each: the feed posts, the app decides."""

from dataclasses import dataclass

from textual.message import Message

from lab.observe.state import LabState


@dataclass
class StateArrived(Message):
    """The feed has a new state of the lab."""

    state: LabState

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, StateArrived)


@dataclass
class FeedFailed(Message):
    """The feed broke off; it will be tried again."""

    reason: str


@dataclass
class CommandEnded(Message):
    """An action is over: what it said, or why it failed."""

    command: str
    said: str
    failed: bool
