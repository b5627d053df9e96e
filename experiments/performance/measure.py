"""Measures tools against each other: one persistent process a tool (tool.h has the protocol), a short chunk of work from each in turn,
round after round, and between chunks a look at where the processors are and at who else is using them.
"""
import dataclasses
import glob
import os
import subprocess
import sys
import time

SETTLE_STEP, SETTLE_LIMIT = 0.005, 1.0  # seconds


@dataclasses.dataclass
class Chunk:
    """One chunk, as raw.tsv has it. CPU times are in seconds; the first four of them summed over all processors."""
    workload: str
    threads: int
    round: int
    tool: str
    samples: int
    seconds: float       # by the tool's own clock
    own_cpu: float       # of the tool's threads
    idle_cpu: float      # of the other tools, which should be asleep
    other_cpu: float     # of everybody else
    steal: float         # taken by the hypervisor
    gflops_before: float  # the probe's: slowest processor while all compute
    gflops_after: float
    crossing_before: float  # nanoseconds for a cache line, 0 with one thread
    crossing_after: float

    @property
    def rate(self):
        return self.samples / self.seconds


def processors_for(threads):
    """Which processors a tool with so many threads may use: the first ones; the last for a single thread, where interrupts are fewest."""
    allowed = sorted(os.sched_getaffinity(0))
    return set(allowed[-1:] if threads == 1 else allowed[:threads])


class ToolFailed(Exception):
    pass


class Process:
    """A program that answers lines with lines."""

    def __init__(self, command, processors=None, errors=None):
        pin = (lambda: os.sched_setaffinity(0, processors)) if processors else None
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, preexec_fn=pin)

    def read(self):
        """The answer's first word, and what follows: a dictionary of its NAME=VALUE, or a sentence."""
        line = self.process.stdout.readline()
        if not line:
            raise ToolFailed(f"ended with status {self.process.wait()}")
        word, _, rest = line.strip().partition(" ")
        if word in ("error", "missing"):
            raise ToolFailed(rest)
        return dict(fact.split("=", 1) for fact in rest.split())

    def ask(self, question):
        try:
            self.process.stdin.write(question + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # read says how it ended
        return self.read()

    def cpu_seconds(self):
        """Of all its threads so far, to the nanosecond where the kernel tells, else to a clock tick."""
        total = 0
        for path in glob.glob(f"/proc/{self.process.pid}/task/*/schedstat"):
            try:
                with open(path) as file:
                    total += int(file.read().split()[0])
            except (OSError, IndexError):
                pass  # the thread has ended
        if total:
            return total * 1e-9
        try:
            with open(f"/proc/{self.process.pid}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        except OSError:
            return 0.0

    def settle(self):
        """Waits until its threads are asleep: some spin for a while after their last work (OpenBLAS's for a tenth of a second)."""
        end, before = time.monotonic() + SETTLE_LIMIT, self.cpu_seconds()
        while time.monotonic() < end:
            time.sleep(SETTLE_STEP)
            now = self.cpu_seconds()
            if now - before < 0.1 * SETTLE_STEP:
                return
            before = now

    def close(self):
        for stream in (self.process.stdin, self.process.stdout):
            try:
                stream.close()
            except OSError:
                pass
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Probe(Process):
    def look(self, threads):
        answer = self.ask(f"probe {threads}")
        return float(answer["gflops"]), float(answer["crossing_ns"])


class Tool(Process):
    """`facts`: what its ready line says. `minibatches`: how many it is asked for, so that a chunk lasts as long as it should."""

    def __init__(self, name, command, threads, errors=None):
        super().__init__(command, processors_for(threads), errors)
        self.name, self.facts, self.minibatches = name, {}, 1.0

    def go(self):
        count = self.minibatches if "online" in self.facts else max(1, round(self.minibatches))
        answer = self.ask(f"go {count:g}")
        return int(answer["samples"]), float(answer["seconds"])

    def aim(self, seconds, wanted):
        """The next chunk's length, from what this one took."""
        self.minibatches *= min(50.0, max(0.02, wanted / max(seconds, 1e-6)))
        if "online" not in self.facts:
            self.minibatches = max(1.0, self.minibatches)

    def warm_up(self, wanted, batch):
        if "online" in self.facts:
            self.minibatches = 1 / batch
        for last in range(10):
            _, seconds = self.go()
            self.aim(seconds, wanted)
            if last >= 2 and seconds > wanted / 2:
                return


def machine_times():
    """(CPU seconds used, stolen), of all processors together."""
    with open("/proc/stat") as file:
        v = [int(n) / os.sysconf("SC_CLK_TCK") for n in file.readline().split()[1:]]
    return sum(v[:3]) + v[5] + v[6], v[7]


def start_tools(commands, threads, batch, wanted, errors, failed):
    """Starts them all, then waits for each. Those that can't run are told to `failed(name, why)`."""
    tools = []
    for name, command in commands:
        try:
            tools.append(Tool(name, command, threads, errors))
        except OSError as error:
            failed(name, str(error))
    running = []
    for tool in tools:  # all are loading at once; none trains before all are ready
        try:
            tool.facts = tool.read()
            running.append(tool)
        except ToolFailed as error:
            tool.close()
            failed(tool.name, str(error))
    for tool in list(running):
        try:
            tool.warm_up(wanted, batch)
        except ToolFailed as error:
            running.remove(tool)
            tool.close()
            failed(tool.name, str(error))
    return running


def run_chunk(tool, tools, probe, threads, before):
    """One chunk. Returns what was seen of it, and the probe's look after it, which is the next one's look before."""
    idle = [t for t in tools if t is not tool]
    own, asleep, (used, stolen) = tool.cpu_seconds(), sum(t.cpu_seconds() for t in idle), machine_times()
    driver = time.process_time()
    samples, seconds = tool.go()
    used, stolen = (now - then for now, then in zip(machine_times(), (used, stolen)))
    driver = time.process_time() - driver
    own, asleep = tool.cpu_seconds() - own, sum(t.cpu_seconds() for t in idle) - asleep
    tool.settle()
    after = probe.look(threads)
    other = max(0.0, used - own - asleep - driver)
    return (samples, seconds, own, asleep, other, stolen, before[0], after[0], before[1], after[1]), after


def rounds(workload, threads, tools, probe, count, wanted, keep, failed):
    """`count` rounds; each gives every tool one chunk, and another tool the first. Each chunk is told to `keep`."""
    look = probe.look(threads)
    for n in range(count):
        first = n % len(tools) if tools else 0
        for tool in tools[first:] + tools[:first]:
            try:
                seen, look = run_chunk(tool, tools, probe, threads, look)
            except ToolFailed as error:
                tools.remove(tool)
                tool.close()
                failed(tool.name, str(error))
                continue
            keep(Chunk(workload, threads, n, tool.name, *seen))
            tool.aim(seen[1], wanted)


def say(*words):
    print(*words, file=sys.stderr, flush=True)
