"""The Responses API: a response is made, watched, stored, and gone on from."""
