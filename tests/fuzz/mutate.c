/* Runs a fuzzer without libFuzzer, so that ctest can, built by any compiler, with any sanitizer or none: on its seeds
 * as they are, then on mutants of them, the same ones every time.
 *
 *     fuzz_NAME MUTANTS FILE|FOLDER ...
 *     fuzz_NAME only:NUMBER FILE|FOLDER ...        that mutant alone, which is left in the file fuzz_NAME-NUMBER
 *
 * Each must end without a signal, in 20 s of processor time, with at most 64 MiB of the library's memory at any time
 * and none after it, and with 128 MiB in all. The number of one that doesn't is told on stderr.
 */
#define _XOPEN_SOURCE 700 /* scandir, setitimer */
#include <dirent.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/philox.h"
#include "deltoid/memory.h"

enum {
    SEEDS_MAX = 256,
    SIZE_MAX_ = 1 << 17,
    MEMORY_MAX = 64 << 20,
    RESIDENT_MAX = 128 << 20,
    CPU_SECONDS = 20,
    CHANGES_MAX = 6
};

typedef struct seed {
    uint8_t *bytes;
    size_t size;
} seed;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool right)
{
    if (!right)
        abort();
}

static seed seeds[SEEDS_MAX];
static size_t seed_count;
static const char *program;
static long mutant = -1; /* -1 - i: seed i */

/* --- what is looked at --- */

typedef struct block {
    size_t size, before; /* bytes; from what was allocated to what was given */
} block;

static atomic_size_t held;

static void *allocate(void *context, size_t alignment, size_t size)
{
    (void)context;
    void *memory;
    const size_t before = (sizeof(block) + alignment - 1) / alignment * alignment;
    if (size > MEMORY_MAX || atomic_fetch_add(&held, size) + size > MEMORY_MAX) {
        fprintf(stderr, "more than %d MiB\n", MEMORY_MAX >> 20);
        abort();
    }
    if (posix_memalign(&memory, alignment, before + size) != 0)
        return NULL;
    uint8_t *given = (uint8_t *)memory + before;
    ((block *)(void *)given)[-1] = (block){size, before};
    return given;
}

static void release(void *context, void *memory)
{
    (void)context;
    if (!memory)
        return;
    const block b = ((block *)memory)[-1];
    atomic_fetch_sub(&held, b.size);
    free((uint8_t *)memory - b.before);
}

/* Which one it was; also called by a sanitizer that ends the program. */
static void tell(void)
{
    char text[160];
    const int n = snprintf(text, sizeof text, "%s: %s %ld broke it (only:%ld runs it alone)\n", program,
                           mutant < 0 ? "seed" : "mutant", mutant < 0 ? -1 - mutant : mutant, mutant);
    (void)!write(2, text, (size_t)n);
}

static void tell_and_die(int number)
{
    tell();
    signal(number, SIG_DFL);
    raise(number);
}

void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static void watch(void)
{
    static const int fatal[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGPROF};
    const bool sanitized = __sanitizer_set_death_callback != NULL;
    if (sanitized)
        __sanitizer_set_death_callback(tell);
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
        if (!sanitized || fatal[i] == SIGABRT || fatal[i] == SIGPROF)
            signal(fatal[i], tell_and_die);
    dt_memory_hook(allocate, release, NULL);
}

static void run(const uint8_t *bytes, size_t size)
{
    const struct itimerval limit = {.it_value = {.tv_sec = CPU_SECONDS}};
    uint8_t *exact = malloc(size ? size : 1); /* so that a sanitizer sees what is read behind it */
    check(exact != NULL);
    if (size)
        memcpy(exact, bytes, size);
    check(setitimer(ITIMER_PROF, &limit, NULL) == 0);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    if (!__sanitizer_set_death_callback && used.ru_maxrss > RESIDENT_MAX >> 10) {
        fprintf(stderr, "%ld MiB of memory\n", used.ru_maxrss >> 10);
        abort();
    }
    if (atomic_load(&held) != 0) {
        fprintf(stderr, "%zu bytes are still held\n", atomic_load(&held));
        abort();
    }
}

/* --- mutants --- */

/* The mutant's own random numbers. */
typedef struct randoms {
    uint64_t number, used;
} randoms;

static size_t below(randoms *r, size_t n)
{
    const uint64_t bits = dt_philox(r->number, DT_FOR_TEST, 99, r->used / 2).u[r->used % 2];
    r->used++;
    return n ? (size_t)dt_uniform_below(bits, n) : 0;
}

/* Numbers at which sums, products and comparisons go wrong, and what texts are made of. */
static const uint64_t numbers[] = {0,
                                   1,
                                   2,
                                   0x7f,
                                   0x80,
                                   0xff,
                                   0x7fff,
                                   0xffff,
                                   0x10000,
                                   0x7fffffff,
                                   0x80000000,
                                   0xffffffff,
                                   0x100000000,
                                   0x7fffffffffffffff,
                                   0x8000000000000000,
                                   0xffffffffffffffff};
static const char *const tokens[] = {"[",
                                     "]",
                                     "{",
                                     "}",
                                     ":",
                                     ": ",
                                     ", ",
                                     "\n",
                                     "\"",
                                     "'",
                                     "&a ",
                                     "*a",
                                     "!!int ",
                                     "|\n",
                                     "- ",
                                     "#",
                                     "\t",
                                     "\r\n",
                                     "\xef\xbb\xbf",
                                     "\xff",
                                     "nan",
                                     "-inf",
                                     "1e999",
                                     "-1",
                                     "18446744073709551616",
                                     "9223372036854775807",
                                     "null",
                                     "true",
                                     "../",
                                     "/",
                                     "%s%n",
                                     "[[[[[[[[",
                                     "0x10",
                                     ";"};

