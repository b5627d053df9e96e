/* Writes folders of studies that are made up, for report_pages.sh: make_study FOLDER. */
#define _XOPEN_SOURCE 700
#include <stdio.h>
#include <sys/stat.h>

#include "study_fixture.h"

static int write_study(const char *folder, const char *name, const fixture *f)
{
    char path[1024];
    const int n = snprintf(path, sizeof path, "%s/%s", folder, name);
    if (n < 0 || (size_t)n >= sizeof path || mkdir(path, 0777) != 0) {
        perror(path);
        return 1;
    }
    fixture_write(path, f);
    return 0;
}

int main(int argc, char **argv)
{
    const fixture strong = {.kind = "strong",
                            .workloads = {"W1"},
                            .reductions = {"tree", "owner", "atomic"},
                            .threads = {1, 2, 3, 4, 6, 8, 12, 16, 24},
                            .cores = 16,
                            .sigma = 0.03,
                            .kappa = 0.0004,
                            .faster = 1.05,
                            .noise = 0.01,
                            .visits = 6,
                            .flag_every = 11,
                            .uncovered = 0.01,
                            .phases = true};
    fixture batch = strong, edge = strong, hostile = strong;
    if (argc != 2) {
        fputs("usage: make_study FOLDER\n", stderr);
        return 2;
    }
    batch.kind = "batch";
    batch.targets = true;
    batch.threads[2] = 0;
    edge.speed = 3.385; /* the strategies' axis ends at 2002 us */
    hostile.name =
        "<script>alert(1)</script>\"'&]]>`id`\xff and a name that is longer than any picture has room for, by far";
    hostile.workloads[0] = "<b onload='x'>\"`ls` a workload's name that is far too long to stand in a picture\xff";
    hostile.workloads[1] = "W2";
    hostile.reductions[1] = "another-name-that-is-too-long-for-its-place";
    hostile.threads[4] = 0;
    return write_study(argv[1], "strong", &strong) || write_study(argv[1], "batch", &batch) ||
           write_study(argv[1], "edge", &edge) || write_study(argv[1], "<script>alert(1)<b> '&\"`ls`", &hostile);
}
