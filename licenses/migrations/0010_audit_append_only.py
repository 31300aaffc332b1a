"""PostgreSQL refuses to change or delete what the audit has recorded, whoever asks.

Two things pass: giving an event its place in the chain, once, and deleting in a transaction that has said
`SET LOCAL portal.audit_retention TO 'on'`, as `prune_audit` alone does. SQLite has no such variables: there the chain
shows what was changed.
"""

from django.db import migrations

APPEND_ONLY = """
CREATE FUNCTION licenses_audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    linked record;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.position IS NULL AND NEW.position IS NOT NULL AND NEW.digest <> '' THEN
            linked := OLD;
            linked.position := NEW.position;
            linked.digest := NEW.digest;
            IF linked *= NEW THEN
                RETURN NEW;
            END IF;
        END IF;
    ELSIF current_setting('portal.audit_retention', true) = 'on' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'the audit is append-only: % of % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', HINT = 'Old events are deleted by `manage.py prune_audit`.';
END
$$;

CREATE TRIGGER audit_event_append_only BEFORE UPDATE OR DELETE ON licenses_auditevent
    FOR EACH ROW EXECUTE FUNCTION licenses_audit_append_only();
CREATE TRIGGER audit_event_no_truncate BEFORE TRUNCATE ON licenses_auditevent
    FOR EACH STATEMENT EXECUTE FUNCTION licenses_audit_append_only();

CREATE FUNCTION licenses_audit_chain_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NEW.id = OLD.id AND NEW.position >= OLD.position THEN
            RETURN NEW;
        END IF;
    ELSIF current_setting('portal.audit_retention', true) = 'on' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'the audit chain only grows: % of % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER audit_chain_grows BEFORE UPDATE OR DELETE ON licenses_auditchain
    FOR EACH ROW EXECUTE FUNCTION licenses_audit_chain_grows();
CREATE TRIGGER audit_chain_no_truncate BEFORE TRUNCATE ON licenses_auditchain
    FOR EACH STATEMENT EXECUTE FUNCTION licenses_audit_chain_grows();
"""

NO_MORE = """
DROP TRIGGER audit_chain_no_truncate ON licenses_auditchain;
DROP TRIGGER audit_chain_grows ON licenses_auditchain;
DROP FUNCTION licenses_audit_chain_grows();
DROP TRIGGER audit_event_no_truncate ON licenses_auditevent;
DROP TRIGGER audit_event_append_only ON licenses_auditevent;
DROP FUNCTION licenses_audit_append_only();
"""


def on_postgresql(statements):
    def run(apps, schema_editor):
        if schema_editor.connection.vendor == "postgresql":
            with schema_editor.connection.cursor() as cursor:
                cursor.execute(statements)

    return run


class Migration(migrations.Migration):
    dependencies = [("licenses", "0009_throttles")]

    operations = [migrations.RunPython(on_postgresql(APPEND_ONLY), on_postgresql(NO_MORE))]
