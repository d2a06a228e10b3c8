"""An S3-compatible bucket as the way to the endpoints: uploaded once, read by both legs, deleted afterwards.

boto3 signs and uploads; where the bucket is and who may use it is what boto3 itself reads (``AWS_ACCESS_KEY_ID``,
``AWS_ENDPOINT_URL_S3``, profiles …), so Cloudflare R2, MinIO and RunPod's volumes work without settings of ours.
"""

from __future__ import annotations

import contextlib
import io
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from diarist.extras import install
from diarist.model.errors import EndpointError, InputError
from diarist.runpod.ledger import Ledger, Upload

EXPIRES: Final = 6 * 3600
"""Seconds that a signed URL is valid. It must outlive queue, cold start and a second attempt."""
MAX_RESULT_BYTES: Final = 64_000_000
"""The most that is read of a result in the bucket. Twelve hours of talk are some 30 MB."""


class AudioStore:
    """A bucket, and a prefix in it, for recordings on their way.

    Args:
        url: ``s3://BUCKET/PREFIX``.
        ledger: remembers what is in the bucket, in case that we die.

    Raises:
        InputError: the URL is malformed, or boto3 is not installed.
    """

    def __init__(self, url: str, ledger: Ledger | None = None) -> None:
        parts = re.fullmatch(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*?))?/?", url)
        if parts is None:
            raise InputError("bad_audio_store", f"{url!r} is not a bucket.", "Write s3://BUCKET/PREFIX.")
        try:
            import boto3
            from botocore.config import Config
        except ImportError:
            raise InputError("no_boto3", "An audio store needs boto3.", f"Install it: {install('s3')}") from None
        self._bucket, self._prefix = parts[1], parts[2] or ""
        self._ledger = ledger or Ledger()
        # The bucket's own patience and ours: a bucket that hangs must not hold a transcript for long.
        patient = Config(signature_version="s3v4", connect_timeout=10, read_timeout=60, retries={"max_attempts": 3})
        self._s3: Any = boto3.client("s3", config=patient)

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

        with self._kept(suffix) as key:
            try:
                self._s3.upload_fileobj(io.BytesIO(data), self._bucket, key)
                signed = self._signed("get_object", key)
            except (Boto3Error, BotoCoreError, ClientError) as error:
                raise EndpointError(
                    "store_failed",
                    f"The bucket {self._bucket} does not take the recording ({type(error).__name__}).",
                    "Check its name, AWS_ENDPOINT_URL_S3 and the credentials.",
                ) from None
            yield signed

    @contextmanager
    def receiving(self) -> Iterator[tuple[str, Callable[[], bytes]]]:
        """Make room for a large result while the block runs.

        Yields:
            A signed URL that takes one PUT, and what reads the result that was put there. That raises `EndpointError`
            where there is none, or more of it than `MAX_RESULT_BYTES`.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        with self._kept(".json") as key:

            def read() -> bytes:
                try:
                    body = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"]
                    with contextlib.closing(body):
                        result: bytes = body.read(MAX_RESULT_BYTES + 1)
                except (BotoCoreError, ClientError, OSError) as error:
                    raise EndpointError(
                        "store_failed",
                        f"The bucket {self._bucket} has no result ({type(error).__name__}).",
                        "Try again.",
                    ) from None
                if len(result) > MAX_RESULT_BYTES:
                    raise EndpointError("endpoint_answer", f"The result has more than {MAX_RESULT_BYTES / 1e6:.0f} MB.")
                return result

            yield self._signed("put_object", key), read

    def delete_left(self, upload: Upload) -> None:
        """Delete a file that a run which died left in this bucket.

        Raises:
            EndpointError: the bucket does not let us.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._s3.delete_object(Bucket=upload.bucket, Key=upload.key)
        except (BotoCoreError, ClientError) as error:
            raise EndpointError(
                "store_failed",
                f"The bucket {upload.bucket} does not delete the recording ({type(error).__name__}).",
                "Check AWS_ENDPOINT_URL_S3 and the credentials.",
            ) from None
        self._ledger.remove(upload)

    @contextmanager
    def _kept(self, suffix: str) -> Iterator[str]:
        """Name a file that is gone after the block; remembered where it could not be deleted, or we die."""
        from botocore.exceptions import BotoCoreError, ClientError

        # Not named after the content: whoever may list the bucket learns nothing.
        key = "/".join(filter(None, (self._prefix, f"{uuid.uuid4().hex}{suffix}")))
        upload = Upload(bucket=self._bucket, key=key)
        self._ledger.add(upload)
        try:
            yield key
        finally:
            try:
                self._s3.delete_object(Bucket=self._bucket, Key=key)
            except ClientError as error:
                # Without its bucket there is no file either.
                if error.response.get("Error", {}).get("Code") == "NoSuchBucket":
                    self._ledger.remove(upload)
            except BotoCoreError:
                pass
            else:
                self._ledger.remove(upload)

    def _signed(self, action: str, key: str) -> str:
        url: str = self._s3.generate_presigned_url(
            action, Params={"Bucket": self._bucket, "Key": key}, ExpiresIn=EXPIRES
        )
        return url
