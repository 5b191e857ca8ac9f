"""``python -m httpio_cli`` is the command ``httpio``."""

from httpio_cli._main import main

if __name__ == "__main__":
    main()
