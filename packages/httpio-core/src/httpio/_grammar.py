"""The grammar of RFC 9110 and RFC 9112, as far as a client needs it, compiled.

Names are those of the RFCs' rules. All patterns work on bytes, use possessive quantifiers and so
take time linear in the input. What they refuse is explained elsewhere (`_parser`, `_encoders`): here
is only what is right.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from typing import Final

    from _typeshed import ReadableBuffer


class Rule:
    """An expression that is compiled when it is used first: not every program needs each of them.

    From then on it has the methods of `re.Pattern` in itself, which is the quickest way to call one.
    """

    def __init__(self, pattern: bytes) -> None:
        self.pattern: Final = pattern

    if TYPE_CHECKING:

        def match(
            self, data: ReadableBuffer, start: int = 0, stop: int = ...
        ) -> re.Match[bytes] | None: ...
        def fullmatch(
            self, data: ReadableBuffer, start: int = 0, stop: int = ...
        ) -> re.Match[bytes] | None: ...
        def findall(
            self, data: ReadableBuffer, start: int = 0, stop: int = ...
        ) -> list[tuple[bytes, bytes]]: ...

    else:

        def __getattr__(self, name):
            if name not in ("match", "fullmatch", "findall"):
                raise AttributeError(name)
            import re

            compiled = re.compile(self.pattern)
            self.match = compiled.match
            self.fullmatch = compiled.fullmatch
            self.findall = compiled.findall
            return getattr(compiled, name)


# RFC 9110 §5.6.2
_token = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
# RFC 9110 §5.5. Octets above 0x7f are obs-text; CR, LF and NUL are the dangerous ones. Other
# controls are invalid, but harmless to framing: they reach the caller as they came.
_field_content = rb"[\x01-\x09\x0b\x0c\x0e-\xff]*+"
# RFC 9112 §5.2: a line that starts with white space continues the one before.
_field_line = _token + rb":" + _field_content + rb"(?:\r\n[ \t]" + _field_content + rb")*+\r\n"
_field_section = rb"(?:" + _field_line + rb")*+"
# A sender has no excuse for other controls, nor for a folded line.
_field_value = rb"[\t -~\x80-\xff]*+"
_sent_field_lines = rb"(?:" + _token + rb":" + _field_value + rb"\r\n)*+"

TOKEN: Final = Rule(_token)

#: Head of a response (RFC 9112 §2.1, §4): version digit, status code, reason phrase, field section.
RESPONSE_HEAD: Final = Rule(
    rb"HTTP/1\.([0-9]) ([0-9]{3})(?: ([\x01-\x09\x0b\x0c\x0e-\xff]*+))?\r\n("
    + _field_section
    + rb")\r\n"
)

# After a possessive group that was tried in vain, Python before 3.11.5 goes on where it had come to
# in that group. So what comes next has to see to it that it is at the beginning of a line. (There,
# no head is plain. The other patterns cannot match as a whole from such a place.)
_at_line = rb"(?<=\n)"
_other_field_lines = (
    rb"(?:(?![CTct](?i:ontent-length:|ransfer-encoding:|onnection:(?! keep-alive\r)))"
    + _token + rb":" + _field_content + rb"\r\n)*+" + _at_line
)  # fmt: skip

#: The commonest `RESPONSE_HEAD`: one Content-Length, no other field that decides about framing or
#: persistence, nothing folded. Status code; reason phrase and field section; length.
PLAIN_RESPONSE_HEAD: Final = Rule(
    rb"HTTP/1\.1 ([2-9][0-9]{2}) ([\x01-\x09\x0b\x0c\x0e-\xff]*+\r\n"
    + _other_field_lines
    + rb"(?i:content-length):[ \t]*+([0-9]{1,18})[ \t]*+\r\n"
    + _other_field_lines
    + rb")\r\n"
)

#: Field lines followed by an empty line (RFC 9112 §7.1.2).
TRAILER_SECTION: Final = Rule(rb"(" + _field_section + rb")\r\n")

#: What decides about framing and persistence, in a head that `RESPONSE_HEAD` has accepted.
FRAMING_FIELDS: Final = Rule(
    rb"\n(?i:(content-length|transfer-encoding|connection)):"
    rb"([^\r]*+(?:\r\n[ \t][^\r]*+)*+)"
)

#: Any octets that a correct head can begin with, as far as line ends and NUL are concerned.
HEAD_PREFIX: Final = Rule(rb"(?:[^\r\n\0]++|\r\n)*+\r?\Z")

#: First line of a chunk (RFC 9112 §7.1): size, extensions skipped. Blanks before the line end are
#: against the grammar, but old servers pad the size with a few and nothing can hide there.
CHUNK_LINE: Final = Rule(rb"([0-9A-Fa-f]{1,16})[ \t]{0,16}+(?:;[^\r\n\0]*+)?\r\n")
#: Any octets that `CHUNK_LINE` can begin with.
CHUNK_LINE_PREFIX: Final = Rule(rb"[0-9A-Fa-f]{1,16}(?:[ \t]{0,16}+(?:;[^\r\n\0]*+)?\r?)?\Z")
#: A `CHUNK_LINE_PREFIX` of this many octets has come to an extension, or to its line end.
CHUNK_SIZE_FIELD: Final = 16 + 16 + 1
#: Any octets that can follow those.
CHUNK_LINE_REST: Final = Rule(rb"[^\r\n\0]*+\r?\Z")

#: Content-Length = 1*DIGIT (RFC 9110 §8.6). Nothing of more than 18 digits is sane.
CONTENT_LENGTH: Final = Rule(rb"[0-9]{1,18}")

#: Content-Range = "bytes" SP ( first "-" last "/" ( length / "*" ) / "*/" length ) (RFC 9110 §14.4).
CONTENT_RANGE: Final = Rule(
    rb"(?i:bytes) (?:([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)|\*/([0-9]{1,18}))"
)

#: entity-tag without "W/" (RFC 9110 §8.8.3).
STRONG_ENTITY_TAG: Final = Rule(rb'"[!#-~\x80-\xff]*+"')

#: Value of a field that is to be sent, blanks around it included (RFC 9110 §5.5).
FIELD_VALUE: Final = Rule(_field_value)
#: First line of a request (RFC 9112 §3) without its CRLF.
REQUEST_LINE: Final = Rule(_token + rb" [!-~]++ HTTP/1\.1")
#: Head of a request (RFC 9112 §2.1, §3).
REQUEST_HEAD: Final = Rule(_token + rb" [!-~]++ HTTP/1\.1\r\n" + _sent_field_lines + rb"\r\n")
#: Field lines of a trailer section that is to be sent.
REQUEST_TRAILERS: Final = Rule(_sent_field_lines + rb"\r\n")

#: origin-form (RFC 9112 §3.2.1), asterisk-form not included.
ORIGIN_FORM: Final = Rule(rb"/[!-~]*+")
# Of what RFC 3986 §3.2.2 allows, the names that DNS and files of hosts can have.
_reg_name = rb"[0-9A-Za-z._~-]++"
REG_NAME: Final = Rule(_reg_name)
#: Host = uri-host [ ":" port ] (RFC 9110 §7.2).
HOST: Final = Rule(rb"(?:" + _reg_name + rb"|\[[0-9A-Fa-f:.]++\])(?::[0-9]{1,5})?")
