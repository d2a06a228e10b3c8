"""``python -m diarist`` is the command line."""

from diarist.cli.app import main

if __name__ == "__main__":
    main()
