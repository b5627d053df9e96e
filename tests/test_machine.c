/* The machine: figures are there and hang together, whatever they are; loops do what they count; placement leaves the
 * process as it was; `deltoid machine` says it all in JSON. Nothing here depends on how fast or how busy this is. */
#define DT_PRECISION 32
#include "variants.h"

#include <errno.h>
#include <fcntl.h>
#include <libfyaml.h>
#include <pthread.h>
#include <semaphore.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "counting_memory.h"
#include "deltoid/machine.h"
#include "machine/loops.h"
#include "machine/processors.h"
#include "machine/rate.h"
#include "machine/work.h"
#include "scratch.h"

extern char **environ;

static const dt_machine_options little = {.workers = 2, .seconds = 1e-3, .memory_bytes = 256 << 10};

/* --- loops --- */

static const dt_loops *const variants[DT_ISAS] = VARIANTS(dt_loops, &);

static void test_chains_are_fused_multiply_adds(void **state)
{
    (void)state;
    enum { TURNS = 7 };
    const dt_real x = (dt_real)0.75, y = (dt_real)0.3;
    for (dt_isa isa = 0; isa <= dt_isa_current(); isa++) {
        dt_real chains[DT_CHAIN_NUMBERS], want[DT_CHAIN_NUMBERS];
        uint64_t random = 1;
        draw_reals(&random, DT_CHAIN_NUMBERS, chains);
        memcpy(want, chains, sizeof want);
        const int64_t n = variants[isa]->fma_numbers;
        assert_in_range(n, 1, DT_CHAIN_NUMBERS);
        for (int64_t i = 0; i < n; i++)
            for (int turn = 0; turn < TURNS; turn++)
                want[i] = DT_FMA(want[i], x, y);
        variants[isa]->fma(TURNS, x, y, chains);
        assert_bits(chains, want, DT_CHAIN_NUMBERS, "%s", dt_isa_name(isa));
    }
}

static void test_arrays_are_read_and_written_whole(void **state)
{
    (void)state;
    for (dt_isa isa = 0; isa <= dt_isa_current(); isa++)
        for (int64_t n = DT_READ_NUMBERS; n <= 3 * DT_READ_NUMBERS; n += DT_READ_NUMBERS) {
            dt_real *a = reals(n), *b = reals(n), *c = reals(n), *want = reals(n);
            double sum = 0;
            for (int64_t i = 0; i < n; i++) {
                b[i] = (dt_real)(i % 64);
                c[i] = (dt_real)(i % 7);
                want[i] = b[i] + (dt_real)0.5 * c[i];
                sum += b[i];
            }
            assert_true(variants[isa]->read(3, n, b) == (dt_real)(3 * sum)); /* all sums are exact */
            fill(a, n, poison());
            variants[isa]->triad(2, n, b, (dt_real)0.5, c, a);
            assert_bits(a, want, n, "%s, triad of %lld", dt_isa_name(isa), (long long)n);
            variants[isa]->step(n, (dt_real)1.5, b);
            for (int64_t i = 0; i < n; i++)
                want[i] = (dt_real)(i % 64) + (dt_real)1.5;
            assert_bits(b, want, n, "%s, step of %lld", dt_isa_name(isa), (long long)n);
            free(a);
            free(b);
            free(c);
            free(want);
        }
}

