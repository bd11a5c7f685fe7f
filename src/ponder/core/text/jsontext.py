"""Strict JSON, without NaN and infinities, which are not valid JSON."""

from __future__ import annotations

import json

dumps = json.JSONEncoder(allow_nan=False).encode
"""Encode a value. There is one encoder for all, since making one takes longer than encoding a short
value.

Raises:
    ValueError: the value contains a number that is not finite.
"""
