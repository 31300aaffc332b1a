"""Commands about the accounts of staff."""

from django.contrib.auth.models import User

from licenses.management.base import unusable


def find_account(username: str) -> User:
    """The account with exactly this name; CommandError when there is none."""
    account = User.objects.filter(username=username).first() if username.isprintable() else None
    if account is None:
        raise unusable(f"There is no account with the username “{username}”.")
    return account
