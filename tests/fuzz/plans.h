/* For fuzzers of files that name an experiment: a folder with one and its data, which goes with the process. */
#ifndef DT_TESTS_FUZZ_PLANS_H
#define DT_TESTS_FUZZ_PLANS_H

#include "fuzz.h"

static char folder[64];

static inline void write_in_folder(const char *name, const void *bytes, size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    check(f && fwrite(bytes, 1, size, f) == size && fclose(f) == 0);
}

static inline void remove_folder(void)
{
    static const char *const names[] = {"experiment.yaml", "rows.csv", "plan.yaml"};
    char path[128];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

/* The file as FOLDER/plan.yaml, beside experiment.yaml; its path, good until the next. */
static inline const char *plan_file(const uint8_t *data, size_t size)
{
    static const char experiment[] = "data: {format: csv, train: {file: rows.csv}}\n"
                                     "network: [{units: 3, activation: tanh}, {units: 2}]\n"
                                     "loss: cross_entropy\n"
                                     "training: {epochs: 1, batch_size: 2}\n"
                                     "parallel: {threads: 1}\n";
    static const char rows[] = "a,b,label\n1,2,0\n2,1,1\n3,3,0\n4,1,1\n";
    static char path[128];
    if (!*folder) {
        snprintf(folder, sizeof folder, "%s/deltoid-fuzz-XXXXXX", memory_folder());
        check(mkdtemp(folder) != NULL);
        atexit(remove_folder);
        write_in_folder("experiment.yaml", experiment, strlen(experiment));
        write_in_folder("rows.csv", rows, strlen(rows));
    }
    write_in_folder("plan.yaml", data, size);
    snprintf(path, sizeof path, "%s/plan.yaml", folder);
    return path;
}

#endif
