"""What a transfer is told by the options, apart from the groups that all commands share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from httpio_cli._group import Group

if TYPE_CHECKING:
    from httpio_cli._options import ConnectionOptions, OutputOptions, RequestOptions

    from .content import Content


class SavingOptions(Group):
    """Where the content goes."""

    output_file: str | None = None
    remote_name: bool = False
    remote_header_name: bool = False
    output_dir: str | None = None
    create_dirs: bool = False
    include: bool = False
    dump_header: str | None = None
    fail: bool = False
    fail_with_body: bool = False
    max_filesize: int | None = None
    continue_at: str | None = None
    remote_time: bool = False
    write_out: str | None = None
    limit_rate: int | None = None


class FollowingOptions(Group):
    """What is done after an answer that is not the last word."""

    location: bool = False
    location_trusted: bool = False
    max_redirs: int = 50
    allow_downgrade: bool = False
    retry: int = 0
    retry_delay: float | None = None
    retry_max_time: float | None = None


class Settings(Group):
    """All of it."""

    method: str
    content: Content | None
    connection: ConnectionOptions
    request: RequestOptions
    output: OutputOptions
    saving: SavingOptions
    following: FollowingOptions
    byte_range: str | None = None
    compressed: bool = False
    expect100_timeout: float = 1.0
    #: Content of at least so many bytes is announced first.
    expect100_size: int = 1024 * 1024
    #: Whether the method was chosen by -X, and so stays the same after a redirect.
    is_custom_method: bool = False
    #: Whether the content is sent in chunks although its size is known.
    is_chunked: bool = False

    def wants_expect(self, content: Content | None) -> bool:
        """Return whether *content* is announced before it is sent (RFC 9110 §10.1.1)."""
        if content is None or content.length == 0:
            return False
        for name, value in self.request.header:
            if name.lower() == "expect":
                return value.lower() == "100-continue"
        return content.length is None or content.length >= self.expect100_size

    def content_fields(self, content: Content | None) -> list[tuple[str, str]]:
        """Return the fields that tell of *content*, and of what is wanted for an answer."""
        fields: list[tuple[str, str]] = []
        if content is not None and content.media_type is not None:
            fields.append(("Content-Type", content.media_type))
        if self.compressed:
            from httpio_cli._content_codings import ACCEPTED

            fields.append(("Accept-Encoding", ACCEPTED))
        if self.byte_range is not None:
            fields.append(("Range", f"bytes={self.byte_range}"))
        return fields
