import ssl
import urllib.error
import urllib.request


def answers(url: str, *, seconds: float = 2.0) -> bool:
    """Return whether a health address on this machine answers 200. No proxy is asked, no certificate is checked."""
    # Components make their own certificates for these; nothing secret goes there.
    context = ssl._create_unverified_context()  # noqa: S323
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with opener.open(url, timeout=seconds) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False