/* What is counted: the sanitizers see where arrays end. */
static void test_work_counts_what_it_does(void **state)
{
    (void)state;
    for (int p = 0; p < DT_MACHINE_PRECISIONS; p++) {
        const dt_work *work = dt_work_of((dt_precision)p);
        const size_t number = p == DT_FLOAT64 ? 8 : 4;
        assert_true(work->fma(3) == 3 * work->fma(1) && work->fma(1) >= 2 * DT_CHAINS);
        void *memory;
        assert_int_equal(posix_memalign(&memory, 64, work->product_bytes), 0);
        work->product_prepare(memory);
        assert_true(work->product(2, memory) == 2 * 2.0 * DT_PRODUCT_ROWS * DT_PRODUCT_UNITS * DT_PRODUCT_INPUTS);
        free(memory);
        static const size_t sizes[] = {DT_WORK_BYTES_LEAST, 10000, 24 << 10, 48 << 10, 100000};
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            const size_t bytes = sizes[i];
            assert_int_equal(posix_memalign(&memory, 64, bytes), 0);
            work->memory_prepare(memory, bytes / number * number);
            const double read = work->read(1, memory, bytes), triad = work->triad(1, memory, bytes);
            assert_true(read > 0.75 * (double)bytes && read <= (double)bytes);
            assert_true(triad > 0.75 * (double)bytes && triad <= (double)bytes);
            assert_true(work->read(2, memory, bytes) == 2 * read && work->step(memory, bytes) == read);
            free(memory);
        }
    }
}

/* --- readings --- */

static void test_a_reading_sums_up_its_runs(void **state)
{
    (void)state;
    double odd[] = {3, 1, 2}, even[] = {4, 8, 6, 5}, one[] = {7};
    dt_reading r = dt_reading_of(odd, 3, false);
    assert_true(r.best == 3 && r.median == 2 && r.spread == 1 && r.runs == 3);
    r = dt_reading_of(even, 4, true);
    assert_true(r.best == 4 && r.median == 5.5 && r.spread == 4 / 5.5 && r.runs == 4);
    r = dt_reading_of(one, 1, true);
    assert_true(r.best == 7 && r.median == 7 && r.spread == 0 && r.runs == 1);
}

static void test_the_worst_spread_is_named(void **state)
{
    (void)state;
    static dt_machine m;
    char what[64];
    assert_true(dt_machine_worst_spread(&m, what, sizeof what) == 0);
    assert_string_equal(what, "");
    m.fma[DT_FLOAT64].one = (dt_reading){1, 1, 0.25, 3};
    m.product[DT_FLOAT32].all = (dt_reading){1, 1, 9, 0}; /* was not measured */
    assert_true(dt_machine_worst_spread(&m, what, sizeof what) == 0.25);
    assert_string_equal(what, "fused multiply-add, float64, one core");
    m.memory_count = 1;
    m.memory[0].level = 2;
    m.memory[0].triad.all = (dt_reading){1, 1, 0.5, 3};
    assert_true(dt_machine_worst_spread(&m, what, sizeof what) == 0.5);
    assert_string_equal(what, "L2 triad, all workers");
    m.barrier_count = 1;
    m.barriers[0] = (dt_machine_barrier){4, {1, 1, 0.75, 3}};
    assert_true(dt_machine_worst_spread(&m, NULL, 0) == 0.75);
    assert_true(dt_machine_worst_spread(&m, what, 8) == 0.75);
    assert_string_equal(what, "barrier");
}

/* --- everything --- */

static void check_reading(const dt_reading *r, bool least)
{
    assert_in_range(r->runs, 1, DT_RUNS_MAX);
    assert_true(isfinite(r->best) && r->best > 0);
    assert_true(isfinite(r->median) && r->median > 0);
    assert_true(isfinite(r->spread) && r->spread >= 0);
    assert_true(least ? r->best <= r->median : r->best >= r->median);
}

static void check_rate(const dt_machine_rate *rate, int64_t workers)
{
    check_reading(&rate->one, false);
    check_reading(&rate->all, false);
    if (workers == 1)
        assert_memory_equal(&rate->one, &rate->all, sizeof rate->one);
}

static void check_levels(const dt_machine *m, const dt_machine_options *options)
{
    assert_int_equal(m->memory_count, m->topology.cache_count + 1);
    for (int i = 0; i < m->memory_count; i++) {
        const dt_machine_memory *memory = &m->memory[i];
        assert_int_equal(memory->level, i < m->topology.cache_count ? m->topology.caches[i].level : 0);
        assert_in_range(memory->bytes_one, 1, options->memory_bytes);
        assert_in_range(memory->bytes_worker, 1, options->memory_bytes / m->workers);
        check_rate(&memory->read, m->workers);
        check_rate(&memory->triad, m->workers);
    }
}

