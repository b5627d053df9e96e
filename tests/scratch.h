/* A folder for the files of a test, and their names. */
#ifndef DT_TESTS_SCRATCH_H
#define DT_TESTS_SCRATCH_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct scratch {
    char folder[256];
    char path[8][512]; /* the last names that were asked for */
    unsigned next;
} scratch;

static inline void scratch_make(scratch *s)
{
    const char *base = getenv("TMPDIR");
    s->next = 0;
    snprintf(s->folder, sizeof s->folder, "%s/deltoid-test-XXXXXX", base && strlen(base) < 200 ? base : "/tmp");
    if (!mkdtemp(s->folder))
        abort();
}

/* FOLDER/NAME, good for the next seven calls. */
static inline const char *scratch_path(scratch *s, const char *name)
{
    char *path = s->path[s->next++ % 8];
    size_t folder = strlen(s->folder), size = strlen(name) + 1;
    if (folder + 1 + size > sizeof s->path[0])
        abort();
    memcpy(path, s->folder, folder);
    path[folder] = '/';
    memcpy(path + folder + 1, name, size);
    return path;
}

/* How many files lie there, hidden ones included. */
static inline int scratch_files(const scratch *s)
{
    int count = 0;
    DIR *folder = opendir(s->folder);
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    if (folder)
        closedir(folder);
    return count;
}

/* A file, or a folder with all that is in it. */
static inline void scratch_unlink(const char *path)
{
    DIR *folder = unlink(path) == 0 ? NULL : opendir(path);
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            char below[1024];
            if (snprintf(below, sizeof below, "%s/%s", path, entry->d_name) < (int)sizeof below)
                scratch_unlink(below);
        }
    if (folder)
        closedir(folder);
    rmdir(path);
}

static inline void scratch_remove(scratch *s)
{
    scratch_unlink(s->folder);
}

#endif
