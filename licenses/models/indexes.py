from typing import Any

from django.db import models


class PrefixIndex(models.Index):
    """An index that answers "begins with" whatever the database's collation.

    PostgreSQL uses an ordinary index for LIKE 'x%' only under the C collation; this one compares bytes everywhere.
    """

    def create_sql(self, model: Any, schema_editor: Any, using: str = "", **kwargs: Any) -> Any:
        statement = super().create_sql(model, schema_editor, using, **kwargs)
        if schema_editor.connection.vendor == "postgresql":
            statement.template = statement.template.replace("%(columns)s", "%(columns)s text_pattern_ops")
        return statement
