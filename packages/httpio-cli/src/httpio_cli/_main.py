"""The command ``httpio`` itself; its subcommands will have a module each."""

import click

from httpio_cli._version import __version__


@click.group(invoke_without_command=True)
@click.version_option(__version__, prog_name="httpio")
def main() -> None:
    """Work with HTTP/1.1 servers, and see exactly what happens on the wire.

    This version has no subcommands yet: they come in a later one.
    """
    click.echo(
        f"httpio {__version__} has no subcommands yet: they come in a later version of httpio-cli."
    )
