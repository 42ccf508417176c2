"""Stores of control-plane records, one package per database."""
