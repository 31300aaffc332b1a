"""What is uploaded in the admin and done by a worker: its file, its state, how far it is, what undoing needs."""

import django.db.models.deletion
from django.db import migrations, models


def finish(apps, schema_editor):
    """So far there were commands alone: they are running, or stopped, or done."""
    apps.get_model("licenses", "Assignment").objects.filter(finished_at__isnull=False).update(state="done")


def forget_undone(apps, schema_editor):
    """On the way back: the schema before knows no such rows."""
    rows = apps.get_model("licenses", "AssignmentRow").objects.filter(outcome="undone")
    rows.update(outcome="refused", license_key=None)


class Migration(migrations.Migration):
    dependencies = [
        ("licenses", "0015_search_indexes"),
    ]

    operations = [
        migrations.CreateModel(
            name="AssignmentFile",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("content", models.BinaryField()),
                ("separator", models.CharField(default=",", max_length=1)),
                ("notices", models.JSONField(default=list, help_text="What was noticed while it was read.")),
            ],
        ),
        migrations.RemoveConstraint(
            model_name="assignmentrow",
            name="assignment_row_license_key_only_when_assigned",
        ),
        migrations.AddField(
            model_name="assignment",
            name="again",
            field=models.BooleanField(
                db_default=False, default=False, help_text="Rows that an earlier run has done are done once more."
            ),
        ),
        migrations.AddField(
            model_name="assignment",
            name="columns",
            field=models.JSONField(db_default={}, default=dict, help_text="Number of the column, from 0, by field."),
        ),
        migrations.AddField(
            model_name="assignment",
            name="due_at",
            field=models.DateTimeField(
                help_text="When a worker takes it up: the end of another worker's lease.", null=True
            ),
        ),
        migrations.AddField(
            model_name="assignment",
            name="undone_by",
            field=models.CharField(db_default="", default="", help_text="Who has it undone.", max_length=255),
        ),
        migrations.AddField(
            model_name="assignment",
            name="undone_from",
            field=models.GenericIPAddressField(null=True),
        ),
        migrations.AddField(
            model_name="assignment",
            name="position",
            field=models.PositiveIntegerField(db_default=0, default=0, help_text="The last line that is done."),
        ),
        migrations.AddField(
            model_name="assignment",
            name="problem",
            field=models.CharField(db_default="", default="", help_text="Why it failed.", max_length=255),
        ),
        migrations.AddField(
            model_name="assignment",
            name="product",
            field=models.ForeignKey(
                help_text="Its stock serves rows without one.",
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="licenses.product",
            ),
        ),
        migrations.AddField(
            model_name="assignment",
            name="rows_assigned",
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="assignment",
            name="rows_earlier",
            field=models.PositiveIntegerField(db_default=0, default=0, help_text="Left as an earlier run made them."),
        ),
        migrations.AddField(
            model_name="assignment",
            name="rows_kept",
            field=models.PositiveIntegerField(db_default=0, default=0, help_text="Could not be undone."),
        ),
        migrations.AddField(
            model_name="assignment",
            name="rows_refused",
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="assignment",
            name="rows_undone",
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="assignment",
            name="started_by",
            field=models.CharField(db_default="", default="", help_text="Who has started it.", max_length=255),
        ),
        migrations.AddField(
            model_name="assignment",
            name="started_from",
            field=models.GenericIPAddressField(null=True),
        ),
        migrations.AddField(
            model_name="assignment",
            name="state",
            field=models.CharField(
                choices=[
                    ("uploaded", "Columns to be chosen"),
                    ("checking", "Being checked"),
                    ("ready", "Ready to start"),
                    ("running", "Running"),
                    ("paused", "Paused"),
                    ("done", "Finished"),
                    ("cancelled", "Canceled"),
                    ("failed", "Failed"),
                    ("undoing", "Being undone"),
                    ("undone", "Undone"),
                ],
                db_default="running",
                default="running",
                max_length=16,
            ),
        ),
        migrations.AddField(
            model_name="assignment",
            name="uploaded",
            field=models.BooleanField(db_default=False, default=False, help_text="In the admin; the file is stored."),
        ),
        migrations.AddField(
            model_name="assignmentrow",
            name="assigned_at",
            field=models.DateTimeField(help_text="By this very time undoing knows the assignment again.", null=True),
        ),
        migrations.AddField(
            model_name="assignmentrow",
            name="reference_before",
            field=models.CharField(blank=True, db_default="", default="", max_length=255),
        ),
        migrations.AlterField(
            model_name="assignmentrow",
            name="outcome",
            field=models.CharField(
                choices=[("assigned", "Assigned"), ("refused", "Refused"), ("undone", "Undone")], max_length=16
            ),
        ),
        migrations.RunPython(finish, forget_undone),
        migrations.AddIndex(
            model_name="assignment",
            index=models.Index(condition=models.Q(("due_at__isnull", False)), fields=["due_at"], name="assignment_due"),
        ),
        migrations.AddConstraint(
            model_name="assignment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "state__in",
                        (
                            "uploaded",
                            "checking",
                            "ready",
                            "running",
                            "paused",
                            "done",
                            "cancelled",
                            "failed",
                            "undoing",
                            "undone",
                        ),
                    )
                ),
                name="assignment_state_valid",
            ),
        ),
        migrations.AddConstraint(
            model_name="assignment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("uploaded", False),
                    models.Q(
                        ("finished_at__isnull", False),
                        ("state__in", ("done", "cancelled", "failed", "undoing", "undone")),
                    ),
                    models.Q(
                        models.Q(("state__in", ("done", "cancelled", "failed", "undoing", "undone")), _negated=True),
                        ("finished_at__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="assignment_finished_when_over",
            ),
        ),
        migrations.AddConstraint(
            model_name="assignment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("due_at__isnull", True),
                    models.Q(("state__in", ("checking", "running", "undoing")), ("uploaded", True)),
                    _connector="OR",
                ),
                name="assignment_due_when_at_work",
            ),
        ),
        migrations.AddConstraint(
            model_name="assignmentrow",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("outcome__in", ("assigned", "undone")),
                    models.Q(("license_key__isnull", True), ("outcome", "refused")),
                    _connector="OR",
                ),
                name="assignment_row_license_key_only_when_assigned",
            ),
        ),
        migrations.AddField(
            model_name="assignmentfile",
            name="assignment",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.CASCADE, related_name="file", to="licenses.assignment"
            ),
        ),
    ]
