"""Two tables that every call may write to, on PostgreSQL, where each update leaves a dead row behind.

The index on `empty_at` was for tidying alone, which may as well read the table: with it no count could be updated in
place. And each event leaves a dead entry at the front of the index of those that are not linked yet, which every change
passes until the table is vacuumed: by default that is when a fifth of it is dead, and in a large one never the indexes.
"""

from django.db import migrations, models

VACUUM_OFTEN = """
ALTER TABLE licenses_auditevent SET
    (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50000, vacuum_index_cleanup = on)
"""
AS_BY_DEFAULT = """
ALTER TABLE licenses_auditevent RESET
    (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold, vacuum_index_cleanup)
"""


def on_postgresql(statement):
    def run(apps, schema_editor):
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(statement)

    return run


class Migration(migrations.Migration):
    dependencies = [("licenses", "0010_audit_append_only")]

    operations = [
        migrations.AlterField(model_name="throttlebucket", name="empty_at", field=models.FloatField()),
        migrations.RunPython(on_postgresql(VACUUM_OFTEN), on_postgresql(AS_BY_DEFAULT)),
    ]
