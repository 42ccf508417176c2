"""A connector of one's own: a warehouse that reserves goods, and is busy at times."""

from counterpoint import ActionContext, Connector, Retry, RetryableError

warehouse = Connector("warehouse", title="Warehouse", retry=Retry(max_attempts=5, delay_s=0.5))


@warehouse.action(idempotency="key")
async def reserve(ctx: ActionContext, sku: str, quantity: int) -> dict[str, str | int]:
    """Reserve goods and give the number of the reservation."""
    if quantity > 5 and ctx.attempt < 3:
        # A real warehouse would answer 503; the engine waits and asks again, with the same key.
        raise RetryableError(f"the shelf of {sku} is being refilled")
    return {"reservation": ctx.idempotency_key[:8], "sku": sku, "quantity": quantity}