static void check_barriers(const dt_machine *m)
{
    assert_int_equal(m->barrier_count > 0, m->workers > 1);
    for (int i = 0; i < m->barrier_count; i++) {
        assert_true(m->barriers[i].workers > (i ? m->barriers[i - 1].workers : 1));
        check_reading(&m->barriers[i].ns, true);
    }
    if (m->barrier_count)
        assert_int_equal(m->barriers[m->barrier_count - 1].workers, m->workers);
}

static void check_exchange(const dt_machine *m)
{
    assert_true(m->workers > 1 || m->exchange_count == 0);
    for (int i = 0; i < m->exchange_count; i++) {
        assert_true(m->exchange[i].level >= 2 && m->exchange[i].level > (i ? m->exchange[i - 1].level : 1));
        assert_true(m->exchange[i].bytes > 0);
        check_reading(&m->exchange[i].read, false);
        check_reading(&m->exchange[i].write, false);
    }
    for (int i = 0; m->workers > 1 && i < m->topology.cache_count; i++)
        if (m->topology.caches[i].level >= 2) /* each has its place */
            assert_int_equal(m->exchange[m->exchange_count - m->topology.cache_count + i].level,
                             m->topology.caches[i].level);
}

static void check_placement(const dt_placement *p)
{
    assert_true(isfinite(p->alone) && p->alone > 0);
    assert_true(isfinite(p->both) && p->both > 0);
    assert_true(isfinite(p->ns));
    assert_int_equal(p->ns > 0, p->place != DT_PLACE_ONE_CORE);
    assert_int_equal(p->place == DT_PLACE_FAR, p->ns >= DT_FAR_NS);
    assert_int_equal(p->place == DT_PLACE_ONE_CORE, p->first == p->second);
}

static void check_pairs(const dt_machine *m)
{
    assert_in_range(m->pair_count, 0, DT_MACHINE_PAIRS_MAX);
    assert_int_equal(m->pair_count > 0, m->workers > 1 && m->processors > 1);
    for (int i = 0; i < m->pair_count; i++) {
        const dt_machine_pair *pair = &m->pairs[i];
        int64_t seen = 0;
        for (int place = 0; place < DT_PLACES; place++)
            seen += pair->seen[place];
        assert_true(seen > 0 && seen == pair->ns.runs && seen == pair->both.runs);
        assert_true(pair->seen[pair->last.place] > 0 && pair->seen[DT_PLACE_ONE_CORE] == 0);
        assert_true(pair->last.first < pair->last.second);
        check_placement(&pair->last);
        check_reading(&pair->ns, true);
        check_reading(&pair->both, false);
        assert_true(pair->last.ns >= pair->ns.best && pair->last.both <= pair->both.best);
    }
}

static void check_isa(const dt_machine *m)
{
    bool listed = false;
    assert_in_range(m->isa_count, 1, DT_MACHINE_ISAS_MAX);
    assert_string_equal(m->isas[0], "generic");
    for (int i = 0; i < m->isa_count; i++)
        listed |= strcmp(m->isas[i], m->isa) == 0;
    assert_true(listed);
    assert_string_equal(m->isa, dt_isa_name(dt_isa_current()));
    assert_int_equal(m->isa_pinned, getenv("DELTOID_ISA") != NULL);
}

static void test_figures_for_any_team(void **state)
{
    (void)state;
    static const int64_t teams[] = {1, 2, 3, 5, 11}; /* more workers than processors, too */
    static dt_machine m;
    for (size_t t = 0; t < sizeof teams / sizeof *teams; t++) {
        dt_machine_options options = little;
        dt_error error = {0};
        options.workers = teams[t];
        if (dt_machine_measure(&m, &options, &error) != DT_OK)
            fail_msg("%lld workers: %s", (long long)teams[t], error.message);
        assert_int_equal(m.workers, teams[t]);
        assert_true(m.processors >= 1);
        assert_true(isfinite(m.seconds) && m.seconds > 0);
        check_isa(&m);
        check_reading(&m.clock, false);
        for (int p = 0; p < DT_MACHINE_PRECISIONS; p++) {
            check_rate(&m.fma[p], m.workers);
            check_rate(&m.product[p], m.workers);
        }
        check_levels(&m, &options);
        check_barriers(&m);
        check_exchange(&m);
        check_pairs(&m);
    }
}

