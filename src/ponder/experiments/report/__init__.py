"""The report: accuracy against compute as one page, from pools and results stores."""