static size_t put(uint8_t *to, size_t size, size_t at, size_t drop, const void *from, size_t count)
{
    if (size - drop + count > SIZE_MAX_)
        return size;
    memmove(to + at + count, to + at + drop, size - at - drop);
    memcpy(to + at, from, count);
    return size - drop + count;
}

static size_t put_number(uint8_t *to, size_t size, randoms *r)
{
    static const size_t widths[] = {1, 2, 4, 8};
    const size_t width = widths[below(r, 4)];
    const uint64_t number = numbers[below(r, sizeof numbers / sizeof *numbers)] + below(r, 3) - 1;
    const bool big = below(r, 2);
    if (size < width)
        return size;
    const size_t at = below(r, size - width + 1);
    for (size_t i = 0; i < width; i++)
        to[at + i] = (uint8_t)(number >> 8 * (big ? width - 1 - i : i));
    return size;
}

static size_t change(uint8_t *to, size_t size, randoms *r)
{
    static uint8_t room[SIZE_MAX_];
    const size_t at = below(r, size + 1), left = size - at;
    size_t count = below(r, left < 32 ? left + 1 : 32);
    switch (below(r, 8)) {
    case 0:
        if (left)
            to[at] ^= (uint8_t)(1 << below(r, 8));
        return size;
    case 1:
        if (left)
            to[at] = (uint8_t)below(r, 256);
        return size;
    case 2:
        return put_number(to, size, r);
    case 3: /* cut out, or off */
        return below(r, 4) ? put(to, size, at, count, "", 0) : at;
    case 4: /* twice, or very often */
        memcpy(room, to + at, count);
        for (size_t n = below(r, 8) ? 1 : below(r, 256); n > 0; n--)
            size = put(to, size, at, 0, room, count);
        return size;
    case 5: { /* of another seed */
        const seed *other = &seeds[below(r, seed_count)];
        const size_t from = below(r, other->size + 1);
        count = below(r, other->size - from + 1);
        return put(to, size, at, below(r, 2) ? left : 0, other->bytes + from, count);
    }
    case 6: {
        const char *token = tokens[below(r, sizeof tokens / sizeof *tokens)];
        return put(to, size, at, below(r, 2) ? count : 0, token, strlen(token));
    }
    default: { /* a number of digits becomes another */
        size_t first = at;
        while (first < size && (to[first] < '0' || to[first] > '9'))
            first++;
        size_t last = first;
        while (last < size && to[last] >= '0' && to[last] <= '9')
            last++;
        char digits[24];
        const int n = snprintf(digits, sizeof digits, "%llu",
                               (unsigned long long)numbers[below(r, sizeof numbers / sizeof *numbers)]);
        return put(to, size, first, last - first, digits, (size_t)n);
    }
    }
}

static size_t make_mutant(uint8_t *to, uint64_t number)
{
    randoms r = {number, 0};
    const seed *from = &seeds[below(&r, seed_count)];
    size_t size = from->size;
    memcpy(to, from->bytes, size);
    for (size_t n = 1 + below(&r, 1 + below(&r, CHANGES_MAX)); n > 0; n--) /* mostly few */
        size = change(to, size, &r);
    return size;
}

/* --- seeds --- */

static void add_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    check(f && seed_count < SEEDS_MAX);
    seed *s = &seeds[seed_count++];
    s->bytes = malloc(SIZE_MAX_);
    check(s->bytes != NULL);
    s->size = fread(s->bytes, 1, SIZE_MAX_, f);
    fclose(f);
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void add_seeds(const char *path)
{
    struct dirent **names;
    char name[1024];
    const int count = scandir(path, &names, is_visible, alphasort); /* in an order that is the same everywhere */
    if (count < 0)
        add_file(path);
    for (int i = 0; i < count; i++) {
        check(snprintf(name, sizeof name, "%s/%s", path, names[i]->d_name) < (int)sizeof name);
        add_file(name);
        free(names[i]);
    }
    if (count >= 0)
        free(names);
}

static void keep(const uint8_t *bytes, size_t size)
{
    char name[256];
    snprintf(name, sizeof name, "%s-%ld", program, mutant);
    FILE *f = fopen(name, "wb");
    check(f && fwrite(bytes, 1, size, f) == size && fclose(f) == 0);
    fprintf(stderr, "%s holds it\n", name);
}

int main(int count, char **arguments)
{
    static uint8_t bytes[SIZE_MAX_];
    struct rusage used;
    program = strrchr(arguments[0], '/') ? strrchr(arguments[0], '/') + 1 : arguments[0];
    if (count < 3) {
        fprintf(stderr, "usage: %s MUTANTS|only:NUMBER FILE|FOLDER ...\n", program);
        return 2;
    }
    for (int i = 2; i < count; i++)
        add_seeds(arguments[i]);
    check(seed_count > 0);
    watch();
    if (strncmp(arguments[1], "only:", 5) == 0) {
        mutant = atol(arguments[1] + 5);
        const size_t size = mutant < 0 ? seeds[-1 - mutant].size : make_mutant(bytes, (uint64_t)mutant);
        if (mutant < 0)
            memcpy(bytes, seeds[-1 - mutant].bytes, size);
        keep(bytes, size);
        run(bytes, size);
        return 0;
    }
    for (size_t i = 0; i < seed_count; i++) {
        mutant = -1 - (long)i;
        run(seeds[i].bytes, seeds[i].size);
    }
    const long mutants = atol(arguments[1]);
    for (mutant = 0; mutant < mutants; mutant++)
        run(bytes, make_mutant(bytes, (uint64_t)mutant));
    getrusage(RUSAGE_SELF, &used);
    printf("%zu seeds and %ld mutants; at most %ld MiB of memory\n", seed_count, mutants, used.ru_maxrss / 1024);
    return 0;
}
