"""The embedded engine: OpenVINO GenAI in a child process."""
