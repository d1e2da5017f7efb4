"""People before their boards: what each wants of an item, and what they do when its card says that they are asked."""

import random
import threading

PLANS = {  # what people do in In Review, one after the other; how it ends
    "straight": (["Approved"], "done"),
    "once more": (["Rejected", "Approved"], "done"),
    "stopped": (["STOP"], "cancelled"),
}
SHARES = {"straight": 7, "once more": 2, "stopped": 1}
ENDS = {"done": {"Done"}, "cancelled": {"Cancelled", "STOP"}}


class Wish:
    def __init__(self, board, item, plan):
        self.board, self.item, self.plan = board, item, plan
        self.acts, self.end = list(PLANS[plan][0]), PLANS[plan][1]
        self.key = f"{board.identifier}-{item['sequence_id']}"
        self.seen = None

    @property
    def shown(self):
        return self.board.states[self.item["state"]]["name"]

    @property
    def is_over(self):
        return not self.acts and self.shown in ENDS[self.end]


class People:
    """One thread looks at all boards, as people do: now and then."""

    def __init__(self, world, items, seed):
        rng = random.Random(f"people {seed}")
        self.plane, self.wishes, self.gone = world.plane, [], threading.Event()
        plans = [plan for plan, share in SHARES.items() for _ in range(share)]
        for number in range(items):
            board = world.boards[number % len(world.boards)]
            plan = list(SHARES)[number] if number < len(SHARES) and items >= len(SHARES) else rng.choice(plans)
            item = world.plane.create_item(board, f"Item {number} <b>&amp; \u00e4", "what is wanted")
            self.wishes.append(Wish(board, item, plan))
        self.thread = threading.Thread(target=self.work, daemon=True)

    def start(self):
        for wish in self.wishes:
            self.plane.move(wish.board, wish.item, "To Analyse")
        self.thread.start()

    def work(self):
        while not self.gone.wait(0.15):
            for wish in self.wishes:
                self.look(wish)

    def look(self, wish):
        """Whoever finds a card back where it was asks again: a last write wins, also one of ours over a person's a moment before."""
        shown = wish.shown
        if shown == wish.seen:
            return
        wish.seen, act = shown, None
        if shown == "In Review":
            act = wish.acts.pop(0) if wish.acts else PLANS[wish.plan][0][-1]
            if act == "Rejected":
                self.plane.say(wish.board, wish.item, "more of it, please")
        elif shown == "Awaiting Deploy":
            act = "Confirm Deploy"
        if act:
            self.plane.move(wish.board, wish.item, act)
            wish.seen = act

    def waiting(self):
        return [wish for wish in self.wishes if not wish.is_over]

    def stop(self):
        self.gone.set()
        self.thread.join()
