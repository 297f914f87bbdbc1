"""The library for Python workers as one small archive, the way docs/worker.md makes it: Python imports from it."""

import base64
import io
import zipfile
from pathlib import Path
from typing import Any, Final

from tests.support.operations import PYTHON_IMAGE

Object = dict[str, Any]

SOURCE_ROOT: Final = Path(__file__).resolve().parents[2] / "operator"
PACKAGE: Final = SOURCE_ROOT / "alo_operator"
FILES: Final = (PACKAGE / "__init__.py", PACKAGE / "errors.py", *sorted((PACKAGE / "worker").glob("*.py")))
CONFIG_MAP: Final = "alo-library"
ARCHIVE: Final = "alo-library.zip"
FOLDER: Final = "/opt/alo"


def packed() -> bytes:
    """Return the archive."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in FILES:
            archive.write(path, path.relative_to(SOURCE_ROOT).as_posix())
    return target.getvalue()


def config_map() -> Object:
    """Return the ConfigMap that holds the archive."""
    content = base64.b64encode(packed()).decode()
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": CONFIG_MAP}, "binaryData": {ARCHIVE: content}}


def library_job(program: str, *, grace_seconds: int = 10, **job_spec: Any) -> Object:
    """Return a Job that runs a Python program with the library of the namespace's ConfigMap."""
    container = {
        "name": "main",
        "image": PYTHON_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-u", "-c", program],
        "env": [{"name": "PYTHONPATH", "value": f"{FOLDER}/{ARCHIVE}"}],
        "volumeMounts": [{"name": CONFIG_MAP, "mountPath": FOLDER, "readOnly": True}],
    }
    pod = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": grace_seconds,
        "containers": [container],
        "volumes": [{"name": CONFIG_MAP, "configMap": {"name": CONFIG_MAP}}],
    }
    return {"spec": {"backoffLimit": 0} | job_spec | {"template": {"spec": pod}}}
