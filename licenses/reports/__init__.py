"""Reads behind lists, searches, pages for programs and the overview. Each is bounded."""
