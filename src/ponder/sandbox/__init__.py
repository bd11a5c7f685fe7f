"""Where the programs that models write are run."""
