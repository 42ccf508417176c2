"""Counterpoint: durable orchestration and event choreography in one product."""

__version__ = "0.1.0"
