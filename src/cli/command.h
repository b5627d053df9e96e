/* Commands: one table in commands.c; dispatch, option parsing and help are made from it. To add a command, write its
 * file with a `const dt_command` and add it to that table.
 */
#ifndef DT_CLI_COMMAND_H
#define DT_CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "deltoid/status.h"

typedef struct dt_option {
    const char *name;  /* without "--" */
    const char *value; /* what its value is, for help; NULL: it takes none */
    const char *help;
} dt_option;

enum { DT_OPTIONS_MAX = 16 };

typedef struct dt_arguments dt_arguments;

typedef struct dt_command {
    const char *name;
    const char *usage;   /* what follows the name */
    const char *summary; /* half a line */
    const char *details; /* paragraphs for `deltoid help NAME` */
    dt_option options[DT_OPTIONS_MAX];
    size_t least, most; /* arguments that are neither options nor key=value */
    const char *what;   /* the arguments' name in messages: "an experiment file" */
    bool overrides;     /* takes key=value */
    dt_status (*run)(const dt_arguments *arguments, dt_error *error);
} dt_command;

struct dt_arguments {
    const dt_command *command;
    const char **positional; /* (positional_count) */
    size_t positional_count;
    const char **overrides; /* (override_count), "key=value" */
    size_t override_count;
    const char *values[DT_OPTIONS_MAX]; /* of the options; "" for one without value; NULL: not given */
};

/* Sorts argv, which is borrowed, into what a command takes. DT_INVALID or DT_UNKNOWN_NAME with what is wrong. */
dt_status dt_arguments_parse(dt_arguments *arguments, const dt_command *command, int argc, char **argv,
                             dt_error *error);
void dt_arguments_clear(dt_arguments *arguments);

/* The value of an option, "" where it takes none, NULL where it was not given. */
const char *dt_argument(const dt_arguments *arguments, const char *option);

/* The i-th command, NULL past the last; the command of that name, NULL with an error that lists all. */
const dt_command *dt_command_at(size_t i);
const dt_command *dt_command_find(const char *name, dt_error *error);

/* `deltoid help` of a command. */
void dt_help_command(const dt_command *command);

extern const dt_command dt_command_train, dt_command_eval, dt_command_predict, dt_command_export, dt_command_data,
    dt_command_check, dt_command_circuit, dt_command_sweep, dt_command_scale, dt_command_verify, dt_command_plot,
    dt_command_capture, dt_command_machine, dt_command_report, dt_command_help;

#endif
