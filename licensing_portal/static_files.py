"""Static files under names with their hash, compressed once when they are collected."""

from typing import Any

import brotli  # type: ignore[import-untyped]
from whitenoise.compress import Compressor  # type: ignore[import-untyped]
from whitenoise.storage import CompressedManifestStaticFilesStorage  # type: ignore[import-untyped]

QUALITY = 9  # of 11: the last two make the files a twelfth smaller and take nine times as long, before the first page


class QuickCompressor(Compressor):
    @staticmethod
    def compress_brotli(data: bytes) -> bytes:
        compressed: bytes = brotli.compress(data, quality=QUALITY)
        return compressed


class Storage(CompressedManifestStaticFilesStorage):
    def create_compressor(self, **options: Any) -> QuickCompressor:
        return QuickCompressor(**options)
