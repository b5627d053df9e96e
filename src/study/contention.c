#include "study/contention.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "machine/processors.h"
#include "study/statistics.h"

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The beginning of a small file of the system's; false where there is none. */
static bool read_start(const char *path, char *text, size_t size)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    const ssize_t n = read(fd, text, size - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    return n > 0;
}

/* The number behind `name` in the text, 0 where it isn't there. */
static int64_t number_after(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    return at ? strtoll(at + strlen(name), NULL, 10) : 0;
}

/* The folder of this process's cgroup (version 2), found once. */
static const char *cgroup(void)
{
    static char folder[512];
    static bool known;
    char text[512];
    if (known)
        return folder;
    known = true;
    if (!read_start("/proc/self/cgroup", text, sizeof text))
        return folder;
    const char *at = strstr(text, "0::");
    if (at)
        snprintf(folder, sizeof folder, "/sys/fs/cgroup%.*s", (int)strcspn(at + 3, "\n"), at + 3);
    return folder;
}

static void look_at_cgroup(dt_witness *w)
{
    char path[600], text[1024];
    if (!*cgroup())
        return;
    snprintf(path, sizeof path, "%s/cpu.stat", cgroup());
    if (read_start(path, text, sizeof text))
        w->throttled_us = number_after(text, "throttled_usec ");
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=1234" */
static void look_at_pressure(dt_witness *w)
{
    char text[256];
    if (read_start("/proc/pressure/cpu", text, sizeof text))
        w->pressure_us = number_after(text, "total=");
}

/* "cpu  user nice system idle iowait irq softirq steal guest guest_nice", in ticks, of all processors. */
static void look_at_processors(dt_witness *w)
{
    char text[512];
    long long user, nice, system, idle, iowait, irq, softirq, steal;
    const double tick = 1.0 / (double)sysconf(_SC_CLK_TCK);
    if (!read_start("/proc/stat", text, sizeof text) ||
        sscanf(text, "cpu %lld %lld %lld %lld %lld %lld %lld %lld", &user, &nice, &system, &idle, &iowait, &irq,
               &softirq, &steal) != 8)
        return;
    w->busy = tick * (double)(user + nice + system + irq + softirq);
    w->steal = tick * (double)steal;
}

/* Each thread's "ran waited slices", in nanoseconds, and the processors that one or other of them may use. */
static void look_at_threads(dt_witness *w)
{
    dt_processor_set all;
    memset(&all, 0, sizeof all);
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *entry; tasks && (entry = readdir(tasks));) {
        char path[300], text[128];
        dt_witness_thread t = {.id = strtoll(entry->d_name, NULL, 10)};
        if (t.id <= 0)
            continue;
        dt_processors_mark_thread(&all, (int)t.id);
        snprintf(path, sizeof path, "/proc/self/task/%s/schedstat", entry->d_name);
        if (w->thread_count < DT_WITNESS_THREADS_MAX && read_start(path, text, sizeof text) &&
            sscanf(text, "%" SCNd64 " %" SCNd64, &t.cpu_ns, &t.delay_ns) == 2)
            w->threads[w->thread_count++] = t;
    }
    if (tasks)
        closedir(tasks);
    w->processors = dt_processors_count(&all);
    w->online = sysconf(_SC_NPROCESSORS_ONLN);
}

void dt_witness_processors(char *text, size_t size)
{
    dt_processor_set all;
    memset(&all, 0, sizeof all);
    dt_processors_mark_process(&all);
    dt_processors_text(&all, text, size);
}

void dt_witness_take(dt_witness *w, bool thorough)
{
    struct rusage use;
    struct timespec cpu;
    memset(w, 0, sizeof *w);
    if (thorough) {
        look_at_threads(w);
        look_at_cgroup(w);
        look_at_pressure(w);
        look_at_processors(w);
    }
    if (getrusage(RUSAGE_SELF, &use) == 0) {
        w->voluntary = use.ru_nvcsw;
        w->involuntary = use.ru_nivcsw;
        w->page_faults = use.ru_minflt + use.ru_majflt;
    }
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu) == 0)
        w->cpu = (double)cpu.tv_sec + 1e-9 * (double)cpu.tv_nsec;
    w->seconds = now();
}

