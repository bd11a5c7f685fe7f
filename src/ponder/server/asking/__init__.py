"""From a request in any API to a plan."""