static void test_topology_is_consistent(void **state)
{
    (void)state;
    static dt_machine_topology t;
    dt_machine_topology_read(&t);
    assert_true(t.pus >= t.cores && t.packages >= 0 && t.numa_nodes >= 0 && t.memory_bytes >= 0);
    assert_true(t.mhz >= 0 && isfinite(t.mhz) && t.huge_reserved >= 0);
    for (int i = 1; i < t.cache_count; i++)
        assert_true(t.caches[i].level > t.caches[i - 1].level);
    assert_true(strlen(t.affinity) < sizeof t.affinity && strspn(t.affinity, "0123456789-,") == strlen(t.affinity));
}

static void test_bad_options(void **state)
{
    (void)state;
    static dt_machine m;
    static const dt_machine_options bad[] = {
        {.workers = -1},  {.workers = 1025},     {.seconds = -1},      {.seconds = NAN},
        {.seconds = 1e9}, {.seconds = INFINITY}, {.memory_bytes = -1}, {.memory_bytes = 1},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        dt_error error = {0};
        assert_int_equal(dt_machine_measure(&m, &bad[i], &error), DT_INVALID);
        assert_true(strlen(error.message) > 10);
        assert_int_equal(dt_machine_measure(&m, &bad[i], NULL), DT_INVALID);
    }
    double read;
    assert_int_equal(dt_machine_bandwidth(-1, &read, NULL, NULL), DT_INVALID);
}

static void test_memory_that_runs_out(void **state)
{
    (void)state;
    static dt_machine m;
    counting_memory memory;
    count_memory(&memory, 0);
    assert_int_equal(dt_machine_measure(&m, &little, NULL), DT_OK);
    const long calls = memory.calls;
    assert_int_equal(memory.blocks, 0);
    assert_true(calls > 5);
    for (long n = 1; n <= calls; n++) {
        dt_error error = {0};
        count_memory(&memory, n);
        assert_int_equal(dt_machine_measure(&m, &little, &error), DT_NO_MEMORY);
        assert_int_equal(error.status, DT_NO_MEMORY);
        assert_int_equal(memory.blocks, 0);
    }
    count_memory(&memory, 0);
    assert_int_equal(dt_machine_bandwidth(2, NULL, NULL, NULL), DT_OK);
    const long bandwidth = memory.calls;
    for (long n = 1; n <= bandwidth; n++) {
        count_memory(&memory, n);
        assert_int_equal(dt_machine_bandwidth(2, NULL, NULL, NULL), DT_NO_MEMORY);
        assert_int_equal(memory.blocks, 0);
    }
    count_memory(&memory, 0);
    dt_placement p;
    assert_int_equal(dt_machine_placement(-1, -1, 0, &p, NULL), DT_OK);
    assert_true(dt_machine_peak(DT_FLOAT32) > 0);
    assert_int_equal(memory.calls, 0);
    count_no_more();
}

/* --- one number, and placement --- */

static void test_one_number(void **state)
{
    (void)state;
    for (int p = 0; p < DT_MACHINE_PRECISIONS; p++) {
        const double peak = dt_machine_peak((dt_precision)p);
        assert_true(isfinite(peak) && peak > 0);
    }
    double read = 0, triad = 0;
    assert_int_equal(dt_machine_bandwidth(1, &read, &triad, NULL), DT_OK);
    assert_true(isfinite(read) && read > 0 && isfinite(triad) && triad > 0);
    read = 0;
    assert_int_equal(dt_machine_bandwidth(3, &read, NULL, NULL), DT_OK);
    assert_true(isfinite(read) && read > 0);
}

