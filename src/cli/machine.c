/* deltoid machine: what this machine is, what it can do at most, and where its processors are just now. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cli/command.h"
#include "cli/format.h"
#include "cli/terminal.h"
#include "cli/text.h"
#include "deltoid/machine.h"

static const double quick_seconds = 0.5, disagreement = 0.1;

/* --- for people --- */

enum { NAME_WIDTH = 40 };

static void add_count(dt_text *text, const char *before, int64_t n, const char *what)
{
    if (n > 0)
        dt_text_add(text, "%s%" PRId64 " %s%s", before, n, what, n == 1 ? "" : "s");
}

static void add_topology(dt_text *text, const dt_machine *m)
{
    const dt_machine_topology *t = &m->topology;
    char bytes[DT_FORMAT_SIZE];
    dt_text_add(text, "processor     %s\n", *t->processor ? t->processor : "unknown");
    dt_text_add(text, "topology      ");
    if (t->pus > 0) {
        add_count(text, "", t->packages, "package");
        add_count(text, ", ", t->cores, "core");
        add_count(text, ", ", t->pus, "processor");
        add_count(text, ", ", t->numa_nodes, "NUMA node");
        dt_text_add(text, ", %s of memory", dt_format_bytes((uint64_t)t->memory_bytes, bytes));
    } else {
        dt_text_add(text, "unknown");
    }
    dt_text_add(text, "\ncaches        ");
    for (int i = 0; i < t->cache_count; i++)
        dt_text_add(text, "%s%" PRId64 " x L%d of %s", i ? ", " : "", t->caches[i].count, t->caches[i].level,
                    dt_format_bytes((uint64_t)t->caches[i].bytes, bytes));
    dt_text_add(text, "%s\n", t->cache_count ? "" : "unknown");
    dt_text_add(text, "clock         %.2f GHz measured", m->clock.best);
    if (t->mhz > 0)
        dt_text_add(text, ", %.2f GHz as the system says", t->mhz / 1000);
    dt_text_add(text, "\nhuge pages    transparent: %s, reserved: %" PRId64 "\n",
                *t->huge_pages ? t->huge_pages : "unknown", t->huge_reserved);
}

static void add_use(dt_text *text, const dt_machine *m)
{
    dt_text_add(text, "instructions  %s, %s; available:", m->isa,
                m->isa_pinned ? "because DELTOID_ISA says so"
                              : "the widest that runs here (DELTOID_ISA picks another)");
    for (int i = 0; i < m->isa_count; i++)
        dt_text_add(text, " %s", m->isas[i]);
    dt_text_add(text, "\nworkers       %" PRId64 " on %" PRId64 " processor%s", m->workers, m->processors,
                m->processors == 1 ? "" : "s");
    if (*m->topology.affinity)
        dt_text_add(text, " (this thread may use %s)", m->topology.affinity);
    dt_text_add(text, "\n");
}

static void add_reading(dt_text *text, const dt_reading *reading)
{
    dt_text_add(text, "  %8.1f %8.1f %5.0f %%", reading->best, reading->median, 100 * reading->spread);
}

static void add_rate(dt_text *text, const dt_machine *m, const char *name, const dt_machine_rate *rate)
{
    dt_text_add(text, "%-*s", NAME_WIDTH, name);
    add_reading(text, &rate->one);
    if (m->workers > 1)
        add_reading(text, &rate->all);
    dt_text_add(text, "\n");
}

static void add_columns(dt_text *text, const dt_machine *m, const char *unit)
{
    char workers[48];
    snprintf(workers, sizeof workers, "%" PRId64 " workers together", m->workers);
    dt_text_add(text, "\n%-*s  %25s", NAME_WIDTH, "", "one core");
    if (m->workers > 1)
        dt_text_add(text, "  %25s", workers);
    dt_text_add(text, "\n%-*s", NAME_WIDTH, unit);
    for (int column = 0; column < (m->workers > 1 ? 2 : 1); column++)
        dt_text_add(text, "  %8s %8s %7s", "best", "median", "spread");
    dt_text_add(text, "\n");
}

