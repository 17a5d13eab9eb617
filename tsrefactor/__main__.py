"""``python -m tsrefactor``."""

from .cli import main

main()
