"""Requests in `.http` files, in the syntax of VS Code's REST Client: to be sent there, and to become queries here."""

from vendorkit.httpfile.saved import SavedQuery, http_text, save_request, saved_requests

__all__ = ["SavedQuery", "http_text", "save_request", "saved_requests"]
