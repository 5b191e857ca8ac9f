"""The command ``httpio``: finds the subcommand, and has every failure end in one line and a code."""

from __future__ import annotations

import io
import os
import sys
from importlib import import_module

import click

from ._errors import CommandError, Terminated, interruption, unexpected
from ._exit_codes import ExitCode
from ._version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, NoReturn

_CONFIG: Final = "--config"
#: Where each subcommand is, and what it is for: modules are loaded when they are needed.
COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "get": ("_get.command:get", "Get a resource."),
    "head": ("_get.command:head", "Get the head of a response only."),
    "put": ("_get.command:put", "Put content at a URL."),
    "post": ("_get.command:post", "Post content to a URL."),
    "delete": ("_get.command:delete", "Delete a resource."),
    "request": ("_get.command:request", "Make any other request."),
    "fetch": ("_fetch.command:command", "Fetch many files over few connections."),
    "probe": ("_probe.command:command", "Find out what a server really does."),
    "bench": ("_bench.command:command", "Put a server under load, and measure."),
    "trace": ("_trace.command:command", "Show the bytes that go over the wire."),
    "completion": ("_completion:command", "Print what a shell needs to complete commands."),
}


class _Commands(click.Group):
    """Loads a subcommand when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the subcommands, in the order in which help shows them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a subcommand, with the defaults that the configuration has for it."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command = getattr(import_module(f"{__package__}.{module}"), name)
        assert isinstance(command, click.Command)
        if cmd_name != "completion" and not any(_CONFIG in each.opts for each in command.params):
            command.params.append(_config_option())
        if not ctx.resilient_parsing:
            self._set_defaults(ctx, cmd_name, command)
        return command

    def _set_defaults(self, ctx: click.Context, name: str, command: click.Command) -> None:
        from ._config import config_path, defaults_for, read_config

        path = config_path(os.environ)
        if path is None or ctx.params.get("no_config"):
            return
        options = {
            option.removeprefix("--"): parameter
            for parameter in command.params
            if isinstance(parameter, click.Option)
            for option in parameter.opts
            if option.startswith("--")
        }
        defaults = defaults_for(name, options, read_config(path), COMMANDS)
        ctx.default_map = {**(ctx.default_map or {}), name: defaults}

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return name, subcommand and its arguments, those of ``-K`` before those that were given."""
        first, *others = args
        if first == "help":
            if not others:
                click.echo(ctx.get_help())
                ctx.exit()
            args = [others[0], "--help"]
        elif first not in COMMANDS and ("." in first or "/" in first or first == "localhost"):
            raise CommandError(
                ExitCode.USAGE,
                f"there is no command {first!r}",
                f"did you mean 'httpio get {first}'?",
            )
        name, command, rest = super().resolve_command(ctx, args)
        if command is None or not any(
            word.startswith("--c") or (word.startswith("-") and "K" in word) for word in rest
        ):
            # The arguments are not looked at twice for nothing.
            return name, command, rest
        with click.Context(command, ctx, name, resilient_parsing=True) as parsing:
            found, _, _ = command.make_parser(parsing).parse_args(list(rest))
        files = found.get("config_files", ())
        if files:
            from ._curl_config import read_curl_config

            options = {
                name: not (option.is_flag or option.count)
                for option in command.params
                if isinstance(option, click.Option)
                for name in option.opts
            }
            rest = [word for path in files for word in read_curl_config(path, options)] + rest
        return name, command, rest

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of subcommands, without loading any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


def _config_option() -> click.Option:
    """Return the option whose files `_Commands.resolve_command` reads."""
    return click.Option(
        ["-K", _CONFIG, "config_files"],
        multiple=True,
        expose_value=False,
        metavar="FILE",
        help="Take options from FILE, in the form of curl's; - is stdin.",
    )


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="httpio")
@click.option("--no-config", is_flag=True, help="Do not read the configuration file.")
def main(no_config: bool) -> None:
    """Work with HTTP/1.1 servers, and know exactly what happens on the wire.

    Data goes to stdout, everything else to stderr. The exit status is curl's for the same event.
    """


def run() -> NoReturn:
    """Run the command, and end the process. Never a traceback."""
    from ._signals import install

    install()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What servers send need not be in the character set of this machine.
        sys.stdout.reconfigure(errors="backslashreplace")
    code = ExitCode.OK
    try:
        code = _run()
        try:
            _flush()
        except OSError:
            _silence_stdout()
            if code is ExitCode.OK:
                raise
    except (KeyboardInterrupt, Terminated) as exc:
        code = _tell(interruption(exc))
    except OSError as exc:
        # Nobody else has to do with stdout any more.
        from ._running import stdout_failed

        code = _tell(stdout_failed(exc))
        _silence_stdout()
    except Exception as exc:  # noqa: BLE001  # whatever it is, an operator gets one line
        code = _tell(unexpected(exc))
        _silence_stdout()
    sys.exit(int(code))


def _tell(failure: CommandError) -> ExitCode:
    """Print *failure*, unless it is to be kept quiet; return its exit code."""
    from ._terminal import error

    if not failure.quiet:
        error(failure)
    return failure.code


def _run() -> ExitCode:
    """Run the subcommand; return the exit code."""
    stdout = sys.stdout
    try:
        status = main.main(prog_name="httpio", standalone_mode=False)
        return ExitCode(status) if isinstance(status, int) else ExitCode.OK
    except CommandError as exc:
        return _tell(exc)
    except click.Abort:  # what click makes of Ctrl-C
        raise KeyboardInterrupt from None
    except SystemExit:
        if sys.stdout is not stdout:
            # click has seen that nobody reads any more, for example what --help says.
            raise BrokenPipeError from None
        raise
    except click.exceptions.NoArgsIsHelpError as exc:
        click.echo(exc.format_message(), err=True)
        return ExitCode.USAGE
    except click.ClickException as exc:
        place = exc.ctx.command_path if isinstance(exc, click.UsageError) and exc.ctx else "httpio"
        hint = f"'{place} --help' shows how"
        if _is_configured(exc):
            hint = "that is in the configuration file"
        return _tell(CommandError(ExitCode.USAGE, exc.format_message().rstrip("."), hint))


def _is_configured(exc: click.ClickException) -> bool:
    """Return whether the value that *exc* is about comes from the configuration file."""
    if not isinstance(exc, click.BadParameter) or exc.ctx is None or exc.param is None:
        return False
    source = exc.ctx.get_parameter_source(exc.param.name or "")
    return source is click.core.ParameterSource.DEFAULT_MAP


def _flush() -> None:
    """Write what is buffered for stdout now, while a failure can still be told."""
    if sys.stdout is not None:
        sys.stdout.flush()


def _silence_stdout() -> None:
    """Have what is buffered for a stdout that is gone go nowhere when the interpreter ends."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
    except (OSError, ValueError, AttributeError):
        pass
