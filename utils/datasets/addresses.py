"""Text from anywhere: a path on this machine or an address that fsspec reads, packed or not."""

import codecs
import logging
from importlib import import_module
from pathlib import Path

import fsspec

from utils.errors import DataError, short_reason

READ_SECONDS = 30
"""Longest wait for a file from the network."""
CLOUD = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs"}
"""The package that reads an address, by what the address begins with."""
SIGN_IN = {
    "s3": "`aws configure`",
    "gs": "`gcloud auth application-default login`",
    "gcs": "`gcloud auth application-default login`",
}
PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\xfd7zXZ\x00": "lzma"}
"""The module that unpacks a file, by the bytes that it begins with."""
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""The encoding by its byte-order mark; UTF-32's begins with UTF-16's, so it comes first."""
logging.getLogger("gcsfs").addHandler(logging.NullHandler())  # its errors reach the learner as one sentence


def read_text(address: str) -> str:
    """Return the text of a file, unpacked (gzip, bzip2, xz) and decoded (UTF-8, UTF-16 or UTF-32 with a mark).

    address: a path, or what holds "://" and fsspec reads. Raises DataError.
    """
    data = _unpacked(_read_bytes(address), address)
    encoding = next((name for mark, name in MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(f"{address} is not {encoding.upper()} text ({error.reason}): save it as UTF-8.") from None
    if "\0" in text:
        raise DataError(
            f"{address} holds NUL bytes, as UTF-16 without a mark or no text at all does: save it as UTF-8."
        )
    return text


def _read_bytes(address: str) -> bytes:
    try:
        if "://" not in address:
            return _local(address)
        filesystem, path = fsspec.url_to_fs(address)
        limit = {"timeout": READ_SECONDS} if filesystem.async_impl else {}
        return filesystem.cat_file(path, **limit)
    except FileNotFoundError:
        raise DataError(f"There is no file {address}: check the path.") from None
    except IsADirectoryError:
        raise DataError(f"{address!r} is a folder: give the path of one file in it.") from None
    except ImportError as error:
        package = CLOUD.get(address.split("://")[0])
        remedy = f"run `make cloud`, or `pip install {package}`, and restart the kernel" if package else "install it"
        raise DataError(f"{address} needs a package that is not installed ({short_reason(error)}): {remedy}.") from None
    except TimeoutError:
        raise DataError(f"{address} did not arrive within {READ_SECONDS} seconds: {_advice(address)}.") from None
    except Exception as error:  # each storage service raises its own kinds
        raise DataError(f"{address} cannot be opened ({short_reason(error)}): {_advice(address)}.") from None


def _local(address: str) -> bytes:
    path = Path(address).expanduser()
    if path.is_dir():  # Windows speaks of a missing right
        raise IsADirectoryError
    return path.read_bytes()


def _unpacked(data: bytes, address: str) -> bytes:
    name = next((name for begin, name in PACKED.items() if data.startswith(begin)), None)
    if name is None:
        return data
    try:
        return import_module(name).decompress(data)
    except ImportError:
        raise DataError(f"{address} is packed, and this Python has no module {name}: unpack it first.") from None
    except Exception as error:  # each module raises its own kinds
        raise DataError(
            f"{address} is a damaged {name} file ({short_reason(error)}): pack or download it again."
        ) from None


def _advice(address: str) -> str:
    protocol = address.split("://")[0]
    if protocol == address:
        return "check the path and your right to read it"
    credentials = f", set up your credentials ({SIGN_IN[protocol]})" if protocol in SIGN_IN else ""
    return (
        f"check the address and the network connection{credentials}, or copy the file to this machine and give its path"
    )
