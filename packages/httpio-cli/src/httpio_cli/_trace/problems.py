"""What went wrong on a connection, where, and with which exit code."""

from __future__ import annotations

from enum import Enum

from httpio_cli._exit_codes import ExitCode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from .spans import Slot


_MEND: Final = "have the server mended, or a proxy before it"
_LOOK: Final = "see what the server's log says"


class Kind(Enum):
    """What went wrong: its name in the outputs, the exit code, which is curl's, and what to do."""

    INVALID_HEAD = ("invalid-head", ExitCode.BAD_RESPONSE, _MEND)
    INVALID_FRAMING = ("invalid-framing", ExitCode.BAD_RESPONSE, _MEND)
    UNDELIMITED = ("undelimited", ExitCode.BAD_RESPONSE, _MEND)
    UNSOLICITED = ("unsolicited", ExitCode.BAD_RESPONSE, _MEND)
    NO_RESPONSE = ("no-response", ExitCode.EMPTY_RESPONSE, _LOOK)
    HEAD_TRUNCATED = ("head-truncated", ExitCode.EMPTY_RESPONSE, _LOOK)
    CONTENT_TRUNCATED = ("content-truncated", ExitCode.PARTIAL, _LOOK)
    RESET = ("reset", ExitCode.RECEIVE_FAILED, _LOOK)
    REQUEST_INCOMPLETE = ("request-incomplete", ExitCode.SEND_FAILED, _LOOK)
    #: This program ended it, so it says nothing of the server.
    GIVEN_UP = ("given-up", ExitCode.OK, "")

    def __init__(self, word: str, code: ExitCode, hint: str) -> None:
        self.word: Final = word
        self.code: Final = code
        self.hint: Final = hint


class Problem:
    """Something that went wrong with the bytes of one direction, at `offset` of its stream."""

    def __init__(
        self,
        kind: Kind,
        direction: str,
        offset: int,
        slot: Slot | None,
        text: str,
        begins: int | None = None,
    ) -> None:
        self.kind: Final = kind
        #: ``sent`` or ``received``.
        self.direction: Final = direction
        #: The first byte that is wrong, or the one that is missing.
        self.offset: Final = offset
        #: Where the element begins that is wrong.
        self.begins: Final = offset if begins is None else begins
        self.slot: Final = slot
        self.text: Final = text

    def __repr__(self) -> str:
        return f"<{self.kind.word} at {self.direction} offset {self.offset}: {self.text}>"
