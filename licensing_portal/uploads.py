"""Files that come with requests: only staff who may add files or assign in bulk leave any on this machine's disk."""

from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import SkipFile, TemporaryFileUploadHandler

PERMISSIONS = ("licenses.add_downloadable", "licenses.change_downloadable", "licenses.add_assignment")


class StaffUploadHandler(TemporaryFileUploadHandler):
    """Writes to a temporary file, as Django's own does, at most MAX_RELEASE_FILE_MB of it.

    The middleware against forged requests reads every form before a view asks who sent it. What is larger than
    allowed is counted to its end and not kept, so that the form can say how large it was.
    """

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        user = getattr(self.request, "user", None)
        if user is None or not user.is_staff or not any(map(user.has_perm, PERMISSIONS)):
            raise SkipFile
        super().new_file(*args, **kwargs)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        if start < settings.MAX_RELEASE_FILE_MB * 2**20:
            self.file.write(raw_data)

    def file_complete(self, file_size: int) -> UploadedFile:
        self.file.seek(0)
        self.file.size = file_size
        return self.file
