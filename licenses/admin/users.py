"""Accounts of staff. Who may give what is decided in services/staff.py; a forged form meets the same rules."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import flatten_fieldsets, unquote
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.debug import sensitive_post_parameters

from licenses.admin.base import PortalModelAdmin
from licenses.admin.display import NOTHING, badge, change_url, when
from licenses.admin.verbs import account_of, actor_of
from licenses.roles import BY_NAME
from licenses.services.staff import (
    CHANGEABLE,
    SUPERUSER_ONLY,
    change_staff,
    create_staff,
    delete_staff,
    require_change,
    set_staff_password,
)
from licenses.services.staff_rights import grantable_groups, grantable_permissions, may_manage

admin.site.unregister(User)

FIELDS = {field.name for field in (*User._meta.concrete_fields, *User._meta.many_to_many)}


class GroupsField(forms.ModelMultipleChoiceField):
    """Every group with what it may in one line."""

    widget = forms.CheckboxSelectMultiple

    def label_from_instance(self, obj: Any) -> str:
        may = BY_NAME[obj.name].may if obj.name in BY_NAME else "A group of your own."
        return format_html('{} <span class="quiet">{}</span>', obj.name, may)


class StaffForm(UserChangeForm):
    by: User  # who is at the form

    class Meta(UserChangeForm.Meta):
        help_texts = {
            "username": "What they sign in with: letters, digits and @ . + - _",
            "is_active": "Without it the account is closed. Better than deleting: nobody else gets the name.",
            "is_staff": "Without it there is no way into these pages.",
            "is_superuser": "Has every right, whatever the groups say, and alone may give this one.",
        }

    password = None  # type: ignore[assignment]  # leaves it out, masked as it is: it helps nobody

    def clean(self) -> Any:
        cleaned = super().clean()
        if not self.errors:
            changes = {name: self.cleaned_data[name] for name in self.changed_data if name in CHANGEABLE}
            require_change(user=self.instance, changes=changes, by=self.by)
        return cleaned


class NewStaffForm(AdminUserCreationForm):
    """Django's words speak of ways in that the portal has not."""

    usable_password = AdminUserCreationForm.create_usable_password_field(
        "Disabled: nobody gets in with this account until somebody sets a password for it."
    )