static void add_arithmetic(dt_text *text, const dt_machine *m)
{
    char name[64];
    add_columns(text, m, "GFLOP/s");
    for (int p = 0; p < DT_MACHINE_PRECISIONS; p++) {
        snprintf(name, sizeof name, "fused multiply-add, %s", dt_precision_name((dt_precision)p));
        add_rate(text, m, name, &m->fma[p]);
    }
    for (int p = 0; p < DT_MACHINE_PRECISIONS; p++) {
        snprintf(name, sizeof name, "product %" PRId64 "x%" PRId64 "x%" PRId64 ", %s", m->product_shape[0],
                 m->product_shape[1], m->product_shape[2], dt_precision_name((dt_precision)p));
        add_rate(text, m, name, &m->product[p]);
    }
}

static void add_memory(dt_text *text, const dt_machine *m)
{
    add_columns(text, m, "GB/s");
    for (int i = 0; i < m->memory_count; i++) {
        const dt_machine_memory *memory = &m->memory[i];
        char level[16] = "memory", one[DT_FORMAT_SIZE], worker[DT_FORMAT_SIZE], name[128];
        if (memory->level)
            snprintf(level, sizeof level, "L%d", memory->level);
        dt_format_bytes((uint64_t)memory->bytes_one, one);
        dt_format_bytes((uint64_t)memory->bytes_worker, worker);
        if (m->workers > 1 && memory->bytes_one != memory->bytes_worker)
            snprintf(name, sizeof name, "%s read, %s, %s each", level, one, worker);
        else
            snprintf(name, sizeof name, "%s read, %s", level, one);
        add_rate(text, m, name, &memory->read);
        snprintf(name, sizeof name, "%s triad", level);
        add_rate(text, m, name, &memory->triad);
    }
}

static void add_barriers(dt_text *text, const dt_machine *m)
{
    if (m->barrier_count == 0)
        return;
    dt_text_add(text, "\n%-*s  %8s %8s %7s\n", NAME_WIDTH, "ns", "best", "median", "spread");
    for (int i = 0; i < m->barrier_count; i++) {
        char name[64];
        snprintf(name, sizeof name, "barrier of %" PRId64 " workers", m->barriers[i].workers);
        dt_text_add(text, "%-*s", NAME_WIDTH, name);
        add_reading(text, &m->barriers[i].ns);
        dt_text_add(text, "\n");
    }
}

static void add_exchange(dt_text *text, const dt_machine *m)
{
    if (m->exchange_count == 0)
        return;
    dt_text_add(text, "\n%-*s  %8s %8s %7s\n", NAME_WIDTH, "GB/s of each worker, from core to core", "best", "median",
                "spread");
    for (int i = 0; i < m->exchange_count; i++) {
        const dt_machine_exchange *exchange = &m->exchange[i];
        char bytes[DT_FORMAT_SIZE], name[128];
        dt_format_bytes((uint64_t)exchange->bytes, bytes);
        snprintf(name, sizeof name, "read what another wrote, L%d, %s", exchange->level, bytes);
        dt_text_add(text, "%-*s", NAME_WIDTH, name);
        add_reading(text, &exchange->read);
        snprintf(name, sizeof name, "write what another read, L%d", exchange->level);
        dt_text_add(text, "\n%-*s", NAME_WIDTH, name);
        add_reading(text, &exchange->write);
        dt_text_add(text, "\n");
    }
}

