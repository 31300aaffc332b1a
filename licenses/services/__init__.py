"""The verbs: one function, one transaction. Each checks, locks, writes and records, in that order.

Returning keeps what was written; raising undoes it. A rule's "no" is `Refused`; a field's is Django's ValidationError.
"""
