"""`python -m reprocensus`."""

from reprocensus.cli import main

if __name__ == "__main__":
    main()
