"""From chunks to figures: which chunks are clean, in which placement, their medians, and ratios within rounds."""
import collections
import dataclasses
import statistics

NEAR_NS = 70        # a cache line crosses within one L3 in less
SHARED_CORE = 0.72  # of the best rate: hyperthreads of one core have half
SLOW_CORE = 0.8     # of the best rate, with one thread: somebody else is on the core
ENOUGH = 3          # chunks, or rounds, to take a median of

# From the best to the worst. "loaded" is what is left when there is nothing clean.
PLACEMENTS = {1: ("full", "slow"), 2: ("near", "far", "smt")}


def placements(threads):
    return PLACEMENTS[min(threads, 2)]


def place(threads, gflops, crossing, best):
    """The probe's look in a word. One thread: full, slow. More: near (one L3), far (several), smt (hyperthreads of one core)."""
    if threads == 1:
        return "full" if gflops >= SLOW_CORE * best else "slow"
    return "smt" if gflops < SHARED_CORE * best else "near" if crossing < NEAR_NS else "far"


def dirt(chunk, best):
    """Why a chunk doesn't count, or "". /proc/stat counts in hundredths of a second, hence the constants."""
    before = place(chunk.threads, chunk.gflops_before, chunk.crossing_before, best)
    after = place(chunk.threads, chunk.gflops_after, chunk.crossing_after, best)
    if before != after:
        return "moved"
    if chunk.steal > 0.01 + 0.03 * chunk.seconds:
        return "steal"
    if chunk.other_cpu > 0.02 + 0.05 * chunk.seconds:
        return "load"
    if chunk.idle_cpu > 0.002 + 0.02 * chunk.seconds:
        return "restless"
    return ""


@dataclasses.dataclass
class Rate:
    """A tool's samples a second in one placement."""
    median: float
    low: float
    high: float
    chunks: int
    placement: str
    dirt: str  # how many chunks don't count, and why: "3 load, 1 moved"


@dataclasses.dataclass
class Ratio:
    median: float
    first_quartile: float
    third_quartile: float
    rounds: int
    placement: str


def quartiles(values):
    if len(values) == 1:
        return values[0], values[0], values[0]
    return tuple(statistics.quantiles(values, n=4, method="inclusive"))


class Group:
    """The chunks of one workload at one number of threads. `best`: the probe's highest rate in the whole run, GFLOP/s of one core."""

    def __init__(self, chunks, best):
        self.chunks, self.best = chunks, best
        self.threads = chunks[0].threads
        self.tools = list(dict.fromkeys(c.tool for c in sorted(chunks, key=lambda c: c.round)))
        self.placed = {}  # (tool, round): (placement, chunk), of clean chunks
        for c in chunks:
            if not dirt(c, best):
                self.placed[c.tool, c.round] = place(self.threads, c.gflops_after, c.crossing_after, best), c
        self.placement = self._common()

    def _rates(self, tool, placement):
        return [c.rate for (name, _), (where, c) in self.placed.items() if name == tool and where == placement]

    def _common(self):
        """The best placement in which every tool has enough clean chunks; else the one with most chunks; None without any."""
        counts = {p: [len(self._rates(tool, p)) for tool in self.tools] for p in placements(self.threads)}
        for placement, of in counts.items():
            if min(of) >= ENOUGH:
                return placement
        most = max(counts, key=lambda p: sum(counts[p]))
        return most if sum(counts[most]) else None

    def rate(self, tool):
        """In the placement that all have in common, where the tool has clean chunks there; else in the best one it has; else of all."""
        why = collections.Counter(filter(None, (dirt(c, self.best) for c in self.chunks if c.tool == tool)))
        said = ", ".join(f"{count} {reason}" for reason, count in why.most_common())
        for placement in (self.placement, *placements(self.threads)):
            rates = self._rates(tool, placement)
            if rates:
                return Rate(statistics.median(rates), min(rates), max(rates), len(rates), placement, said)
        rates = [c.rate for c in self.chunks if c.tool == tool]
        return Rate(statistics.median(rates), min(rates), max(rates), 0, "loaded", said) if rates else None

    def ratio(self, over, under):
        """Of two tools' rates within a round, the median over rounds where both are clean and in the same placement: the common one where
        there are enough such rounds, else any; else over all rounds, and "loaded"."""
        rates, places = {}, {}
        for c in self.chunks:
            if c.tool in (over, under):
                rates.setdefault(c.round, {})[c.tool] = c.rate
                places.setdefault(c.round, {})[c.tool] = self.placed.get((c.tool, c.round), (None,))[0]
        pairs = [(places[n][over] if places[n][over] == places[n][under] else None, r[over] / r[under])
                 for n, r in rates.items() if len(r) == 2]
        common = [value for where, value in pairs if where and where == self.placement]
        same = [value for where, value in pairs if where]
        if len(common) >= min(ENOUGH, max(1, len(same))):
            values, placement = common, self.placement
        elif same:
            values, placement = same, "mixed"
        else:
            values, placement = [value for _, value in pairs], "loaded"
        if not values:
            return None
        first, middle, third = quartiles(values)
        return Ratio(middle, first, third, len(values) if placement != "loaded" else 0, placement)

    def fastest(self, tools):
        """The one of `tools` with the highest median; None where none was measured."""
        measured = [tool for tool in tools if tool in self.tools]
        return max(measured, key=lambda tool: self.rate(tool).median, default=None)


def groups(chunks):
    """{(workload, threads): Group}, in the order of measuring."""
    best = max((max(c.gflops_before, c.gflops_after) for c in chunks), default=0.0)
    of = {}
    for c in chunks:
        of.setdefault((c.workload, c.threads), []).append(c)
    return {key: Group(some, best) for key, some in of.items()}


def peak(chunks):
    """GFLOP/s of one core: the probe's best."""
    return max((max(c.gflops_before, c.gflops_after) for c in chunks), default=float("nan"))


def out_of_line(accuracies, apart=0.06):
    """Which of {tool: accuracy} are further than that from the median of all; deltoid's strategies, all the same, count once."""
    of = {"deltoid" if tool.startswith("deltoid ") else tool: value for tool, value in accuracies.items()}
    middle = statistics.median(of.values()) if of else 0
    return {tool for tool, value in accuracies.items() if abs(value - middle) > apart}


def flops(units):
    """A sample's floating-point operations: forward, weight gradient, and but for layer 1 the gradient that goes on backward."""
    return sum(2 * n * m * (3 if l else 2) for l, (n, m) in enumerate(zip(units, units[1:])))
