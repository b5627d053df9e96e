#include "train/free.h"

#include <math.h>

#include "base/split.h"

dt_status dt_free_create(dt_free **free, const dt_network *network, int64_t workers, dt_error *error)
{
    *free = NULL;
    dt_free *f = dt_allocate_zeroed(1, sizeof *f);
    if (!f)
        return dt_fail_memory(error, "the workers");
    f->workers = workers;
    f->own = dt_allocate_zeroed((size_t)workers, sizeof(dt_network *));
    f->tallies = dt_allocate_zeroed((size_t)workers, sizeof *f->tallies);
    dt_status status = f->own && f->tallies ? DT_OK : dt_fail_memory(error, "the workers");
    for (int64_t t = 0; status == DT_OK && t < workers; t++)
        status = dt_network_create_like(&f->own[t], network, error);
    if (status != DT_OK) {
        dt_free_destroy(f);
        return status;
    }
    *free = f;
    return DT_OK;
}

void dt_free_destroy(dt_free *free)
{
    if (!free)
        return;
    for (int64_t t = 0; free->own && t < free->workers; t++)
        dt_network_destroy(free->own[t]);
    dt_release(free->own);
    dt_release(free->tallies);
    dt_release(free);
}

void dt_free_begin(dt_free *free, const dt_run *run, int64_t worker)
{
    free->tallies[worker] = (dt_tally){.fault = INT64_MAX};
    if (worker == 0)
        atomic_store_explicit(&free->end, run->first, memory_order_relaxed);
}

bool dt_free_may_begin(dt_free *free, int64_t i)
{
    long long end = atomic_load_explicit(&free->end, memory_order_relaxed);
    while (end >= 0 && end < i)
        if (atomic_compare_exchange_weak_explicit(&free->end, &end, i, memory_order_relaxed, memory_order_relaxed))
            return true;
    return i <= (end < 0 ? ~end : end);
}

void dt_free_begin_no_more(dt_free *free)
{
    long long end = atomic_load_explicit(&free->end, memory_order_relaxed);
    while (end >= 0 &&
           !atomic_compare_exchange_weak_explicit(&free->end, &end, ~end, memory_order_relaxed, memory_order_relaxed)) {
    }
}

void dt_free_count(dt_free *free, int64_t worker, int64_t i, double loss_sum, int64_t right, int64_t seen)
{
    dt_tally *t = &free->tallies[worker];
    t->loss_sum += loss_sum;
    t->right += right;
    t->seen += seen;
    if (!isfinite(loss_sum) && i < t->fault)
        t->fault = i;
}

void dt_free_end(const dt_free *free, dt_run *run)
{
    const long long end = atomic_load_explicit(&free->end, memory_order_relaxed);
    int64_t fault = INT64_MAX;
    for (int64_t t = 0; t < free->workers; t++) {
        run->loss_sum += free->tallies[t].loss_sum;
        run->right += free->tallies[t].right;
        run->seen += free->tallies[t].seen;
        fault = dt_min(fault, free->tallies[t].fault);
    }
    run->diverged = fault < INT64_MAX;
    run->done = run->diverged ? fault : end < 0 ? ~end + 1 : run->last;
    run->halt = end < 0 && !run->diverged;
}
