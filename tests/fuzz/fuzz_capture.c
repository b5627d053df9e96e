/* Fuzzes the reader of captures: whatever is listed can be read, or is refused with a reason. */
#define _XOPEN_SOURCE 700 /* mkstemp, mkdtemp */
#include "deltoid/capture.h"
#include "fuzz.h"

enum { BYTES_MAX = 1 << 20 };

static void read_all(dt_capture_reader *reader, const dt_capture_dataset *set)
{
    static uint8_t room[BYTES_MAX];
    int64_t start[DT_DATASET_RANK] = {0}, count[DT_DATASET_RANK], n = 8;
    dt_error error = {0};
    for (int d = 0; d < set->rank; d++) {
        check(set->size[d] >= 0);
        count[d] = set->size[d] < 4 ? set->size[d] : 4;
        n *= count[d];
    }
    if (n == 0 || n > BYTES_MAX)
        return;
    const dt_status status = dt_capture_reader_read(reader, set, start, count, room, &error);
    if (status != DT_OK)
        check_refusal(status, &error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const dt_capture_opening openings[] = {DT_CAPTURE_WHOLE, DT_CAPTURE_ALL};
    const memory_file file = memory_file_make(data, size);
    for (int i = 0; i < 2; i++) {
        dt_capture_reader *reader = NULL;
        dt_error error = {0};
        const dt_capture_dataset *set;
        const char *rule;
        char *text;
        dt_status status = dt_capture_reader_open(&reader, file.path, openings[i], &error);
        check((reader != NULL) == (status == DT_OK));
        if (status != DT_OK)
            check_refusal(status, &error);
        for (size_t k = 0; reader && (set = dt_capture_reader_at(reader, k)); k++)
            read_all(reader, set);
        for (size_t k = 0; reader && (rule = dt_capture_reader_rule(reader, k)); k++) {
            dt_error why = {0};
            int64_t *steps = NULL, count, dropped;
            if ((status = dt_capture_reader_steps(reader, rule, &steps, &count, &why)) != DT_OK)
                check_refusal(status, &why);
            dt_capture_release(steps);
            (void)dt_capture_reader_dropped(reader, rule, &dropped, NULL);
        }
        if (reader && dt_capture_reader_text(reader, "experiment", &text, NULL) == DT_OK)
            dt_capture_release(text);
        dt_capture_reader_close(reader);
    }
    memory_file_drop(&file);
    return 0;
}
