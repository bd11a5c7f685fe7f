"""Reading and writing small languages: references, marks, numbers, quotations, JSON."""
