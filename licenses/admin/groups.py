"""Groups of staff: the portal's own roles to look at, and others to make."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin
from django.contrib.auth.models import Group, Permission, User
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import mark_safe

from licenses.admin.base import PortalModelAdmin
from licenses.admin.display import NOTHING, badge, list_link, row_count
from licenses.admin.verbs import account_of, actor_of
from licenses.roles import BY_NAME
from licenses.services.roles import (
    MANAGED,
    change_role,
    create_role,
    delete_role,
    is_managed,
    may_change_role,
    require_role,
)
from licenses.services.staff_rights import grantable_permissions

admin.site.unregister(Group)

VERBS = ["view", "add", "change", "delete"]  # of Django's permissions, in the order people read them


class GroupForm(forms.ModelForm):
    by: User  # who is at the form

    def clean(self) -> Any:
        cleaned = super().clean()
        if not self.errors:
            permissions = self.cleaned_data["permissions"]
            require_role(name=self.cleaned_data["name"], permissions=permissions, by=self.by)
        return cleaned


@admin.register(Group)
class PortalGroupAdmin(PortalModelAdmin, GroupAdmin):
    form = GroupForm
    list_display = ("name", "members", "whose", "summary")
    sortable_by = ("name",)
    search_help_text = "Part of the name."
    empty_text = "manage.py migrate makes the portal's own roles. Add a group for other rights."
    readonly_fields = ("whose", "summary", "members", "rights")
    facts = (None, {"fields": ("whose", "members"), "classes": ("facts",)})

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return super().has_change_permission(request, obj) and (
            obj is None or may_change_role(account_of(request), obj)
        )

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return super().has_delete_permission(request, obj) and (
            obj is None or may_change_role(account_of(request), obj)
        )

    def get_fieldsets(self, request: HttpRequest, obj: Group | None = None) -> Any:
        if obj is None:
            return ((None, {"fields": ("name", "permissions")}),)
        if self.has_change_permission(request, obj):
            return (self.facts, ("What it is", {"fields": ("name", "permissions")}))
        why = {"description": MANAGED} if is_managed(obj) else {}
        return (self.facts, ("What it is", {"fields": ("name", "summary", "rights"), **why}))

    def get_form(self, request: HttpRequest, obj: Group | None = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        form.by = account_of(request)  # the class was made for this request alone
        return form

    def formfield_for_manytomany(self, db_field: Any, request: Any = None, **kwargs: Any) -> Any:
        kwargs["queryset"] = grantable_permissions(account_of(request))
        field: Any = super().formfield_for_manytomany(db_field, request, **kwargs)
        field.help_text = (
            "Only rights that you have are offered. Whoever may add API keys can make one that does anything a program "
            "can do, settings included: give that right like the role Administrator."
        )
        return field

    def save_model(self, request: HttpRequest, obj: Group, form: Any, change: bool) -> None:
        given = {"name": form.cleaned_data["name"], "permissions": form.cleaned_data["permissions"]}
        by: dict[str, Any] = {"by": account_of(request), "actor": actor_of(request)}
        if change:
            change_role(group=obj, **given, **by)
        else:
            obj.pk = create_role(**given, **by).pk

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """The rights are written by the service, with the name."""

    def delete_model(self, request: HttpRequest, obj: Group) -> None:
        delete_role(group=obj, by=account_of(request), actor=actor_of(request))

    # What pages show

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        counted = super().get_queryset(request).annotate(member_count=Count("user", distinct=True))
        return counted.annotate(right_count=Count("permissions", distinct=True))

    @admin.display(description="what it may")
    def summary(self, group: Any) -> str:
        return BY_NAME[group.name].may if is_managed(group) else f"{group.right_count} rights"

    @admin.display(description="whose")
    def whose(self, group: Group) -> str:
        return badge("The portal's own", "info") if is_managed(group) else badge("Your own", "quiet")

    @admin.display(description="members")
    def members(self, group: Any) -> str:
        return list_link(row_count(group.member_count), User, groups__id__exact=group.pk)

    @admin.display(description="rights")
    def rights(self, group: Group) -> str:
        """A line for each noun: License keys: view, change."""
        held: dict[str, list[str]] = {}
        for permission in group.permissions.select_related("content_type"):
            held.setdefault(_noun(permission), []).append(permission.codename.partition("_")[0])
        lines = ((noun, ", ".join(sorted(verbs, key=_place))) for noun, verbs in sorted(held.items()))
        return format_html_join(mark_safe("<br>"), "{}: {}", lines) or NOTHING


def _place(verb: str) -> int:
    return VERBS.index(verb) if verb in VERBS else len(VERBS)


def _noun(permission: Permission) -> str:
    model = permission.content_type.model_class()
    name = str(model._meta.verbose_name_plural if model else permission.content_type.model)
    return name[:1].upper() + name[1:]
