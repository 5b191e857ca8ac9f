"""The configuration file: defaults for the options, in TOML.

Keys are long option names without the dashes. At the top they hold for every command that has the
option, in a table that is named after a command for that one.
"""

from __future__ import annotations

import os

from ._errors import CommandError, cannot_read
from ._exit_codes import ExitCode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Mapping
    from pathlib import Path

    from click import Option


def config_path(environ: Mapping[str, str]) -> Path | None:
    """Return where the configuration is, `None` if there is none.

    That is ``$HTTPIO_CONFIG``, or ``httpio/config.toml`` in ``$XDG_CONFIG_HOME``, by default
    ``~/.config`` (XDG Base Directory Specification).
    """
    path = environ.get("HTTPIO_CONFIG")
    if not path:
        path = _default_path(environ)
        if not os.path.exists(path):
            return None
    from pathlib import Path

    return Path(path)


def _default_path(environ: Mapping[str, str]) -> str:
    base = environ.get("XDG_CONFIG_HOME", "")
    # Relative paths are to be ignored, says the specification.
    if not os.path.isabs(base):
        home = environ.get("HOME") or os.path.expanduser("~")
        base = os.path.join(home, ".config")
    return os.path.join(base, "httpio", "config.toml")


def read_config(path: Path) -> dict[str, object]:
    """Return what the file at *path* says. Raises `CommandError`."""
    import tomllib

    try:
        with open(path, "rb") as file:
            return tomllib.load(file)
    except OSError as exc:
        raise cannot_read(str(path), exc) from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise CommandError(
            ExitCode.USAGE, f"{path} is not proper TOML: {exc}", "mend it, or set HTTPIO_CONFIG"
        ) from exc


def defaults_for(
    command: str,
    options: Mapping[str, Option],
    config: Mapping[str, object],
    commands: Container[str],
) -> dict[str, object]:
    """Return the defaults of *command* by parameter name.

    *options* are the command's by their long names, *commands* holds the names of all commands.
    Raises `CommandError` for a key in the command's table that is none of its options, and for a
    value of a type that is none of its option's.
    """
    defaults: dict[str, object] = {}
    for key, value in config.items():
        if key in commands:
            continue
        if isinstance(value, dict):
            raise CommandError(
                ExitCode.USAGE,
                f"the configuration has a table [{key}], and no command is named so",
                "a key with a dot in it goes in quotes",
            )
        if key in options:
            defaults[options[key].name or ""] = _default(key, options[key], value)
    own = config.get(command, {})
    if not isinstance(own, dict):
        raise CommandError(ExitCode.USAGE, f"expected a table [{command}] in the configuration")
    for key, value in own.items():
        if key not in options:
            raise CommandError(
                ExitCode.USAGE,
                f"the configuration sets {key!r} for {command!r}, which has no option --{key}",
            )
        defaults[options[key].name or ""] = _default(key, options[key], value)
    return defaults


def _default(key: str, option: Option, value: object) -> object:
    """Return what click takes as the default of *option* where the configuration says *value*."""

    def bad(wanted: str) -> CommandError:
        return CommandError(ExitCode.USAGE, f"{key!r} in the configuration has to be {wanted}")

    if option.is_flag:
        if not isinstance(value, bool):
            raise bad("true or false")
        if not option.is_bool_flag:
            # One of several flags for the same thing.
            return option.flag_value if value else None
        return value
    if option.multiple:
        if not isinstance(value, list):
            value = [value]
        if not all(isinstance(item, (str, int, float)) for item in value):
            raise bad("a list of strings or numbers")
        return value
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise bad("a string or a number")
    return value
