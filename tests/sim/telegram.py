"""A simulated Telegram Bot API: messages that are sent and edited, checked as strictly as the real one checks them."""

import html.parser
import re
import time

from .service import Refused, Reply, Service, route

TEXT_MAX = 4096  # UTF-16 units after the entities were parsed
TAGS = {"b", "strong", "i", "em", "u", "ins", "s", "strike", "del", "a", "code", "pre", "blockquote", "span", "tg-spoiler"}
ENTITY = re.compile(r"&(lt|gt|amp|quot|#\d+|#x[0-9a-fA-F]+);")


def bad(text, **parameters):
    return Refused(400, {"ok": False, "error_code": 400, "description": f"Bad Request: {text}", **({"parameters": parameters} if parameters else {})})


class Markup(html.parser.HTMLParser):
    """The text of a message, and whether its HTML is what Telegram takes."""

    def __init__(self, text):
        super().__init__(convert_charrefs=False)
        self.parts, self.open = [], []
        if re.search(r"<(?![/a-zA-Z])", text):
            raise bad("can't parse entities: Unsupported start tag")
        self.feed(text)
        self.close()
        if self.open:
            raise bad(f"can't parse entities: Can't find end tag corresponding to start tag {self.open[-1]}")

    def handle_starttag(self, tag, attrs):
        if tag not in TAGS:
            raise bad(f'can\'t parse entities: Unsupported start tag "{tag}"')
        self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            raise bad(f"can't parse entities: Unexpected end tag {tag}")

    def handle_data(self, data):
        self.parts.append(data)

    def handle_entityref(self, name):
        self.parts.append({"lt": "<", "gt": ">", "amp": "&", "quot": '"'}.get(name, f"&{name};"))

    def handle_charref(self, name):
        self.parts.append(html.unescape(f"&#{name};"))


class Telegram(Service):
    name = "telegram"

    def __init__(self, port=0, seed=0, per_chat_s=0.0):
        self.tokens, self.messages, self.chats, self.next_id = set(), {}, set(), 100
        self.kicked = set()  # chats that the bot was removed from
        self.per_chat_s, self.last = per_chat_s, {}  # the shortest time between two messages to a chat; 0: any
        super().__init__(port, seed)

    def shown(self, target):
        return re.sub(r"/bot[^/]+/", "/botTOKEN/", target)

    def state(self):
        return {"messages": list(self.messages.values())}

    def sent(self, chat=None):
        with self.lock:
            return [dict(message) for message in self.messages.values() if chat in (None, message["chat"])]

    def check(self, token, body):
        if token not in self.tokens:
            raise Refused(401, {"ok": False, "error_code": 401, "description": "Unauthorized"})
        chat = body.get("chat_id")
        if chat not in self.chats:
            raise bad("chat not found")
        if chat in self.kicked:
            raise Refused(403, {"ok": False, "error_code": 403, "description": "Forbidden: bot was kicked from the supergroup chat"})
        now = time.monotonic()
        if now - self.last.get(chat, -1e9) < self.per_chat_s:
            wait = int(self.per_chat_s) + 1
            raise Refused(429, {"ok": False, "error_code": 429, "description": f"Too Many Requests: retry after {wait}",
                                "parameters": {"retry_after": wait}}, {"Retry-After": str(wait)})
        self.last[chat] = now
        return chat

    def text_of(self, body):
        text = body.get("text")
        if not isinstance(text, str) or not text.strip():
            raise bad("message text is empty")
        plain = "".join(Markup(text).parts) if body.get("parse_mode") == "HTML" else text
        if not plain.strip():
            raise bad("text must be non-empty")
        if len(plain.encode("utf-16-le")) // 2 > TEXT_MAX:
            raise bad("message is too long")
        return text.strip(), plain.strip()

    @route("POST", "/bot(?P<token>[^/]+)/getMe")
    def get_me(self, request, token):
        if token not in self.tokens:
            return Reply(401, {"ok": False, "error_code": 401, "description": "Unauthorized"})
        return Reply(200, {"ok": True, "result": {"id": 1, "is_bot": True, "username": "orchestrator_bot"}})

    @route("POST", "/bot(?P<token>[^/]+)/getChat")
    def get_chat(self, request, token):
        with self.lock:
            if token not in self.tokens:
                return Reply(401, {"ok": False, "error_code": 401, "description": "Unauthorized"})
            chat = request.json().get("chat_id")
            if chat not in self.chats:
                raise bad("chat not found")
            return Reply(200, {"ok": True, "result": {"id": chat, "type": "supergroup", "title": "The team"}})

    @route("POST", "/bot(?P<token>[^/]+)/sendMessage")
    def send(self, request, token):
        body = request.json()
        with self.lock:
            chat = self.check(token, body)
            raw, plain = self.text_of(body)
            self.next_id += 1
            self.messages[chat, self.next_id] = {"chat": chat, "id": self.next_id, "html": raw, "text": plain, "edits": 0,
                                                 "silent": bool(body.get("disable_notification")), "markup": body.get("reply_markup")}
            return Reply(200, {"ok": True, "result": {"message_id": self.next_id, "chat": {"id": chat}, "text": plain}})

    @route("POST", "/bot(?P<token>[^/]+)/editMessageText")
    def edit(self, request, token):
        body = request.json()
        with self.lock:
            chat = self.check(token, body)
            raw, plain = self.text_of(body)
            message = self.messages.get((chat, body.get("message_id")))
            if message is None:
                raise bad("message to edit not found")
            if (message["html"], message["markup"]) == (raw, body.get("reply_markup")):
                raise bad("message is not modified: specified new message content and reply markup are exactly the same")
            message.update(html=raw, text=plain, edits=message["edits"] + 1, markup=body.get("reply_markup"))
            return Reply(200, {"ok": True, "result": {"message_id": message["id"], "chat": {"id": chat}, "text": plain}})

    def no_route(self, request, allowed):
        return Reply(404, {"ok": False, "error_code": 404, "description": "Not Found"})
