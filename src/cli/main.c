/* deltoid: finds the command, runs it, and turns what it returns into one line and an exit status. */
#include <stdio.h>
#include <string.h>
#if defined(__linux__)
#include <malloc.h>
#endif

#include "cli/command.h"
#include "cli/scale_visit.h"
#include "cli/signals.h"
#include "cli/terminal.h"
#include "deltoid/version.h"

/* --help anywhere before "--" asks about the command. */
static bool wants_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

static dt_status run(int argc, char **argv, dt_error *error)
{
    const char *name = argc > 1 ? argv[1] : NULL;
    if (!name)
        return dt_fail(error, DT_INVALID, "no command; deltoid help lists them");
    if (strcmp(name, "--version") == 0) {
        printf("deltoid %s\n", dt_version());
        return dt_terminal_flush(error);
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    if (strcmp(name, DT_VISIT_WORD) == 0)
        return dt_visit_main(argc - 1, argv + 1, error);
    const dt_command *command = dt_command_find(name, error);
    if (!command)
        return error->status;
    if (wants_help(argc - 2, argv + 2)) {
        dt_help_command(command);
        return dt_terminal_flush(error);
    }
    dt_arguments arguments;
    dt_status status = dt_arguments_parse(&arguments, command, argc - 2, argv + 2, error);
    if (status != DT_OK)
        return status;
    status = command->run(&arguments, error);
    dt_arguments_clear(&arguments);
    return status;
}

/* A large block that is released goes back to the system, as --dry-run counts; glibc would soon keep ever larger ones.
 * HDF5 takes and releases some of a megabyte for each file, which are kept. */
static void keep_no_large_blocks(void)
{
#if defined(__GLIBC__)
    mallopt(M_MMAP_THRESHOLD, 4 << 20);
    mallopt(M_TRIM_THRESHOLD, 8 << 20);
#endif
}

int main(int argc, char **argv)
{
    dt_error error = {0};
    keep_no_large_blocks();
    dt_terminal_reserve();
    dt_signals_keep_writes();
    dt_status status = run(argc, argv, &error);
    if (status == DT_OK)
        return 0;
    fprintf(stderr, "deltoid: %s\n", *error.message ? error.message : dt_status_text(status));
    return status == DT_STOPPED && dt_signals_caught() ? 128 + dt_signals_caught() : dt_status_exit(status);
}
