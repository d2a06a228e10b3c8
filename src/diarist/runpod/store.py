"""An S3-compatible bucket as the way to the endpoints: uploaded once, read by both legs, deleted afterwards.

boto3 signs and uploads; where the bucket is and who may use it is what boto3 itself reads (``AWS_ACCESS_KEY_ID``,
``AWS_ENDPOINT_URL_S3``, profiles …), so Cloudflare R2, MinIO and RunPod's volumes work without settings of ours.
"""

from __future__ import annotations

import contextlib
import io
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from diarist.extras import install
from diarist.model.errors import EndpointError, InputError

EXPIRES: Final = 6 * 3600
"""Seconds that a signed URL is valid. It must outlive queue, cold start and a second attempt."""


class AudioStore:
    """A bucket, and a prefix in it, for recordings on their way.

    Args:
        url: ``s3://BUCKET/PREFIX``.

    Raises:
        InputError: the URL is malformed, or boto3 is not installed.
    """

    def __init__(self, url: str) -> None:
        parts = re.fullmatch(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*?))?/?", url)
        if parts is None:
            raise InputError("bad_audio_store", f"{url!r} is not a bucket.", "Write s3://BUCKET/PREFIX.")
        try:
            import boto3
            from botocore.config import Config
        except ImportError:
            raise InputError("no_boto3", "An audio store needs boto3.", f"Install it: {install('s3')}") from None
        self._bucket, self._prefix = parts[1], parts[2] or ""
        self._s3: Any = boto3.client("s3", config=Config(signature_version="s3v4"))

    @contextmanager
    def holding(self, data: bytes, suffix: str) -> Iterator[str]:
        """Keep a file in the bucket while the block runs.

        Args:
            data: the file.
            suffix: its ending, e.g. ``".flac"``.

        Yields:
            A signed URL that reads it.

        Raises:
            EndpointError: the bucket does not take it.
        """
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        # Not named after the content: whoever may list the bucket learns nothing.
        key = "/".join(filter(None, (self._prefix, f"{uuid.uuid4().hex}{suffix}")))
        try:
            self._s3.upload_fileobj(io.BytesIO(data), self._bucket, key)
            signed = self._s3.generate_presigned_url(
                "get_object", Params={"Bucket": self._bucket, "Key": key}, ExpiresIn=EXPIRES
            )
        except (Boto3Error, BotoCoreError, ClientError) as error:
            raise EndpointError(
                "store_failed",
                f"The bucket {self._bucket} does not take the recording ({type(error).__name__}).",
                "Check its name, AWS_ENDPOINT_URL_S3 and the credentials.",
            ) from None
        try:
            yield signed
        finally:
            with contextlib.suppress(BotoCoreError, ClientError):
                self._s3.delete_object(Bucket=self._bucket, Key=key)
