/* deltoid capture recover */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "record/capture_recover.h"

#include "base/memory.h"
#include "cli/capture.h"
#include "cli/config.h"
#include "cli/paths.h"
#include "cli/runfolder.h"
#include "cli/terminal.h"
#include "cli/yaml.h"
#include "plot/sheet.h"

static void print_line(void *context, const char *line)
{
    (void)context;
    puts(line);
}

/* What the index says, or where it is lost the run's own file; NULL where neither can be read. */
static char *text_of(const char *run, const char *attribute, const char *file, dt_arena *arena)
{
    dt_capture_reader *reader;
    char *text = NULL, *own = NULL;
    if (dt_capture_reader_open(&reader, run, DT_CAPTURE_ALL, NULL) == DT_OK) {
        if (!dt_capture_reader_index_fault(reader))
            (void)dt_capture_reader_text(reader, attribute, &text, NULL);
        dt_capture_reader_close(reader);
    }
    const char *path = text ? NULL : dt_path_join(arena, run, file);
    if (text)
        own = dt_arena_duplicate(arena, text);
    else if (path)
        (void)dt_file_read(path, DT_YAML_SIZE_MAX, arena, &own, NULL, NULL);
    dt_capture_release(text);
    return own;
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
        return dt_fail(error, DT_ANSWER_NO, "%s: %" PRId64 " thing%s could not be recovered", run, recovery->lost,
                       recovery->lost == 1 ? "" : "s");
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
    char *text = text_of(run, "experiment", "experiment.yaml", &arena),
         *provenance = text_of(run, "provenance", "provenance.json", &arena);
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
    dt_arena_clear(&arena);
    return status;
}
