"""Weights on their way between GGUF files and the models that Hugging Face's trainers know."""
