"""Spreadsheets in and out: one definition of columns for both, rows written through the services."""
