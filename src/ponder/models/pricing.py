"""The price of a request to an endpoint: exact picodollars (1e-12 USD), rounded up.

The endpoint's own ``price`` table has priority. Otherwise the price list shipped in the package
``genai-prices`` applies, and for a model that it does not know what the vendor tells when the
endpoint is opened. A price holds as of that moment: one that changes in the middle of a run would
break the budget's guarantee. A local endpoint costs nothing.
"""

from __future__ import annotations

import importlib.metadata
import math
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import ROUND_CEILING
from fractions import Fraction

from ponder.models.base import Pricing
from ponder.models.config import EndpointConfig, Price


def pricing(endpoint: EndpointConfig) -> tuple[Pricing | None, str]:
    """Return the endpoint's pricing, or None if no price is known, and a note on its origin."""
    if endpoint.price:
        return _per_token(endpoint.price, endpoint), f"price of {endpoint.name!r} from ponder.toml"
    if endpoint.settings.get("local") and not endpoint.provider:
        return None, f"{endpoint.name} is local: no dollars."
    found, note = _listed(endpoint)
    if found is None and endpoint.told_price:
        note = f"price of {endpoint.model!r} as its vendor tells it"
        return _per_token(endpoint.told_price, endpoint), note
    return found, note


STORED = {"messages": (Fraction(5, 4), Fraction(2))}
"""Prices of tokens that are stored for five minutes and for an hour, as multiples of the input's,
by API.
"""


def _per_token(price: Price, endpoint: EndpointConfig) -> Pricing:
    # USD per million tokens times 1e6 are picodollars per token; as integers over one denominator.
    short, long = STORED.get(endpoint.settings.get("api", "chat"), (Fraction(1), Fraction(1)))
    usds = [Fraction(usd) for usd in (price.input, price.cached_input, price.output)]
    stored = usds[0] * short if price.cache_write is None else Fraction(price.cache_write)
    rates = [usd * 10**6 for usd in (*usds, stored, stored * long / short)]
    unit = math.lcm(*(rate.denominator for rate in rates))
    fresh, cached, output, store, hour = (int(rate * unit) for rate in rates)

    def picodollars(prompt: int, reused: int, completion: int, stored: int, kept: int) -> int:
        cost = (prompt - reused - stored) * fresh + reused * cached
        cost += (stored - kept) * store + kept * hour + completion * output
        return -(-cost // unit)

    return _fitting(picodollars)


def _fitting(price: Callable[[int, int, int, int, int], int]) -> Pricing:
    """Return the pricing by ``price``, which gets parts of the prompt that fit into it."""

    def picodollars(
        prompt_tokens: int,
        cached_tokens: int,
        completion_tokens: int,
        stored_tokens: int = 0,
        hour_tokens: int = 0,
    ) -> int:
        reused = min(cached_tokens, prompt_tokens)
        stored = min(stored_tokens, prompt_tokens - reused)
        return price(prompt_tokens, reused, completion_tokens, stored, min(hour_tokens, stored))

    return picodollars


def _listed(endpoint: EndpointConfig) -> tuple[Pricing | None, str]:
    from genai_prices import Usage  # imports pydantic: half a second
    from genai_prices.data import providers
    from genai_prices.data_snapshot import DataSnapshot

    # Not calc_price: a host program may have set that to a list from the network.
    prices, now = DataSnapshot(providers, from_auto_update=False), datetime.now(UTC)
    provider, url = endpoint.provider or None, None if endpoint.provider else endpoint.base_url

    def picodollars(prompt: int, reused: int, completion: int, stored: int, kept: int) -> int:
        # 0.1 ms: prices have tiers, so this is evaluated each time rather than reduced to rates.
        usage = Usage(
            input_tokens=prompt,
            cache_read_tokens=reused,
            cache_write_tokens=stored,
            cache_write_1h_tokens=kept,
            output_tokens=completion,
        )
        usd = prices.calc(usage, endpoint.model, provider, url, now).total_price
        return int(usd.scaleb(12).to_integral_value(ROUND_CEILING))

    try:
        free = picodollars(10**6, 0, 10**6, 0, 0) == 0
    except (LookupError, ValueError):
        why = f"no price known for {endpoint.model!r} at {provider or url}"
        if endpoint.vendor:
            return None, f"{why}: an endpoint of ponder.toml can set its price"
        return None, f"{why}: set price in [endpoints.{endpoint.name}]"
    version = importlib.metadata.version("genai-prices")
    note = f"price of {endpoint.model!r} from genai-prices {version}"
    return _fitting(picodollars), f"{note}: free of charge" if free else note