static int first_processors(int most, int *numbers)
{
    static dt_processor_set set;
    memset(&set, 0, sizeof set);
    dt_processors_mark(&set);
    return dt_processors_list(&set, 0, most, numbers);
}

static void *look_at_two(void *two)
{
    dt_processors_of_two((int *)two, (int *)two + 1);
    return NULL;
}

static void *wait_for_end(void *semaphore)
{
    while (sem_wait(semaphore) != 0) {
    }
    return NULL;
}

/* A team that is bound, as OMP_PROC_BIND does it: its workers' processors, whichever of them asks. */
static void test_processors_of_bound_threads(void **state)
{
    (void)state;
    int own[2], two[2] = {-1, -1};
    if (first_processors(2, own) < 2)
        skip();
    sem_t end;
    assert_int_equal(sem_init(&end, 0, 0), 0);
    for (int i = 0; i < 2; i++) {
        pthread_attr_t attributes;
        pthread_t asks, other;
        assert_int_equal(pthread_attr_init(&attributes), 0);
        assert_true(dt_processors_pin(&attributes, own[!i]));
        assert_int_equal(pthread_create(&other, &attributes, wait_for_end, &end), 0);
        assert_true(dt_processors_pin(&attributes, own[i]));
        assert_int_equal(pthread_create(&asks, &attributes, look_at_two, two), 0);
        pthread_join(asks, NULL);
        sem_post(&end);
        pthread_join(other, NULL);
        pthread_attr_destroy(&attributes);
        assert_int_equal(two[0], own[i]);
        assert_int_equal(two[1], own[!i]);
    }
    sem_destroy(&end);
    dt_processors_of_two(&two[0], &two[1]); /* this thread isn't bound */
    assert_int_equal(two[0], own[0]);
    assert_int_equal(two[1], own[1]);
}

static void test_placement_leaves_no_trace(void **state)
{
    (void)state;
    static int before[DT_PROCESSORS_MAX], after[DT_PROCESSORS_MAX];
    const int count = first_processors(DT_PROCESSORS_MAX, before);
    assert_true(count >= 1);
    const int other = before[count > 1];
    for (int i = 0; i < 3; i++) {
        dt_placement p;
        dt_error error = {0};
        if (dt_machine_placement(i < 2 ? -1 : before[0], other, 0, &p, &error) != DT_OK)
            fail_msg("%s", error.message);
        check_placement(&p);
        assert_int_equal(p.first, before[0]);
        assert_int_equal(p.second, other);
    }
    if (count > 1) { /* of a core that could do far more alone, something must be shared, unless it is far */
        dt_placement p;
        assert_int_equal(dt_machine_placement(-1, -1, 1e12, &p, NULL), DT_OK);
        check_placement(&p);
        assert_int_not_equal(p.place, DT_PLACE_NEAR);
    }
    assert_int_equal(first_processors(DT_PROCESSORS_MAX, after), count);
    assert_memory_equal(before, after, (size_t)count * sizeof *before);
}

typedef struct one_core {
    dt_status status;
    dt_placement placement;
} one_core;

static void *place_one_core(void *context)
{
    one_core *o = context;
    o->status = dt_machine_placement(-1, -1, 0, &o->placement, NULL);
    return NULL;
}

