"""Prices: configured, listed, told, or none."""

from decimal import Decimal
from typing import Any

import pytest

from ponder.models.config import EndpointConfig, Price
from ponder.models.pricing import pricing

TOLD = Price(Decimal("0.4"), Decimal("1.75"), Decimal("0.4"))


def endpoint(model: str, base_url: str = "http://127.0.0.1:8000/v1", **more: Any) -> EndpointConfig:
    settings = {"name": "x", "base_url": base_url, "model": model, **more.pop("settings", {})}
    return EndpointConfig("x", base_url, model, settings=settings, **more)


def test_a_local_endpoint_is_free_and_says_so() -> None:
    local = {"local": True}
    assert pricing(endpoint("m", settings=local)) == (None, "x is local: no dollars.")
    # a person who says what it costs is believed
    price, note = pricing(endpoint("m", settings=local, price=TOLD))
    assert price is not None
    assert price(10**6, 0, 0) == 400_000_000_000
    assert note == "price of 'x' from ponder.toml"


@pytest.mark.parametrize(
    ("vendor", "end"),
    [
        ("", ": set price in [endpoints.x]"),
        ("xai", ": an endpoint of ponder.toml can set its price"),
    ],
)
def test_an_unknown_price_says_what_to_do(vendor: str, end: str) -> None:
    found, note = pricing(endpoint("unheard-of", vendor=vendor))
    assert found is None
    assert note == f"no price known for 'unheard-of' at http://127.0.0.1:8000/v1{end}"


def test_what_a_vendor_tells_counts_where_the_list_knows_nothing() -> None:
    found, note = pricing(endpoint("unheard-of", provider="openrouter", told_price=TOLD))
    assert found is not None
    assert found(10**6, 0, 10**6) == 400_000_000_000 + 1_750_000_000_000
    assert note == "price of 'unheard-of' as its vendor tells it"
    found, note = pricing(endpoint("gpt-4.1-mini", provider="openai", told_price=TOLD))
    assert found is not None
    assert found(1000, 0, 0) == 400_000_000
    assert "from genai-prices" in note


@pytest.mark.parametrize(
    ("api", "write", "five", "hour"),
    [
        ("chat", None, 4, 4),
        ("chat", "7", 7, 7),
        ("messages", None, 5, 8),
        ("messages", "10", 10, 16),
    ],
)
def test_what_is_stored_has_a_price_of_its_own(
    api: str, write: str | None, five: int, hour: int
) -> None:
    own = Price(Decimal(4), Decimal(1), Decimal(1), Decimal(write) if write else None)
    price, _ = pricing(endpoint("m", settings={"api": api}, price=own))
    assert price is not None
    assert price(100, 0, 0, 100, 0) == 100 * five * 10**6
    assert price(100, 0, 0, 100, 100) == 100 * hour * 10**6
    assert price(100, 60, 0, 90, 500) == (60 + 40 * hour) * 10**6  # counts that do not fit
