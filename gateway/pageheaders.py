"""What every page of ours tells a browser, whoever it is for: nothing from elsewhere, no frame around us.

Source: Content Security Policy Level 3; OWASP HTTP Security Response Headers Cheat Sheet.
"""

from collections.abc import Mapping
from types import MappingProxyType


def page_headers(loads: str, more: Mapping[str, str]) -> Mapping[str, str]:
    """Return the headers of a page.

    Args:
        loads: What it may load: directives of the policy, each with its semicolon; all else is forbidden.
        more: Its other headers.
    """
    return MappingProxyType(
        {
            "Content-Security-Policy": (
                f"default-src 'none'; {loads} "
                "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
            ),
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",  # for browsers older than frame-ancestors
            "Referrer-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
            **more,
        }
    )
