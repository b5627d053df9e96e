#include "cli/completion.h"

#include <string.h>

#include "cli/command.h"
#include "cli/help.h"

/* Inside '...' of a shell script. */
static void add_quoted(dt_text *text, const char *words)
{
    for (; *words; words++)
        if (*words == '\'')
            dt_text_add(text, "'\\''");
        else
            dt_text_add(text, "%c", *words);
}

static void add_commands(dt_text *text)
{
    const dt_command *command;
    for (size_t i = 0; (command = dt_command_at(i)); i++)
        dt_text_add(text, "%s%s", i ? " " : "", command->name);
}

static void add_topics(dt_text *text)
{
    const char *topic, *summary;
    for (size_t i = 0; (topic = dt_help_topic(i, &summary)); i++)
        dt_text_add(text, " %s", topic);
}

/* Keys that key=value may name, but for those with a free name or a place in a list. */
static void add_keys(dt_text *text)
{
    const dt_key *key;
    const char *space = "";
    for (size_t i = 0; (key = dt_key_at(i)); i++)
        if (!strpbrk(key->pattern, "*#")) {
            dt_text_add(text, "%s%s=", space, key->pattern);
            space = " ";
        }
}

void dt_completion_bash(dt_text *text)
{
    const dt_command *command;
    dt_text_add(text, "# bash completion for deltoid\n"
                      "_deltoid() {\n"
                      "    local word=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} options='' keys=''\n"
                      "    COMPREPLY=()\n"
                      "    if ((COMP_CWORD == 1)); then\n"
                      "        mapfile -t COMPREPLY < <(compgen -W '");
    add_commands(text);
    dt_text_add(text, " --help --version' -- \"$word\")\n        return\n    fi\n    case $command in\n");
    for (size_t i = 0; (command = dt_command_at(i)); i++) {
        dt_text_add(text, "    %s)\n        options='", command->name);
        for (size_t o = 0; o < DT_OPTIONS_MAX && command->options[o].name; o++)
            dt_text_add(text, "%s--%s", o ? " " : "", command->options[o].name);
        dt_text_add(text, "'\n");
        if (command->overrides) {
            dt_text_add(text, "        keys='");
            add_keys(text);
            dt_text_add(text, "'\n");
        }
        if (command == &dt_command_help) {
            dt_text_add(text, "        keys='");
            add_commands(text);
            add_topics(text);
            dt_text_add(text, "'\n");
        }
        dt_text_add(text, "        ;;\n");
    }
    dt_text_add(text, "    esac\n"
                      "    if [[ $word == -* ]]; then\n"
                      "        mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$word\")\n"
                      "    else\n"
                      "        mapfile -t COMPREPLY < <(compgen -W \"$keys\" -- \"$word\"; compgen -f -- \"$word\")\n"
                      "        [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace\n"
                      "    fi\n"
                      "}\n"
                      "complete -o filenames -F _deltoid deltoid\n");
}

void dt_completion_zsh(dt_text *text)
{
    const dt_command *command;
    dt_text_add(text, "#compdef deltoid\n"
                      "_deltoid() {\n"
                      "    local -a commands options keys\n"
                      "    commands=(\n");
    for (size_t i = 0; (command = dt_command_at(i)); i++) {
        dt_text_add(text, "        '%s:", command->name);
        add_quoted(text, command->summary);
        dt_text_add(text, "'\n");
    }
    dt_text_add(text, "    )\n"
                      "    if ((CURRENT == 2)); then\n"
                      "        _describe command commands\n"
                      "        return\n"
                      "    fi\n"
                      "    case $words[2] in\n");
    for (size_t i = 0; (command = dt_command_at(i)); i++) {
        dt_text_add(text, "    %s)\n        options=(\n", command->name);
        for (size_t o = 0; o < DT_OPTIONS_MAX && command->options[o].name; o++) {
            dt_text_add(text, "            '--%s:", command->options[o].name);
            add_quoted(text, command->options[o].help);
            dt_text_add(text, "'\n");
        }
        dt_text_add(text, "        )\n");
        if (command->overrides) {
            dt_text_add(text, "        keys=(");
            add_keys(text);
            dt_text_add(text, ")\n");
        }
        if (command == &dt_command_help) {
            dt_text_add(text, "        keys=(");
            add_commands(text);
            add_topics(text);
            dt_text_add(text, ")\n");
        }
        dt_text_add(text, "        ;;\n");
    }
    dt_text_add(text, "    esac\n"
                      "    if [[ $words[CURRENT] == -* ]]; then\n"
                      "        _describe option options\n"
                      "    else\n"
                      "        compadd -S '' -- $keys\n"
                      "        _files\n"
                      "    fi\n"
                      "}\n"
                      "_deltoid \"$@\"\n");
}

void dt_completion_fish(dt_text *text)
{
    const dt_command *command;
    dt_text_add(text, "# fish completion for deltoid\n");
    for (size_t i = 0; (command = dt_command_at(i)); i++) {
        dt_text_add(text, "complete -c deltoid -n __fish_use_subcommand -a %s -d '", command->name);
        add_quoted(text, command->summary);
        dt_text_add(text, "'\n");
        for (size_t o = 0; o < DT_OPTIONS_MAX && command->options[o].name; o++) {
            dt_text_add(text, "complete -c deltoid -n '__fish_seen_subcommand_from %s' -l %s%s -d '", command->name,
                        command->options[o].name, command->options[o].value ? " -r" : "");
            add_quoted(text, command->options[o].help);
            dt_text_add(text, "'\n");
        }
        if (command->overrides) {
            dt_text_add(text, "complete -c deltoid -n '__fish_seen_subcommand_from %s' -a '", command->name);
            add_keys(text);
            dt_text_add(text, "'\n");
        }
    }
    dt_text_add(text, "complete -c deltoid -n '__fish_seen_subcommand_from help' -f -a '");
    add_commands(text);
    add_topics(text);
    dt_text_add(text, "'\n");
}
