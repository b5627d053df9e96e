/* Fuzzes the reader of experiment files: libFuzzer gives the file, and after a byte 0x1f in it one key=value argument.
 *
 * What is refused must leave a message of one line; what is read must be written, and what was written read again to
 * the same text.
 */
#define _XOPEN_SOURCE 700 /* mkstemp, mkdtemp */
#include "cli/config.h"
#include "fuzz.h"

/* libfyaml 0.7.12 loses its own buffer of a long quoted text with many escapes: not what is looked for here. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:libfyaml";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    if (size)
        memcpy(text, data, size);
    text[size] = '\0';
    char *argument = memchr(text, 0x1f, size);
    size_t length = argument ? (size_t)(argument - text) : size;
    if (argument)
        argument++;

    dt_config config, again;
    dt_error error = {0};
    if (dt_config_parse(&config, text, length, "fuzz.yaml", "/data", (const char *const *)&argument, argument ? 1 : 0,
                        &error) != DT_OK) {
        check_refusal(error.status, &error);
    } else {
        check(dt_config_parse(&again, config.text, config.text_size, "again.yaml", "/elsewhere", NULL, 0, &error) ==
              DT_OK);
        check(strcmp(config.text, again.text) == 0);
        dt_config_clear(&again);
        dt_config_clear(&config);
    }
    free(text);
    return 0;
}