static void add_placement(dt_text *text, const dt_machine *m)
{
    if (m->pair_count == 0) {
        dt_text_add(text, "\nplacement: %s\n", m->workers == 1 ? "one worker" : "one core");
        return;
    }
    dt_text_add(text, "\n%-11s  %-12s  %13s  %16s  %s\n", "processors", "now", "ns for a line", "GFLOP/s together",
                "readings");
    for (int i = 0; i < m->pair_count; i++) {
        const dt_machine_pair *pair = &m->pairs[i];
        char processors[32];
        snprintf(processors, sizeof processors, "%d, %d", pair->last.first, pair->last.second);
        dt_text_add(text, "%-11s  %-12s  %13.0f  %16.1f ", processors, dt_place_name(pair->last.place), pair->last.ns,
                    pair->last.both);
        for (int place = 0; place < DT_PLACES; place++)
            if (pair->seen[place])
                dt_text_add(text, " %" PRId64 " %s", pair->seen[place], dt_place_name((dt_place)place));
        dt_text_add(text, "\n");
    }
    dt_text_add(text,
                "Placement is a reading of this moment: on a virtual machine it can change within seconds, and no "
                "topology shows it.\n");
}

static void add_text(dt_text *text, const dt_machine *m)
{
    char what[96];
    add_topology(text, m);
    add_use(text, m);
    add_arithmetic(text, m);
    add_memory(text, m);
    add_barriers(text, m);
    add_exchange(text, m);
    add_placement(text, m);
    const double spread = dt_machine_worst_spread(m, what, sizeof what);
    if (spread > disagreement)
        dt_text_add(text,
                    "\nReadings disagree by more than %.0f %%, most of all %s (%.0f %%): other load, or cores that "
                    "moved; run it again.\n",
                    100 * disagreement, what, 100 * spread);
}

/* --- for programs --- */

static void add_json_real(dt_text *text, const char *key, double value)
{
    dt_text_add(text, "\"%s\": ", key);
    dt_text_add_json_real(text, value);
}

static void add_json_string(dt_text *text, const char *key, const char *value)
{
    dt_text_add(text, "\"%s\": ", key);
    if (*value)
        dt_text_add_json(text, value);
    else
        dt_text_add(text, "null");
}

static void add_json_reading(dt_text *text, const char *key, const dt_reading *reading)
{
    dt_text_add(text, "\"%s\": {", key);
    add_json_real(text, "best", reading->best);
    dt_text_add(text, ", ");
    add_json_real(text, "median", reading->median);
    dt_text_add(text, ", ");
    add_json_real(text, "spread", reading->spread);
    dt_text_add(text, ", \"runs\": %" PRId64 "}", reading->runs);
}

static void add_json_rate(dt_text *text, const char *key, const dt_machine_rate *rate)
{
    dt_text_add(text, "\"%s\": {", key);
    add_json_reading(text, "one", &rate->one);
    dt_text_add(text, ", ");
    add_json_reading(text, "all", &rate->all);
    dt_text_add(text, "}");
}

static void add_json_rates(dt_text *text, const char *key, const dt_machine_rate rates[DT_MACHINE_PRECISIONS])
{
    dt_text_add(text, ", \"%s\": {", key);
    for (int p = 0; p < DT_MACHINE_PRECISIONS; p++) {
        dt_text_add(text, "%s", p ? ", " : "");
        add_json_rate(text, dt_precision_name((dt_precision)p), &rates[p]);
    }
    dt_text_add(text, "}");
}

static void add_json_topology(dt_text *text, const dt_machine_topology *t)
{
    add_json_string(text, "processor", t->processor);
    dt_text_add(text,
                ", \"packages\": %" PRId64 ", \"cores\": %" PRId64 ", \"pus\": %" PRId64 ", \"numa_nodes\": %" PRId64
                ", \"memory_bytes\": %" PRId64 ", \"caches\": [",
                t->packages, t->cores, t->pus, t->numa_nodes, t->memory_bytes);
    for (int i = 0; i < t->cache_count; i++)
        dt_text_add(text,
                    "%s{\"level\": %d, \"bytes\": %" PRId64 ", \"line_bytes\": %" PRId64 ", \"count\": %" PRId64 "}",
                    i ? ", " : "", t->caches[i].level, t->caches[i].bytes, t->caches[i].line_bytes, t->caches[i].count);
    dt_text_add(text, "], ");
    add_json_string(text, "affinity", t->affinity);
    dt_text_add(text, ", \"system_mhz\": ");
    if (t->mhz > 0)
        dt_text_add_json_real(text, t->mhz);
    else
        dt_text_add(text, "null");
    dt_text_add(text, ", ");
    add_json_string(text, "huge_pages", t->huge_pages);
    dt_text_add(text, ", \"huge_pages_reserved\": %" PRId64, t->huge_reserved);
}

