/* The team: every worker runs, the barrier orders phases, and denormals are flushed on each worker and nowhere else. */
#include <float.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "deltoid/memory.h"
#include "parallel/team.h"

enum { WORKERS_MAX = 16 };

static const int64_t sizes[] = {1, 2, 3, 5, 8, WORKERS_MAX}; /* more than there are processors, too */
enum { SIZES = sizeof sizes / sizeof *sizes };

static dt_team *team_of(int64_t workers)
{
    dt_team *team;
    dt_error error = {0};
    if (dt_team_create(&team, workers, &error) != DT_OK)
        fail_msg("%s", error.message);
    return team;
}

/* --- who runs --- */

typedef struct roll {
    dt_team *team[WORKERS_MAX];
    int calls[WORKERS_MAX], count[WORKERS_MAX];
} roll;

static void answer(dt_worker *worker, void *context)
{
    roll *r = context;
    r->team[worker->index] = worker->team;
    r->calls[worker->index]++;
    r->count[worker->index] = (int)worker->count;
}

static void test_every_worker_runs(void **state)
{
    (void)state;
    for (int i = 0; i < SIZES; i++) {
        dt_team *team = team_of(sizes[i]);
        roll r = {.calls = {0}};
        assert_int_equal(dt_team_count(team), sizes[i]);
        for (int run = 1; run <= 20; run++) {
            dt_team_run(team, answer, &r);
            for (int t = 0; t < WORKERS_MAX; t++) {
                assert_int_equal(r.calls[t], t < sizes[i] ? run : 0);
                assert_int_equal(r.count[t], t < sizes[i] ? sizes[i] : 0);
                assert_ptr_equal(r.team[t], t < sizes[i] ? team : NULL);
            }
        }
        dt_team_destroy(team);
    }
}

/* --- the barrier --- */

/* Rounds of two phases. Nothing here is atomic: the barrier alone orders what one worker writes and the others read. */
typedef struct rounds {
    int64_t count;
    int64_t written[WORKERS_MAX]; /* by its worker, in the first phase: the round */
    int64_t sum;                  /* by one worker, in the second: of all */
    int64_t wrong[WORKERS_MAX];
} rounds;

static void play(dt_worker *worker, void *context)
{
    rounds *r = context;
    for (int64_t round = 1; round <= r->count; round++) {
        r->written[worker->index] = round;
        dt_worker_barrier(worker);
        for (int64_t t = 0; t < worker->count; t++)
            r->wrong[worker->index] += r->written[t] != round;
        if (round % worker->count == worker->index)
            for (int64_t t = 0; t < worker->count; t++)
                r->sum += r->written[t];
        dt_worker_barrier(worker);
        r->wrong[worker->index] += r->sum != worker->count * round * (round + 1) / 2;
    }
}

static void check_rounds(dt_team *team, int64_t count)
{
    rounds r = {.count = count};
    dt_team_run(team, play, &r);
    for (int64_t t = 0; t < dt_team_count(team); t++)
        assert_int_equal(r.wrong[t], 0);
    assert_int_equal(r.sum, dt_team_count(team) * count * (count + 1) / 2);
}

static void test_barrier_orders_phases(void **state)
{
    (void)state;
    for (int i = 0; i < SIZES; i++) {
        dt_team *team = team_of(sizes[i]);
        check_rounds(team, 500);
        dt_team_destroy(team);
    }
}

/* One phase a run, and any number of them: the next run's barriers go on where the last one's ended. */
static void meet(dt_worker *worker, void *context)
{
    rounds *r = context;
    for (int64_t i = 0; i < r->count; i++) {
        r->written[worker->index]++;
        dt_worker_barrier(worker);
    }
    for (int64_t t = 0; t < worker->count; t++)
        r->wrong[worker->index] += r->written[t] != r->written[worker->index];
}

