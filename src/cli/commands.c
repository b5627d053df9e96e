/* The commands there are. */
#include <string.h>

#include "base/names.h"
#include "cli/command.h"

static const dt_command *const commands[] = {
    &dt_command_train,   &dt_command_eval,    &dt_command_predict, &dt_command_export,  &dt_command_check,
    &dt_command_circuit, &dt_command_sweep,   &dt_command_scale,   &dt_command_verify,  &dt_command_plot,
    &dt_command_report,  &dt_command_capture, &dt_command_data,    &dt_command_machine, &dt_command_help,
};

enum { COMMANDS = sizeof commands / sizeof *commands };

const dt_command *dt_command_at(size_t i)
{
    return i < COMMANDS ? commands[i] : NULL;
}

static const char *name_at(const void *context, size_t i)
{
    (void)context;
    return i < COMMANDS ? commands[i]->name : NULL;
}

const dt_command *dt_command_find(const char *name, dt_error *error)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    dt_fail_unknown(error, "command", name, name_at, NULL);
    return NULL;
}