static void add_json_memory(dt_text *text, const dt_machine *m)
{
    dt_text_add(text, ", \"bandwidth_gb_s\": [");
    for (int i = 0; i < m->memory_count; i++) {
        const dt_machine_memory *memory = &m->memory[i];
        dt_text_add(text, "%s{\"cache_level\": ", i ? ", " : "");
        if (memory->level)
            dt_text_add(text, "%d", memory->level);
        else
            dt_text_add(text, "null");
        dt_text_add(text, ", \"bytes_one\": %" PRId64 ", \"bytes_worker\": %" PRId64 ", ", memory->bytes_one,
                    memory->bytes_worker);
        add_json_rate(text, "read", &memory->read);
        dt_text_add(text, ", ");
        add_json_rate(text, "triad", &memory->triad);
        dt_text_add(text, "}");
    }
    dt_text_add(text, "]");
}

static void add_json_pair(dt_text *text, const dt_machine_pair *pair)
{
    dt_text_add(text, "{\"processors\": [%d, %d], \"now\": \"%s\", \"seen\": {", pair->last.first, pair->last.second,
                dt_place_name(pair->last.place));
    for (int place = DT_PLACE_NEAR; place < DT_PLACES; place++)
        dt_text_add(text, "%s\"%s\": %" PRId64, place > DT_PLACE_NEAR ? ", " : "", dt_place_name((dt_place)place),
                    pair->seen[place]);
    dt_text_add(text, "}, ");
    add_json_real(text, "gflops_alone", pair->last.alone);
    dt_text_add(text, ", ");
    add_json_reading(text, "gflops_together", &pair->both);
    dt_text_add(text, ", ");
    add_json_reading(text, "line_ns", &pair->ns);
    dt_text_add(text, "}");
}

static void add_json(dt_text *text, const dt_machine *m)
{
    char what[96];
    dt_text_add(text, "{");
    add_json_topology(text, &m->topology);
    dt_text_add(text, ", \"isa\": \"%s\", \"isa_pinned\": %s, \"isas\": [", m->isa, m->isa_pinned ? "true" : "false");
    for (int i = 0; i < m->isa_count; i++)
        dt_text_add(text, "%s\"%s\"", i ? ", " : "", m->isas[i]);
    dt_text_add(text, "], \"workers\": %" PRId64 ", \"processors\": %" PRId64 ", ", m->workers, m->processors);
    add_json_reading(text, "clock_ghz", &m->clock);
    add_json_rates(text, "fma_gflops", m->fma);
    add_json_rates(text, "product_gflops", m->product);
    dt_text_add(text, ", \"product_shape\": [%" PRId64 ", %" PRId64 ", %" PRId64 "]", m->product_shape[0],
                m->product_shape[1], m->product_shape[2]);
    add_json_memory(text, m);
    dt_text_add(text, ", \"barriers\": [");
    for (int i = 0; i < m->barrier_count; i++) {
        dt_text_add(text, "%s{\"workers\": %" PRId64 ", ", i ? ", " : "", m->barriers[i].workers);
        add_json_reading(text, "ns", &m->barriers[i].ns);
        dt_text_add(text, "}");
    }
    dt_text_add(text, "], \"exchange\": [");
    for (int i = 0; i < m->exchange_count; i++) {
        dt_text_add(text, "%s{\"cache_level\": %d, \"bytes_worker\": %" PRId64 ", ", i ? ", " : "",
                    m->exchange[i].level, m->exchange[i].bytes);
        add_json_reading(text, "read_gb_s", &m->exchange[i].read);
        dt_text_add(text, ", ");
        add_json_reading(text, "write_gb_s", &m->exchange[i].write);
        dt_text_add(text, "}");
    }
    dt_text_add(text, "], \"placement\": [");
    for (int i = 0; i < m->pair_count; i++) {
        dt_text_add(text, "%s", i ? ", " : "");
        add_json_pair(text, &m->pairs[i]);
    }
    dt_text_add(text, "], ");
    add_json_real(text, "worst_spread", dt_machine_worst_spread(m, what, sizeof what));
    dt_text_add(text, ", ");
    add_json_real(text, "seconds", m->seconds);
    dt_text_add(text, "}\n");
}