static void test_barrier_over_many_runs(void **state)
{
    (void)state;
    for (int i = 0; i < SIZES; i++) {
        dt_team *team = team_of(sizes[i]), *other = team_of(3);
        for (int64_t count = 1; count <= 25; count++) {
            rounds r = {.count = count};
            dt_team_run(team, meet, &r);
            for (int64_t t = 0; t < sizes[i]; t++)
                assert_true(r.wrong[t] == 0 && r.written[t] == count);
            check_rounds(other, 1 + count % 2); /* two teams don't know of each other */
        }
        dt_team_destroy(team);
        dt_team_destroy(other);
    }
}

/* --- groups --- */

/* Rounds of each group by itself, any number of them between two of all. */
typedef struct group_rounds {
    int64_t written[WORKERS_MAX], sum[WORKERS_MAX]; /* of workers; of groups */
    int64_t wrong[WORKERS_MAX];
} group_rounds;

static void play_in_groups(dt_worker *worker, void *context)
{
    group_rounds *r = context;
    const dt_span members = dt_split(worker->count, worker->groups, worker->group);
    int64_t *wrong = &r->wrong[worker->index];
    *wrong += members.first + worker->member != worker->index || dt_span_count(members) != worker->members;
    for (int64_t round = 1; round <= 40 * (1 + worker->group); round++) { /* groups don't wait for each other */
        r->written[worker->index] = round;
        dt_group_barrier(worker);
        if (round % worker->members == worker->member) {
            r->sum[worker->group] = 0;
            for (int64_t t = members.first; t < members.last; t++)
                r->sum[worker->group] += r->written[t];
        }
        dt_group_barrier(worker);
        *wrong += r->sum[worker->group] != worker->members * round;
    }
    dt_worker_barrier(worker);
    for (int64_t t = 0; t < worker->count; t++)
        *wrong += r->written[t] != 40 * (1 + dt_split_part(worker->count, worker->groups, t));
}

static void test_groups(void **state)
{
    (void)state;
    for (int i = 0; i < SIZES; i++) {
        dt_team *team = team_of(sizes[i]);
        for (int64_t groups = 1; groups <= sizes[i]; groups += 1 + groups / 2) {
            assert_int_equal(dt_team_divide(team, groups, NULL), DT_OK);
            for (int run = 0; run < 3; run++) {
                group_rounds r = {.wrong = {0}};
                dt_team_run(team, play_in_groups, &r);
                for (int64_t t = 0; t < sizes[i]; t++)
                    assert_int_equal(r.wrong[t], 0);
            }
        }
        assert_int_equal(dt_team_divide(team, 0, NULL), DT_INVALID);
        assert_int_equal(dt_team_divide(team, sizes[i] + 1, NULL), DT_INVALID);
        dt_team_destroy(team);
    }
}

/* --- denormals --- */

/* Reads and writes that a compiler can't foresee. */
static volatile double smallest_normal = DBL_MIN, denormal = DBL_MIN / 4, one_half = 0.5, large = 0x1p600;
static volatile float smallest_float = FLT_MIN, denormal_float = FLT_MIN / 4, half_float = 0.5f, large_float = 0x1p100f;

/* Looks at bits: where operands are flushed, a denormal compares equal to 0. */
static bool results_are_flushed(void)
{
    const double d = smallest_normal * one_half, zero = 0;
    const float f = smallest_float * half_float, zero_float = 0;
    return memcmp(&d, &zero, sizeof d) == 0 && memcmp(&f, &zero_float, sizeof f) == 0;
}

static bool operands_are_flushed(void)
{
    const double d = denormal * large;
    const float f = denormal_float * large_float;
    return d == 0 && f == 0;
}

static bool nothing_is_flushed(void)
{
    const double d = smallest_normal * one_half, e = denormal * large;
    const float f = smallest_float * half_float, g = denormal_float * large_float;
    return d > 0 && e > 0 && f > 0 && g > 0;
}

typedef struct flushed {
    bool results[WORKERS_MAX], operands[WORKERS_MAX];
} flushed;

static void look(dt_worker *worker, void *context)
{
    flushed *f = context;
    f->results[worker->index] = results_are_flushed();
    f->operands[worker->index] = operands_are_flushed();
}

