"""What can be broken, as a table. A fault is one function that breaks something, lasts, and mends it: it runs in a
thread of its own, from the blow to the end of the repair.

To add one: write the function, and its row in FAULTS. `victims` names what it could hit now (none: it waits for one),
`needs` what nobody else may touch meanwhile: two faults that need the same thing come one after the other.
"""

import collections
import dataclasses
import os
import signal
from typing import Callable

from support.processes import Process

from .hosts import DAEMONS, FAKETIME, FREEZE_S, OPTIONS, PROGRAMS, TAKEOVER_S, pids_cgroup

OFFSETS_S = (-86400, -40, 40, 3600, 10**8)
Victim = collections.namedtuple("Victim", "host process")
Kept = collections.namedtuple("Kept", "host process worker")  # a shim, and the pid of its worker


@dataclasses.dataclass(frozen=True)
class Fault:
    name: str
    about: str
    run: Callable      # (world, victim, seconds): returns when it is mended
    victims: Callable  # world -> those that are possible now, in a stable order
    needs: Callable    # victim -> names of what it keeps for itself
    seconds: tuple = (0, 0)
    why_not: Callable = lambda: ""  # why this machine cannot have it


# --- processes ----------------------------------------------------------------------------------------------------

def processes(name):
    return lambda world: [Victim(host, process) for host in world.hosts for process in host.processes(name)]


def send(process, signo):
    """False: it has ended, and its number may be another's by now."""
    now = Process(process.pid)
    if not now.alive or now.start != process.start:
        return False
    try:
        os.kill(process.pid, signo)
    except ProcessLookupError:
        return False
    return True


def kill(_world, victim, _seconds):
    send(victim.process, signal.SIGKILL)


def stop(world, victim, seconds):
    send(victim.process, signal.SIGSTOP)
    world.hold(seconds)
    send(victim.process, signal.SIGCONT)


def stop_agent(world, victim, seconds):
    """A frozen agent must not be woken by us: that would be a fault of the test. One whose worker has been heard of
    just now is not frozen; any other is killed instead of going on."""
    send(victim.process, signal.SIGSTOP)
    world.hold(seconds)
    send(victim.process, signal.SIGCONT if world.is_renewed(victim.process) else signal.SIGKILL)


def kept_shims(world):
    """Those whose worker is there, has been heard of just now, and will stay: no drain and no upgrade is on its way."""
    steady = [host for host in world.hosts if len(host.processes("workerd")) == OPTIONS["workerd_count"]]
    shims = [(host, shim, world.worker_of(shim)) for host in steady for shim in host.processes("shim")]
    return [Kept(*found) for found in shims if found[2]]


def stop_shim_cut(world, victim, seconds):
    """The shim cannot freeze its agent, so the worker has to kill both; nobody could, were the worker gone, too."""
    with world.cut(victim.host.net):
        stop(world, victim, seconds)


def kill_supervisor(world, host, seconds):
    host.kill_supervisor()
    world.hold(seconds)
    host.start()


def stop_supervisor(world, host, seconds):
    supervisor = Process(host.suite.process.pid)
    send(supervisor, signal.SIGSTOP)
    world.hold(seconds)
    send(supervisor, signal.SIGCONT)


# --- hosts --------------------------------------------------------------------------------------------------------

def power_off(world, host, seconds):
    """Silence, as of a machine that is gone; then it boots."""
    with world.cut(host.net):
        host.power_off()
        world.hold(seconds)
    host.start()


def stand_still(world, host, seconds):
    """A virtual machine that is not scheduled. What stood still for long goes on without its agents: their shims say
    whether they may. That a real agent has its first instant before its shim looks at the clock, no program can help."""
    seconds = seconds if seconds < FREEZE_S / 2 else max(seconds, FREEZE_S * 1.5)  # frozen surely, or surely not
    running = [p for p in map(Process, sorted(host.net.pids())) if p.alive and p.state not in "Tt"]
    for process in running:
        send(process, signal.SIGSTOP)
    world.hold(seconds)
    agents = {p.pid for p in host.processes("agent")}
    for process in running:
        if seconds < FREEZE_S / 2 or process.pid not in agents:
            send(process, signal.SIGCONT)


def drain(world, host, seconds):
    if not host.drain(timeout=30):
        world.note(f"{host} did not leave in order, and was killed")
    world.hold(seconds)
    host.start()


def upgrade(world, host, seconds):
    host.suite.send(signal.SIGUSR2)
    world.hold(seconds)


def disk_full(world, host, seconds):
    path = host.fill_disk()
    world.hold(seconds)
    path.unlink(missing_ok=True)


def no_forks(world, host, seconds):
    host.limit_processes(True)
    world.hold(seconds)
    host.limit_processes(False)


def clock_jump(world, host, seconds):
    world.set_clock(host, OFFSETS_S[int(seconds * 1000) % len(OFFSETS_S)])
    world.hold(seconds)
    world.set_clock(host, 0)


# --- network ------------------------------------------------------------------------------------------------------

def cut(direction):
    def run(world, host, seconds):
        with world.cut(host.net, direction):
            world.hold(seconds)
    return run


def slow(world, host, seconds):
    world.network.slow(host.net)
    world.hold(seconds)
    world.network.fast(host.net)


# --- database -----------------------------------------------------------------------------------------------------

def database(world):
    return [world.pair.primary] if world.pair.standby else []


def terminate_backend(world, backend, _seconds):
    world.ask("select pg_terminate_backend(%s)", backend[0])


def restart(mode):
    def run(world, primary, _seconds):
        primary.restart(mode)
        world.pair.wait_streaming()
    return run


