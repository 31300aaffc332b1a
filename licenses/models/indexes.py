from typing import Any

from django.db import migrations, models


class PrefixIndex(models.Index):
    """An index that answers "begins with" whatever the database's collation.

    PostgreSQL uses an ordinary index for LIKE 'x%' only under the C collation; this one compares bytes everywhere.
    """

    def create_sql(self, model: Any, schema_editor: Any, using: str = "", **kwargs: Any) -> Any:
        statement = super().create_sql(model, schema_editor, using, **kwargs)
        if schema_editor.connection.vendor == "postgresql":
            statement.template = statement.template.replace("%(columns)s", "%(columns)s text_pattern_ops")
        return statement


class AddIndexOnline(migrations.AddIndex):
    """`AddIndex` for a large table: PostgreSQL builds it while others write. For a migration with `atomic = False`."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            online = {"concurrently": True} if schema_editor.connection.vendor == "postgresql" else {}
            schema_editor.add_index(model, self.index, **online)


class AddUniqueOnline(migrations.AddConstraint):
    """`AddConstraint` for a partial `UniqueConstraint` of a large table, as `AddIndexOnline`: it is an index, too."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        if not self.allow_migrate_model(schema_editor.connection.alias, model):
            return
        sql = str(self.constraint.create_sql(model, schema_editor))
        if schema_editor.connection.vendor == "postgresql":
            sql = sql.replace("CREATE UNIQUE INDEX", "CREATE UNIQUE INDEX CONCURRENTLY")
        schema_editor.execute(sql)
