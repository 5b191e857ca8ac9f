"""The command ``httpio``, for people who operate HTTP servers.

This version is a placeholder: the command exists and says that its subcommands come in a later
version. They will fetch, upload, and show exactly what happens on the wire.
"""

from httpio_cli._version import __version__

__all__ = ["__version__"]
