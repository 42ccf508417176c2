"""Four small business apps behind one HTTP server: ticketing, CRM, chat and incident desk.

They stand in for the real ones: a process and a database of their own, an API that knows idempotency keys,
and switches that make them fail the ways real ones do.
"""
