#include "cli/manual.h"

#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/completion.h"
#include "cli/help.h"
#include "deltoid/record.h"
#include "deltoid/version.h"

/* One line of text: what roff would take for a command or an escape is made plain. */
static void add_line(dt_text *text, const char *line, size_t length)
{
    if (length > 0 && (line[0] == '.' || line[0] == '\''))
        dt_text_add(text, "\\&");
    for (size_t i = 0; i < length; i++)
        switch (line[i]) {
        case '\\':
            dt_text_add(text, "\\e");
            break;
        case '-':
            dt_text_add(text, "\\-");
            break;
        case '\'':
            dt_text_add(text, "\\(aq");
            break;
        case '^':
            dt_text_add(text, "\\(ha");
            break;
        case '~':
            dt_text_add(text, "\\(ti");
            break;
        case '`':
            dt_text_add(text, "\\(ga");
            break;
        default:
            dt_text_add(text, "%c", line[i]);
        }
}

static void add_words(dt_text *text, const char *words)
{
    add_line(text, words, strlen(words));
}

/* Paragraphs of a help text: filled, or as they stand where a line of them is indented. */
static void add_paragraphs(dt_text *text, const char *help)
{
    while (*help) {
        const char *end = strstr(help, "\n\n");
        const size_t length = end ? (size_t)(end - help) : strlen(help);
        bool stands = false;
        for (size_t i = 0; i < length; i++)
            stands = stands || (help[i] == ' ' && (i == 0 || help[i - 1] == '\n'));
        dt_text_add(text, ".PP\n%s", stands ? ".nf\n" : "");
        for (size_t at = 0; at < length;) {
            const size_t line = strcspn(help + at, "\n") < length - at ? strcspn(help + at, "\n") : length - at;
            add_line(text, help + at, line);
            dt_text_add(text, "\n");
            at += line + 1;
        }
        dt_text_add(text, "%s", stands ? ".fi\n" : "");
        help += length + strspn(help + length, "\n");
    }
}

