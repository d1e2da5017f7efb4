"""Stands between a program and PostgreSQL, and loses an answer when it is told to."""

import socket
import threading


def socket_folder(database):
    return database.cluster.folder / "socket"


class Swallower:
    """Listens in `folder` as the server's socket does."""

    def __init__(self, folder, server):
        self.server = server
        self.lost_statement = self.held_statement = None
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(folder / ".s.PGSQL.5480"))
        self.listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return  # closed: the test is over
            server = socket.socket(socket.AF_UNIX)
            server.connect(str(self.server))
            held, lost = threading.Event(), threading.Event()
            for args in ((client, server, False, held, lost), (server, client, True, held, lost)):
                threading.Thread(target=self._pass_on, args=args, daemon=True).start()

    def _pass_on(self, source, target, is_answer, held, lost):
        try:
            while data := source.recv(65536):
                if not is_answer and self.held_statement is not None and self.held_statement in data:
                    held.set()
                elif is_answer and held.is_set():
                    continue
                elif is_answer and lost.is_set():
                    break
                elif not is_answer and self.lost_statement is not None and self.lost_statement in data:
                    self.lost_statement = None
                    lost.set()
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def lose(self, statement):
        """Whoever sends this statement next is cut off instead of being answered."""
        self.lost_statement = statement.encode()

    def hold(self, statement):
        """From now on whoever sends this statement hears nothing any more, and stays connected."""
        self.held_statement = statement.encode()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