static void test_denormals(void **state)
{
    (void)state;
#if defined(__x86_64__) || defined(__aarch64__)
    for (int i = 0; i < SIZES; i++) {
        dt_team *team = team_of(sizes[i]);
        for (int run = 0; run < 3; run++) {
            flushed f = {0};
            assert_true(nothing_is_flushed());
            dt_team_run(team, look, &f);
            assert_true(nothing_is_flushed());
            for (int64_t t = 0; t < sizes[i]; t++)
                assert_true(f.results[t] && f.operands[t]);
        }
        dt_team_destroy(team);
    }
#else
    skip();
#endif
}

/* A caller that flushes goes on doing so: another team's worker, for one. */
static void run_within(dt_worker *worker, void *context)
{
    bool *kept = context;
    dt_team *team;
    flushed f = {0};
    if (dt_team_create(&team, 1, NULL) != DT_OK)
        return;
    dt_team_run(team, look, &f);
    kept[worker->index] = results_are_flushed() && operands_are_flushed();
    dt_team_destroy(team);
}

static void test_the_callers_setting_is_kept(void **state)
{
    (void)state;
#if defined(__x86_64__) || defined(__aarch64__)
    bool kept[1] = {false};
    dt_team *team = team_of(1);
    dt_team_run(team, run_within, kept);
    assert_true(kept[0]);
    dt_team_destroy(team);
#else
    skip();
#endif
}

/* --- what can go wrong --- */

static void test_sizes(void **state)
{
    (void)state;
    static const int64_t wrong[] = {-1, 1025, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        dt_team *team = (dt_team *)&team;
        dt_error error = {0};
        assert_int_equal(dt_team_create(&team, wrong[i], &error), DT_INVALID);
        assert_non_null(strstr(error.message, "parallel.threads"));
        assert_null(team);
        assert_int_equal(dt_team_create(&team, wrong[i], NULL), DT_INVALID);
    }
    dt_team *team = team_of(0);
    assert_int_equal(dt_team_count(team), dt_processors());
    assert_true(dt_processors() >= 1);
    dt_team_destroy(team);
    dt_team_destroy(NULL);
}

static void *no_memory(void *context, size_t alignment, size_t size)
{
    (void)context, (void)alignment, (void)size;
    return NULL;
}

static void release_nothing(void *context, void *memory)
{
    (void)context;
    assert_null(memory);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    dt_team *team = (dt_team *)&team;
    dt_error error = {0};
    dt_memory_hook(no_memory, release_nothing, NULL);
    const dt_status status = dt_team_create(&team, 2, &error);
    dt_memory_hook(NULL, NULL, NULL);
    assert_int_equal(status, DT_NO_MEMORY);
    assert_null(team);
}

/* What this program does as `test_team limited`, under OMP_THREAD_LIMIT=2. */
static int be_limited(void)
{
    dt_team *team;
    dt_error error = {0};
    if (dt_team_create(&team, 4, &error) != DT_SYSTEM || team || !strstr(error.message, "OMP_THREAD_LIMIT"))
        return 1;
    if (dt_team_create(&team, 2, &error) != DT_OK)
        return 2;
    dt_team_destroy(team);
    if (dt_team_create(&team, 0, &error) != DT_OK || dt_team_count(team) > 2)
        return 3;
    check_rounds(team, 10);
    dt_team_destroy(team);
    return 0;
}

extern char **environ;
static char *self;

static void test_fewer_threads_than_asked(void **state)
{
    (void)state;
    char limited[] = "limited", *arguments[] = {self, limited, NULL};
    pid_t pid;
    int status;
    assert_int_equal(setenv("OMP_THREAD_LIMIT", "2", 1), 0); /* OpenMP has read it already, here */
    const int spawned = posix_spawn(&pid, self, NULL, NULL, arguments, environ);
    unsetenv("OMP_THREAD_LIMIT");
    assert_int_equal(spawned, 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "limited") == 0)
        return be_limited();
    self = argv[0];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_worker_runs),
        cmocka_unit_test(test_barrier_orders_phases),
        cmocka_unit_test(test_barrier_over_many_runs),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_denormals),
        cmocka_unit_test(test_the_callers_setting_is_kept),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_fewer_threads_than_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
