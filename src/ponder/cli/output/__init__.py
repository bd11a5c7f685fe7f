"""All that reaches the terminal, and files that commands write."""