static void add_head(dt_text *text, const char *name, int section, const char *summary)
{
    dt_text_add(text, ".TH \"");
    for (const char *c = name; *c; c++)
        dt_text_add(text, "%c", *c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
    dt_text_add(text, "\" %d \"\" \"deltoid %s\" \"deltoid\"\n.SH NAME\n", section, dt_version());
    add_words(text, name);
    dt_text_add(text, " \\- ");
    add_words(text, summary);
    dt_text_add(text, "\n");
}

static void add_statuses(dt_text *text)
{
    const char *status, *meaning;
    dt_text_add(text, ".SH EXIT STATUS\n");
    for (size_t i = 0; (status = dt_help_status(i, &meaning)); i++) {
        dt_text_add(text, ".TP\n%s\n", status);
        add_words(text, meaning);
        dt_text_add(text, "\n");
    }
}

/* "deltoid-train(1), deltoid-eval(1), ...", but for the page itself. */
static void add_see_also(dt_text *text, const char *own)
{
    const dt_command *command;
    dt_text_add(text, ".SH SEE ALSO\n");
    if (strcmp(own, "deltoid") != 0)
        dt_text_add(text, ".BR deltoid (1),\n");
    for (size_t i = 0; (command = dt_command_at(i)); i++)
        if (strcmp(command->name, own) != 0)
            dt_text_add(text, ".BR deltoid\\-%s (1),\n", command->name);
    if (strcmp(own, "experiment") != 0)
        dt_text_add(text, ".BR deltoid\\-experiment (5)\n");
}

static void add_options(dt_text *text, const dt_command *command)
{
    if (command->options[0].name)
        dt_text_add(text, ".SH OPTIONS\n");
    for (size_t i = 0; i < DT_OPTIONS_MAX && command->options[i].name; i++) {
        const dt_option *option = &command->options[i];
        dt_text_add(text, ".TP\n\\fB\\-\\-");
        add_words(text, option->name);
        dt_text_add(text, "\\fR");
        if (option->value)
            dt_text_add(text, " \\fI%s\\fR", option->value);
        dt_text_add(text, "\n");
        add_words(text, option->help);
        dt_text_add(text, "\n");
    }
}

static void command_page(dt_text *text, const dt_command *command)
{
    char name[64];
    snprintf(name, sizeof name, "deltoid-%s", command->name);
    add_head(text, name, 1, command->summary);
    dt_text_add(text, ".SH SYNOPSIS\n.B deltoid %s\n", command->name);
    add_words(text, command->usage);
    dt_text_add(text, "\n.SH DESCRIPTION\n");
    add_paragraphs(text, command->details);
    add_options(text, command);
    add_statuses(text);
    add_see_also(text, command->name);
}

static void overview_page(dt_text *text)
{
    const dt_command *command;
    const char *topic, *summary;
    add_head(text, "deltoid", 1, "parallel backpropagation with reproducible bits and a record of every layer");
    dt_text_add(text, ".SH SYNOPSIS\n.B deltoid\n.I COMMAND\n.RI [ argument ...]\n.SH DESCRIPTION\n");
    add_paragraphs(text,
                   "Trains fully connected networks by backpropagation on all the cores there are, gives the same "
                   "weights bit for bit on any number of them, and writes every layer's activations and gradients "
                   "to HDF5.");
    dt_text_add(text, ".SH COMMANDS\n");
    for (size_t i = 0; (command = dt_command_at(i)); i++) {
        dt_text_add(text, ".TP\n.BR deltoid\\-%s (1)\n", command->name);
        add_words(text, command->summary);
        dt_text_add(text, "\n");
    }
    dt_text_add(text, ".SH TOPICS\n.B deltoid help\n.I TOPIC\nexplains\n");
    for (size_t i = 0; (topic = dt_help_topic(i, &summary)); i++) {
        dt_text_add(text, ".TP\n.B %s\n", topic);
        add_words(text, summary);
        dt_text_add(text, "\n");
    }
    add_statuses(text);
    dt_text_add(text, ".SH ENVIRONMENT\n.TP\n.B DELTOID_ISA\n");
    add_words(text, "pins the instruction set (generic, avx2, avx512, neon); the bits are the same with each");
    dt_text_add(text, "\n.TP\n.B NO_COLOR\n");
    add_words(text, "no colour on a terminal");
    dt_text_add(text, "\n");
    add_see_also(text, "deltoid");
}

static void experiment_page(dt_text *text)
{
    const dt_key *key;
    add_head(text, "deltoid-experiment", 5, "the experiment file");
    dt_text_add(text, ".SH DESCRIPTION\n");
    add_paragraphs(text,
                   "An experiment file is YAML: sections, keys and lists. In the keys below # is a place in a list, "
                   "from 0 as key=value counts them, and * a name of your choice. Paths are relative to the file.");
    dt_text_add(text, ".SH KEYS\n");
    for (size_t i = 0; (key = dt_key_at(i)); i++) {
        char accepts[320];
        dt_text standard = {0};
        dt_key_accepts(key, accepts, sizeof accepts);
        dt_help_default(&standard, key);
        dt_text_add(text, ".TP\n\\fB");
        add_words(text, key->pattern);
        dt_text_add(text, "\\fR\n");
        add_words(text, key->help);
        dt_text_add(text, "\n");
        add_words(text, accepts);
        dt_text_add(text, "; ");
        add_words(text, standard.bytes ? standard.bytes : "");
        dt_text_add(text, "\n");
        text->failed = text->failed || standard.failed;
        dt_text_clear(&standard);
    }
    dt_text_add(text, ".SH EXAMPLE\n");
    add_paragraphs(text, dt_help_example);
    add_see_also(text, "experiment");
}

static dt_status write_text(const char *folder, const char *name, dt_text *text, dt_error *error)
{
    dt_text path = {0};
    dt_text_add(&path, "%s/%s", folder, name);
    const dt_status status = path.failed || text->failed ? dt_fail(error, DT_NO_MEMORY, "out of memory for the manual")
                                                         : dt_file_write(path.bytes, text->bytes, text->length, error);
    dt_text_clear(&path);
    dt_text_clear(text);
    return status;
}

dt_status dt_manual_write(const char *folder, dt_error *error)
{
    static const struct {
        const char *name;
        void (*write)(dt_text *text);
    } files[] = {
        {"deltoid.1", overview_page},         {"deltoid-experiment.5", experiment_page},
        {"deltoid.bash", dt_completion_bash}, {"_deltoid", dt_completion_zsh},
        {"deltoid.fish", dt_completion_fish},
    };
    dt_status status = DT_OK;
    for (size_t i = 0; status == DT_OK && i < sizeof files / sizeof *files; i++) {
        dt_text text = {0};
        files[i].write(&text);
        status = write_text(folder, files[i].name, &text, error);
    }
    const dt_command *command;
    for (size_t i = 0; status == DT_OK && (command = dt_command_at(i)); i++) {
        char name[64];
        dt_text text = {0};
        snprintf(name, sizeof name, "deltoid-%s.1", command->name);
        command_page(&text, command);
        status = write_text(folder, name, &text, error);
    }
    return status;
}