static void test_placement_of_one_core(void **state)
{
    (void)state;
    int mine[2];
    const int last = first_processors(2, mine) - 1; /* not the first, where there are two */
    pthread_attr_t attributes;
    pthread_t thread;
    one_core o = {.status = DT_SYSTEM};
    assert_int_equal(pthread_attr_init(&attributes), 0);
    assert_true(dt_processors_pin(&attributes, mine[last]));
    assert_int_equal(pthread_create(&thread, &attributes, place_one_core, &o), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    pthread_attr_destroy(&attributes);
    assert_int_equal(o.status, DT_OK);
    assert_int_equal(o.placement.place, DT_PLACE_ONE_CORE);
    assert_int_equal(o.placement.first, mine[last]);
    check_placement(&o.placement);
    assert_int_equal(dt_machine_placement(mine[0], mine[0], 0, &o.placement, NULL), DT_OK);
    check_placement(&o.placement);
    for (int place = 0; place < DT_PLACES; place++)
        assert_true(strlen(dt_place_name((dt_place)place)) > 2);
}

static void test_processors_that_are_not_there(void **state)
{
    (void)state;
    static const int wrong[] = {-2, DT_PROCESSORS_MAX - 1, DT_PROCESSORS_MAX, INT32_MAX};
    int mine[1];
    assert_int_equal(first_processors(1, mine), 1);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        dt_placement p;
        dt_error error = {0};
        assert_int_equal(dt_machine_placement(mine[0], wrong[i], 0, &p, &error), DT_INVALID);
        assert_non_null(strstr(error.message, "processor"));
        if (wrong[i] >= 0) /* the other thread is there already, and must not wait for it */
            assert_int_equal(dt_machine_placement(wrong[i], mine[0], 0, &p, NULL), DT_INVALID);
    }
}

/* --- the command --- */

typedef struct result {
    int status;
    char out[32768], err[2048];
} result;

static scratch folder;

static void slurp(const char *name, char *text, size_t size)
{
    FILE *file = fopen(scratch_path(&folder, name), "rb");
    assert_non_null(file);
    text[fread(text, 1, size - 1, file)] = '\0';
    fclose(file);
}

