"""`python -m causalbook.project` is the command `causalbook`."""

from causalbook.project.console import main

main()
