#define _GNU_SOURCE
#include "machine/processors.h"

#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* glibc's set ends at 1024 processors, some systems don't. */
typedef struct mask {
    cpu_set_t sets[DT_PROCESSORS_MAX / CPU_SETSIZE];
} mask;

void dt_processors_mark(dt_processor_set *set)
{
    dt_processors_mark_thread(set, 0);
}

void dt_processors_mark_thread(dt_processor_set *set, int thread)
{
    mask m;
    memset(&m, 0, sizeof m);
    if (sched_getaffinity((pid_t)thread, sizeof m, m.sets) != 0)
        return;
    for (int i = 0; i < DT_PROCESSORS_MAX; i++)
        if (CPU_ISSET_S((size_t)i, sizeof m, m.sets))
            atomic_store_explicit(&set->has[i], true, memory_order_relaxed);
}

void dt_processors_mark_process(dt_processor_set *set)
{
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *entry; tasks && (entry = readdir(tasks));)
        if (atoi(entry->d_name) > 0)
            dt_processors_mark_thread(set, atoi(entry->d_name));
    if (tasks)
        closedir(tasks);
}

void dt_processors_of_two(int *first, int *second)
{
    dt_processor_set own = {.has = {false}}, all = {.has = {false}};
    int two[2] = {0, 0};
    dt_processors_mark(&own);
    dt_processors_mark_process(&all);
    const int count = dt_processors_list(&own, 0, 2, two);
    *first = two[0];
    *second = two[count > 1]; /* of a thread that isn't bound, or where the others are nowhere else */
    for (int i = 0; dt_processors_list(&all, i, 1, &i) == 1; i++)
        if (!own.has[i]) {
            *second = i;
            break;
        }
}

int dt_processors_count(const dt_processor_set *set)
{
    int count = 0;
    for (int i = 0; i < DT_PROCESSORS_MAX; i++)
        count += atomic_load_explicit(&set->has[i], memory_order_relaxed);
    return count;
}

int dt_processors_list(const dt_processor_set *set, int from, int most, int *numbers)
{
    int count = 0;
    for (int i = from < 0 ? 0 : from; i < DT_PROCESSORS_MAX && count < most; i++)
        if (atomic_load_explicit(&set->has[i], memory_order_relaxed))
            numbers[count++] = i;
    return count;
}

void dt_processors_text(const dt_processor_set *set, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (int first = 0; used < size && dt_processors_list(set, first, 1, &first) == 1;) {
        int last = first, next;
        while (dt_processors_list(set, last + 1, 1, &next) == 1 && next == last + 1)
            last = next;
        used +=
            (size_t)snprintf(text + used, size - used, first < last ? "%s%d-%d" : "%s%d", used ? "," : "", first, last);
        first = last + 1;
    }
}

bool dt_processors_pin(pthread_attr_t *attributes, int number)
{
    mask m;
    memset(&m, 0, sizeof m);
    if (number < 0 || number >= DT_PROCESSORS_MAX)
        return false;
    CPU_SET_S((size_t)number, sizeof m, m.sets);
    return pthread_attr_setaffinity_np(attributes, sizeof m, m.sets) == 0;
}