static const result *run(const char *const *arguments)
{
    static result r;
    char *argv[8] = {strdup(DELTOID_PROGRAM), strdup("machine")};
    for (size_t i = 0; arguments[i]; i++)
        argv[i + 2] = strdup(arguments[i]);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 1, scratch_path(&folder, "out"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_addopen(&files, 2, scratch_path(&folder, "err"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    pid_t pid;
    int status;
    assert_int_equal(posix_spawn(&pid, DELTOID_PROGRAM, &files, NULL, argv, environ), 0);
    while (waitpid(pid, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    posix_spawn_file_actions_destroy(&files);
    for (size_t i = 0; argv[i]; i++)
        free(argv[i]);
    r.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    slurp("out", r.out, sizeof r.out);
    slurp("err", r.err, sizeof r.err);
    return &r;
}

#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})

static void text_at(struct fy_document *json, const char *path, char *text, size_t size)
{
    struct fy_node *node = fy_node_by_path(fy_document_root(json), path, FY_NT, FYNWF_DONT_FOLLOW);
    size_t length = 0;
    const char *scalar = node && fy_node_is_scalar(node) ? fy_node_get_scalar(node, &length) : NULL;
    if (!scalar)
        fail_msg("no %s in the JSON", path);
    snprintf(text, size, "%.*s", (int)length, scalar);
}

static double number_at(struct fy_document *json, const char *path)
{
    char text[64], *end;
    text_at(json, path, text, sizeof text);
    const double value = strtod(text, &end);
    if (*end || !isfinite(value))
        fail_msg("%s is '%s'", path, text);
    return value;
}

static void check_json(const char *text, const char *isa)
{
    static const char *const positive[] = {
        "/workers",
        "/processors",
        "/seconds",
        "/clock_ghz/best",
        "/fma_gflops/float32/one/best",
        "/fma_gflops/float64/all/median",
        "/product_gflops/float32/all/best",
        "/product_gflops/float64/one/runs",
        "/product_shape/0",
        "/bandwidth_gb_s/0/bytes_one",
        "/bandwidth_gb_s/0/read/one/best",
        "/bandwidth_gb_s/0/triad/all/best",
        "/barriers/0/workers",
        "/barriers/0/ns/best",
        "/exchange/0/bytes_worker",
        "/exchange/0/read_gb_s/best",
        "/exchange/0/write_gb_s/median",
    };
    const struct fy_parse_cfg config = {.flags = FYPCF_JSON_FORCE | FYPCF_QUIET};
    struct fy_document *json = fy_document_build_from_string(&config, text, FY_NT);
    assert_non_null(json);
    for (size_t i = 0; i < sizeof positive / sizeof *positive; i++)
        assert_true(number_at(json, positive[i]) > 0);
    assert_true(number_at(json, "/worst_spread") >= 0);
    char found[64];
    text_at(json, "/isa", found, sizeof found);
    assert_string_equal(found, isa);
    text_at(json, "/isa_pinned", found, sizeof found);
    assert_string_equal(found, "true");
    fy_document_destroy(json);
}

static void test_json_under_every_instruction_set(void **state)
{
    (void)state;
    const dt_isa widest = dt_isa_current();
    for (dt_isa isa = 0; isa <= widest; isa++) {
        assert_int_equal(setenv("DELTOID_ISA", dt_isa_name(isa), 1), 0);
        const result *r = RUN("--quick", "--json", "--threads", "2");
        assert_string_equal(r->err, "");
        assert_int_equal(r->status, 0);
        check_json(r->out, dt_isa_name(isa));
    }
    unsetenv("DELTOID_ISA");
}

static void test_the_table(void **state)
{
    (void)state;
    static const char *const parts[] = {"processor ",
                                        "topology ",
                                        "caches ",
                                        "clock ",
                                        "huge pages ",
                                        "instructions",
                                        "GFLOP/s",
                                        "240x512x512,",
                                        "GB/s",
                                        "memory triad",
                                        "barrier of 2",
                                        "barrier of 3",
                                        "read what another wrote"};
    const result *r = RUN("--quick", "--threads=3");
    assert_string_equal(r->err, "");
    assert_int_equal(r->status, 0);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!strstr(r->out, parts[i]))
            fail_msg("no '%s' in\n%s", parts[i], r->out);
    r = RUN("--quick", "--threads=1");
    assert_int_equal(r->status, 0);
    assert_null(strstr(r->out, "barrier of"));
    assert_non_null(strstr(r->out, "placement: one worker"));
}

static void test_a_bad_command_line(void **state)
{
    (void)state;
    static const char *const bad[][2] = {{"--threads=0"},  {"--threads=1025"}, {"--threads=two"},
                                         {"--threads=2x"}, {"--threads=-1"},   {"--fast"},
                                         {"here"},         {"--json=1"},       {"a.b=1"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const result *r = run(bad[i]);
        assert_int_equal(r->status, 2);
        assert_string_equal(r->out, "");
        assert_int_equal(strncmp(r->err, "deltoid: ", 9), 0);
        assert_ptr_equal(strchr(r->err, '\n'), r->err + strlen(r->err) - 1);
    }
    assert_int_equal(setenv("DELTOID_ISA", "avx1024", 1), 0);
    const result *r = RUN("--quick");
    unsetenv("DELTOID_ISA");
    assert_int_equal(r->status, 2);
    assert_non_null(strstr(r->err, "DELTOID_ISA"));
}

static int setup(void **state)
{
    scratch_make(&folder);
    return all_isas(state);
}

static int teardown(void **state)
{
    (void)state;
    scratch_remove(&folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chains_are_fused_multiply_adds),
        cmocka_unit_test(test_arrays_are_read_and_written_whole),
        cmocka_unit_test(test_work_counts_what_it_does),
        cmocka_unit_test(test_a_reading_sums_up_its_runs),
        cmocka_unit_test(test_the_worst_spread_is_named),
        cmocka_unit_test(test_figures_for_any_team),
        cmocka_unit_test(test_topology_is_consistent),
        cmocka_unit_test(test_bad_options),
        cmocka_unit_test(test_memory_that_runs_out),
        cmocka_unit_test(test_one_number),
        cmocka_unit_test(test_processors_of_bound_threads),
        cmocka_unit_test(test_placement_leaves_no_trace),
        cmocka_unit_test(test_placement_of_one_core),
        cmocka_unit_test(test_processors_that_are_not_there),
        cmocka_unit_test(test_json_under_every_instruction_set),
        cmocka_unit_test(test_the_table),
        cmocka_unit_test(test_a_bad_command_line),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
