#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/names.h"
#include "cli/command.h"
#include "cli/overrides.h"

static const char *option_at(const void *context, size_t i)
{
    const dt_command *command = context;
    if (i < DT_OPTIONS_MAX && command->options[i].name)
        return command->options[i].name;
    return NULL;
}

static dt_status unknown_option(const dt_command *command, const char *argument, size_t length, dt_error *error)
{
    char name[64], list[256] = "";
    snprintf(name, sizeof name, "%.*s", (int)(length < 60 ? length : 60), argument + 2);
    const char *nearest = dt_nearest_name(name, option_at, command), *each;
    for (size_t i = 0; (each = option_at(command, i)); i++) {
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, " --%s", each);
    }
    return dt_fail(error, DT_UNKNOWN_NAME, "deltoid %s has no option '%.66s'%s%s%s %s%s", command->name, argument,
                   nearest ? "; did you mean '--" : ";", nearest ? nearest : "", nearest ? "'?" : "",
                   *list ? "valid:" : "it takes none", list);
}

/* argv[*i] is "--...": stores its value, which may be the next argument. */
static dt_status take_option(dt_arguments *a, int argc, char **argv, int *i, dt_error *error)
{
    const dt_command *command = a->command;
    const char *name = argv[*i] + 2;
    size_t length = strcspn(name, "="), o = 0;
    while (o < DT_OPTIONS_MAX && command->options[o].name &&
           !(strlen(command->options[o].name) == length && strncmp(command->options[o].name, name, length) == 0))
        o++;
    if (o == DT_OPTIONS_MAX || !command->options[o].name)
        return unknown_option(command, argv[*i], length, error);
    const dt_option *option = &command->options[o];
    const char *value = name[length] == '=' ? name + length + 1 : NULL;
    if (!option->value) {
        if (value)
            return dt_fail(error, DT_INVALID, "option --%s takes no value; write --%s alone", option->name,
                           option->name);
        a->values[o] = "";
        return DT_OK;
    }
    if (!value) {
        if (*i + 1 >= argc)
            return dt_fail(error, DT_INVALID, "option --%s needs a value; write --%s %s", option->name, option->name,
                           option->value);
        value = argv[++*i];
    }
    if (!*value)
        return dt_fail(error, DT_INVALID, "option --%s has an empty value; write --%s %s", option->name, option->name,
                       option->value);
    if (a->values[o])
        return dt_fail(error, DT_INVALID, "option --%s is given twice; give it once", option->name);
    a->values[o] = value;
    return DT_OK;
}

static dt_status check_counts(const dt_arguments *a, dt_error *error)
{
    const dt_command *command = a->command;
    if (a->positional_count < command->least)
        return dt_fail(error, DT_INVALID, "deltoid %s needs %s; usage: deltoid %s %s", command->name, command->what,
                       command->name, command->usage);
    if (a->positional_count > command->most)
        return dt_fail(error, DT_INVALID, "deltoid %s: '%.200s' is one argument too many; usage: deltoid %s %s",
                       command->name, a->positional[command->most], command->name, command->usage);
    return DT_OK;
}

dt_status dt_arguments_parse(dt_arguments *arguments, const dt_command *command, int argc, char **argv, dt_error *error)
{
    *arguments = (dt_arguments){.command = command};
    arguments->positional = dt_allocate((size_t)argc + 1, sizeof *arguments->positional);
    arguments->overrides = dt_allocate((size_t)argc + 1, sizeof *arguments->overrides);
    if (!arguments->positional || !arguments->overrides) {
        dt_arguments_clear(arguments);
        return dt_fail_memory(error, "the command line");
    }
    bool options = true;
    dt_status status = DT_OK;
    for (int i = 0; i < argc && status == DT_OK; i++) {
        const char *argument = argv[i];
        if (options && strcmp(argument, "--") == 0)
            options = false;
        else if (options && strncmp(argument, "--", 2) == 0)
            status = take_option(arguments, argc, argv, &i, error);
        else if (options && argument[0] == '-' && argument[1])
            status = dt_fail(error, DT_UNKNOWN_NAME,
                             "unknown option '%.64s'; options begin with two dashes (deltoid help %s)", argument,
                             command->name);
        else if (dt_is_override(argument) && command->overrides)
            arguments->overrides[arguments->override_count++] = argument;
        else
            arguments->positional[arguments->positional_count++] = argument;
    }
    if (status == DT_OK)
        status = check_counts(arguments, error);
    if (status != DT_OK)
        dt_arguments_clear(arguments);
    return status;
}

void dt_arguments_clear(dt_arguments *arguments)
{
    dt_release(arguments->positional);
    dt_release(arguments->overrides);
    *arguments = (dt_arguments){.command = arguments->command};
}

const char *dt_argument(const dt_arguments *arguments, const char *option)
{
    const dt_command *command = arguments->command;
    for (size_t i = 0; i < DT_OPTIONS_MAX && command->options[i].name; i++)
        if (strcmp(command->options[i].name, option) == 0)
            return arguments->values[i];
    return NULL;
}
