"""A broker that does nothing but authenticate one client by SCRAM-SHA-256 (RFC 5802, RFC 7677)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import socket
import threading
from typing import IO

METHOD = b"SCRAM-SHA-256"
_SALT = b"a salt for the test"
_ITERATIONS = 4096
_CONNACK, _AUTH = 0x20, 0xF0


class ScramServer:
    """Accepts one connection of one user, and another authentication on it if that comes."""

    def __init__(self, user_name: str, password: str) -> None:
        self._user_name = user_name
        self._salted = hashlib.pbkdf2_hmac("sha256", password.encode(), _SALT, _ITERATIONS)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.accepted = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Wait until the client has gone."""
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection, connection.makefile("rb") as reader:
            while packet := _read(reader):
                first = re.search(rb"n,,(n=([^,]*),r=([!-+\--~]+))", packet)
                if first is None:
                    # A DISCONNECT, or a client that does not know how to begin.
                    return
                proven = self._challenge(connection, reader, *first.groups())
                if proven is None:
                    connection.sendall(_packet(_CONNACK, b"\x00\x87", b""))
                    return
                self.accepted += 1
                begins = _CONNACK if self.accepted == 1 else _AUTH
                head = b"\x00\x00" if begins == _CONNACK else b"\x00"
                connection.sendall(_packet(begins, head, proven))

    def _challenge(
        self, connection: socket.socket, reader: IO[bytes], bare: bytes, name: bytes, nonce: bytes
    ) -> bytes | None:
        """Return what proves the server to the client; None for a client that proves nothing."""
        nonce += b"server"
        salt = base64.b64encode(_SALT)
        challenge = b"r=%s,s=%s,i=%d" % (nonce, salt, _ITERATIONS)
        connection.sendall(_packet(_AUTH, b"\x18", challenge))
        answer = re.search(rb"(c=biws,r=([^,]+)),p=([A-Za-z0-9+/=]+)", _read(reader))
        if answer is None or answer[2] != nonce or name.decode() != self._user_name:
            return None
        signed = b",".join([bare, challenge, answer[1]])
        client_key = self._sign(self._salted, b"Client Key")
        signature = self._sign(hashlib.sha256(client_key).digest(), signed)
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        if base64.b64decode(answer[3]) != proof:
            return None
        server_key = self._sign(self._salted, b"Server Key")
        return b"v=" + base64.b64encode(self._sign(server_key, signed))

    @staticmethod
    def _sign(key: bytes, text: bytes) -> bytes:
        return hmac.digest(key, text, "sha256")


def _packet(kind: int, head: bytes, data: bytes) -> bytes:
    """Make a CONNACK or AUTH: with authentication method and data, where there are data."""
    properties = b""
    if data:
        properties = b"\x15" + len(METHOD).to_bytes(2) + METHOD
        properties += b"\x16" + len(data).to_bytes(2) + data
    body = head + _length(len(properties)) + properties
    return bytes([kind]) + _length(len(body)) + body


def _length(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _read(reader: IO[bytes]) -> bytes:
    """Read a packet without its first byte and length; nothing at the end."""
    if not reader.read(1):
        return b""
    length, shift = 0, 0
    while True:
        (byte,) = reader.read(1)
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            return reader.read(length)
        shift += 7
