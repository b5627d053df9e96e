/* deltoid capture recover */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "record/capture_recover.h"

#include "base/memory.h"
#include "cli/capture.h"
#include "cli/config.h"
#include "cli/runfolder.h"
#include "cli/terminal.h"

enum { TEXT_MAX = 1 << 20 }; /* as of an experiment file */

static void print_line(void *context, const char *line)
{
    (void)context;
    puts(line);
}

/* RUN/NAME as text; NULL where there is none, or more than belongs there. */
static char *read_file(const char *run, const char *name)
{
    char path[4096], *text = NULL;
    if (snprintf(path, sizeof path, "%s/%s", run, name) >= (int)sizeof path)
        return NULL;
    FILE *file = fopen(path, "re");
    if (file)
        text = dt_allocate(TEXT_MAX + 1, 1);
    if (text) {
        const size_t n = fread(text, 1, TEXT_MAX + 1, file);
        text[n <= TEXT_MAX ? n : 0] = '\0';
    }
    if (file)
        fclose(file);
    return text;
}

/* What the index says, or where it is lost the run's own file. */
static char *text_of(const char *run, const char *attribute, const char *file)
{
    dt_capture_reader *reader;
    char *text = NULL;
    if (dt_capture_reader_open(&reader, run, DT_CAPTURE_ALL, NULL) == DT_OK) {
        if (!dt_capture_reader_index_fault(reader))
            (void)dt_capture_reader_text(reader, attribute, &text, NULL);
        dt_capture_reader_close(reader);
    }
    return text ? text : read_file(run, file);
}

static dt_status finish(const dt_recovery *recovery, const char *run, const char *out, dt_error *error)
{
    if (!recovery->changed && !recovery->lost)
        printf("nothing to recover\n");
    else if (recovery->changed)
        printf("%s: recovered%s%s; %" PRId64 " steps from what was in the making\n", run, out ? " to " : "",
               out ? out : "", recovery->salvaged);
    dt_status status = dt_terminal_flush(error);
    if (status == DT_OK && recovery->lost)
        return dt_fail(error, DT_ANSWER_NO, "%s: %" PRId64 " things could not be recovered", run, recovery->lost);
    return status;
}

dt_status dt_capture_run_recover(const dt_arguments *arguments, dt_error *error)
{
    const char *run = arguments->positional[1], *out = dt_argument(arguments, "out");
    dt_arena arena = {0};
    dt_config config = {0};
    dt_status status = dt_runfolder_lock(run, &arena, error);
    if (status != DT_OK) {
        dt_arena_clear(&arena);
        return status;
    }
    char *text = text_of(run, "experiment", "experiment.yaml"),
         *provenance = text_of(run, "provenance", "provenance.json");
    if (!text)
        status = dt_fail(error, DT_NOT_FOUND,
                         "%s: has neither a capture nor an experiment.yaml to read; give the folder of a run", run);
    if (status == DT_OK)
        status = dt_config_parse(&config, text, strlen(text), "experiment", run, NULL, 0, error);
    if (status == DT_OK) {
        dt_recovery recovery = {.experiment = &config.experiment,
                                .experiment_text = text,
                                .provenance = provenance ? provenance : "{}",
                                .say = print_line};
        status = dt_capture_recover(run, out, &recovery, error);
        if (status == DT_OK)
            status = finish(&recovery, run, out, error);
        dt_config_clear(&config);
    }
    dt_release(text);
    dt_release(provenance);
    dt_arena_clear(&arena);
    return status;
}
