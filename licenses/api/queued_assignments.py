"""random-assign-license-keys-queued: answered at once, done by the worker, its result posted to the shop."""

from rest_framework.serializers import ValidationError

from licenses.api.answers import answers
from licenses.api.endpoint import Call, Reply
from licenses.api.fields import TextField
from licenses.api.random_assignment import RandomAssignParams, wants_new
from licenses.codes import Code
from licenses.services.lookup import find_product
from licenses.services.outgoing import problem_with
from licenses.services.queued_assignments import queue_assignment


class QueuedAssignParams(RandomAssignParams):
    needed: tuple[str, ...] = ("product_id", "webhook_url")

    identifier = TextField(help_text="Yours, an order number for example; the posted result carries it.")
    webhook_url = TextField(max_length=2000)

    def validate_webhook_url(self, url: str) -> str:
        """What shows without resolving its name; the call itself looks again."""
        if problem := problem_with(url) if url else "Say where the result is to be posted.":
            raise ValidationError(problem)
        return url


@answers(Code.REQUEST_QUEUED, Code.ASSIGN_PRODUCT_NOT_FOUND, Code.GENERATOR_NOT_FOUND)
def random_assign_license_keys_queued(call: Call) -> Reply:
    params = dict(call.params)
    product = find_product(params.pop("product_id"), or_refuse=Code.ASSIGN_PRODUCT_NOT_FOUND)
    params["generate"] = wants_new(params)
    queue_assignment(**params, product=product, actor=call.actor)
    return Reply(Code.REQUEST_QUEUED, product_id=product.pk)