def kill_server(which):
    def run(world, _victim, seconds):
        server = getattr(world.pair, which)
        server.kill()
        world.hold(seconds)
        server.start()
        world.pair.wait_streaming()
    return run


def promote(world, primary, seconds):
    """The primary's machine is lost; later it comes back as the standby of its successor."""
    primary.power_off()
    world.pair.promote()
    world.hold(seconds)
    world.network.heal(primary.host)
    world.pair.follow(primary)


def cut_database(direction):
    def run(world, primary, seconds):
        with world.cut(primary.host, direction):
            world.hold(seconds)
        world.pair.wait_streaming()
    return run


def cut_replication(world, primary, seconds):
    """Commits wait for the standby, and nobody is told anything."""
    with world.cut(primary.host, peer=world.pair.standby.host):
        world.hold(seconds)
    world.pair.wait_streaming()


# --- the table ----------------------------------------------------------------------------------------------------

def hosts(world):
    return [host for host in world.hosts if host.suite.process is not None]


def nothing(_victim):
    return ()


def the_host(host):
    return (f"host {host.name}", f"line {host.name}")


def its_line(host):
    return (f"line {host.name}",)


def line_of_its_host(victim):
    """A stopped shim cannot freeze its agent. If its host is cut off, too, then its worker is not to be touched meanwhile:
    that is "stop-shim-cut"."""
    return its_line(victim.host)


def itself(worker):
    return (f"worker {worker.process.pid}",)


def its_line_and_worker(shim):
    return (*its_line(shim.host), f"worker {shim.worker}")


def its_clock(host):
    return (f"clock {host.name}",)


def its_limits(host):
    return (f"limits {host.name}",)


def the_database(_victim):
    return ("database",)


def no_faketime():
    return "" if FAKETIME.exists() else f"{FAKETIME} is not installed"


def no_cgroup():
    return "" if pids_cgroup() else "there is no control group that limits processes"


LONG = (0.5, TAKEOVER_S * 2)  # from what nobody notices to a host that is taken over
SHORT = (0.2, 3)

FAULTS = [
    *(Fault(f"kill-{name}", f"kill -9 of one {name}", kill, processes(name), itself if name == "workerd" else nothing)
      for name in PROGRAMS if name != "supervisor"),
    Fault("kill-supervisor", "kill -9 of a supervisor, which init starts again", kill_supervisor, hosts, the_host, (0, 1)),
    *(Fault(f"stop-{name}", f"SIGSTOP of one {name}, SIGCONT later", stop, processes(name),
            itself if name == "workerd" else nothing, LONG)
      for name in DAEMONS),
    Fault("stop-shim", "SIGSTOP of one shim, SIGCONT later", stop, processes("shim"), line_of_its_host, LONG),
    Fault("stop-shim-cut", "the same, and its host is cut off", stop_shim_cut, kept_shims, its_line_and_worker, LONG),
    Fault("stop-supervisor", "SIGSTOP of a supervisor, SIGCONT later", stop_supervisor, hosts, the_host, LONG),
    Fault("stop-agent", "SIGSTOP of an agent, SIGCONT or SIGKILL later", stop_agent, processes("agent"), nothing, LONG),
    Fault("power-off", "a host dies and boots again", power_off, hosts, the_host, LONG),
    Fault("stand-still", "SIGSTOP of all that runs on a host, SIGCONT later", stand_still, hosts, the_host, LONG),
    Fault("drain", "SIGTERM of a supervisor, and a new start", drain, hosts, the_host, (0, 1)),
    Fault("upgrade", "SIGUSR2 of a supervisor", upgrade, hosts, the_host, (1, 3)),
    Fault("disk-full", "no byte is free for a host's state", disk_full, hosts, its_limits, SHORT),
    Fault("fork-failure", "no process more on a host", no_forks, hosts, its_limits, SHORT, no_cgroup),
    Fault("clock-jump", "the calendar of a host jumps, and back", clock_jump, hosts, its_clock, SHORT, no_faketime),
    Fault("cut", "a host is cut off", cut("both"), hosts, its_line, LONG),
    Fault("cut-in", "a host hears nothing", cut("in"), hosts, its_line, LONG),
    Fault("cut-out", "a host is not heard", cut("out"), hosts, its_line, LONG),
    Fault("slow", "a host's line is slow", slow, hosts, its_line, SHORT),
    Fault("terminate-backend", "pg_terminate_backend of one connection", terminate_backend,
          lambda world: world.backends(), nothing),
    Fault("restart-fast", "PostgreSQL is restarted in order", restart("fast"), database, the_database),
    Fault("restart-immediate", "PostgreSQL is restarted as after a crash", restart("immediate"), database, the_database),
    Fault("kill-primary", "kill -9 of the primary, and a start", kill_server("primary"), database, the_database, (0, 2)),
    Fault("kill-standby", "kill -9 of the standby, and a start", kill_server("standby"), database, the_database, (0, 2)),
    Fault("promote", "the primary is lost and the standby promoted", promote, database, the_database, (0, 2)),
    Fault("cut-primary", "the primary is cut off from all", cut_database("both"), database, the_database, SHORT),
    Fault("cut-primary-in", "the primary hears nothing", cut_database("in"), database, the_database, SHORT),
    Fault("cut-primary-out", "the primary is not heard", cut_database("out"), database, the_database, SHORT),
    Fault("cut-replication", "the primary and the standby are parted", cut_replication, database, the_database, SHORT),
]
BY_NAME = {fault.name: fault for fault in FAULTS}
