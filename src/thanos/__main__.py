"""`python -m thanos`."""

from thanos.cli.app import main

main()
