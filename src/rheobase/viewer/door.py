"""Who may open a page: whoever has its address, whose key nobody can guess."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

if TYPE_CHECKING:
    from rheobase.viewer.page import Page

PLACE = "/index.html"


class Door:
    """The key of a page.

    The page's websocket answers only to the key, which stands in the page's address. So neither
    other people on the machine nor other pages in the same browser can see or drive it. The client
    takes the key out of the address bar; a cookie brings it back when the page is loaded again.

    Parameters
    ----------
    page
        The page; its server has not been started yet.
    """

    def __init__(self, page: Page) -> None:
        self._server = page.server
        self._key = f"k{secrets.token_hex(16)}"  # the letter: the client takes digits for a number
        self._server.controller.on_server_bind.add(self._lock)

    def address(self, base: str) -> str:
        """Return the address of the page with its key."""
        return f"{base}{'&' if '?' in base else '?'}{urlencode({'secret': self._key})}"

    def _lock(self, web: Any) -> None:
        """Give the key to the server before it listens."""
        from aiohttp import web as http

        self._server.protocol.updateSecret(self._key)

        @http.middleware
        async def again(request: http.Request, handler: Any) -> http.StreamResponse:
            if request.path != PLACE:
                found: http.StreamResponse = await handler(request)
                return found
            cookie = f"rheobase-{request.url.port}"
            given = request.query.get("secret")
            if given is None and secrets.compare_digest(
                request.cookies.get(cookie, "").encode(), self._key.encode()
            ):
                raise http.HTTPFound(f"?{urlencode({**request.query, 'secret': self._key})}")
            found = await handler(request)
            if given == self._key:
                found.set_cookie(cookie, self._key, path=PLACE, httponly=True, samesite="Strict")
            return found

        web.app.middlewares.append(again)