/* --- the command --- */

static dt_status threads(const dt_arguments *arguments, int64_t *workers, dt_error *error)
{
    enum { THREADS_MAX = 1024 };
    const char *text = dt_argument(arguments, "threads");
    if (!text)
        return DT_OK;
    char *end;
    const long long n = strtoll(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || n < 1 || n > THREADS_MAX)
        return dt_fail(error, DT_INVALID, "--threads: '%.32s' is out of range; give a whole number from 1 to %d", text,
                       THREADS_MAX);
    *workers = n;
    return DT_OK;
}

static dt_status run_machine(const dt_arguments *arguments, dt_error *error)
{
    dt_machine_options options = {.seconds = dt_argument(arguments, "quick") ? quick_seconds : 0};
    dt_status status = threads(arguments, &options.workers, error);
    if (status != DT_OK)
        return status;
    dt_machine *machine = dt_allocate_zeroed(1, sizeof *machine);
    if (!machine)
        return dt_fail_memory(error, "the machine's figures");
    status = dt_machine_measure(machine, &options, error);
    dt_text text = {0};
    if (status == DT_OK) {
        if (dt_argument(arguments, "json"))
            add_json(&text, machine);
        else
            add_text(&text, machine);
        if (text.failed)
            status = dt_fail_memory(error, "the table");
    }
    if (status == DT_OK)
        fputs(text.bytes, stdout);
    dt_text_clear(&text);
    dt_release(machine);
    return status == DT_OK ? dt_terminal_flush(error) : status;
}

const dt_command dt_command_machine = {
    .name = "machine",
    .usage = "[--quick] [--threads N] [--json]",
    .summary = "topology, peak GFLOP/s, bandwidth, instruction set in use",
    .details =
        "Measures what this machine can do at most with this build, in the instruction set in use; a few seconds.\n"
        "\n"
        "  fused multiply-add  independent chains in registers, two operations each: what no product can exceed\n"
        "  product             the kernel of the forward pass, rows x units x inputs, operands in cache\n"
        "  read, triad         sums of arrays, and a = b + s c, float32; a triad moves 3 numbers an element, as "
        "STREAM counts\n"
        "  from core to core   arrays that another worker wrote, read; and that another worker has read, written "
        "again, "
        "which\n"
        "                      is the slower the farther cores are from each other\n"
        "  barrier             of the team of workers, as between the phases of a step\n"
        "  placement           for two processors, the time in which a cache line crosses, and the slower one's rate "
        "while both\n"
        "                      compute: far where a line takes 80 ns or more, hyperthreads where computing together "
        "takes more\n"
        "                      than 30 % of the rate, else near\n"
        "\n"
        "best is the best of several short runs, spread their largest difference relative to the median. Run it when "
        "nothing\n"
        "else runs. With DELTOID_ISA=generic the loops are scalar and bound by instructions, also those over memory, "
        "and\n"
        "take longer.",
    .options = {{"quick", NULL, "about a second: fewer and shorter runs"},
                {"threads", "N", "measure N workers; default the processors there are"},
                {"json", NULL, "print one JSON object"}},
    .least = 0,
    .most = 0,
    .what = "nothing",
    .run = run_machine,
};
