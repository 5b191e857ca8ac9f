"""``httpio completion``: the script with which a shell completes the command line.

The script asks the command itself, by click's protocol: the variable ``_HTTPIO_COMPLETE``.
"""

from __future__ import annotations

from typing import Final

import click

from ._running import stdout_failed

#: Shells that click has a script for and that the command is tested with.
SHELLS: Final = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> None:
    """Print what a shell needs to complete commands and options.

    \b
    bash: put  eval "$(httpio completion bash)"  into ~/.bashrc
    zsh:  put  eval "$(httpio completion zsh)"   into ~/.zshrc, behind compinit
    fish: httpio completion fish > ~/.config/fish/completions/httpio.fish
    """
    from click.shell_completion import ShellComplete, get_completion_class

    from ._main import main

    completion: type[ShellComplete] | None = get_completion_class(shell)
    assert completion is not None
    script = completion(main, {}, "httpio", "_HTTPIO_COMPLETE").source()
    try:
        click.echo(script, nl=False)
    except OSError as exc:
        raise stdout_failed(exc) from exc