@admin.register(User)
class PortalUserAdmin(PortalModelAdmin, UserAdmin):
    form = StaffForm
    add_form = NewStaffForm
    list_display = ("username", "full_name", "roles", "state", "last_sign_in")
    list_filter = ("groups", "is_active", "is_superuser")
    search_help_text = "Part of the user name, of the name or of the e-mail address."
    sortable_by = ("username",)
    empty_text = "Add an account for each person, so that the audit can tell them apart."
    facts = ("state", "password_state", "last_sign_in", "joined")
    readonly_fields = (*facts, "password_link")
    filter_horizontal = ("user_permissions",)
    fieldsets = (
        ("Who", {"fields": ("username", "first_name", "last_name", "email")}),
        ("What they may do", {"fields": ("groups", "is_active", "is_staff")}),
        ("For superusers alone to give", {"fields": SUPERUSER_ONLY}),
    )

    # Who may

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or may_manage(account_of(request), obj))

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        may = super().has_delete_permission(request, obj)
        return may and (obj is None or (obj.pk != request.user.pk and may_manage(account_of(request), obj)))

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """A field that this page does not offer to this person is a forged form: refused, not passed over."""
        if request.method == "POST":
            user = self.get_object(request, unquote(object_id)) if object_id else None
            offered = set(flatten_fieldsets(self.get_fieldsets(request, user)))
            if FIELDS & set(request.POST) - (offered - set(self.get_readonly_fields(request, user))):
                raise PermissionDenied
        return super().changeform_view(request, object_id, form_url, extra_context)

    # The forms

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        if obj is None:
            return self.add_fieldsets
        password = "password_link" if self.has_change_permission(request, obj) else "password_state"
        facts = [password if name == "password_state" else name for name in self.facts]
        return ((None, {"fields": facts, "classes": ("facts",)}), *self.fieldsets)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        return self.readonly_fields if account_of(request).is_superuser else (*self.readonly_fields, *SUPERUSER_ONLY)

    def get_form(self, request: HttpRequest, obj: User | None = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        form.by = account_of(request)  # the class was made for this request alone
        return form

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name != "groups":
            return super().formfield_for_dbfield(db_field, request, **kwargs)
        return GroupsField(
            grantable_groups(account_of(request)),
            label="Roles and groups",
            required=False,
            help_text="What they may do is the sum of these. Only groups that may no more than you are offered.",
        )

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        kwargs["queryset"] = grantable_permissions(account_of(request))
        field: Any = super().formfield_for_manytomany(db_field, request, **kwargs)
        field.help_text = "Rights beside those of the groups. A group is easier to look after."
        return field

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        actor = actor_of(request)
        if change:
            changes = {name: form.cleaned_data[name] for name in form.changed_data if name in CHANGEABLE}
            change_staff(user=obj, changes=changes, by=account_of(request), actor=actor)
            return
        password = form.cleaned_data["password1"] if form.cleaned_data["set_usable_password"] else None
        name = form.cleaned_data["username"]
        obj.pk = create_staff(username=name, password=password, by=account_of(request), actor=actor).pk

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Groups and rights are written by the service, with the rest."""

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        delete_staff(user=obj, by=account_of(request), actor=actor_of(request))

    @method_decorator(sensitive_post_parameters())
    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        user = self.get_object(request, unquote(id))
        if not self.has_change_permission(request, user):
            raise PermissionDenied
        if user is None:
            raise Http404("There is no such account.")
        if user.pk == request.user.pk:
            return self._own_password(request, user)
        form = self.change_password_form(user, request.POST if request.method == "POST" else None)
        if not form.is_valid():
            return self._password_page(request, form)
        password = form.cleaned_data["password1"] if form.cleaned_data["set_usable_password"] else None
        set_staff_password(user=user, password=password, by=account_of(request), actor=actor_of(request))
        done = f"The password of {user} was set." if password else f"{user} has no password any more."
        self.message_user(request, f"{done} Their sessions have ended.", messages.SUCCESS)
        return HttpResponseRedirect(change_url(user))

    def _own_password(self, request: HttpRequest, user: User) -> HttpResponse:
        """One's own is changed by whoever knows the old one: not by who finds the browser open."""
        if user.has_usable_password():
            self.message_user(request, "This is your own account: type your old password too.", messages.INFO)
            return HttpResponseRedirect(reverse("admin:password_change"))
        text = "Your account has no password. Ask a colleague to set the first one, or use manage.py changepassword."
        self.message_user(request, text, messages.WARNING)
        return HttpResponseRedirect(change_url(user))

    def _password_page(self, request: HttpRequest, form: Any) -> TemplateResponse:
        request.current_app = self.admin_site.name  # as Django's own views do
        context = self.admin_site.each_context(request) | {
            "title": "Set password",
            "subtitle": str(form.user),
            "opts": self.opts,
            "form": form,
            "original": form.user,
        }
        return TemplateResponse(request, "admin/auth/user/change_password.html", context)

    # What pages show

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups")

    @admin.display(description="name")
    def full_name(self, user: User) -> str:
        return user.get_full_name() or user.email or NOTHING

    @admin.display(description="roles")
    def roles(self, user: User) -> str:
        names = [badge("Superuser", "warn")] if user.is_superuser else []
        names += [badge(group.name, "info" if group.name in BY_NAME else "quiet") for group in user.groups.all()]
        return format_html_join(" ", "{}", ((name,) for name in names)) or NOTHING

    @admin.display(description="status")
    def state(self, user: User) -> SafeString:
        if not user.is_active:
            return badge("Inactive", "bad")
        return badge("Active", "good") if user.is_staff else badge("No staff", "quiet")

    @admin.display(description="password")
    def password_state(self, user: User) -> str:
        return "set" if user.has_usable_password() else "none: it takes another way to sign in"

    @admin.display(description="password")
    def password_link(self, user: User) -> str:
        words = "Set another one" if user.has_usable_password() else "none: set one"
        return format_html('<a href="{}">{}</a>', reverse("admin:auth_user_password_change", args=[user.pk]), words)

    @admin.display(description="last sign-in")
    def last_sign_in(self, user: User) -> str:
        return when(user.last_login) if user.last_login else "never"

    @admin.display(description="added")
    def joined(self, user: User) -> str:
        return when(user.date_joined)
