"""Review: which verdicts a person should look at, what to show of them, and the person's labels."""