double dt_contention_others(const dt_witness *before, const dt_witness *after)
{
    const double seconds = after->seconds - before->seconds;
    const double others = (after->busy - before->busy) - (after->cpu - before->cpu);
    return seconds > 0 && others > 0 ? others / seconds : 0;
}

double dt_contention_share(const dt_witness *before, const dt_witness *after, int64_t workers)
{
    const double seconds = after->seconds - before->seconds;
    return seconds > 0 ? (after->cpu - before->cpu) / (seconds * (double)workers) : 0;
}

/* The thread as it was before; NULL: it began since. Threads are listed in the order of their beginning. */
static const dt_witness_thread *earlier(const dt_witness *before, int64_t id, int64_t at)
{
    if (at < before->thread_count && before->threads[at].id == id)
        return &before->threads[at];
    for (int64_t i = 0; i < before->thread_count; i++)
        if (before->threads[i].id == id)
            return &before->threads[i];
    return NULL;
}

double dt_contention_delay(const dt_witness *before, const dt_witness *after, int64_t workers)
{
    const double seconds = after->seconds - before->seconds, got = after->cpu - before->cpu;
    double ran[DT_WITNESS_THREADS_MAX], most = 0, all = 0;
    for (int64_t i = 0; i < after->thread_count; i++) {
        const dt_witness_thread *b = earlier(before, after->threads[i].id, i);
        const double delay = 1e-9 * (double)(after->threads[i].delay_ns - (b ? b->delay_ns : 0));
        ran[i] = 1e-9 * (double)(after->threads[i].cpu_ns - (b ? b->cpu_ns : 0));
        most = fmax(most, delay);
        all += delay;
    }
    dt_samples_sort(ran, after->thread_count); /* the workers are those that ran most */
    for (int64_t i = 0; i < after->thread_count - workers; i++)
        all -= ran[i];
    const double left = (double)after->processors * seconds - got;
    return fmax(0, fmin(most, fmin(all, left)));
}

unsigned dt_contention_judge(const dt_witness *before, const dt_witness *after, int64_t workers, bool whole)
{
    const double seconds = after->seconds - before->seconds, team = (double)workers;
    const double switches = (double)(after->involuntary - before->involuntary);
    const bool told = before->thread_count > 0 && after->thread_count > 0;
    const bool delayed = told && dt_contention_delay(before, after, workers) > DT_LIMIT_DELAY * seconds;
    const double others = fmax(DT_LIMIT_LOAD, DT_LIMIT_LOAD_ALL * (double)after->online);
    unsigned flags = delayed ? DT_DISTURBED_DELAY : 0;
    if ((delayed || !told) && switches > DT_LIMIT_SWITCHES_LEAST + DT_LIMIT_SWITCHES * seconds * team)
        flags |= DT_DISTURBED_SWITCHES;
    if ((delayed || !told) && 1e-6 * (double)(after->pressure_us - before->pressure_us) > DT_LIMIT_PRESSURE * seconds)
        flags |= DT_DISTURBED_PRESSURE;
    if (after->throttled_us > before->throttled_us)
        flags |= DT_DISTURBED_THROTTLED;
    if (whole && after->steal - before->steal > DT_LIMIT_STEAL * seconds * team)
        flags |= DT_DISTURBED_STEAL;
    if (whole && dt_contention_others(before, after) > others)
        flags |= DT_DISTURBED_LOAD;
    return flags;
}

const char *dt_contention_names(unsigned flags, char *names, size_t size)
{
    static const char *const name[DT_DISTURBANCES] = {"switches", "pressure", "throttled", "steal",
                                                      "load",     "moved",    "slow",      "delay"};
    size_t used = 0;
    names[0] = '\0';
    for (int i = 0; i < DT_DISTURBANCES; i++)
        if (flags & 1U << i && used + strlen(name[i]) + 2 < size)
            used += (size_t)snprintf(names + used, size - used, "%s%s", used ? "," : "", name[i]);
    return names;
}
