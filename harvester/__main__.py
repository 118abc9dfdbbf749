"""python -m harvester: the command line."""

from harvester.cli import main

main()
