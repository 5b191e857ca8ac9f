"""``python -m httpio_cli`` is the command ``httpio``."""

from httpio_cli._main import run

if __name__ == "__main__":
    run()
